"""The sentences that join the wings: recipe → closure → plan → image → destination.

These are the functions that the command line calls, and that `import rootfs_builder` offers.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder import output as outputs
from rootfs_builder import temporary
from rootfs_builder.cache import Cache
from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.cache.memory import BuildFacts
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.image import Image, Platform, from_plan, provenance
from rootfs_builder.image.store import Store
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs import unseen
from rootfs_builder.pipeline import destinations, exercised, inputs, planning
from rootfs_builder.pipeline.dependencies import Dependencies
from rootfs_builder.pipeline.destinations import Place, Written
from rootfs_builder.pipeline.planning import Planned
from rootfs_builder.plan import Plan
from rootfs_builder.recipe import Recipe
from rootfs_builder.recipe.destination import Destination

Progress = Callable[[int, int], None]
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


def plan(recipe: Recipe, *, sysroot: str | None = None, rule_files: Iterable[str] = ()) -> Planned:
    """Work out what an image of `recipe` holds, and why; nothing is written.

    System files are those of this machine, or of the directory `sysroot`; `rule_files` are
    additional rule files.

    Raises:
        RootfsError: see `rootfs_builder.errors`.
    """
    return planning.plan(recipe, inputs.sources(sysroot), rules=inputs.rules(rule_files))


def make_plan(
    recipe: Recipe, *, sysroot: str | None = None, rule_files: Iterable[str] = ()
) -> Plan:
    """The files that an image of `recipe` holds, each with the reasons; nothing is written.

    Arguments and errors are those of `plan`.
    """
    return plan(recipe, sysroot=sysroot, rule_files=rule_files).plan


def stage(
    recipe: Recipe,
    directory: str,
    *,
    sysroot: str | None = None,
    rule_files: Iterable[str] = (),
    epoch: int = 0,
    planned: Callable[[Plan], None] = lambda _: None,
) -> Plan:
    """Write the files of an image into a new or empty directory: the plan that is there now.

    Every time is `epoch`, in seconds since 1970. `sysroot` and `rule_files` are as for `plan`,
    `planned` as for `pack`.

    Raises:
        OutputError: the directory cannot be written, or is not empty.
        RootfsError: see `plan`.
    """
    from rootfs_builder.plan import stage as staging

    found = plan(recipe, sysroot=sysroot, rule_files=rule_files).plan
    planned(found)
    with _scratch(recipe) as scratch, outputs.directory(directory) as staged:
        trimmed = planning.trimmed(recipe, found, scratch)
        staging.write(trimmed, staged, epoch=epoch)
    return trimmed


def pack(
    recipe: Recipe,
    output: str | Destination,
    *,
    sysroot: str | None = None,
    rule_files: Iterable[str] = (),
    epoch: int = 0,
    with_plan: bool = True,
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
) -> Result:
    """Write a container image with the executables of `recipe` and exactly the files they need.

    Args:
        recipe: what goes into the image, and how it starts.
        output: a file, `-` for stdout, or `oci:DIR` for the directory of an OCI layout.
        sysroot: a directory that system files come from; this machine without.
        rule_files: additional rule files.
        epoch: every time in the image, in seconds since 1970.
        with_plan: put `rootfs-builder.json` beside the image, which says why each file is there.
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

    Raises:
        RootfsError: see `rootfs_builder.errors`; then `output` is as it was.
    """
    destination = output if isinstance(output, Destination) else Destination.parse(output)
    depends = Dependencies(depfile, destination)
    memory = BuildFacts(cache := cache or Cache(), (sysroot or "", *recipe.executables))
    files = _beside(iidfile, metadata_file, depfile, seccomp, security_context)
    given = _in_format(recipe, destination)
    recipe, check = exercised.of(given, sysroot, rule_files, memory.facts, files)
    found, dependencies = _recorded(recipe, sysroot, rule_files, depends, memory.facts)
    planned(found.plan)
    destinations.check(found.plan, destination, files)
    writer = _Writer(recipe, found.platform, epoch, with_plan, memory.facts, cache, progress)
    with (
        _scratch(recipe) as room,
        _threads(threads) as usable,
        destinations.beside(files, keep=keep) as fill,
    ):
        whole, parts = check(fill, planning.layered(recipe, found.plan, room, facts=memory.facts))
        with destinations.opened(destination, keep=keep, cache=writer.usable_cache) as place:
            image = writer.write(whole, parts, place, usable)
            _fill(fill, image, dependencies, metadata_file)
    memory.keep()
    return Result(_detached(image), _remarked(whole, place), place.size)


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


def _fill(
    fill: Callable[[str, bytes], None], image: Image, dependencies: bytes, metadata: str | None
) -> None:
    """Give the files beside an image their content."""
    fill("--depfile", dependencies)
    fill("--iidfile", image.config_digest.encode())
    fill("--metadata-file", _metadata(image) if metadata else b"")


def _remarked(plan: Plan, place: Place) -> Plan:
    """The plan with what is to be said of its place, now that the image is there."""
    found = (warning(Code.OUTPUT_LEFTOVER, text) for text in place.remarks)
    return replace(plan, findings=(*plan.findings, *found))


def _in_format(recipe: Recipe, destination: Destination) -> Recipe:
    """The recipe of an image in the format that its destination takes."""
    if not destination.is_layout:
        return recipe
    wanted = None if recipe.shape == "hybrid" else recipe.shape
    return replace(recipe, shape=destination.format(wanted))


def _detached(image: Image) -> Image:
    """The image without its blobs, whose file is closed."""
    layers = (
        replace(layer, blob=Written(layer.descriptor.size, layer.descriptor.digest))
        for layer in image.layers
    )
    return replace(image, layers=tuple(layers))


def _recorded(
    recipe: Recipe,
    sysroot: str | None,
    rule_files: Iterable[str],
    depends: Dependencies,
    facts: FileFacts,
) -> tuple[Planned, bytes]:
    """The plan, and the content of the depfile: what was read for it."""
    rules = inputs.rules(rule_files, facts)
    sources = inputs.sources(sysroot, depends.opened)
    owners = depends.owners(sources, sysroot, facts)
    found = planning.plan(recipe, sources, rules=rules, facts=facts, owners=owners)
    content, findings = depends.document(rule_files)
    unknown = () if recipe.exercises else unseen.find(found.closure, ElfFiles(sources, facts))
    plan = replace(found.plan, findings=(*found.plan.findings, *findings, *unknown))
    return found._replace(plan=plan), content


class _Writer(Struct, frozen=True):
    """What stays the same while an image is written."""

    recipe: Recipe
    platform: Platform
    epoch: int
    with_plan: bool
    facts: FileFacts
    cache: Cache
    progress: Progress

    @property
    def usable_cache(self) -> Cache:
        """The cache; none where nothing is compressed: reading it would be no faster."""
        return self.cache if self.recipe.codec.level else Cache()

    def write(
        self, plan: Plan, parts: tuple[Plan, ...], place: Place, threads: int | None
    ) -> Image:
        """The image of a plan in layers, written unless it is there already.

        Where the cache has lost a part of it, everything is built again.
        """
        for rebuild in (False, True):
            store = Store(place.stream, self.usable_cache, threads=threads, rebuild=rebuild)
            image = self._image(plan, parts, store)
            beside = {}
            if self.with_plan:
                beside[provenance.NAME] = provenance.write(image, plan, parts=parts)
            if place.has(destinations.seal(image, self.recipe.shape, beside)):
                break
            if store.fill():
                place.write(image, store, self.recipe.shape, beside)
                break
        return image

    def _image(self, plan: Plan, parts: tuple[Plan, ...], store: Store) -> Image:
        done, total = 0, plan.size

        def advance(size: int) -> None:
            nonlocal done
            done += size
            self.progress(done, total)

        return from_plan.image(
            self.recipe,
            plan,
            store,
            parts=parts,
            platform=self.platform,
            epoch=self.epoch,
            facts=self.facts,
            progress=advance,
        )


def _metadata(image: Image) -> bytes:
    from rootfs_builder.image import buildx_metadata  # with the readers of archives, for this alone

    return buildx_metadata.document(image)


def _scratch(recipe: Recipe) -> AbstractContextManager[str]:
    """A directory for stripped files, where there are any."""
    if not recipe.strip:
        return nullcontext("")
    return temporary.directory("where stripped files are kept", "--strip")


def _threads(threads: Threads | int | None) -> Threads:
    return nullcontext(threads) if isinstance(threads, int | None) else threads
