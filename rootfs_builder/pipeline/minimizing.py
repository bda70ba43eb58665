"""An image and a command → the same image without the files that the command does not need.

What is left resolves as before (`proof.ties`), unless that is not asked for. The layers stay apart,
and the config stays as it is; every time in the layers becomes `epoch`.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from rootfs_builder.cache import Cache
from rootfs_builder.choices import EPOCH, Success
from rootfs_builder.errors import UsageError
from rootfs_builder.filesystem.patterns import Matcher, Pattern
from rootfs_builder.image import (
    DOCKER,
    Image,
    Layer,
    Manifest,
    decode,
    layers,
    make,
    provenance,
)
from rootfs_builder.image.provenance import Record
from rootfs_builder.image.store import Store
from rootfs_builder.image.unpack import Reader, Unpacked
from rootfs_builder.packages import Owners
from rootfs_builder.paths import ROOT, ImagePath, SourcePath, ancestors, name
from rootfs_builder.pipeline import destinations
from rootfs_builder.plan import Entry, Plan, PlanRoot, Reason, ReasonKind, order, verify
from rootfs_builder.proof import ties
from rootfs_builder.proof.minimal import Group, Kept, Search, Why
from rootfs_builder.proof.sandbox import Command, rootfs
from rootfs_builder.proof.trials import Trials
from rootfs_builder.recipe import DEFAULT_PATH
from rootfs_builder.recipe.destination import Destination

_LOADERS_OWN = ("ld.so.", "ld-musl-")  # in /etc: what decides where a loader looks


class Minimized(NamedTuple):
    """An image that was written, and what the search has found: what went, and why the rest stays.

    `before` and `plan` are the whole and what is left of it; `trials` is how often the command was
    run, and `seconds` how long that took; `size` is in bytes, of what was written.
    """

    image: Image
    before: Plan
    plan: Plan
    gone: tuple[Entry, ...]
    kept: tuple[Kept, ...]
    trials: int
    seconds: float
    size: int


def minimize(
    image: Image,
    reader: Reader,
    command: Command,
    output: str,
    *,
    record: Record | None = None,
    success: Success = "stdout",
    keep: tuple[Pattern, ...] = (),
    aggressive: bool = False,
    names: tuple[str, ...] | None = None,
    epoch: int = EPOCH,
    tried: Callable[[int], object] = lambda _: None,
) -> Minimized:
    """Write an image without the files that a command does not need, each of which was tried.

    Args:
        image: whose layers `reader` reads.
        reader: see `image`.
        command: what has to succeed: exit code 0 and, by default, the same output.
        output: where the image is written, as for `pack`.
        record: what is known of the reasons of its files, where we wrote it.
        success: whether the output has to be the same, too.
        keep: patterns of paths that stay.
        aggressive: let go of what only other programs of the image need, and of its entrypoint.
        names: other names than those that the image has.
        epoch: every time in the image, in seconds since 1970.
        tried: called before each run, with how many there were.

    Raises:
        VerificationError: the command does not succeed in the whole image.
        RootfsError: see `rootfs_builder.errors`; then `output` is as it was.
    """
    destination = Destination.parse(output)
    unpacked = provenance.unpacked(image, record, reader)
    whole = unpacked.plan
    with rootfs.unpacked(whole, discard=True) as root:
        trials = Trials(root, command, success=success, tried=tried)
        trials.begin()
        search = _search(image, whole, trials, keep, aggressive=aggressive)
        search.reduce(_groups(whole))
        search.prove()
    left = _without(whole, frozenset(search.gone))
    written, size = _write(
        image,
        replace(unpacked, plan=left),
        destination,
        record=record,
        names=names,
        epoch=epoch,
    )
    gone = tuple(entry for entry in whole.entries if entry.path in search.gone)
    return Minimized(written, whole, left, gone, search.kept(), trials.count, trials.seconds, size)


def _search(
    image: Image,
    whole: Plan,
    trials: Trials,
    keep: tuple[Pattern, ...],
    *,
    aggressive: bool,
) -> Search:
    """The search for what can go; its trials look at the loaders' own files on paper, too."""
    settings = image.config.config
    tied = ties.directories(whole) if aggressive else ties.of(whole)
    started = frozenset[ImagePath]() if aggressive else ties.started(settings, whole)
    pinned = {
        **dict.fromkeys(_empty(whole), Why.EMPTY),
        **dict.fromkeys(started, Why.STARTED),
        **dict.fromkeys(_matching(whole, keep), Why.WANTED),
    }
    search: list[Search] = []
    problems = frozenset() if aggressive else _problems(image, whole)

    def trial(gone: frozenset[ImagePath]) -> bool:
        resolves = (
            aggressive
            or not any(_is_loaders_own(path) for path in gone - search[0].gone)
            or problems >= _problems(image, _without(whole, gone))
        )
        return resolves and trials.passes(gone)

    search.append(Search((one.path for one in whole.entries), tied, pinned, trial))
    return search[0]


