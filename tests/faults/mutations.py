"""Damaged input of every kind, by chance: a sentence or a result, in bounded time and memory.

A worker process runs cases in itself, as a process for each would take most of the time; `rows`
starts workers, and another one where a case ended its worker. A case is its subject, the seed and
its number: `scripts/fuzz --only elf --seed 3 --first 17 --count 1 --jobs 1` repeats one. What is
damaged in a failing case is copied, and where to is printed.
"""

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rootfs_builder import cli
from rootfs_builder.errors import RootfsError
from tests.faults import runs
from tests.faults.against_ld_so import AgainstLdSo
from tests.faults.runs import MIB, Row
from tests.faults.subjects import SUBJECTS, chance

CPU = 10  # seconds that a command line may take
MEMORY = 300 * MIB  # that it may take besides what the process has
ADDRESSES = 4 << 30  # bytes of address space: what takes more is told by a MemoryError
ALL = {**SUBJECTS, AgainstLdSo.short: AgainstLdSo}
CHECKOUT = Path(__file__).parent.parent.parent


class _TooLongError(BaseException):
    """A command line took more CPU time than it may."""


def _too_long(_number, _frame):
    raise _TooLongError


def _resident(name):
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise AssertionError(name)


@contextlib.contextmanager
def _metered():
    """Limits for one command line: where it does not keep them, a list says which."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the high-water mark is now
    before, passed = _resident("VmRSS"), []
    used = resource.getrusage(resource.RUSAGE_SELF)
    last = int(used.ru_utime + used.ru_stime) + 3 * CPU  # a loop in C sees no signal handler
    resource.setrlimit(resource.RLIMIT_CPU, (last, resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_PROF, CPU)
    signal.alarm(20 * CPU)  # waits for what never comes: that ends the worker
    try:
        yield passed
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        if _resident("VmHWM") - before > MEMORY:
            passed.append("limit of memory")


def ran(words):
    """Run a command line in this process: its exit code, and what was wrong with it."""
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    code, problems = 1, []
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), _metered() as passed:
        try:
            code = cli.run([*words, "--debug"], None)
        except RootfsError as error:
            code = error.exit_code
        except _TooLongError as error:
            problems.append(f"limit of CPU time at {_place(error)}")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            problems.append(f"{type(error).__name__} at {_place(error)}")
    return code, problems + passed


def _place(error):
    """The last line of ours in a traceback: where to look."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if str(runs.PACKAGE) in one.filename] or frames
    name = ours[-1].filename.removeprefix(f"{runs.PACKAGE}/")
    return f"{name}:{ours[-1].lineno}"


def work(short, folder, keep, seed, first, step, count, until):
    """A worker: cases `first`, `first` + `step`, ...; a line of JSON when one begins, and ends.

    It copies what is damaged in a failing case to `keep`, before the next case damages it anew.
    """
    signal.signal(signal.SIGPROF, _too_long)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, resource.RLIM_INFINITY))
    print(json.dumps({"ready": short}), flush=True)
    subject = ALL[short](folder)
    for number in range(first, first + step * count, step):
        if until and time.time() > until:
            break
        print(json.dumps({"begin": number, "path": str(subject.laid)}), flush=True)
        problems, exception, calls = [], "", 0
        commands = subject.lay(chance(short, seed, number))
        print(json.dumps({"laid": str(subject.laid)}), flush=True)
        said = ""
        for words in commands:
            calls += 1
            code, found = ran(words) if words else (0, [])
            found += subject.wrong(words, code)
            problems += found
            said = said or (" ".join(words) if found else "")
        exception = getattr(subject, "exception", "")
        if problems:
            _kept(subject.laid, keep, short, seed, number)
        end = {"end": number, "problems": problems, "words": said, "calls": calls}
        print(json.dumps({**end, "exception": exception}), flush=True)


def _kept(laid, keep, short, seed, number):
    """Copy what is damaged, so that it can be looked at: where to."""
    kept = Path(keep) / f"{short}-{seed}-{number}-{os.path.basename(laid)}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        shutil.copy(laid, kept)
    return kept


class Worker:
    """A worker process for a part of the cases, and the next one where that has died."""

    def __init__(self, short, folder, seed, keep):
        self.row = Row(ALL[short].name)
        self.calls = 0
        self._short, self._folder, self._seed, self._keep = short, Path(folder), seed, keep

    def run(self, first, step, count, until):
        """Run so many cases, whatever they do to the worker."""
        last, started = first + step * count, 0
        while first < last and (not until or time.time() < until):
            done = self._some(first, step, (last - first) // step, until, started)
            if done is None:
                return self.row
            first, started = done + step, started + 1
        return self.row

    def _some(self, first, step, count, until, started):
        """Cases until one ends the worker: its number, or None when all are done."""
        folder = self._folder / str(started)
        folder.mkdir(parents=True)
        numbers = (self._seed, first, step, count, until)
        words = [self._short, str(folder), str(self._keep), *map(str, numbers)]
        env = runs.environment(folder)
        (folder / "tmp").mkdir()
        with subprocess.Popen(
            [sys.executable, "-m", __name__, *words],
            cwd=CHECKOUT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            begun, ready, laid = None, False, ""
            for line in process.stdout:
                one = json.loads(line)
                ready = ready or "begin" in one
                if "end" in one:
                    begun = None
                    self.calls += one["calls"]
                    self._count(one["end"], one["problems"], one, laid)
                begun = one.get("begin", begun)
                laid = one.get("laid", one.get("path", ""))
            said = process.stderr.read()
        assert ready or not count, said
        if begun is None:
            assert process.returncode == 0, said
            shutil.rmtree(folder)
            return None
        assert process.returncode < 0, said  # a mistake of this harness
        name = signal.Signals(-process.returncode).name
        _kept(laid, self._keep, self._short, self._seed, begun)
        self._count(begun, [f"the process ended by {name}"], {}, laid)
        shutil.rmtree(folder)
        return begun

    def _count(self, number, problems, one, laid):
        example = ""
        if problems:
            kept = self._keep / f"{self._short}-{self._seed}-{number}-{os.path.basename(laid)}"
            again = f"scripts/fuzz --only {self._short} --seed {self._seed} --first {number}"
            example = f"{again} --count 1 --jobs 1   # {kept}: {one.get('words', '')[:160]}"
        self.row.add(problems, example, one.get("exception", ""))


def rows(*, count, seed, only=(), jobs=1, seconds=0, first=0, folder=None, keep=None):
    """A row for each subject, of `count` cases or of all that run in `seconds`."""
    runs.compile_package()
    keep = Path(keep or Path(tempfile.gettempdir()) / "rootfs-builder-faults")
    for short, subject in ALL.items():
        if only and short not in only:
            continue
        row = Row(subject.name)
        until = time.time() + seconds if seconds else 0
        each = 10**9 if seconds else -(-count // jobs)
        with (
            tempfile.TemporaryDirectory(dir=folder, prefix="rootfs-builder-fuzz.") as top,
            ThreadPoolExecutor(jobs) as pool,
        ):
            workers = [Worker(short, f"{top}/{job}", seed, keep) for job in range(jobs)]
            parts = [
                pool.submit(one.run, first + job, jobs, each, until)
                for job, one in enumerate(workers)
            ]
            for part in parts:
                row.join(part.result())
        yield row


if __name__ == "__main__":
    work(*sys.argv[1:4], *map(int, sys.argv[4:8]), float(sys.argv[8]))
