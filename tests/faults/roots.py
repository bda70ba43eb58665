"""Roots and trees made by hand to lead outside, to have no end or to take all memory.

Each `Case` puts one of `HOSTILE` at one of `PLACES`, which are all where a root is read. Outside
there is a copy of the root in which every file has `MARK`: an image or a tree with that in it has a
byte from outside. `pack --sysroot`, `stage` and `verify` end with a result or a sentence, in ten
seconds of CPU time and 300 MB.
"""

import os
import random
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.faults import runs, subjects, texts
from tests.faults.runs import Limits, Row

MARK = b"FROM-OUTSIDE-OF-THE-ROOT"
LIMITS = Limits(wait=60)
SPARSE = 100 * 10**9  # bytes
SPARSE_FILE = "a sparse file of 100 GB"
_LIB = "usr/lib/x86_64-linux-gnu"
FILES = (
    *("lib64/ld-linux-x86-64.so.2", "usr/bin/prog", "usr/lib/libx.so.1"),
    *(f"{_LIB}/{name}" for name in ("libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2")),
    *(f"etc/{name}" for name in ("ld.so.cache", "ld.so.preload", "ld.so.conf", "passwd", "group")),
    *(f"etc/{name}" for name in ("nsswitch.conf", "services", "protocols", "ld.so.conf.d/x.conf")),
    *("var/lib/dpkg/status", "var/lib/dpkg/diversions", "var/lib/dpkg/info/libc6.list"),
    *("lib/apk/db/installed", "var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/rpmdb.sqlite-wal"),
    *("usr/lib/sysimage/rpm/rpmdb.sqlite", "usr/lib/locale/locale-archive"),
    *("usr/lib/locale/C.utf8/LC_CTYPE", "usr/share/zoneinfo/Europe/Berlin", "bin/sh"),
    *("etc/ssl/certs/ca-certificates.crt", f"{_LIB}/gconv/gconv-modules"),
    *("usr/share/locale/locale.alias", "usr/bin/script"),
)
DIRECTORIES = (
    *("lib64", "lib", "usr", "usr/lib", _LIB, "etc", "etc/ld.so.conf.d", "var", "var/lib/dpkg"),
    *("var/lib/dpkg/info", "lib/apk/db", "var/lib/rpm", "usr/lib/locale", "usr/lib/locale/C.utf8"),
    *("usr/share/zoneinfo", "usr/share/zoneinfo/Europe", f"{_LIB}/gconv", "usr/bin", "tmp"),
)
PLACES = (*FILES, *DIRECTORIES)


@dataclass(frozen=True)
class Case:
    """What is hostile, and where; `tree` says that it is a tree that the user adds."""

    how: str
    place: str
    tree: bool = False

    def __str__(self):
        return f"{self.how} at {'--add ' if self.tree else '/'}{self.place}"


def _absolute(path, outside):
    path.symlink_to(outside)


def _relative(path, outside):
    up = "../" * (len(path.parts) + 4)
    path.symlink_to(f"{up}{str(outside).lstrip('/')}")


def _through_proc(path, outside):
    path.symlink_to(f"{'../' * 40}proc/self/root{outside}")


def _itself(path, outside):
    del outside
    path.symlink_to(path.name)


def _two(path, outside):
    del outside
    path.symlink_to(f"{path.name}.other")
    path.with_name(f"{path.name}.other").symlink_to(path.name)


def _chain(path, outside):
    names = [path.name, *(f"{path.name}.{number}" for number in range(60))]
    for name, target in zip(names, [*names[1:], outside], strict=True):
        path.with_name(name).symlink_to(target)


def _upwards(path, outside):
    del outside
    path.symlink_to("..")


def _fifo(path, outside):
    del outside
    os.mkfifo(path)


def _device(path, outside):
    del outside
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero


def _sparse(path, outside):
    if outside.is_file():  # what stands there begins as it should
        shutil.copy(outside, path)
    with path.open("ab") as stream:
        stream.truncate(SPARSE)


def _other_kind(path, outside):
    if outside.is_dir():
        path.write_bytes(b"no directory")
    else:
        (path / "sub").mkdir(parents=True)


HOSTILE = {
    "an absolute link to outside": _absolute,
    "a link with .. to outside": _relative,
    "a link through /proc/self/root": _through_proc,
    "a link to itself": _itself,
    "two links to each other": _two,
    "a chain of 60 links to outside": _chain,
    "a link to ..": _upwards,
    "a FIFO": _fifo,
    "a device": _device,
    SPARSE_FILE: _sparse,
    "another kind of file": _other_kind,
}
_GOES_IN = (  # as it is: an image of 100 GB takes its time, and who adds such a file wants it
    *("usr/bin/prog", "usr/bin/script", "usr/lib/libx.so.1", "usr/share/zoneinfo/Europe/Berlin"),
    *(f"{_LIB}/libc.so.6", f"{_LIB}/libm.so.6", "usr/lib/locale/C.utf8/LC_CTYPE"),
)
_OF_ROOT = ("a device",)