def _is_loaders_own(path: ImagePath) -> bool:
    return path.startswith("/etc/") and name(path).startswith(_LOADERS_OWN)


def _problems(image: Image, plan: Plan) -> frozenset[str]:
    """What `verify` says of a plan."""
    settings = image.config.config
    report = verify.check(
        PlanRoot(plan),
        start=next(iter(settings.command), ""),
        workdir=settings.working_dir or ROOT,
        path=tuple(settings.environment.get("PATH", DEFAULT_PATH).split(":")),
        library_path=settings.environment.get("LD_LIBRARY_PATH", ""),
    )
    return frozenset(report.problems)


def _empty(plan: Plan) -> Group:
    """The directories that are empty: they are there to be written to, and have no size."""
    full = {above for entry in plan.entries for above in ancestors(entry.path)}
    return frozenset(
        entry.path for entry in plan.entries if entry.kind == "dir" and entry.path not in full
    )


def _matching(plan: Plan, keep: tuple[Pattern, ...]) -> Group:
    """The paths that the user keeps.

    Raises:
        UsageError: a pattern matches none.
    """
    found: set[ImagePath] = set()
    for pattern in keep:
        matcher = Matcher(ROOT, (pattern,))
        paths = {entry.path for entry in plan.entries if matcher.leaves_out(entry.path)}
        if not paths:
            raise UsageError(f"--keep {pattern}: nothing in the image matches it")
        found |= paths
    return frozenset(found)


def _groups(plan: Plan) -> Iterator[Group]:
    """What is tried first: what no package has, and each package, those with most bytes first."""
    owned = Owners(PlanRoot(plan)).of_all(SourcePath(entry.path) for entry in plan.entries)
    groups: dict[str, list[Entry]] = {}
    for entry in plan.entries:
        package = entry.package or owned.packages.get(SourcePath(entry.path))
        groups.setdefault(package.name if package else "", []).append(entry)
    ordered = sorted(groups.values(), key=lambda group: -sum(entry.size for entry in group))
    yield from (frozenset(entry.path for entry in group) for group in ordered)


def _without(plan: Plan, gone: frozenset[ImagePath]) -> Plan:
    """A plan without some paths, and without reasons that they were."""
    return replace(
        plan,
        entries=tuple(
            replace(entry, reasons=_reasons(entry, gone))
            for entry in plan.entries
            if entry.path not in gone
        ),
        programs=tuple(one for one in plan.programs if one not in gone),
    )


def _reasons(entry: Entry, gone: frozenset[ImagePath]) -> tuple[Reason, ...]:
    left = tuple(one for one in entry.reasons if one.by not in gone)
    return left or (Reason(ReasonKind.IMAGE),)


def _write(
    image: Image,
    unpacked: Unpacked,
    destination: Destination,
    *,
    record: Record | None,
    names: tuple[str, ...] | None,
    epoch: int,
) -> tuple[Image, int]:
    """The image of what is left, layer by layer, and the bytes that it takes."""
    with destinations.opened(destination, keep=False, cache=Cache()) as place:
        store = Store(place.stream, Cache())
        found: list[Layer] = []
        parts = []
        for number, layer in enumerate(image.layers):
            part = _part(unpacked, number)
            if part.entries:
                parts.append(part)
                found.append(replace(layers.pack(part, store, epoch=epoch), history=layer.history))
        manifest: Manifest | None = decode(image.manifest, Manifest) if image.manifest else None
        made = make(
            image.config,
            tuple(found),
            annotations=UNSET if manifest is None else manifest.annotations,
            docker_types=image.media_type in DOCKER.values(),
            names=image.names if names is None else names,
        )
        beside = {}
        if record is not None:
            beside[provenance.NAME] = provenance.write(made, unpacked.plan, parts=tuple(parts))
        store.fill()
        place.write(made, store, destination.format(), beside)
    return made, place.size


def _part(unpacked: Unpacked, number: int) -> Plan:
    """What one layer has of a plan, with the directories that lead to it."""
    by_path = {entry.path: entry for entry in unpacked.plan.entries}
    own = [entry for entry in unpacked.plan.entries if unpacked.numbers[entry.path] == number]
    above = {one for entry in own for one in ancestors(entry.path)}
    return Plan(
        order({entry.path: entry for entry in (*own, *map(by_path.__getitem__, above))}.values())
    )
