"""Errors and kills at each system call of a job, by strace: its output is old or new, and whole.

A first run under strace counts the calls; then each `Site`, the N-th of one call, fails with one
error, or the process is killed there. A run survives if

- it ends with 0 and the output is right, or with one sentence and an exit code of an error, and
  the output is as it was; a killed one leaves either;
- nothing else is left in the output's directory or TMPDIR once the next ordinary run has ended,
  and that one succeeds with the same bytes. What is left in the cache's directory `new` goes a day
  later: see tests/unit/cache/test_cache.py.

Some results are not defects. A fault in Python's own start and imports may show Python's traceback:
that is counted apart, by what the call was about; so is SystemError where Python has no memory for
its own frames, a crash of msgspec's where Python cannot import datetime, and what strip(1) hides of
its own reads. And a fault of stdout or stderr themselves comes when the output is at its place, or
takes the words away: then words are not judged.
"""

import random
import re
import shutil
import sys
import sysconfig
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from tests.faults import runs
from tests.faults.runs import Limits, Row
from tests.faults.scenarios import SCENARIOS, Bench

KILL = "KILL"
ERRORS = {
    "write": ("EIO", "ENOSPC", KILL),
    "openat": ("EIO", "EACCES", "EMFILE", "ENOMEM", KILL),
    "read": ("EIO", "EINTR", KILL),
    "pread64": ("EIO", "EINTR"),
    "close": ("EIO", "ENOSPC", KILL),
    "rename": ("EIO", "EACCES", "ENOSPC", KILL),
    "renameat2": ("EIO", "EACCES", "ENOSPC", KILL),
    "ftruncate": ("EIO", "ENOSPC", KILL),
    "unlink": ("EIO", "EACCES", KILL),
    "unlinkat": ("EIO", "EACCES", KILL),
    "mkdir": ("EIO", "EACCES", "ENOSPC", KILL),
    "rmdir": ("EIO", "EACCES", KILL),
    "newfstatat": ("EIO", "EACCES", "ENOMEM"),
    "statx": ("EIO", "EACCES", "ENOMEM"),
    "fstat": ("EIO", "ENOMEM"),
    "readlink": ("EIO", "ENOMEM"),
    "readlinkat": ("EIO", "ENOMEM"),
    "getdents64": ("EIO", KILL),
    "lseek": ("EIO", KILL),
    "mmap": ("ENOMEM",),
    "clone3": ("EAGAIN", "ENOMEM"),
    "clone": ("EAGAIN", "ENOMEM"),
    "vfork": ("EAGAIN", "ENOMEM"),
    "fsync": ("EIO", "ENOSPC", KILL),
    "fdatasync": ("EIO", "ENOSPC", KILL),
    "pwrite64": ("EIO", "ENOSPC", KILL),
    "copy_file_range": ("EIO", "ENOSPC", KILL),
    "sendfile": ("EIO", KILL),
    "utimensat": ("EIO", "EACCES"),
    "fchmod": ("EIO",),
    "chmod": ("EIO",),
    "link": ("EIO",),
    "linkat": ("EIO",),
    "openat2": ("EIO", "EACCES", "EMFILE", "ENOSYS"),
    "fallocate": ("EIO", "ENOSPC"),
}
IMPORTS = "Python's own start and imports"
FRAMES = "CPython finds no memory for its own frames and says SystemError"
CRASHES = "msgspec crashes where Python cannot import its datetime, which it does not check"
STRIPS = "a read of strip's fails twice, and it says that it does not know the file"
DENIED = "EACCES is an answer: what nobody may look at is not there, for a loader neither"
TRIED = "tempfile does not remove the file by which it tries TMPDIR"
RECORD = "the record of a layout takes its place after the image, and the message says that"
PIPES = "a pipe between Python's own processes fails, which no kernel does to it"
_LIMITS = Limits(cpu=60, wait=60, memory=1 << 30, disk=1 << 30)  # strace's time counts, too
_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
_PATH = re.compile(r'[<"](/[^<>"]*)[>"]')
_CODE = (".py", ".pyc", ".so", ".pth", ".cfg", ".zip", ".dist-info", "METADATA")
_LIBRARY = re.compile(r"\.so(\.[\d.]+)?$")
_PACKED = ("libc.so.6", "ld-linux-x86-64.so.2")  # what the job itself reads
_PYTHON = tuple(
    {sys.prefix, sys.base_prefix, str(runs.PACKAGE), sysconfig.get_path("stdlib"), "/etc/ld.so"}
)


class Site(NamedTuple):
    """The `number`-th time that a process makes a call, counted from 1, and what happens there."""

    call: str
    number: int
    error: str
    imports: bool

    @property
    def inject(self):
        """What strace takes."""
        what = f"signal={KILL}" if self.error == KILL else f"error={self.error}"
        return f"inject={self.call}:{what}:when={self.number}"


