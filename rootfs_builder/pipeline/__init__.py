"""The sentences that join the wings: recipe → closure → plan → image → destination.

These are the functions that the command line calls, and that `import rootfs_builder` offers.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder import output as outputs
from rootfs_builder import temporary
from rootfs_builder.cache import Cache
from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.cache.memory import BuildFacts
from rootfs_builder.choices import EPOCH
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.image import Image
from rootfs_builder.needs import additions, collector
from rootfs_builder.needs.closure import Closure
from rootfs_builder.needs.rules import Rules
from rootfs_builder.pipeline import destinations, exercised, inputs, planning, policies, reading
from rootfs_builder.pipeline.dependencies import Dependencies
from rootfs_builder.pipeline.destinations import Place, Written
from rootfs_builder.pipeline.inputs import Opened
from rootfs_builder.pipeline.planning import Planned
from rootfs_builder.pipeline.reading import Inputs
from rootfs_builder.pipeline.writing import Progress, Writer
from rootfs_builder.plan import Plan
from rootfs_builder.recipe import Recipe
from rootfs_builder.recipe.destination import Destination


class Collected(NamedTuple):
    """A closure, and what it was made from; what the recipe adds is where it was found."""

    recipe: Recipe
    sources: Sources
    rules: Rules
    closure: Closure


Fill = Callable[[str, bytes], None]
Threads = AbstractContextManager[int | None]


class Result(Struct, frozen=True):
    """An image that was written: what it is, what is in it, and how many bytes it takes there.

    Its blobs are where it was written, so they cannot be opened here; nor can files of the plan
    that were stripped.
    """

    image: Image
    plan: Plan
    size: int

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the user should know of it."""
        return self.plan.findings


def plan(
    recipe: Recipe,
    *,
    sysroot: str | None = None,
    base: str | None = None,
    rule_files: Iterable[str] = (),
    policy_files: Iterable[str] = (),
    cache: Cache | None = None,
    opened: Opened = inputs.as_it_is,
) -> Planned:
    """Work out what an image of `recipe` holds, and why; nothing is written.

    System files are those of this machine, or of the directory or image `sysroot`; the image goes
    on top of that of the archive or OCI layout `base`. `rule_files` are additional rule files,
    `policy_files` policies that the image has to keep. Files of an image cannot be opened
    afterwards. What `pack` has kept in `cache` about files is not looked for again. `opened` is
    given each directory that is read as a Root, and what it returns is read instead.

    Raises:
        RootfsError: see `rootfs_builder.errors`.
    """
    kept = policies.read(policy_files)
    facts = _remembered(cache or Cache(), recipe, sysroot, base).facts
    with reading.opened(recipe, sysroot, base, record=opened) as read:
        found = _planned(read, rules=inputs.rules(rule_files, facts), facts=facts)
        policies.enforce(kept, found.plan, read)
    return found


@contextmanager
def collected(
    recipe: Recipe,
    *,
    sysroot: str | None = None,
    base: str | None = None,
    rule_files: Iterable[str] = (),
    cache: Cache | None = None,
    opened: Opened = inputs.as_it_is,
) -> Iterator[Collected]:
    """What an image of `recipe` needs, before it is laid out; its files can be opened until then.

    Arguments and errors are those of `plan`.
    """
    facts = _remembered(cache or Cache(), recipe, sysroot, base).facts
    rules = inputs.rules(rule_files, facts)
    with reading.opened(recipe, sysroot, base, record=opened) as read:
        placed = additions.placed(read.recipe, read.sources)
        closure = collector.collect(placed, read.sources, rules=rules, facts=facts)
        yield Collected(placed, read.sources, rules, closure)


def make_plan(
    recipe: Recipe,
    *,
    sysroot: str | None = None,
    base: str | None = None,
    rule_files: Iterable[str] = (),
) -> Plan:
    """The files that an image of `recipe` holds, each with the reasons; nothing is written.

    What a `base` has already is in it too, as `inherited`. Arguments and errors are those of
    `plan`.
    """
    return plan(recipe, sysroot=sysroot, base=base, rule_files=rule_files).plan


def _remembered(cache: Cache, recipe: Recipe, sysroot: str | None, base: str | None) -> BuildFacts:
    return BuildFacts(cache, (sysroot or "", base or "", *recipe.executables))


