"""The dlopen notes of a process's objects → the libraries that it then loads, or a finding."""

from collections.abc import Callable

from msgspec import Struct

from rootfs_builder.elf.dlopen_notes import Note
from rootfs_builder.findings import Code, Finding, hint, warning
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.rules import evidence
from rootfs_builder.needs.rules.dlopen_calls import DlopenCalls, Process
from rootfs_builder.paths import absolute, named_in
from rootfs_builder.recipe import Recipe

_PRIORITIES = ("none", "required", "recommended", "suggested")


class Opened(Struct, frozen=True):
    """A library that a note made a process load, what for, and which note that was."""

    soname: str
    because: str
    clue: Clue


class DlopenNotes:
    """Follows notes down to the priority that the user chose.

    `named` has all the libraries of the notes that were looked at.
    """

    def __init__(self, recipe: Recipe, calls: DlopenCalls, may_open: Callable[[str], bool]) -> None:
        self._without = recipe.without
        self._lowest = _PRIORITIES.index(recipe.dlopen)
        self._calls = calls
        self._may_open = may_open
        self._left_out: set[str] = set()
        self.named: set[str] = set()

    def follow(self, note: Note, loaded: Loaded, maps: Process) -> Opened | Finding | None:
        """Load a note's first library that exists; a warning if the note requires one."""
        self.named |= set(note.sonames)
        sonames = [one for one in note.sonames if one not in self._without and self._may_open(one)]
        if maps[0].loader is None or not sonames:
            return None
        if _PRIORITIES.index(note.priority) > self._lowest:
            there = [one for one in sonames if self._calls.would_add(one, loaded, maps)]
            self._left_out |= set(there[:1])
            return None
        who = evidence.shown(loaded)
        what = note.description or note.feature or "it says so"
        for soname in sonames:
            called = self._calls.dlopen(soname, soname, loaded, maps)
            if called:
                return Opened(soname, what, Clue(f"{who} has a note of it, {note.priority}"))
            if called is not None:
                return None
        if note.priority != "required":
            return None
        names = ", ".join(sonames)
        text = f"{who} requires one of {names} ({what}), and none is on this machine"
        return warning(Code.DLOPEN_MISSING, text, *absolute(sonames), *named_in(what))

    def left_out(self) -> tuple[Finding, ...]:
        """A hint about the libraries of a lower priority that exist."""
        if not self._left_out:
            return ()
        names = ", ".join(sorted(self._left_out))
        text = f"libraries of dlopen notes are left out: --dlopen suggested adds {names}"
        return (hint(Code.DLOPEN_LEFT_OUT, text, *absolute(sorted(self._left_out))),)
