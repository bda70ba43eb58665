"""What a link map lacks, as values, and the text for each: the name, who needs it, what to do.

The first line says what the loader itself would say (glibc elf/dl-load.c, elf/dl-version.c).
"""

from collections.abc import Callable, Container, Iterator

from msgspec import Struct

from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.loader.resolution import Attempt, Rejected, RequestKind
from rootfs_builder.paths import Key, OpenedPath, absolute, decode, printable

Shown = Callable[[str], str]

ADVICE = "if it is on this machine, name its directory: -L DIR; if not, install or build it"
IN_SYSROOT = (
    "if the sysroot has it elsewhere, or this machine has it for the same one, name its directory: "
    "-L DIR; if not, install it into the sysroot"
)
_OPTIONAL = (RequestKind.AUXILIARY, RequestKind.PRELOAD)  # a loader goes on without them
_NO_SONAME = "it is asked for by this path: build it with a SONAME, -Wl,-soname,NAME"
_FOREIGN = "name a root for that architecture: --sysroot DIR"


class MissingObject(Struct, frozen=True):
    """A name that `by` asks for, and that the loader did not find in any of the `tried` paths.

    Where it ended at the file `unusable`, `error` says why that cannot be loaded.
    """

    name: str
    by: Key
    tried: tuple[Attempt, ...] = ()
    unusable: Key | None = None
    error: str = ""


class MissingVersion(Struct, frozen=True):
    """A symbol version that `by` needs and `provider` does not define.

    A loader that meets a definition it does not know gives up: `unknown` is its number.
    """

    version: str
    provider: OpenedPath
    by: OpenedPath
    unknown: int | None = None


Missing = MissingObject | MissingVersion


def find(link_map: LinkMap, *, ignore: Container[str] = ()) -> Iterator[Missing]:
    """Everything without which the program does not start, apart from the names to `ignore`."""
    for one in link_map.resolutions:
        optional = one.request.kind in _OPTIONAL or one.request.name in ignore
        if one.found is not None or optional:
            continue
        if one.fatal is not None and one.walk is not None:
            real, by = one.walk.real, one.request.by.real
            yield MissingObject(one.request.name, by, one.tried, real, one.fatal)
        else:
            yield MissingObject(one.request.name, one.request.by.real, one.tried)
    yield from versions(link_map)


def versions(link_map: LinkMap) -> Iterator[MissingVersion]:
    """Symbol versions that an object needs and the object it names does not define, by hash too.

    An object without any definitions passes, as glibc only warns of it (elf/dl-version.c). What was
    there before the last call of dlopen is another map's.
    """
    if link_map.loader is None or not link_map.loader.checks_versions:
        return
    for loaded in link_map.objects[link_map.known :]:
        for need in loaded.elf.version_needs:
            provider = link_map.names.get(decode(need.file))
            if provider is None or provider.elf.defines(need):
                continue
            unknown = provider.elf.unknown_definition
            if unknown is None and (need.weak or not provider.elf.version_definitions):
                continue
            yield MissingVersion(decode(need.version), provider.opened, loaded.opened, unknown)


def text(missing: Missing, shown: Shown = str, advice: str = ADVICE) -> str:
    """A few lines about one thing that is missing.

    `shown` makes a path of the root one for the reader; `advice` ends a text about a name.
    """
    if isinstance(missing, MissingVersion):
        if missing.unknown is not None:
            return (
                f"{shown(missing.provider)}: unsupported version {missing.unknown} of Verdef record"
            )
        return (
            f"{shown(missing.provider)}: version `{missing.version}' not found "
            f"(required by {shown(missing.by)})"
        )
    name = printable(missing.name)
    by = printable(shown(missing.by))
    if missing.unusable is not None:
        found = printable(shown(missing.unusable))
        return f"{found}: {missing.error}\n  needed by {by} as {name}"
    tried = [
        f"  not at {printable(shown(one.path))} ({one.rejection.words})" for one in missing.tried
    ]
    lines = [f"{name}: not found", f"  needed by {by}"]
    lines += dict.fromkeys(tried) or ["  its loader would look nowhere"]
    if advice and "/" in missing.name:
        advice = _NO_SONAME
    if advice and any(one.rejection.reason is Rejected.OTHER_MACHINE for one in missing.tried):
        advice = _FOREIGN
    return "\n".join(lines + ([f"  {advice}"] if advice else []))


def finding(missing: Missing, shown: Shown = str, *, where: str = "") -> Finding:
    """The same as a warning; `where` says when it is missing, if that is not always."""
    if isinstance(missing, MissingVersion):
        named: tuple[str, ...] = (missing.provider, missing.by)
    else:
        tried = (one.path for one in missing.tried)
        named = (missing.by, missing.name, missing.unusable or "", *tried)
    paths = absolute(map(shown, named))
    return warning(Code.LIBRARY_MISSING, where + text(missing, shown), *paths)


def warnings(link_map: LinkMap, shown: Shown = str) -> Iterator[Finding]:
    """Objects that look where no image has anything, and preloads that are not found."""
    for one in link_map.resolutions:
        if one.request.kind is RequestKind.PRELOAD and one.found is None:
            yield warning(
                Code.LIBRARY_MISSING,
                f"LD_PRELOAD names {printable(one.request.name)}, which cannot be loaded here; "
                "programs do without it",
                *absolute((one.request.name,)),
            )
    relative: dict[tuple[Key, str], None] = {}
    for one in link_map.resolutions:
        for each in one.tried:
            if one.found is not None and each.rejection.reason is Rejected.RELATIVE_PATH:
                relative[one.request.by.real, each.path.rpartition("/")[0]] = None
    for by, directory in relative:
        yield warning(
            Code.RELATIVE_RUNPATH,
            f"{printable(shown(by))} looks for libraries in {printable(directory)}, from its "
            "working directory on, which is not searched; build with $ORIGIN instead",
            shown(by),
        )
