"""A command line with limits → how it ended, and every way in which that is not as it should be.

Limits are judged by what a process used, not by the clock: CPU time is the kernel's own limit, and
memory (the high-water mark of its own pages) and the bytes below TMPDIR are looked at all the time.
A run that passes one is ended, so that no input, however hostile, stops a harness or the machine.
"""

import compileall
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import rootfs_builder

TOOL = (sys.executable, "-m", "rootfs_builder")
PACKAGE = Path(rootfs_builder.__file__).parent
MIB = 1 << 20
REFUSALS = (1, 2, 3, 4, 5)  # the exit codes of errors: DESIGN, "What a command promises"
SENTENCE = "rootfs-builder: "
DEFECT = "internal error: "
_LOOK = 0.01  # seconds between two looks at a run
_ENDED = {signal.SIGXCPU: "CPU time", signal.SIGKILL: "killed"}


@dataclass(frozen=True)
class Limits:
    """CPU time, and time that it may wait, in seconds; memory and disk in bytes."""

    cpu: int = 10
    wait: int = 120
    memory: int = 300 * MIB
    disk: int = 300 * MIB


@dataclass(frozen=True)
class Outcome:
    """How a run ended; `passed` names the limit that it did not keep, "" if it kept all."""

    code: int
    stdout: str
    stderr: str
    seconds: float
    memory: int
    disk: int
    passed: str = ""


def compile_package():
    """Runs write no bytecode, so that each is as the one before: it is there when they begin."""
    compileall.compile_dir(PACKAGE, quiet=2)


def environment(folder, **more):
    """The environment of a run: nothing of ours, and cache, home and TMPDIR in `folder`."""
    places = {"HOME": "home", "XDG_CACHE_HOME": "cache", "TMPDIR": "tmp"}
    return {
        **{name: f"{folder}/{place}" for name, place in places.items()},
        "PYTHONPATH": str(PACKAGE.parent),  # the package that is imported here, installed or not
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "0",  # the N-th call of a run is the N-th of the next one, too
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }


def run(command, *, cwd, env, limits=None):
    """Run a command in `cwd`; what is below its TMPDIR counts as its disk."""
    limits = limits or Limits()
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            process_group=0,
        )
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (limits.cpu, limits.cpu + 1))
        memory, disk, passed = _watched(process, env["TMPDIR"], limits, began)
        code = process.wait()
        texts = []
        for stream in (stdout, stderr):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "backslashreplace"))
    if code == -signal.SIGXCPU:
        passed = "CPU time"
    return Outcome(code, *texts, time.monotonic() - began, memory, disk, passed)


def _watched(process, directory, limits, began):
    """The most memory and disk that the process takes while it runs, and what it passed."""
    memory = disk = 0
    passed = ""
    while process.poll() is None:
        memory, disk = max(memory, _memory(process.pid)), max(disk, _disk(process.pid, directory))
        if memory > limits.memory:
            passed = "memory"
        elif disk > limits.disk:
            passed = "disk"
        elif time.monotonic() - began > limits.wait:
            passed = "time"
        if passed:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            break
        time.sleep(_LOOK)
    return memory, disk, passed


def _memory(pid):
    """Bytes of its own pages: those of mapped files and what it had before exec do not count."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    found = [line for line in status.splitlines() if line.startswith(("VmHWM", "RssFile"))]
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in found}
    return max(0, sizes.get("VmHWM", 0) - sizes.get("RssFile", 0))


def _disk(pid, directory):
    """Bytes below a directory, and in the files without a name that the process has open there."""
    total = 0
    for here, _, names in os.walk(directory):
        for name in names:
            total += _blocks(os.path.join(here, name))
    try:
        descriptors = [f"/proc/{pid}/fd/{one}" for one in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return total
    for one in descriptors:
        try:
            target = os.readlink(one)
        except OSError:
            continue
        if target.startswith(str(directory)) and target.endswith(" (deleted)"):
            total += _blocks(one, follow=True)
    return total


def _blocks(path, *, follow=False):
    try:
        return os.stat(path, follow_symlinks=follow).st_blocks * 512
    except OSError:
        return 0


def unsaid(outcome, codes=REFUSALS):
    """What is wrong with the words and the code of a run that failed: () if nothing is.

    One sentence says what the matter is; a table or warnings may stand before it.
    """
    said = [line for line in outcome.stderr.splitlines() if line.startswith(SENTENCE)]
    problems = []
    if outcome.passed:
        problems.append(f"limit of {outcome.passed}")
    elif outcome.code not in codes:
        ended = _ENDED.get(signal.Signals(-outcome.code), "") if -outcome.code in _SIGNALS else ""
        problems.append(f"exit {outcome.code}{' ' if ended else ''}{ended}")
    if "Traceback (most recent call last)" in outcome.stderr:
        lines = outcome.stderr.rpartition("Traceback (most recent")[2].splitlines()[1:]
        raised = next((line for line in lines if not line.startswith(" ")), "")
        problems.append(f"traceback: {_kind(raised)}")
    elif any(line.startswith(SENTENCE + DEFECT) for line in said):
        problems.append(f"internal error: {_kind(said[-1].partition(DEFECT)[2])}")
    elif not said and not outcome.passed:
        problems.append("no sentence")
    return tuple(problems)


_SIGNALS = {number.value for number in signal.Signals}


def _kind(text):
    """The class of an exception, from the line that shows it."""
    return text.partition(":")[0].strip()


def ended_well(outcome, *, codes=(0, *REFUSALS)):
    """`unsaid` of any run: one that ends with 0 need not say anything."""
    return () if outcome.code == 0 and not outcome.passed else unsaid(outcome, codes)


@dataclass
class Row:
    """A line of the table: what was tried, how often, and what did not survive, by its kind.

    `excepted` are kinds that are no defect of ours, with their number; each failure has an example
    that repeats it.
    """

    what: str
    tried: int = 0
    survived: int = 0
    excepted: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, problems, example="", exception=""):
        """Count one case; with an `exception` its problems are no defect of ours."""
        self.tried += 1
        if not problems:
            self.survived += 1
        elif exception:
            self.excepted[exception] += 1
        else:
            kind = "; ".join(problems)
            self.failures[kind] += 1
            self.examples.setdefault(kind, example)

    def join(self, other):
        """Count the cases of another row of the same name, too."""
        self.tried += other.tried
        self.survived += other.survived
        self.excepted += other.excepted
        self.failures += other.failures
        self.examples = {**other.examples, **self.examples}


def table(rows):
    """The lines of a table: tried, survived, excepted, failed; below them each kind of failure."""
    lines = [f"{'what':<52}{'tried':>8}{'survived':>10}{'excepted':>10}{'failed':>8}"]
    for row in rows:
        counts = (row.tried, row.survived, row.excepted.total(), row.failures.total())
        lines.append(f"{row.what:<52}" + "{:>8,}{:>10,}{:>10,}{:>8,}".format(*counts))
    for row in rows:
        for why, count in row.excepted.most_common():
            lines.append(f"excepted: {row.what}: {count:,} x {why}")
    for row in rows:
        for kind, count in row.failures.most_common():
            lines += [f"failed: {row.what}: {count:,} x {kind}", f"    {row.examples[kind]}"]
    return lines