def strace(log, *expressions):
    """The words before a command: strace, with the paths of descriptors, into a file.

    It stops at those calls alone, unless it is to send a signal, which it does not do then.
    """
    options = [word for one in expressions for word in ("-e", one)]
    if not any("signal=" in one for one in expressions):
        options.append("--seccomp-bpf")
    return ("strace", "-f", "--kill-on-exit", "-q", "-y", "-s", "8", "-o", str(log), *options)


def about_imports(text):
    """Whether a call is about a module, a library or a directory that Python looks for them in."""
    paths = _PATH.findall(text)
    about = paths[-1] if text.startswith("AT_FDCWD") and paths else (paths or [""])[0]
    name = about.rpartition("/")[2]
    if about.endswith(".toml") or name in _PACKED:
        return False
    if _LIBRARY.search(name):
        return True
    return about.startswith(_PYTHON) and (about.endswith(_CODE) or "." not in about[-6:])


def sites(bench):
    """Every site of a scenario, by call, as a traced run shows them."""
    log = bench.folder / "trace"
    bench.arrange()
    known = ",".join(f"?{call}" for call in ERRORS)
    done = bench.run(prefix=strace(log, f"trace={known}"), limits=_LIMITS)
    assert done.code == 0, done
    counts = defaultdict(lambda: defaultdict(int))  # by process and call
    seen, own, pipes = {}, set(), set()
    begun, main = False, ""  # whether a module of ours was read; the first process
    for line in log.read_text(errors="replace").splitlines():
        match = _LINE.match(line)
        if match is None or match[2] not in ERRORS:
            continue
        pid, call, text = match.groups()
        counts[pid][call] += 1
        number = counts[pid][call]
        begun = begun or str(runs.PACKAGE / "__pycache__/cli.") in text
        main = main or pid
        if pid == main and (not begun or about_imports(text)):
            own.add((call, number))
        seen[call, number] = None
        pipes |= {(call, number)} if "<pipe:[" in text else set()
    found = defaultdict(list)
    for call, number in seen:
        if (call, number) in pipes:
            continue
        for error in ERRORS[call]:
            found[call].append(Site(call, number, error, (call, number) in own))
    return found


def sample(found, count, seed):
    """So many sites, 0 for all: calls and errors take turns, one in eight is about imports."""
    chance = random.Random(f"sites {seed}")
    queues = []
    for call in sorted(found):
        for error in ERRORS[call]:
            ours = [one for one in found[call] if one.error == error and not one.imports]
            imports = [one for one in found[call] if one.error == error and one.imports]
            chance.shuffle(ours)
            chance.shuffle(imports)
            queues.append([*_mixed(ours, imports, 7)])
    queues = [queue for queue in queues if queue]  # a call need not be made
    chance.shuffle(queues)
    chosen = []
    while queues and (not count or len(chosen) < count):
        for queue in queues:
            chosen.append(queue.pop(0))
        queues = [queue for queue in queues if queue]
    return chosen[: count or None]


def _mixed(many, few, ratio):
    many, few = iter(many), iter(few)
    while True:
        part = [one for _, one in zip(range(ratio), many, strict=False)]
        part += [one for _, one in zip(range(1), few, strict=False)]
        if not part:
            return
        yield from part


class Injected(NamedTuple):
    """What happened at a site: the lines of the calls that were hit, and how the run ended."""

    lines: tuple[str, ...]
    outcome: runs.Outcome


def inject(bench, site):
    """Run the scenario with a fault."""
    log = bench.folder / "log"
    prefix = strace(log, f"trace={site.call}", site.inject)
    outcome = bench.run(prefix=prefix, limits=_LIMITS)
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    killed = [line for line in lines if "+++ killed by SIGKILL" in line]
    hit = killed if site.error == KILL else [one for one in lines if "(INJECTED)" in one]
    return Injected(tuple(hit), outcome)


def judge(bench, site, injected):
    """Every way in which a run did not survive; it leaves the bench ready for the next."""
    outcome, problems = injected.outcome, []
    stream = [one for one in injected.lines if re.match(r"\d+ +write\([12]<", one)]
    now = bench.seen()
    killed = site.error == KILL and outcome.code in (-9, 137)
    if outcome.passed:
        problems.append(f"limit of {outcome.passed}")
    if outcome.code == 0:
        problems += [f"exit 0 and another {name}" for name in _unlike(now, bench.after)]
        if outcome.stdout != bench.stdout:
            problems.append("exit 0 and another line on stdout")
    elif not killed and not stream:
        problems += runs.unsaid(outcome)
    if outcome.code != 0:
        either = killed or stream or bench.scenario.apart
        for name in _unlike(now, bench.before):
            image = _image(now[name])
            if image not in (_image(bench.before[name]), _image(bench.after[name])):
                problems.append(f"{name} is neither old nor new")
            elif not either and image != _image(bench.before[name]):
                problems.append(f"failed, and {name} is new")
    return problems + _next(bench, now)


def _image(tree):
    """An output less the record beside an image, which takes its place before `index.json`."""
    return {
        path: words for path, words in tree.items() if not path.endswith("/rootfs-builder.json")
    }


