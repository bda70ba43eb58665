"""Tasks on an executor: any failure is one task's, a dead worker costs a second try."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from rootfs_builder.commands import batch, workers
from rootfs_builder.commands.batch import Outcome, Serial, Task
from rootfs_builder.errors import LostError, Mistake, NotFoundError, RootfsError, UsageError

ROOT = Path(__file__).parents[3]


def good(word):
    return Outcome(lines=(word,))


def bad(word):
    return Outcome(NotFoundError(f"{word} is missing"), ("before",))


def defect(word):
    raise KeyError(word)


def ended(outcome):
    return type(outcome.error), str(outcome.error)


def pid():
    return Outcome(document={"pid": os.getpid()})


def dies(marker):
    """The worker dies in the first call; the second one finds the marker."""
    if not os.path.exists(marker):
        with open(marker, "w", encoding="ascii"):
            pass
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(lines=("second",))


def always_dies():
    os.kill(os.getpid(), signal.SIGKILL)
    return Outcome()


EXECUTORS = {
    "here": (Serial, 1),
    "threads": (lambda: ThreadPoolExecutor(3), 3),
    "processes": (lambda: workers.local(3), 3),
    "more than workers": (lambda: workers.local(2), 50),
}


@pytest.fixture(params=EXECUTORS, ids=str)
def executor(request):
    return EXECUTORS[request.param]


def run(tasks, executor):
    start, at_once = executor
    found = {}
    for task, outcome in batch.run(tasks, start, at_once=at_once):
        assert task.name not in found
        found[task.name] = outcome
    return found


def test_each_task_ends_once_in_its_own_way(executor):
    tasks = [Task(f"good {n}", good, (str(n),)) for n in range(12)]
    tasks[3:3] = [Task("bad", bad, ("x",)), Task("defect", defect, ("x",))]
    found = run(tasks, executor)
    assert {f"good {n}": Outcome(lines=(str(n),)) for n in range(12)}.items() <= found.items()
    assert ended(found["bad"]) == (NotFoundError, "x is missing")
    assert found["bad"].lines == ("before",)
    assert ended(found["defect"]) == (KeyError, "'x'")
    assert "in defect\n" in "".join(traceback.format_exception(found["defect"].error))


def test_what_stands_after_another_waits_for_it_and_ends_with_it(executor):
    tasks = [
        Task("c", good, ("c",), after="b"),
        Task("b", good, ("b",), after="a"),
        Task("a", good, ("a",)),
        Task("z", good, ("z",), after="y"),
        Task("y", bad, ("y",)),
    ]
    found = run(tasks, executor)
    assert [found[name].error for name in "abc"] == [None, None, None]
    assert list(found).index("a") < list(found).index("b") < list(found).index("c")
    assert ended(found["z"]) == (NotFoundError, "not built, since y failed")


def test_after_a_defect_what_depends_on_it_is_not_built(executor):
    tasks = [Task("z", good, ("z",), after="y"), Task("y", defect, ("y",))]
    assert ended(run(tasks, executor)["z"]) == (RootfsError, "not built, since y failed")


def counts(folder):
    (folder / str(len(list(folder.iterdir())))).touch()
    raise OSError("no second try")


def test_an_exception_is_no_reason_to_try_again(executor, tmp_path):
    found = run([Task("once", counts, (tmp_path,))], executor)
    assert ended(found["once"]) == (OSError, "no second try")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_mistake_keeps_its_values_on_its_way_from_a_worker():
    (found,) = run([Task("a", refuses, ())], (lambda: workers.local(2), 2)).values()
    assert found.error.mistakes == (Mistake("--env", "wrong", "A", 3), Mistake("", "more"))
    assert str(found.error) == "--env A: wrong\nmore"


def refuses():
    raise UsageError(Mistake("--env", "wrong", "A", 3), "more")


class KilledError(Exception):
    """What a cluster raises for a task that it has tried again itself."""


def killed():
    raise KilledError


def test_a_cluster_says_itself_that_a_worker_died():
    found = list(batch.run([Task("a", killed, ())], Serial, at_once=1, killed=KilledError))
    assert [ended(outcome) for _, outcome in found] == [(LostError, "its worker died, twice")]


def test_nothing_to_do_starts_nothing():
    assert run([], (lambda: pytest.fail("started"), 1)) == {}


def test_one_job_stays_in_this_process_and_several_do_not():
    assert run([Task("a", pid, ())], (lambda: workers.local(1), 1))["a"].document == {
        "pid": os.getpid()
    }
    found = run([Task(str(n), pid, ()) for n in range(8)], (lambda: workers.local(2), 2))
    pids = {outcome.document["pid"] for outcome in found.values()}
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_a_worker_that_dies_costs_a_second_try(tmp_path, at_once):
    tasks = [Task(str(n), good, (str(n),)) for n in range(10)]
    tasks[4:4] = [Task("killed", dies, (tmp_path / "marker",))]
    found = run(tasks, (lambda: workers.local(2), at_once))
    assert all(outcome.error is None for outcome in found.values())
    assert found["killed"].lines == ("second",)


def test_a_task_that_kills_every_worker_fails_alone():
    tasks = [Task(str(n), good, (str(n),)) for n in range(10)]
    tasks[2:2] = [Task("killer", always_dies, ())]
    tasks[7:7] = [Task("another", always_dies, ())]
    found = run(tasks, (lambda: workers.local(3), 3))
    assert {name for name, outcome in found.items() if outcome.error} == {"killer", "another"}
    assert ended(found["killer"]) == (LostError, "its worker died, twice")


class Vanishing(Executor):
    """Does some, and is gone: what it has not done is cancelled."""

    def __init__(self):
        self._left = 3

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        self._left -= 1
        if self._left < 0:
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            future.set_result(fn(*args, **kwargs))
        return future


@pytest.mark.parametrize("at_once", [1, 10])
def test_an_executor_that_is_gone_loses_nothing_that_is_done(at_once):
    tasks = [Task(str(n), good, (str(n),)) for n in range(6)]
    found = []
    with pytest.raises(LostError):  # noqa: PT012 - what came before is the point
        for task, _ in batch.run(tasks, Vanishing, at_once=at_once):
            found.append(task.name)
    assert sorted(found) == ["0", "1", "2"]


def test_no_more_than_asked_for_run_at_once():
    running, most, lock = [], [], threading.Lock()

    def counted(n):
        with lock:
            running.append(n)
            most.append(len(running))
        time.sleep(0.01)
        with lock:
            running.remove(n)
        return Outcome()

    tasks = [Task(str(n), counted, (n,)) for n in range(20)]
    run(tasks, (lambda: ThreadPoolExecutor(8), 2))
    assert max(most) == 2


@pytest.fixture
def timeout():
    """A test that hangs is ended."""

    @contextlib.contextmanager
    def timeout(seconds):
        def ended(*_):
            raise TimeoutError

        before = signal.signal(signal.SIGALRM, ended)
        signal.alarm(seconds)
        try:
            yield
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)

    return timeout


def interrupted():
    with workers.local(2) as executor:
        futures = [executor.submit(time.sleep, 600) for _ in range(2)]
        while not all(future.running() for future in futures):
            time.sleep(0.01)
        raise KeyboardInterrupt


def test_workers_end_though_a_killed_one_has_the_lock_of_their_last_word(timeout):
    with timeout(60), workers.local(2) as executor:
        assert executor.submit(good, "a").result() == good("a")
        executor._result_queue._wlock.acquire()  # as it stays where its owner is killed
    assert multiprocessing.active_children() == []


def test_tasks_run_here_where_the_pool_gets_no_thread(monkeypatch):
    """`local` has just got one: another process took the last since."""
    start = threading.Thread.start

    def refused(thread):
        if "ExecutorManager" in type(thread).__name__:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    tasks = [Task(str(n), pid, ()) for n in range(4)]
    found = run(tasks, (lambda: workers.local(2), 2))
    assert {outcome.document["pid"] for outcome in found.values()} == {os.getpid()}


def test_workers_end_when_they_are_told_and_print_nothing(capfd):
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert multiprocessing.active_children() == []
    assert capfd.readouterr().err == ""


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    script = f"""
import os, time
from pathlib import Path
from rootfs_builder.commands import workers
def work():
    Path({str(tmp_path)!r}, str(os.getpid())).touch()
    time.sleep(600)
with workers.local(2) as executor:
    for _ in range(2):
        executor.submit(work)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    while len(found := list(tmp_path.iterdir())) < 2:
        assert parent.poll() is None
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 30
    while any(is_alive(path.name) for path in found):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # a zombie has none
    except (FileNotFoundError, ProcessLookupError):
        return False
