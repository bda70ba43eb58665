"""What a link map lacks → sentences: the name, who needs it, where was looked, what to do.

The first line says what the loader itself would say (glibc elf/dl-load.c, elf/dl-version.c).
"""

from collections.abc import Callable, Container, Iterator

from rootfs_builder.loader import loading
from rootfs_builder.loader.link_map import LinkMap, Rejected, RequestKind, Resolution
from rootfs_builder.paths import ImagePath, printable

Shown = Callable[[str], str]

_ADVICE = "if it is on this machine, name its directory: -L DIR; if not, install or build it"
_OPTIONAL = (RequestKind.AUXILIARY, RequestKind.PRELOAD)  # a loader goes on without them
_NO_SONAME = "it is asked for by this path: build it with a SONAME, -Wl,-soname,NAME"
_FOREIGN = "name a root of the machine that it was built for: --sysroot DIR"


def sentences(
    link_map: LinkMap, shown: Shown = str, advice: str = _ADVICE, *, besides: Container[str] = ()
) -> Iterator[str]:
    """One text, of a few lines, for each thing without which the program does not start.

    `shown` makes a path of the root one for the reader; `advice` ends each text about a name;
    names in `besides` do not count.
    """
    for resolution in link_map.resolutions:
        request = resolution.request
        optional = request.kind in _OPTIONAL or request.name in besides
        if resolution.found is None and not optional:
            yield _sentence(resolution, shown, advice)
    yield from loading.version_errors(link_map, shown)


def doubts(link_map: LinkMap, shown: Shown = str) -> Iterator[str]:
    """One text for each object that looks where no image has anything, or is not to be had."""
    for one in link_map.resolutions:
        if one.request.kind is RequestKind.PRELOAD and one.found is None:
            wanted = printable(one.request.name)
            yield f"LD_PRELOAD names {wanted}, which cannot be loaded here; programs do without it"
    relative: dict[tuple[ImagePath, str], None] = {}
    for one in link_map.resolutions:
        for each in one.tried:
            if one.found is not None and each.rejection.reason is Rejected.RELATIVE_PATH:
                relative[one.request.by.real, each.path.rpartition("/")[0]] = None
    for by, directory in relative:
        yield (
            f"{printable(shown(by))} looks for libraries in {printable(directory)}, from its "
            "working directory on, which is not searched; build with $ORIGIN instead"
        )


def _sentence(resolution: Resolution, shown: Shown, advice: str) -> str:
    wanted = printable(resolution.request.name)
    by = printable(shown(resolution.request.by.real))
    if resolution.fatal is not None and resolution.walk is not None:
        found = printable(shown(resolution.walk.real))
        return f"{found}: {resolution.fatal}\n  needed by {by} as {wanted}"
    tried = [
        f"  not at {printable(shown(one.path))} ({one.rejection.words})" for one in resolution.tried
    ]
    lines = [f"{wanted}: not found", f"  needed by {by}"]
    lines += dict.fromkeys(tried) or ["  its loader would look nowhere"]
    if advice and "/" in resolution.request.name:
        advice = _NO_SONAME
    if advice and any(one.rejection.reason is Rejected.OTHER_MACHINE for one in resolution.tried):
        advice = _FOREIGN
    return "\n".join(lines + ([f"  {advice}"] if advice else []))
