"""The rules of a policy and a plan → what breaks them, as one document."""

import re
from collections.abc import Iterable, Iterator
from operator import eq, ge, gt, le, lt

from msgspec import Struct

from rootfs_builder import elf
from rootfs_builder.errors import ElfError, Mistake, PolicyError
from rootfs_builder.paths import below, name, printable
from rootfs_builder.plan import Entry, Plan
from rootfs_builder.recipe import values
from rootfs_builder.views.policy import Named, Rule, bounds
from rootfs_builder.views.policy.files import Files, Licences
from rootfs_builder.views.summary import size

SCHEMA_VERSION = 1
_COMPARE = {">=": ge, "<=": le, ">": gt, "<": lt, "==": eq}
_GLIBC = re.compile(rb"GLIBC_([0-9]+(?:\.[0-9]+)+)")
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr")
_OWN = "/usr/local"  # where no package of a distribution puts anything
_ONE_BY_ONE = ("kinds", "names", "paths", "mode", "without_mode", "executable", "lacks")


class RuleRecord(Struct, frozen=True):
    """A rule of the policy."""

    name: str
    because: str


class Violation(Struct, frozen=True, omit_defaults=True):
    """What breaks a rule: a file, a package whose first is at `path`, or without it the image."""

    rule: str
    reason: str
    path: str = ""

    def __str__(self) -> str:
        return ": ".join(one for one in (self.rule, self.path, self.reason) if one)


class Checked(Struct, frozen=True):
    """The document. `unchecked` has what could not be looked at."""

    image: str
    rules: tuple[RuleRecord, ...]
    violations: tuple[Violation, ...]
    unchecked: tuple[str, ...]
    schema_version: int = SCHEMA_VERSION


def check(
    rules: Iterable[Named], plan: Plan, *, place: str, user: str | None, licences: Licences
) -> Checked:
    """Compare a plan with the rules of a policy.

    `user` is the image's, None for a directory, which has none; `licences` tells those of packages.

    Raises:
        InputError, ChangedError: a file cannot be read.
    """
    rules = tuple(rules)
    protectors = any(one.rule.lacks == "stack-protector" for one in rules)
    files = Files(plan, licences, protectors=protectors)
    found = [one for named in rules for one in _violations(named, plan, files, user)]
    return Checked(
        image=place,
        rules=tuple({one.name: RuleRecord(one.name, one.rule.because) for one in rules}.values()),
        violations=tuple(dict.fromkeys(found)),
        unchecked=tuple(dict.fromkeys(files.unchecked)),
    )


def enforce(found: Checked, option: str) -> None:
    """Raise PolicyError where a rule is broken; the sentences are about an option."""
    if found.violations:
        count = len(found.violations)
        lines = "".join(f"\n  {one}" for one in found.violations)
        text = f"{count} {'violation' if count == 1 else 'violations'}:{lines}"
        raise PolicyError(Mistake(option, text))


def _violations(named: Named, plan: Plan, files: Files, user: str | None) -> Iterator[Violation]:
    label, rule = named
    if rule.is_of_image:
        yield from (
            Violation(label, reason, path) for reason, path in _of_image(rule, plan, files, user)
        )
        return
    if rule.asks_for_packages and (unowned := _unowned(plan)) is not None:
        path = printable(unowned.path)
        yield Violation(label, "it is not known which packages files are of", path)
    found = ((one, files.reason(rule, one)) for one in plan.entries)
    broken = [(one, reason) for one, reason in found if reason is not None]
    if rule.asks_for_packages and rule.conditions.keys().isdisjoint(_ONE_BY_ONE):
        yield from _by_package(label, broken)
    else:
        yield from (Violation(label, reason, printable(one.path)) for one, reason in broken)


def _by_package(label: str, broken: Iterable[tuple[Entry, str]]) -> Iterator[Violation]:
    """One violation for each package."""
    groups: dict[object, list[tuple[Entry, str]]] = {}
    for one in broken:
        groups.setdefault(one[0].package, []).append(one)
    for each in groups.values():
        entry, reason = each[0]
        others = len(each) - 1
        more = f", and {others:,} more {'file' if others == 1 else 'files'} of it" if others else ""
        yield Violation(label, f"{reason}{more}", printable(entry.path))


def _unowned(plan: Plan) -> Entry | None:
    """A file of the system, where no file has a package: then nobody has asked, or could tell."""
    if any(one.package for one in plan.entries):
        return None
    system = (
        one
        for one in plan.entries
        if one.kind == "file"
        and any(below(one.path, directory) for directory in _SYSTEM)
        and not below(one.path, _OWN)
    )
    return next(system, None)


def _of_image(rule: Rule, plan: Plan, files: Files, user: str | None) -> Iterator[tuple[str, str]]:
    """How the image as a whole breaks a rule, and the file that shows it."""
    if rule.user == "numeric" and user is None:
        files.unchecked.append("the user: a directory has no config")
    elif rule.user == "numeric" and (reason := _user(user or "")):
        yield reason, ""
    if rule.max_size and plan.size > (limit := values.size(rule.max_size)):
        over = size(plan.size - limit)
        yield f"the files have {plan.size:,} bytes, {over} more than {rule.max_size}", ""
    if rule.glibc:
        yield from _glibc(rule, plan, files)


def _user(user: str) -> str:
    """Why a user may be root; empty if it is not."""
    name_ = user.partition(":")[0]
    if not name_:
        return "no user is set, so it runs as root"
    if not (name_.isascii() and name_.isdigit()):
        return f"the user {printable(name_)!r} is a name; digits show that it is not root"
    return "" if int(name_) else f"the user {user} is root"


def _glibc(rule: Rule, plan: Plan, files: Files) -> Iterator[tuple[str, str]]:
    for entry in plan.unique_files:
        if entry.content is None or not name(entry.path).startswith("libc"):
            continue
        with entry.content.open() as data:
            try:
                file = elf.read(data) if data[0 : len(elf.MAGIC)] == elf.MAGIC else None
            except ElfError as error:
                files.unchecked.append(f"{printable(entry.path)}: a damaged ELF file: {error}")
                continue
        if file is None or file.soname != b"libc.so.6":
            continue
        found = [one[1] for name_ in file.version_definitions if (one := _GLIBC.fullmatch(name_))]
        version = max((tuple(map(int, one.split(b"."))) for one in found), default=())
        if not all(_COMPARE[sign](version, bound) for sign, bound in bounds(rule.glibc)):
            shown = ".".join(map(str, version)) or "of an unknown version"
            yield f"glibc {shown}, not {rule.glibc}", printable(entry.path)
