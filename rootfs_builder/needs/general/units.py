"""What a program's systemd unit passes to it or expects: arguments, configuration, directories.

A unit of the source of the user's program names it where it says what is started, and with what
(systemd.service(5)). A container has nobody who makes the directories that the unit asks for
(systemd.exec(5), RuntimeDirectory=), nor those of tmpfiles.d.
"""

import re
import shlex
from collections.abc import Iterator

from rootfs_builder.findings import Code, hint
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, Directory, Need, Text, TextKind
from rootfs_builder.needs.general import settings, tmpfiles
from rootfs_builder.needs.general.belongings import Belongings
from rootfs_builder.needs.general.strings import Strings
from rootfs_builder.paths import SourcePath, below, decode, name, printable

_UNIT = re.compile(r"(?:/usr)?/lib/systemd/system/[^/]+\.service")
_STARTS = re.compile(r"(?m)^ExecStart(?:Pre)?=(?P<command>(?:[^\n]*\\\n)*[^\n]*)")
_COMMAND = re.compile(r"(?m)^ExecStart=[-+@:!|]*(?P<words>(?:[^\n]*\\\n)*[^\n]*)")
_FORKS = re.compile(r"(?m)^Type=forking")  # which ends a container
_LIST = re.compile(r"\$\w+")  # of any number of arguments, most often none
_FILLED_IN = frozenset("$%")
_PATH = re.compile(r"/[\w.+@/-]+")
_DIRECTORIES = re.compile(r"(?m)^(?P<kind>Cache|Logs|Runtime|State)Directory=(?P<names>[^\n]*)")
_ABOVE = {"Cache": "/var/cache", "Logs": "/var/log", "Runtime": "/run", "State": "/var/lib"}
_NAME = re.compile(r"\w[\w.+@-]*(?:/\w[\w.+@-]*)*")  # without what only a running systemd fills in


def make(context: Context) -> "Units":
    """The finder for one process."""
    return Units(context)


class Units:
    """Looks in the units of the source of the program or script that the user names."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._belongings = Belongings(context)

    def process(self) -> Iterator[Need]:
        """What the program's units have."""
        if self._context.is_named:
            yield from self._of(self._context.program.real)

    def text(self, text: Text) -> Iterator[Need]:
        """Those of a script's."""
        real = self._context.files.real(text.path)
        if text in self._context.given and text.kind is TextKind.STARTED and real is not None:
            yield from self._of(real)

    def _of(self, program: str) -> Iterator[Need]:
        belongings, files = self._belongings, self._context.files
        kin = belongings.kin(belongings.owner(SourcePath(program)), needed=False)
        own = kin.own
        units = {one: self._read(one) for one in sorted(own) if _UNIT.fullmatch(one)}
        units = {one: text for one, text in units.items() if self._starts(text, program)}
        yield from self._hint(units, program)
        found = [
            (str(one), path, False) for one, text in units.items() for path in _directories(text)
        ]
        for made in tmpfiles.of(own, self._context) if units else ():
            found.append((made.file, made.path, made.roots and not self._context.user))
        for one, text in units.items():
            spelt = Strings(tuple(self._arguments(text, program)))
            yield from belongings.needs(belongings.there.spelt(spelt, files.covers), kin, one, None)
        for said, path, fixed in found:
            if not files.is_added(path):
                clue = Clue(f"{name(said)} has systemd make {path}", (said, path))
                yield Directory(path, clue, fixed=fixed)
                if below(path, "/run") and files.real("/var/run") == "/run":
                    yield Directory(f"/var{path}", clue, fixed=fixed)  # its link's name for it

    def _hint(self, units: dict[SourcePath, str], program: str) -> Iterator[Need]:
        """The arguments with which its only unit starts it, if the image passes none."""
        found = dict[tuple[str, ...], str]()
        for one, text in units.items():
            for hit in () if "@" in one or _FORKS.search(text) else _COMMAND.finditer(text):
                first, *rest = _words(hit["words"]) or ("",)
                if self._context.files.real(first) == program:
                    found[tuple(rest)] = f"{printable(name(one))} starts {printable(first)}"
        if len(found) == 1 and any(found) and not self._context.arguments:
            ((words, started),) = found.items()
            text = f"{started} with arguments that the image does not pass; to pass them, "
            text += f"end the command with -- {shlex.join(words)}"
            yield hint(Code.RULE_HINT, text)

    def _read(self, path: str) -> str:
        return decode(settings.without_comments(self._context.files.read(path) or b""))

    def _starts(self, unit: str, program: str) -> bool:
        """Whether a program is named in a command of a unit."""
        return any(True for _ in self._commands(unit, program))

    def _arguments(self, unit: str, program: str) -> Iterator[str]:
        """The paths in the commands that name a program, but for what systemd fills in."""
        for command in self._commands(unit, program):
            for word in command.split():
                if "%" not in word:
                    yield from _PATH.findall(word)

    def _commands(self, unit: str, program: str) -> Iterator[str]:
        """The commands of a unit that name a program."""
        for hit in _STARTS.finditer(unit):
            words = _PATH.findall(hit["command"])
            if any(self._context.files.real(one) == program for one in words):
                yield hit["command"]


def _words(command: str) -> list[str]:
    """The words of a command without optional ones; none if nobody could type them.

    As systemd fills others in, or they have control characters.
    """
    try:
        words = shlex.split(command.replace("\\\n", " "))
    except ValueError:  # no command line
        return []
    words = [one for one in words if not _LIST.fullmatch(one)]
    typed = (one.isprintable() and _FILLED_IN.isdisjoint(one) for one in words)
    return words if all(typed) else []


def _directories(unit: str) -> Iterator[str]:
    """The directories that a unit has made: each may have a link's name behind a colon."""
    for hit in _DIRECTORIES.finditer(unit):
        for one in hit["names"].split():
            directory = one.partition(":")[0]
            if _NAME.fullmatch(directory) and ".." not in directory:
                yield f"{_ABOVE[hit['kind']]}/{directory}"
