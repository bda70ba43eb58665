"""Plan + `--owner`, `--mode`, `--cap` → the plan with these owners, modes and capabilities.

Set-user-id bits are kept on request only. A file keeps its capabilities, with a hint that says so.
Either makes the program's loader careful: it does not follow every `$ORIGIN`, so the program might
not start (ld.so(8), "Secure-execution mode").
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from msgspec.structs import replace

from rootfs_builder.errors import Mistake, UsageError
from rootfs_builder.filesystem import capabilities
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.findings import Code, Finding, hint, warning
from rootfs_builder.needs import users
from rootfs_builder.needs.closure import Closure, ProgramKind
from rootfs_builder.paths import ROOT, ImagePath, OpenedPath, absolute, ancestors, printable
from rootfs_builder.plan import SET_ID_BITS, Entry, Plan, PlanRoot
from rootfs_builder.plan.layout import Layout
from rootfs_builder.recipe import Recipe

T = TypeVar("T")
_GIVEN = (  # what docker 26 and podman 5.4 both give to a container of their own accord
    "cap_chown",
    "cap_dac_override",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_net_bind_service",
    "cap_setfcap",
    "cap_setgid",
    "cap_setpcap",
    "cap_setuid",
    "cap_sys_chroot",
)


def apply(plan: Plan, closure: Closure, layout: Layout, recipe: Recipe, sources: Sources) -> Plan:
    """The plan of a closure with the overrides of its recipe; users are looked up in `sources`.

    Raises:
        UsageError: an option names a path that is not in the image, or that cannot be changed so.
        NotFoundError, InputError: see users.resolve.
    """
    walker = Walker(PlanRoot(plan))
    programs = {
        start.program.display_name: start.path
        for start in layout.starts
        if start.program.kind == ProgramKind.EXECUTABLE
    }
    wanted = _Overrides(walker, programs, recipe, sources)
    entries, findings = [], list(plan.findings)
    for entry in plan.entries:
        changed = wanted.applied(entry)
        entries.append(changed)
        findings += wanted.findings(entry, changed)
    privileged = {entry.path for entry in entries if _is_privileged(entry)}
    findings += _lost(privileged, closure, layout, walker)
    return replace(plan, entries=tuple(entries), findings=tuple(dict.fromkeys(findings)))


class _Overrides:
    """The values of the options, by the paths that they lead to."""

    def __init__(
        self, walker: Walker, programs: dict[str, ImagePath], recipe: Recipe, sources: Sources
    ) -> None:
        self._walker = walker
        self._programs = programs  # by what the user typed
        self._mistakes: list[Mistake] = []
        owners = self._found("--owner", recipe.owners)
        self.modes = self._found("--mode", recipe.modes)
        self.capabilities = self._found("--cap", recipe.capabilities, directories=False)
        if self._mistakes:
            raise UsageError(*self._mistakes)
        self.owners = {}
        for path, user in owners.items():
            found = users.resolve(user, sources, option="--owner", prefix=f"{path}=")
            self.owners[path] = found.uid, found.uid if found.gid is None else found.gid

    def _found(
        self, option: str, wanted: Iterable[tuple[str, T]], *, directories: bool = True
    ) -> dict[ImagePath, T]:
        found: dict[ImagePath, T] = {}
        for text, value in wanted:
            path = self._programs.get(text, text)
            walk = self._walker.walk(OpenedPath(path))
            if not path.startswith("/") or walk.node is None:
                typed = ", ".join(map(printable, self._programs))
                mistake = f"not in the image; name an absolute path of it, or {typed}"
            elif walk.real == ROOT:
                mistake = "the root directory is root's, and 0755, in every image"
            elif walk.node.kind == "dir" and not directories:
                mistake = "a directory; only a program has capabilities"
            elif walk.real in found:
                mistake = f"another {option} leads there too"
            else:
                found[ImagePath(walk.real)] = value
                continue
            self._mistakes.append(Mistake(option, mistake, text))
        return found

    def applied(self, entry: Entry) -> Entry:
        """An entry with the options applied; the owner of the nearest directory counts."""
        drops = entry.kind == "file" and not entry.inherited
        mode = entry.mode & ~SET_ID_BITS if drops else entry.mode
        owners = (self.owners.get(path) for path in (entry.path, *ancestors(entry.path)))
        uid, gid = next(filter(None, owners), (entry.uid, entry.gid))
        return replace(
            entry,
            mode=self.modes.get(entry.path, mode),
            uid=uid,
            gid=gid,
            capability=self.capabilities.get(entry.path, entry.capability),
        )

    def findings(self, entry: Entry, changed: Entry) -> Iterator[Finding]:
        """Findings about the privileges of a file, before and after."""
        shown = printable(entry.path)
        if entry.mode & ~changed.mode & SET_ID_BITS and entry.path not in self.modes:
            text = f"{shown}: its set-user-id and set-group-id bits are dropped"
            text = f"{text}; --mode {shown}={entry.mode:o} keeps them"
            yield warning(Code.SET_ID_DROPPED, text, entry.path, f"{entry.path}={entry.mode:o}")
        if entry.capability and entry.path not in self.capabilities:
            text = f"{shown} keeps its capabilities, {capabilities.text(entry.capability)}"
            text = f"{text}; --cap {shown}=none leaves them out"
            yield hint(Code.CAPABILITIES_KEPT, text, entry.path)
        required = capabilities.required(changed.capability) if changed.capability else ()
        if missing := [one for one in required if one not in _GIVEN]:
            given = " ".join(f"--cap-add {one.removeprefix('cap_').upper()}" for one in missing)
            text = f"{shown} starts only in a container that has {', '.join(missing)}"
            text = f"{text}, which docker or podman give when told: {given}"
            yield hint(Code.CAPABILITIES_NEEDED, text, entry.path)
        if _is_privileged(changed) and changed.content is not None:
            with changed.content.open() as content:
                if content[0:2] == b"#!":
                    text = "the kernel gives a script neither capabilities nor another user"
                    text = f"{shown}: {text}; name a compiled program"
                    yield warning(Code.PRIVILEGED_SCRIPT, text, entry.path)


def _is_privileged(entry: Entry) -> bool:
    return entry.kind == "file" and bool(entry.capability or entry.mode & SET_ID_BITS)


def _lost(
    privileged: set[ImagePath], closure: Closure, layout: Layout, walker: Walker
) -> Iterator[Finding]:
    """A warning for each library that a privileged program finds only through `$ORIGIN`."""
    for program, link_map in closure.processes():
        walk, loader = walker.walk(layout.path_of(program)), link_map.loader
        if loader is None or walk.errno or walk.real not in privileged:
            continue
        for one in link_map.resolutions:
            opened = layout.found_as(one)
            if opened is None or one.candidate is None or one.candidate.owner is None:
                continue
            if not loader.trusts(opened, one.candidate.owner):
                yield warning(
                    Code.PRIVILEGED_ORIGIN,
                    f"{printable(walk.real)}: started with its privileges, its loader ignores "
                    f"$ORIGIN and does not find {printable(one.request.name)}; link it without "
                    "$ORIGIN, and give the directory with -L",
                    *absolute((walk.real, one.request.name)),
                )
