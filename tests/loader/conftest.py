"""A bench for each loader: a root made from a dict, and both answers for a program in it."""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.loader import oracle
from tests.loader.objects import Elf

MUSL_PRINTER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
static int n;
static int one(struct dl_phdr_info *i, size_t s, void *p) {
    if (n++ && i->dlpi_name[0]) puts(i->dlpi_name);
    return 0;
}
__attribute__((weak)) void *load(const char *name) { return dlopen(name, RTLD_NOW); }
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) if (!load(argv[i])) { puts(dlerror()); return 127; }
    dl_iterate_phdr(one, 0);
    return 0;
}
"""


def fill(root, tree, linker):
    """Write a tree: a path to an Elf, bytes, "-> target" for a symlink, None for a directory."""
    for path, what in tree.items():
        file = Path(f"{root}{path}")
        file.parent.mkdir(parents=True, exist_ok=True)
        if what is None:
            file.mkdir(exist_ok=True)
        elif isinstance(what, str):
            if what.startswith("-> "):
                file.symlink_to(what[3:])
            else:
                os.link(f"{root}{what}", file)
        else:
            file.write_bytes(linker.make(what).read_bytes() if isinstance(what, Elf) else what)
            file.chmod(0o755)


class Bench:
    """A root with one loader in it."""

    def __init__(self, directory, linker):
        self.root = directory / "root"
        self.root.mkdir()
        self._linker = linker

    def fill(self, tree):
        fill(self.root, tree, self._linker)


@pytest.fixture(scope="session")
def diagnostics():
    """What glibc's loader says about itself and this CPU: {name: value}."""
    if not Path(oracle.GLIBC).exists():
        pytest.skip("needs the glibc of x86-64")
    said = oracle.in_root("/", [oracle.GLIBC, "--list-diagnostics"]).stdout
    return dict(re.findall(r'([\w.\[\]]+)="?([^"\n]*)"?', said))


class Glibc(Bench):
    """`levels` are the hwcaps levels of this CPU, best first, `platform` what $PLATFORM is here."""

    def __init__(self, directory, linker, diagnostics):
        super().__init__(directory, linker)
        self.fill({oracle.GLIBC: Path(oracle.GLIBC).read_bytes(), "/app": None})
        names = diagnostics["dl_hwcaps_subdirs"].split(":")
        active = int(diagnostics["dl_hwcaps_subdirs_active"], 16)
        self.levels = tuple(name for i, name in enumerate(names) if active >> i & 1)
        self.platform = diagnostics["dl_platform"]

    def agrees(self, tree, program="/app/prog", *, library_path=None, cwd="/", levels=None):
        """Both do the same with a program; what that is."""
        self.fill(tree)
        arguments = () if levels is None else ("--glibc-hwcaps-mask", ":".join(levels) or "none")
        theirs = self.trace(program, library_path=library_path, cwd=cwd, arguments=arguments)
        ours = self.ours(program, library_path=library_path, levels=levels)
        if theirs.error:
            assert sentence(ours.error).startswith(sentence(theirs.error))
            assert theirs.found in ((), ours.found)
            return theirs
        assert ours == theirs
        assert theirs.found or theirs.missing
        return theirs

    def trace(self, program="/app/prog", **options):
        return oracle.glibc(self.root, program, **options)

    def ours(self, program="/app/prog", *, library_path=None, levels=None):
        link_map = oracle.start(
            self.root,
            program,
            library_path=library_path,
            hwcaps=self.levels if levels is None else levels,
            platform=self.platform,
        )
        return oracle.ours(link_map)


def sentences(error):
    """The complaints without the names of the files, which are now paths, now names."""
    return [line.partition(": ")[2] for line in error.splitlines()]


def sentence(error):
    """The first of them."""
    return next(iter(sentences(error)), "")


@pytest.fixture
def glibc(tmp_path, linker, diagnostics):
    return Glibc(tmp_path, linker, diagnostics)


class Musl(Bench):
    """Programs print what they have loaded."""

    def __init__(self, directory, linker):
        super().__init__(directory, linker)
        self.fill({oracle.MUSL: Path(oracle.MUSL).read_bytes(), "/app": None})

    @staticmethod
    def program(*needed, **options):
        return Elf(
            needed,
            **{
                "source": MUSL_PRINTER,
                "compiler": "musl-gcc",
                "interpreter": oracle.MUSL,
                "libc": ("-L/usr/lib/x86_64-linux-musl", "-lc"),
                **options,
            },
        )

    def agrees(self, tree, program="/app/prog", *, library_path=None, confined=True, dlopen=()):
        """Both do the same; without `confined` the program sees the machine, with its /proc."""
        root = self.root
        if not confined:
            root = Path("/")
            program = f"{self.root}{program}"
            interpreter = f"{self.root}{oracle.MUSL}"
            tree = {
                path: replace(what, interpreter=interpreter)
                if isinstance(what, Elf) and what.interpreter
                else what
                for path, what in tree.items()
            }
        self.fill(tree)
        theirs = oracle.musl(root, program, library_path=library_path, dlopen=dlopen[:1])
        link_map = oracle.start(root, program, library_path=library_path, dlopen=dlopen or None)
        ours = oracle.ours(link_map)
        ours = replace(ours, found=tuple((path, path) for _, path in ours.found))
        assert ours.missing == theirs.missing
        assert sentences(ours.error) == sentences(theirs.error)
        if not theirs.error and not theirs.missing:
            assert ours.found == theirs.found
        return theirs


@pytest.fixture
def musl(tmp_path, linker):
    if shutil.which("musl-gcc") is None or not Path(oracle.MUSL).exists():
        pytest.skip("needs musl-gcc: apt-get install musl-tools")
    return Musl(tmp_path, linker)
