"""Closure + draft of the plan → the files that do not exist on this machine.

Rules contribute lines (passwd, nsswitch.conf …), whole files (a locale out of an archive) and
directories (/tmp); a loader may need its configuration, so that it finds in the image what it found
here, and PAM shadow. All are written once, when everything else is known.
"""

from collections.abc import Iterator
from functools import partial

from msgspec.structs import replace

from rootfs_builder.filesystem.content import BytesSource
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.loader.protocol import Loader, Lookup
from rootfs_builder.needs.closure import Closure
from rootfs_builder.paths import ImagePath, OpenedPath, below, encode
from rootfs_builder.plan import Entry, Plan, PlanRoot, Reason, ReasonKind
from rootfs_builder.plan.layout import Layout

_LDCONFIG, _GLIBC = "/sbin/ldconfig", "glibc"
_PASSWD, _SHADOW = "/etc/passwd", "/etc/shadow"


def entries(closure: Closure, because: dict[str, Reason]) -> Iterator[Entry]:
    """The entries that rules generate; `because` has the reason for each rule."""
    lines: dict[ImagePath, list[str]] = {}
    reasons: dict[ImagePath, list[Reason]] = {}
    for line in closure.supply.lines:
        known = lines.setdefault(line.path, [])
        known += [text for text in line.text.splitlines(keepends=True) if text not in known]
        reasons.setdefault(line.path, []).append(because[line.rule])
    for path, texts in lines.items():
        yield _file(path, 0o644, encode("".join(texts)), tuple(dict.fromkeys(reasons[path])))
    for made in closure.supply.made:
        if made.data is not None:
            yield _file(made.path, made.mode, made.data, (because[made.rule],))
        else:
            reason = (because[made.rule],)
            yield Entry(made.path, "dir", made.mode, reason, uid=made.uid, gid=made.gid)


def widened(one: Entry, other: Entry) -> Entry:
    """A directory that serves both: its owner, its group and others may do what either allows.

    The sticky bit is kept: some programs refuse a world-writable directory without it, and hardly
    any needs to delete other users' files. Root gives way as the owner, since it needs no
    permission bits; of two other owners the lower number owns the directory, which then is like
    /tmp.
    """
    owner, guest = sorted((one, other), key=_as_owner)
    mode = 0o1777 if guest.uid not in (owner.uid, 0) else owner.mode | guest.mode
    reasons = dict.fromkeys((*one.reasons, *other.reasons))
    return replace(one, mode=mode, uid=owner.uid, gid=owner.gid, reasons=tuple(reasons))


def _as_owner(directory: Entry) -> tuple[bool, int, bool, int]:
    return not directory.uid, directory.uid, not directory.gid, directory.gid


def _file(path: ImagePath, mode: int, data: bytes, reasons: tuple[Reason, ...]) -> Entry:
    return Entry(path, "file", mode, reasons, BytesSource(data))


def configurations(
    closure: Closure, layout: Layout, draft: Plan, sources: Sources
) -> Iterator[Entry]:
    """The configuration with which loaders, and PAM, find in the image what they found here.

    Who can print glibc's cache, as Python's find_library does, expects all libraries in it.
    """
    walker = Walker(PlanRoot(draft))
    if not _exists(walker, _SHADOW):
        yield from _passwords(closure)
    is_printed = _exists(walker, _LDCONFIG)
    finds: dict[int, tuple[Loader, dict[Lookup, None]]] = {}
    for _, link_map in closure.processes():
        for one in link_map.resolutions:
            opened = layout.found_as(one)
            if link_map.loader is None or opened is None or one.candidate is None:
                continue
            if one.candidate.configured or (is_printed and link_map.loader.name == _GLIBC):
                of_loader = finds.setdefault(id(link_map.loader), (link_map.loader, {}))[1]
                of_loader[Lookup(one.request.name, opened, one.candidate.hwcap)] = None
    for loader, wanted in finds.values():
        default = _nowhere if is_printed and loader.name == _GLIBC else partial(_exists, walker)
        found = loader.configuration(wanted, default, kept=sources.in_base)
        if found is not None:
            reason = Reason(ReasonKind.GENERATED, asked="what its loader needs to find libraries")
            yield _file(found[0], 0o644, found[1], (reason,))


def _passwords(closure: Closure) -> Iterator[Entry]:
    """A shadow(5) without any password, where PAM has a service.

    pam_unix lets in, changes to or runs jobs of no account that has no line there; with `*` nobody
    logs in with a password. Source: pam_unix(8), account.
    """
    if any(below(tree.destination, "/etc/pam.d") for tree in closure.trees):
        known = (one.text.splitlines() for one in closure.supply.lines if one.path == _PASSWD)
        fields = [line.split(":") for lines in known for line in lines]
        names = dict.fromkeys(one[0] for one in fields if one[1:2] == ["x"])
        text = "".join(f"{one}:*:::::::\n" for one in names)
        reason = Reason(
            ReasonKind.GENERATED, asked="PAM looks accounts up in it; it has no password"
        )
        if text:
            yield _file(ImagePath(_SHADOW), 0o600, encode(text), (reason,))


def _exists(walker: Walker, path: str) -> bool:
    return walker.walk(OpenedPath(path)).node is not None


def _nowhere(_: str) -> bool:
    """So that nothing is found without the cache."""
    return False
