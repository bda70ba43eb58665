"""A closure + the files of its image → a hint that lists programs it names but does not contain.

A path in a program's text does not prove that it is ever run, so nothing is added for it, nor for a
word where a shell script has a command. Only the user's programs are searched: a library or a
helper names much that is meant for other programs.
"""

import re
from bisect import bisect
from collections.abc import Container, Iterable, Iterator
from itertools import islice

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, hint
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs.closure import Closure, Program
from rootfs_builder.paths import OpenedPath, SourcePath, decode, printable

_PATH = rb"(?:usr/)?(?:local/)?(?:s?bin|lib(?:exec|\d+)?)/[\w./+-]{1,200}"
_STRING = rb"(?P<path>/(?<![ -~]/)" + _PATH + rb")(?=\x00)"  # "/" first: so it is found fast
_WORD = rb"/(?<![\w./$}+-]/)" + _PATH + rb"(?![\w/*?$-])"
_MOST, _MOST_TEXT = 1 << 26, 1 << 20  # bytes of a program, and of a script
_SHELL = "/bin/sh"  # whose rule knows better who runs it

# Shell Command Language: what is no command of a script, what runs in double quotes all the same,
# what stands before a command, and words that a shell knows without a program.
_SHELL_LINE = rb"#![^\n]*\b(?:a|ba|da|k|mk|z)?sh\b"
_NO_COMMANDS = rb"<<-?[ \t]*(['\"\\]?)(?P<word>\w++)\1|(?<![^\s;])#[^\n]*|'[^']*'"
_LINE_OF_A_WORD = rb"(?m)^\t*(\w+)[ \t]*$"  # which may end a here-document
_QUOTED = rb'(?s)"(?:[^"\\]|\\.)*+(?:"|\\?(?P<open>\Z))'  # where it is open, all others are
_RUN_INSIDE = rb"\$\([^()]*\)|`[^`]*`"
_RUN_ANYWHERE = rb"\$\([ \t]*(?=(?P<name>[A-Za-z][\w.+-]*)(?![\w./=(]))"  # quotes in it or around
# No value holds what begins a command, and there are few: so nothing is looked at again and again.
_ASSIGNMENTS = rb"(?:\w+=(?:\$\{[^\s}]{0,99}\}|\$\([^\s()]{0,99}\)|[^\s;&|(`!{}])*+[ \t]+){0,20}"
_COMMAND = (
    rb"(?m)(?:^|[;&|(`!{]|\b(?:command|do|elif|else|env|exec|if|nice|nohup|then|time|until|while|xargs)\b)"
    rb"[ \t]*" + _ASSIGNMENTS + rb"(?=(?P<name>[A-Za-z][\w.+-]*)(?![\w./=(]))"
)
_BUILT_IN = frozenset(("echo", "false", "kill", "printf", "pwd", "test", "time", "true"))


def left_out(
    closure: Closure,
    there: Container[SourcePath],
    *,
    search_path: Iterable[str],
    sources: Sources,
    facts: FileFacts | None = None,
) -> Iterator[Finding]:
    """One hint for all programs in the root that the user's programs name, less those `there`.

    A further EXECUTABLE brings what each of them needs: the interpreter of a script, too.
    The commands of a shell script are looked up in the directories of `search_path`.
    """
    objects = ElfFiles(sources, facts)
    named: dict[SourcePath, OpenedPath] = {}
    for program in closure.programs:
        if program.by is None:
            for path in _named(program, objects, tuple(search_path)):
                real = _executable(path, objects)
                if path != _SHELL and real is not None and real not in there:
                    named.setdefault(real, path)
    if named:
        each = sorted(printable(sources.machine_path(path)) for path in named.values())
        text = (
            "programs that are named in it are left out; name those you need as further "
            f"EXECUTABLEs: {' '.join(each)}"
        )
        yield hint(Code.PROGRAMS_LEFT_OUT, text, *named.values())


def _named(
    program: Program, objects: ElfFiles, search_path: tuple[str, ...]
) -> Iterator[OpenedPath]:
    source = objects.source(program.real)
    if program.link_maps:
        hits = objects.search(program.real, _STRING) if source.size <= _MOST else ()
        yield from (OpenedPath(decode(groups["path"])) for groups in hits)
        return
    with source.open() as content:
        text = content[0:_MOST_TEXT]
    for hit in re.finditer(_WORD, text):
        yield OpenedPath(decode(hit[0]))
    for command in sorted(_commands(text)):
        each = (OpenedPath(f"{above}/{command}") for above in search_path)
        yield from islice((path for path in each if _executable(path, objects)), 1)


def _commands(script: bytes) -> set[str]:
    """The words of a shell script in the place of a command, without the shell's own commands."""
    if not re.match(_SHELL_LINE, script):
        return set()
    text = b" ".join(_with_commands(script.replace(b"\\\n", b" ")))
    found = [*re.finditer(_RUN_ANYWHERE, text)]
    found += re.finditer(_COMMAND, re.sub(_QUOTED, _run_inside, text))
    return {decode(hit["name"]) for hit in found} - _BUILT_IN


def _with_commands(script: bytes) -> Iterator[bytes]:
    """What is left of a shell script without its here-documents, comments and quoted words."""
    ends: dict[bytes, list[int]] = {}
    for line in re.finditer(_LINE_OF_A_WORD, script):
        ends.setdefault(line[1], []).append(line.end())
    no_commands = re.compile(_NO_COMMANDS)
    start = at = 0
    while hit := no_commands.search(script, at):
        end = hit.end()
        if hit["word"]:
            lines = ends.get(hit["word"], [])
            line_end = bisect(lines, end)
            if line_end == len(lines):  # it has no end, so it is none
                at = hit.start() + 1
                continue
            end = lines[line_end]
        yield script[start : hit.start()]
        start = at = end
    yield script[start:]


def _run_inside(quoted: re.Match[bytes]) -> bytes:
    if quoted["open"] is not None:
        return quoted[0]
    return b" ".join((b'""', *re.findall(_RUN_INSIDE, quoted[0])))


def _executable(path: OpenedPath, objects: ElfFiles) -> SourcePath | None:
    """Where a path leads, if that is a program."""
    walk = objects.walker.walk(path)
    if walk.errno or walk.node is None or walk.node.kind != "file" or not walk.node.mode & 0o111:
        return None
    return None if re.search(r"\.so(\.|\Z)", walk.real) else SourcePath(walk.real)
