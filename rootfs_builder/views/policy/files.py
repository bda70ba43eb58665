"""A rule and an entry of a plan → whether all conditions are met, and the words that say so."""

from collections.abc import Callable, Hashable, Iterator
from fnmatch import fnmatchcase

from msgspec import UNSET

from rootfs_builder import elf
from rootfs_builder.elf import hardening
from rootfs_builder.elf.hardening import Hardening
from rootfs_builder.errors import ElfError
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.packages import Package
from rootfs_builder.paths import OpenedPath, name, printable
from rootfs_builder.plan import Entry, Plan, PlanRoot
from rootfs_builder.views.policy import Rule

Licences = Callable[[Package], tuple[str, ...]]
_KINDS = {"file": "a file", "dir": "a directory", "symlink": "a symlink"}


class Files:
    """What rules ask of the entries of one plan; each ELF file is read once.

    With `protectors`, files are searched for stack protectors. `unchecked` has a sentence for each
    file that could not be looked at.
    """

    def __init__(self, plan: Plan, licences: Licences, *, protectors: bool) -> None:
        self._walker = Walker(PlanRoot(plan))
        self._licences = licences
        self._protectors = protectors
        self._hardening: dict[Hashable, Hardening | None] = {}
        self.unchecked: list[str] = []

    def reason(self, rule: Rule, entry: Entry) -> str | None:
        """How an entry meets all conditions of a rule; None if it does not."""
        words = []
        for one in (self._path, self._mode, self._executable, self._package, self._elf):
            found = one(rule, entry)
            if found is None:
                return None
            words.append(found)
        return ", ".join(one for one in words if one) or _KINDS[entry.kind]

    @staticmethod
    def _path(rule: Rule, entry: Entry) -> str | None:
        package = entry.package.name if entry.package else entry.path
        right = (
            (not rule.kinds or entry.kind in rule.kinds)
            and (not rule.names or fits(rule.names, name(entry.path)))
            and (not rule.paths or fits(rule.paths, entry.path))
        )
        if not right or fits(rule.except_, entry.path) or fits(rule.except_, package):
            return None
        link = f" to {printable(entry.target)}" if entry.kind == "symlink" else ""
        return f"{_KINDS[entry.kind]}{link}" if rule.names or rule.paths else ""

    @staticmethod
    def _mode(rule: Rule, entry: Entry) -> str | None:
        if not (rule.mode or rule.without_mode):
            return ""
        right = not rule.mode or entry.mode & int(rule.mode, 8)
        right = right and not (rule.without_mode and entry.mode & int(rule.without_mode, 8))
        return f"mode {entry.mode:04o}" if right and entry.kind != "symlink" else None

    def _executable(self, rule: Rule, entry: Entry) -> str | None:
        """A symlink is as executable as the file that it leads to."""
        if rule.executable is UNSET:
            return ""
        node = self._walker.walk(OpenedPath(entry.path)).node
        if node is None or node.kind != "file" or bool(node.mode & 0o111) != rule.executable:
            return None
        return "executable" if rule.executable else "not executable"

    def _package(self, rule: Rule, entry: Entry) -> str | None:
        package = entry.package
        if not rule.asks_for_packages:
            return ""
        if package is None:
            return None
        called = (package.name, f"{package.name}={package.version}")
        allowed = any(fits(rule.other_packages, one) for one in called)
        if (rule.other_packages and allowed) or (
            rule.packages and not any(fits(rule.packages, one) for one in called)
        ):
            return None
        shown = f"package {printable(package.name)} {printable(package.version)}"
        if not (rule.licences or rule.other_licences):
            return shown
        why = _under(rule, self._licences(package))
        return why and f"{shown} {why}"

    def _elf(self, rule: Rule, entry: Entry) -> str | None:
        if rule.lacks is UNSET:
            return ""
        if entry.content is None:
            return None
        key = entry.content.identity
        if key not in self._hardening:
            self._hardening[key] = self._read(entry)
        found = self._hardening[key]
        return None if found is None else next(_lacks(rule.lacks, found), None)

    def _read(self, entry: Entry) -> Hardening | None:
        if entry.content is None:
            return None
        with entry.content.open() as data:
            if data[0 : len(elf.MAGIC)] != elf.MAGIC:
                return None
            try:
                return hardening.read(data, stack_protector=self._protectors)
            except ElfError as error:
                self.unchecked.append(f"{printable(entry.path)}: a damaged ELF file: {error}")
                return None


def fits(patterns: tuple[str, ...], text: str) -> bool:
    """Whether one of the patterns matches a whole text."""
    return any(fnmatchcase(text, one) for one in patterns)


def _under(rule: Rule, licences: tuple[str, ...]) -> str | None:
    """How a package's licences are forbidden; one that is not known may be any."""
    if not licences:
        return "has no licence that is known"
    wrong = [
        one
        for one in licences
        if (rule.licences and fits(rule.licences, one))
        or (rule.other_licences and not fits(rule.other_licences, one))
    ]
    return f"is under {', '.join(map(printable, wrong))}" if wrong else None


def _lacks(feature: str, found: Hardening) -> Iterator[str]:
    if feature == "separate-code":
        yield from found.writable_code
    elif feature == "pie" and not found.position_independent:
        yield "not position-independent; -fPIE -pie makes it so"
    elif feature == "stack-protector" and not found.stack_protector:
        yield "no stack protector; -fstack-protector-strong puts one in"
    elif feature in ("relro", "full-relro") and not found.relro:
        yield "no RELRO; the linker's -z relro makes it"
    elif feature == "full-relro" and not found.bound_now:
        yield "only partial RELRO; the linker's -z now makes it full"
