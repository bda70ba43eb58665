"""A closure + the files that its image has → a hint of programs that are named and left out.

A path in a program's text is no proof that it is ever run, so nothing is added for it. Only what
the user packs is looked at: a library or a helper names much that is for other programs.
"""

import re
from collections.abc import Container, Iterator

from rootfs_builder.closure import Closure, Program
from rootfs_builder.objects import Objects
from rootfs_builder.paths import ImagePath, OpenedPath, decode, printable
from rootfs_builder.plan import Finding

_PATH = rb"(?:usr/)?(?:local/)?(?:s?bin|lib(?:exec|\d+)?)/[\w./+-]{1,200}"
_STRING = rb"(?P<path>/(?<![ -~]/)" + _PATH + rb")(?=\x00)"  # "/" first: so it is found fast
_WORD = re.compile(rb"/(?<![\w./$}+-]/)" + _PATH + rb"(?![\w/*?$-])")
_MOST, _MOST_TEXT = 1 << 26, 1 << 20  # bytes of a program, and of a script
_SHELL = "/bin/sh"  # whose rule knows better who runs it


def left_out(closure: Closure, there: Container[ImagePath]) -> Iterator[Finding]:
    """One hint for all programs of the root that the user's programs name, less those `there`."""
    named: dict[ImagePath, OpenedPath] = {}
    for program in closure.programs:
        if program.by is None:
            for path in _named(program, closure.objects):
                real = _executable(path, closure.objects)
                if path != _SHELL and real is not None and real not in there:
                    named.setdefault(real, path)
    if named:
        option = "" if closure.sources.sysroot else "--add "  # which reads from this machine
        flags = " ".join(sorted(option + printable(path) for path in named.values()))
        yield Finding("hint", f"programs that are named by their paths are left out: {flags}")


def _named(program: Program, objects: Objects) -> Iterator[OpenedPath]:
    source = objects.source(program.real)
    if program.link_maps:
        hits = objects.search(program.real, _STRING) if source.size <= _MOST else ()
        yield from (OpenedPath(decode(groups["path"])) for groups in hits)
        return
    with source.open() as content:
        text = content[0:_MOST_TEXT]
    for hit in _WORD.finditer(text):
        yield OpenedPath(decode(hit[0]))


def _executable(path: OpenedPath, objects: Objects) -> ImagePath | None:
    """Where a path leads, if that is a program."""
    walk = objects.walker.walk(path)
    if walk.errno or walk.node is None or walk.node.kind != "file" or not walk.node.mode & 0o111:
        return None
    return None if re.search(r"\.so(\.|\Z)", walk.real) else walk.real