def _unlike(now, then):
    return [name for name in then if now[name] != then[name]]


def _next(bench, now):
    """What the next ordinary run does not put right."""
    if not bench.scenario.uses_cache and (now, bench.others()) in bench.known:
        if now != bench.before:
            bench.arrange()
        return []  # such a run is the first one once more
    done = bench.again()
    problems = []
    if done.code != 0:
        problems.append("the next run fails")
    elif bench.seen() != bench.after or done.stdout != bench.stdout:
        problems.append("the next run gives another output")
    left = [re.sub(r"[0-9a-f]{8,}|\.\w{8}/", "*", one) for one in bench.others()]
    if left != bench.rest:
        first = sorted(one.split("/")[0] + "/" + one.split("/")[1] for one in left)[:1]
        problems.append(f"left for ever: {''.join(first)}")
    if not bench.scenario.warm or problems:
        bench.arrange()
    if bench.scenario.warm and problems:
        bench.run()
    return problems


def example(bench, site, injected):
    """How to repeat a case, and what was hit and said."""
    words = " ".join(bench.scenario.words)
    said = injected.outcome.stderr.strip().splitlines()[-1:] or [""]
    hit = injected.lines[0].partition(" ")[2].strip()[:160] if injected.lines else ""
    return (
        f"strace -f -e {site.inject} rootfs-builder {words}\n      at {hit}\n      {said[0][:200]}"
    )


def case(bench, site, row):
    """Try one site; it does not count if the call was not made this time."""
    injected = inject(bench, site)
    if not injected.lines:
        bench.again()
        bench.arrange()
        return
    problems = judge(bench, site, injected)
    row.add(problems, example(bench, site, injected), excepted(site, injected, problems))


def excepted(site, injected, problems):
    """Why the problems of a run are no defect of ours, "" if they are."""
    hits = injected.lines
    lines = [line for one in hits if (line := _LINE.match(one))]
    imports = site.imports or (bool(lines) and all(about_imports(one[3]) for one in lines))
    imports = imports or any(" Import" in one or " ModuleNotFound" in one for one in problems)
    words = all(one.startswith(_WORDS) for one in problems)
    if imports and words:
        return IMPORTS
    if "exit -11" in problems and hits and all(_DATETIME.search(one) for one in hits):
        return CRASHES
    if any(_STRIPPED.search(one) for one in hits) and ": not stripped: " in injected.outcome.stderr:
        return STRIPS
    if site.call == "mmap" and words and any(" SystemError" in one for one in problems):
        return FRAMES
    if any(_PROBE.search(one) for one in hits) or all(_PROBED.search(one) for one in problems):
        return TRIED
    if any(_RECORD.search(one) for one in hits) and "exit 0 and another" not in str(problems):
        return RECORD
    if site.error == KILL:
        return ""
    if any("<pipe:[" in one for one in hits):
        return PIPES
    another = all(one.startswith("exit 0 and another") for one in problems)
    return DENIED if site.error == "EACCES" and site.call in _LOOKS and another else ""


_WORDS = ("traceback", "internal error", "no sentence", "exit 1")  # 1, 120 or 127
_PROBED = re.compile(r"left for ever: tmp/[a-z0-9_]{8}\Z")
_RECORD = re.compile(r"\brename\(\"[^\"]*/rootfs-builder\.json\"")
_LOOKS = ("newfstatat", "statx", "openat", "openat2", "readlink", "readlinkat")
_DATETIME = re.compile(r"/_?datetime\.[^/]*[>\"]")
_STRIPPED = re.compile(r"\bp?read(?:64)?\(\d+<[^>]*/\d+\.full>")  # a copy that strip reads
_PROBE = re.compile(r'unlink\("[^"]*/tmp/[a-z0-9_]{8}"\)')


def rows(*, count, seed, only=(), calls=(), jobs=1, folder):
    """A row for errors and one for kills of each scenario, with `count` sites, 0 for all.

    `only` are names of scenarios, `calls` the system calls.
    """
    runs.compile_package()
    for number, scenario in enumerate(SCENARIOS):
        if only and scenario.name not in only:
            continue
        top = Path(folder) / f"calls{number}"
        benches = SimpleQueue()
        for job in range(jobs):
            benches.put(Bench(top / str(job), scenario))
        first = benches.get()
        found = sites(first)
        chosen = sample({one: found[one] for one in calls or found}, count, seed)
        first.again()
        first.arrange()
        benches.put(first)
        yield from _rows_of(scenario, chosen, benches, jobs)
        shutil.rmtree(top)


def _rows_of(scenario, chosen, benches, jobs):
    errors, kills = Row(f"an error: {scenario.name}"), Row(f"SIGKILL: {scenario.name}")

    def one(site):
        bench = benches.get()
        row = Row("")
        try:
            case(bench, site, row)
        finally:
            benches.put(bench)
        return site, row

    with ThreadPoolExecutor(jobs) as pool:
        for site, row in pool.map(one, chosen):
            (kills if site.error == KILL else errors).join(row)
    return [errors, kills]