def cases():
    """All that make sense here."""
    found = []
    for how in HOSTILE:
        sparse = how == SPARSE_FILE
        places = [one for one in FILES if one not in _GOES_IN] if sparse else PLACES
        found += [Case(how, place) for place in places]
        found += [Case(how, place, tree=True) for place in ("link", "sub/link") if not sparse]
    return [one for one in found if os.geteuid() == 0 or one.how not in _OF_ROOT]


class Machine:
    """A sound root, and its copy outside with a mark in every file."""

    def __init__(self, folder):
        self.folder = Path(folder)
        made = self.folder / "made"
        made.mkdir(parents=True)
        self.sound = subjects.root(made)
        self._furnish()
        self.outside = self.folder / "outside"
        shutil.copytree(self.sound, self.outside, symlinks=True)
        for path in self.outside.rglob("*"):
            if path.is_file() and not path.is_symlink():
                with path.open("ab") as stream:
                    stream.write(b"\n" + MARK)
        (self.outside / "etc/passwd").write_bytes(b"me:x:31337:31337::/%s:/%s\n" % (MARK, MARK))

    def _furnish(self):
        """Every file of `FILES` is there, as it should be."""
        for name, data in texts.found():
            if name.startswith("root/"):
                self._write(name.removeprefix("root/"), data)
        for name in FILES:
            if not (self.sound / name).exists() and not (self.sound / name).is_symlink():
                here = Path("/", name)
                self._write(name, here.read_bytes() if here.is_file() else b"")
        self._write("usr/bin/script", b"#!/usr/bin/prog\nexec /bin/sh\n")
        for name in DIRECTORIES:
            (self.sound / name).mkdir(parents=True, exist_ok=True)
        for name in ("usr/bin/script", "usr/bin/prog"):
            (self.sound / name).chmod(0o755)

    def _write(self, name, data):
        path = self.sound / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def lay(self, case, folder):
        """The root, or the tree, of a case."""
        top = folder / ("tree" if case.tree else "root")
        if case.tree:
            (top / "sub").mkdir(parents=True)
            (top / "file").write_text("mine")
            outside = self.outside / "etc"
        else:
            shutil.copytree(self.sound, top, symlinks=True)
            outside = self.outside / case.place
        path = top / case.place
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
        HOSTILE[case.how](path, outside)
        return top


def verbs(case, top, machine):
    """The command lines of a case, and what each writes."""
    options = ("-u", "me", "-e", "TZ=Europe/Berlin", "-e", "LANG=de_DE.UTF-8", "--nss", "keep")
    pack = ("--no-cache", "--compression", "none", "--layers", "package")
    if case.tree:
        program = (f"{machine.sound}/usr/bin/prog", "--sysroot", str(machine.sound))
        add = ("--add", f"{top}:/opt/tree")
        yield ("pack", *program, *add, *pack, "-o", "x.tar"), "x.tar"
        yield ("stage", *program, *add, "-o", "staged"), "staged"
        return
    inside = ("--sysroot", str(top), *options)
    yield ("pack", f"{top}/usr/bin/prog", *inside, *pack, "-o", "x.tar"), "x.tar"
    yield ("pack", f"{top}/usr/bin/script", *inside, *pack, "-o", "y.tar"), "y.tar"
    yield ("stage", f"{top}/usr/bin/prog", *inside, "-o", "staged"), "staged"
    yield ("verify", str(top)), ""


def leaked(path):
    """Whether an archive or a tree has a byte from outside: no link of it is followed."""
    if path.is_file():
        return MARK in path.read_bytes()
    return any(
        MARK in one.read_bytes()
        for one in path.rglob("*")
        if one.is_file() and not one.is_symlink()
    )


def attempt(machine, case, folder, row):
    """Every verb of a case: each is a line in the row."""
    top = machine.lay(case, folder)
    env = runs.environment(folder)
    (folder / "tmp").mkdir()
    for words, result in verbs(case, top, machine):
        outcome = runs.run((*runs.TOOL, *words), cwd=folder, env=env, limits=LIMITS)
        problems = list(runs.ended_well(outcome))
        if result and (folder / result).exists() and leaked(folder / result):
            problems.append("a byte from outside")
        said = (outcome.stderr.strip().splitlines() or [""])[-1][:200]
        row.add(problems, f"{case}: {' '.join(words[:2])} ...\n      {said}")
    shutil.rmtree(folder)


def rows(*, count, seed, jobs=1, folder):
    """A row for each kind of hostile thing; `count` of all cases, 0 for all."""
    runs.compile_package()
    machine = Machine(Path(folder) / "machine")
    found = cases()
    random.Random(f"roots {seed}").shuffle(found)
    chosen = found[: count or None]

    def one(case):
        row = Row("")
        here = Path(folder) / f"case{chosen.index(case)}"
        here.mkdir()
        attempt(machine, case, here, row)
        return row

    with ThreadPoolExecutor(jobs) as pool:
        for how in HOSTILE:
            whole = Row(f"roots and trees: {how}")
            for row in pool.map(one, [case for case in chosen if case.how == how]):
                whole.join(row)
            yield whole