def _planned(read: Inputs, **options: Any) -> Planned:
    """The plan of what is read; over its base, if it has one."""
    if read.base is None:
        found = planning.plan(read.recipe, read.sources, **options)
    else:
        from rootfs_builder.pipeline import bases

        found = bases.plan(read.recipe, read.sources, read.base, **options)
    remarks = (*found.plan.findings, *inputs.supplied(read.sources))
    return found._replace(plan=replace(found.plan, findings=remarks))


def stage(
    recipe: Recipe,
    directory: str,
    *,
    sysroot: str | None = None,
    base: str | None = None,
    rule_files: Iterable[str] = (),
    epoch: int = EPOCH,
    cache: Cache | None = None,
    planned: Callable[[Plan], None] = lambda _: None,
    opened: Opened = inputs.as_it_is,
) -> Plan:
    """Write the files of an image into a new or empty directory: the plan that is there now.

    Of a `base` nothing is written. Every time is `epoch`, in seconds since 1970. `sysroot`,
    `rule_files`, `cache` and `opened` are as for `plan`, `planned` as for `pack`.

    Raises:
        OutputError: the directory cannot be written, or is not empty.
        RootfsError: see `plan`.
    """
    from rootfs_builder.plan import stage as staging

    facts = _remembered(cache or Cache(), recipe, sysroot, base).facts
    with reading.opened(recipe, sysroot, base, record=opened) as read:
        found = _planned(read, rules=inputs.rules(rule_files, facts), facts=facts).plan
        planned(found)
        with _scratch(recipe) as scratch, outputs.directory(directory) as staged:
            trimmed = planning.trimmed(recipe, found, scratch, epoch=epoch)
            staging.write(trimmed, staged, epoch=epoch)
    return trimmed


def pack(
    recipe: Recipe,
    output: str | Destination,
    *,
    sysroot: str | None = None,
    base: str | None = None,
    rule_files: Iterable[str] = (),
    epoch: int = EPOCH,
    with_plan: bool = True,
    policy_files: Iterable[str] = (),
    iidfile: str | None = None,
    metadata_file: str | None = None,
    depfile: str | None = None,
    seccomp: str | None = None,
    security_context: str | None = None,
    keep: bool = False,
    cache: Cache | None = None,
    threads: Threads | int | None = None,
    planned: Callable[[Plan], None] = lambda _: None,
    progress: Progress = lambda _done, _total: None,
    opened: Opened = inputs.as_it_is,
) -> Result:
    """Write a container image with the executables of `recipe` and exactly the files they need.

    Args:
        recipe: what goes into the image, and how it starts.
        output: a file, `-` for stdout, or `oci:DIR` for the directory of an OCI layout.
        sysroot: a directory or image that system files come from; this machine without.
        base: an archive or OCI layout with an image that this one goes on top of.
        rule_files: additional rule files.
        epoch: every time in the image, in seconds since 1970.
        with_plan: put `rootfs-builder.json` beside the image, which says why each file is there.
        policy_files: policies that the image has to keep.
        iidfile: a file for the image's ID, the digest of its config.
        metadata_file: a file for what `docker buildx build --metadata-file` writes.
        depfile: a dependency file for make, ninja or CMake; for make alone if it ends in `.mk`.
        seccomp: a file for a seccomp profile with the system calls of the exercises.
        security_context: a file for a Kubernetes securityContext and the volumes it needs.
        keep: leave files that have the same bytes already as they are, with their times.
        cache: the cache to read and write (default: none). The image is the same either way.
        threads: how many threads compress, by default one for each CPU; or a context manager that
            yields that number.
        planned: is called with the plan before anything is written.
        progress: is called with the bytes that are packed, and the bytes of all files.
        opened: is given each directory that is read as a Root; what it returns is read instead.

    Raises:
        RootfsError: see `rootfs_builder.errors`; then `output` is as it was.
    """
    recipe, destination = _addressed(recipe, output)
    rules = policies.read(policy_files := tuple(policy_files))
    depends = Dependencies(depfile, destination, policy_files, opened)
    memory = _remembered(cache := cache or Cache(), recipe, sysroot, base)
    files = _beside(iidfile, metadata_file, depfile, seccomp, security_context)
    recipe, check = exercised.of(recipe, sysroot or base, rule_files, memory.facts, files)
    with reading.opened(recipe, sysroot, base, record=depends.opened) as read:
        found, dependencies = _recorded(read, rule_files, depends, memory.facts, planned)
        destinations.check(found.plan, destination, files, read=read.files)
        writer = Writer(read, found.platform, epoch, with_plan, memory.facts, cache, progress)
        with _means(recipe, threads, files, keep=keep) as (room, usable, fill):
            whole, parts = check(fill, writer.layered(found.plan, room))
            policies.enforce(rules, whole, read)
            with destinations.opened(destination, keep=keep, cache=writer.usable_cache) as place:
                image = writer.write(whole, parts, place, usable)
                _fill(fill, image, dependencies, metadata_file)
    memory.keep()
    return Result(_detached(image), _remarked(whole, place, destination), place.size)


