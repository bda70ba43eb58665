"""Programs of every kind that people pack, each with a real use; and what takes their archives."""

import os
import sqlite3
import stat
import tarfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests import conformance

SCHEMAS = Path("/usr/share/gocode/src/github.com/opencontainers/image-spec/schema")


@dataclass(frozen=True, kw_only=True)
class Program:
    """One use of a program, and what it must say on stdout (on stderr nothing)."""

    words: Callable  # (cc, folder) → the words for pack: EXECUTABLE and what options it needs
    args: tuple[str, ...] = ()
    stdin: str | None = None
    said: str
    code: int = 0
    warning: str | None = None  # what pack warns of
    files: int | None = None  # how many there are in the image, where that is the point

    def check(self, engine, image):
        """Run it in a container."""
        extra = () if self.stdin is None else ("-i",)
        done = engine.run(image, *self.args, extra=extra, input=self.stdin)
        got, expected = (done.returncode, done.stdout, done.stderr), (self.code, self.said, "")
        assert got == expected, f"{engine.command[0]} run {image}: {got}, not {expected}"


# --- programs that are compiled here ---

ROOT = r"""
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) { printf("%.2f\n", cbrt(argc > 1 ? atof(argv[1]) : 0)); }
"""
COUNT = r"""
#include <stdio.h>
int main(void) {
    int lines = 0;
    for (int c; (c = getchar()) != EOF;) lines += c == '\n';
    printf("%d lines\n", lines);
    return lines;
}
"""
EXCEPTIONS = r"""
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>
int main(int argc, char **argv) try {
    std::vector<std::string> words(argv + 1, argv + argc);
    for (std::size_t i = 0;; i++) std::cout << words.at(i) << std::endl;
} catch (const std::out_of_range &) {
    std::cout << "caught" << std::endl;
    return 3;
}
"""
LIBRARY = 'const char *greeting(void) { return "hello from a private library"; }'
GREET = r"""
#include <stdio.h>
const char *greeting(void);
int main(void) { return puts(greeting()) < 0; }
"""


def compiled(source, *args, compiler="gcc"):
    """A program of one file."""
    return lambda cc, _: [cc(source, args=args, compiler=compiler)]


def library(cc, folder):
    """libgreeting with the links that a build makes; what the linker is told to find it."""
    real = cc(
        LIBRARY,
        name="libgreeting.so.1.2.3",
        where=folder,
        args=("-shared", "-fPIC", "-Wl,-soname,libgreeting.so.1"),
    )
    (folder / "libgreeting.so.1").symlink_to(real.name)
    (folder / "libgreeting.so").symlink_to("libgreeting.so.1")
    return (f"-L{folder}", "-lgreeting", "-Wl,--enable-new-dtags")


def private_library(cc, folder):
    app = folder / "My App"
    args = (*library(cc, app / "lib"), "-Wl,-rpath,$ORIGIN/../lib")
    return [cc(GREET, name="greet me", where=app / "bin", args=args)]


def library_path(cc, folder):
    return [cc(GREET, args=library(cc, folder / "lib")), "-L", folder / "lib"]


def absolute_runpath(cc, folder):
    lib = folder / "lib"
    return [cc(GREET, args=(*library(cc, lib), f"-Wl,-rpath,{lib}"))]


def script(text, *others):
    """A script, and the other programs that it starts."""

    def write(_, folder):
        path = folder / "script"
        path.write_text(text)
        path.chmod(0o755)
        return [path, *others]

    return write


def installed(path):
    """A program of this machine."""
    return lambda _cc, _folder: [path]


def database(_, folder):
    with sqlite3.connect(folder / "books") as books:
        books.execute("create table book (title, year)")
        books.executemany("insert into book values (?, ?)", [("Emma", 1815), ("Ulysses", 1922)])
    books.close()
    return ["/usr/bin/sqlite3", "--add", f"{folder / 'books'}:/data/books"]


THREE = {"stdin": "a\nb\nc\n", "said": "3 lines\n", "code": 3}
GREETING = {"said": "hello from a private library\n"}

