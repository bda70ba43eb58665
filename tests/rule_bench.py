"""A small root made from a dict, rules made from TOML, and what they bring to a program in it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from rootfs_builder import recipe
from rootfs_builder.filesystem.content import read
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.needs import rules
from rootfs_builder.needs.closure import Closure
from rootfs_builder.pipeline import planning
from rootfs_builder.plan import Plan, chain
from tests.loader.objects import Elf
from tests.loader.oracle import GLIBC, MUSL

LIB = "/lib/x86_64-linux-gnu"
PROGRAM = "/app/prog"


def calling(*symbols):
    """C that calls functions."""
    each = "".join(f"void {one}(void); " for one in symbols)
    calls = "".join(f"{one}(); " for one in symbols)
    return f"{each}void _start(void) {{ {calls}}} void *used = _start;"


def defining(*symbols):
    return "".join(f"void {one}(void) {{}} " for one in symbols)


def libc(*symbols, version="GLIBC_2.41", soname="libc.so.6", **options):
    """A libc.so.6 of that version, with these functions."""
    names = "".join(f"{one}; " for one in symbols)
    script = f"{version} {{ {'global: ' if names else ''}{names} }};"
    return Elf(soname=soname, source=defining(*symbols), script=script, **options)


def program(*symbols, source="", libraries=(), interpreter=GLIBC, version="GLIBC_2.41", **options):
    """A program that imports symbols of a libc, and is linked with libraries."""
    links = (libc(*symbols, version=version), *libraries)
    text = calling(*symbols) + source
    args = ("--allow-shlib-undefined",)
    return Elf(source=text, links=links, interpreter=interpreter, args=args, **options)


def library(soname, *symbols, source="", **options):
    """A library that imports symbols of a libc."""
    links = (libc(*symbols), *options.pop("links", ())) if symbols else options.pop("links", ())
    calls = (
        f"void in_{abs(hash(soname))}(void) {{ " + "".join(f"{one}(); " for one in symbols) + "}"
    )
    text = "".join(f"void {one}(void); " for one in symbols) + calls + source
    return Elf(soname=soname, source=text, links=links, **options)


@dataclass
class Result:
    """A plan, and questions to it."""

    closure: Closure
    plan: Plan

    @property
    def paths(self):
        return {entry.path for entry in self.plan.entries if entry.kind != "dir"}

    @property
    def directories(self):
        return {entry.path: entry for entry in self.plan.entries if entry.kind == "dir"}

    @property
    def tree(self):
        """Each path that is no directory: a link's target after an arrow, a file's text."""
        return {
            entry.path: f"-> {entry.target}" if entry.target else read(entry.content).decode()
            for entry in self.plan.entries
            if entry.kind == "symlink" or (entry.kind == "file" and _is_text(entry))
        }

    @property
    def applied(self):
        """The rules that acted, each with its evidence."""
        return {one.rule: one.evidence for one in self.closure.supply.applied}

    def said(self, level):
        return [one.text for one in self.plan.findings if one.level == level]

    def chain(self, path):
        """The paths from an entry up to what the user named, with each one's kind of reason."""
        return [(entry.path, why.kind) for entry, why in chain(self.plan, path)]


def _is_text(entry):
    with entry.content.open() as content:
        return content[0:4] != b"\x7fELF"


class Bench:
    """`root` is the directory of the small root."""

    def __init__(self, directory, linker):
        self.root = Path(directory)
        self._linker = linker
        for loader in (GLIBC, MUSL):
            if os.path.exists(loader):
                place = Path(f"{self.root}{loader}")
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(loader, place)

    def fill(self, tree):
        """A path to an Elf, bytes, text, "-> target" for a symlink, None for a directory."""
        for path, what in tree.items():
            file = Path(f"{self.root}{path}")
            file.parent.mkdir(parents=True, exist_ok=True)
            if what is None:
                file.mkdir(exist_ok=True)
            elif isinstance(what, Elf):
                shutil.copy(self._linker.make(what), file)
                file.chmod(0o755)
            elif isinstance(what, str) and what.startswith("-> "):
                file.symlink_to(what[3:])
            else:
                file.write_bytes(what if isinstance(what, bytes) else what.encode())
                file.chmod(0o644)

    def plan(self, text, *programs, folder="/", **options):
        """What comes of rules, given as TOML, for programs (PROGRAM) with options as click's."""
        return self.plan_of(read_rules(text), *programs, folder=folder, **options)

    def plan_of(self, known, *programs, folder="/", **options):
        wanted = recipe.from_options(
            directory=f"{self.root}{folder}",
            executables=tuple(f"{self.root}{one}" for one in programs or (PROGRAM,)),
            **options,
        )
        directory = os.path.realpath(self.root)
        sources = Sources(DirectoryRoot(), DirectoryRoot(directory), directory)
        return Result(*planning.plan(wanted, sources, rules=known)[:2])


def read_rules(text):
    return tuple(sorted(rules.read(text, "my.toml"), key=lambda rule: rule.name))


def rule(body, name="one"):
    """A rule as TOML."""
    return f'[{name}]\nbecause = "of {name}"\nsource = "s"\n{body}\n'