def _beside(
    iidfile: str | None,
    metadata_file: str | None,
    depfile: str | None,
    seccomp: str | None,
    security_context: str | None,
) -> dict[str, str | None]:
    """The files that are written beside an image, by their options."""
    return {
        "--iidfile": iidfile,
        "--metadata-file": metadata_file,
        "--depfile": depfile,
        "--seccomp": seccomp,
        "--security-context": security_context,
    }


def _fill(fill: Fill, image: Image, dependencies: bytes, metadata: str | None) -> None:
    """Give the files beside an image their content."""
    fill("--depfile", dependencies)
    fill("--iidfile", image.config_digest.encode())
    if metadata is not None:
        from rootfs_builder.image import buildx_metadata  # with the readers of archives

        fill("--metadata-file", buildx_metadata.document(image))


def _remarked(plan: Plan, place: Place, destination: Destination) -> Plan:
    """The plan with what is to be said of its place, now that the image is there."""
    found = [warning(Code.OUTPUT_LEFTOVER, text) for text in place.remarks]
    if destination.misnomer:
        found.append(warning(Code.OUTPUT_NAME, destination.misnomer))
    return replace(plan, findings=(*plan.findings, *found))


def _addressed(recipe: Recipe, output: str | Destination) -> tuple[Recipe, Destination]:
    """Where the image goes, and the recipe of one in the format that is taken there."""
    destination = output if isinstance(output, Destination) else Destination.parse(output)
    if not destination.is_layout:
        return recipe, destination
    wanted = None if recipe.shape == "hybrid" else recipe.shape
    return replace(recipe, shape=destination.format(wanted)), destination


def _detached(image: Image) -> Image:
    """The image without its blobs, whose file is closed."""
    layers = (
        replace(layer, blob=Written(layer.descriptor.size, layer.descriptor.digest))
        for layer in image.layers
    )
    return replace(image, layers=tuple(layers))


def _recorded(
    read: Inputs,
    rule_files: Iterable[str],
    depends: Dependencies,
    facts: FileFacts,
    planned: Callable[[Plan], None],
) -> tuple[Planned, bytes]:
    """The plan, which `planned` is told, and what the depfile has: all that was read for it."""
    rules = inputs.rules(rule_files, facts)
    owners = depends.owners(read.sources, facts)
    found = _planned(read, rules=rules, facts=facts, owners=owners)
    content, findings = depends.document((*rule_files, *read.files))
    plan = replace(found.plan, findings=(*found.plan.findings, *findings))
    planned(plan)
    return found._replace(plan=plan), content


@contextmanager
def _means(
    recipe: Recipe,
    threads: Threads | int | None,
    files: Mapping[str, str | None],
    *,
    keep: bool,
) -> Iterator[tuple[str, int | None, Fill]]:
    """A directory for stripped files, how many threads compress, and what fills files beside."""
    with (
        _scratch(recipe) as room,
        _threads(threads) as usable,
        destinations.beside(files, keep=keep) as fill,
    ):
        yield room, usable, fill


def _scratch(recipe: Recipe) -> AbstractContextManager[str]:
    """A directory for stripped files, where there are any."""
    if not recipe.strip:
        return nullcontext("")
    return temporary.directory("where stripped files are kept", "--strip")


def _threads(threads: Threads | int | None) -> Threads:
    return nullcontext(threads) if isinstance(threads, int | None) else threads