PROGRAMS = {
    "C": Program(words=compiled(ROOT, "-lm"), args=("27",), said="3.00\n"),
    "C++ with exceptions": Program(
        words=compiled(EXCEPTIONS, compiler="g++"),
        args=("a", "b c"),
        said="a\nb c\ncaught\n",
        code=3,
    ),
    "static glibc": Program(words=compiled(COUNT, "-static"), files=1, **THREE),
    "static-pie": Program(words=compiled(COUNT, "-static-pie"), files=1, **THREE),
    "static musl": Program(words=compiled(COUNT, "-static", compiler="musl-gcc"), files=1, **THREE),
    "dynamic musl": Program(words=compiled(COUNT, compiler="musl-gcc"), **THREE),
    "library by $ORIGIN, in a folder with a space": Program(words=private_library, **GREETING),
    "library by -L": Program(words=library_path, **GREETING),
    "library by an absolute RUNPATH": Program(
        words=absolute_runpath, warning="keeps its path on the host", **GREETING
    ),
    "sh script": Program(
        words=script('#!/bin/sh\nwhile read -r line; do echo "$1: $line"; done\n'),
        args=("read",),
        stdin="a b\nc\n",
        said="read: a b\nread: c\n",
    ),
    "bash script by env": Program(
        words=script('#!/usr/bin/env bash\nwords=("$@")\necho "${words[@]:1}"\n'),
        args=("a", "b", "c"),
        said="b c\n",
    ),
    "script that starts another program": Program(
        words=script("#!/bin/sh\ngrep -c a | sed 's/$/ lines/'\n", "/usr/bin/grep", "/usr/bin/sed"),
        stdin="a\nb\nab\n",
        said="2 lines\n",
    ),
    "bash": Program(
        words=installed("/usr/bin/bash"),
        args=("-c", 'for n in {1..3}; do printf "%s " $((n * n)); done; echo "${BASH##*/}"'),
        said="1 4 9 bash\n",
    ),
    "grep -P": Program(
        words=installed("/usr/bin/grep"),
        args=("-nP", r"(?<=price: )\d+"),
        stdin="price: none\nprice: 12\n",
        said="2:price: 12\n",
    ),
    "sqlite3": Program(
        words=database,
        args=("-readonly", "/data/books", "select upper(title) from book where year > 1900"),
        said="ULYSSES\n",
    ),
    "jq": Program(
        words=installed("/usr/bin/jq"),
        args=("-c", '[.[] | select(.n > 1) | .name | test("^b")]'),
        stdin='[{"n": 1, "name": "a"}, {"n": 2, "name": "bc"}, {"n": 3, "name": "c"}]',
        said="[true,false]\n",
    ),
    "openssl dgst": Program(
        words=installed("/usr/bin/openssl"),
        args=("dgst", "-sha256", "-r"),
        stdin="abc",  # FIPS 180-4's own example
        said="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad *stdin\n",
    ),
}


# --- archives ---


@dataclass(frozen=True, kw_only=True)
class Archive:
    """What `pack` wrote, accepted by every outside checker."""

    tar: Path
    name: str  # in full
    digest: str  # the manifest's
    said: str  # on stderr
    rootfs: Path  # its files, as umoci unpacked them


class Pack:
    """Run `rootfs-builder pack WORDS...`; no archive leaves here unchecked."""

    def __init__(self, cli, umoci, oras, folder):
        self.cli, self.umoci, self.oras, self.folder = cli, umoci, oras, folder
        self.count = 0

    def __call__(self, *words):
        tar = self._folder() / "image.tar"
        done = self.cli("pack", "-o", tar, *words)
        assert done.returncode == 0, done.stderr
        return self.accepted(tar, done.stdout, done.stderr)

    def _folder(self):
        self.count += 1
        folder = self.folder / f"packed {self.count}"
        folder.mkdir()
        return folder

    def accepted(self, tar, result, said):
        """Whether all outside checkers take an archive that pack called `result`."""
        name, _, digest = result.partition("\n")[0].partition("@")
        tag = name.rpartition(":")[2]
        found = [
            *conformance.problems(tar),
            *conformance.schema_problems(tar, SCHEMAS),
            *conformance.outside_reader_problems(tar),
        ]
        assert not found, "\n".join(found)
        folder = self._folder()
        layout, copy = folder / "layout", folder / "copy"
        with tarfile.open(tar) as archive:
            archive.extractall(layout, filter="data")
        self.oras(
            *("cp", "--from-oci-layout", f"{layout}:{tag}"),
            *("--to-oci-layout", f"{copy}:{tag}"),
        )
        blobs, copied = (set(os.listdir(where / "blobs" / "sha256")) for where in (layout, copy))
        assert blobs == copied, f"oras copied {copied} of {blobs}"
        assert digest.removeprefix("sha256:") in copied, f"{digest} is not among {copied}"
        bundle = folder / "bundle"
        self.umoci("unpack", "--rootless", "--image", f"{layout}:{tag}", bundle)
        return Archive(tar=tar, name=name, digest=digest, said=said, rootfs=bundle / "rootfs")


@contextmanager
def image(engine, name):
    """An image that an engine has, until it is no longer needed."""
    try:
        yield name
    finally:
        engine.remove(name)


def tree(folder):
    """A directory as a dict: each path with its kind, mode, time and content."""
    first = {}
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        name = f"/{path.relative_to(folder)}"
        facts = f"{stat.filemode(status.st_mode)} {status.st_mtime:.0f}"
        if path.is_symlink():
            found[name] = f"{facts} -> {path.readlink()}"
        elif path.is_dir():
            found[f"{name}/"] = facts
        elif (other := first.setdefault(status.st_ino, name)) != name:
            found[name] = f"{facts} is {other}"
        else:
            found[name] = f"{facts} {sha256(path.read_bytes()).hexdigest()[:16]}"
    return found
