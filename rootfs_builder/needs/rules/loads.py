"""A library that a rule loads → what a process then has, or a finding that it is missing."""

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum

from rootfs_builder.errors import Mistake
from rootfs_builder.findings import Code, Finding, hint, warning
from rootfs_builder.loader import nss
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.rules import Rule, evidence
from rootfs_builder.needs.rules.dlopen_calls import DlopenCalls, Process
from rootfs_builder.paths import absolute, named_in, printable
from rootfs_builder.recipe.values import KEEP


class Effect(IntEnum):
    """What a rule did: it has nothing to add, all of it is there already, it added something."""

    NOTHING = 0
    PRESENT = 1
    ADDED = 2


class Loads:
    """Makes processes load; `requested` are the values of `--with` by rule."""

    def __init__(self, calls: DlopenCalls, requested: Mapping[str, tuple[str, ...]]) -> None:
        self.findings = set[Finding]()
        self.missing_services = list[Mistake]()
        self.calls = calls
        self._requested = requested

    def load(
        self,
        library: str,
        rule: Rule,
        maps: Process,
        by: Loaded | None = None,
        *,
        optional: bool = False,
    ) -> Effect:
        """What a process gets from a dlopen that a rule expects of the object `by`, else of libc.

        What is not there is a finding, unless it is `optional`.
        """
        if maps[0].loader is None:
            text = (
                f"{rule.name}: a static program loads no library, so {printable(library)} is "
                "left out"
            )
            self.findings.add(warning(Code.STATIC_PROGRAM, text, *absolute((library,))))
            return Effect.NOTHING
        if by is None:  # libc itself calls, and the process has it from the start
            by = maps[0].loader.caller_in_libc(maps[0])
            maps = self.calls.start(maps)
        elif by not in evidence.found(maps):
            return Effect.NOTHING  # the map in which it was new has done this
        called = self.calls.dlopen(library, rule.name, by, maps)
        if called is None:
            if not optional:
                self._not_loaded(library, rule)
            return Effect.NOTHING
        return Effect.ADDED if called else Effect.PRESENT

    def left_out(self, names: Iterable[str], why: str, maps: Process) -> Iterator[Finding]:
        """A hint for each library that is there, and not in the process."""
        if maps[0].loader is None:
            return
        by = maps[0].loader.caller_in_libc(maps[0])
        for one in names:
            if self.calls.would_add(one, by, self.calls.start(maps)):
                shown = printable(one)
                text = f"{why}, and it is left out: --include-lib {shown} adds it"
                yield hint(Code.DLOPEN_LEFT_OUT, text, *absolute((one,)))

    def _not_loaded(self, library: str, rule: Rule) -> None:
        """Say that a library is missing, unless it is not asked for here either."""
        if self._requested.get(rule.name) == (KEEP,):
            return
        if rule.nss and rule.name in self._requested:
            text = f"{printable(library)} is not here; install it"
            self.missing_services.append(Mistake("--nss", text, nss.service(library)))
            return
        text = (
            f"{rule.name}: {printable(library)} was not found, and {rule.because}; "
            f"install it, or --without {rule.name}"
        )
        paths = (*absolute((library,)), *named_in(rule.because))
        self.findings.add(warning(Code.RULE_LIBRARY_MISSING, text, *paths))
