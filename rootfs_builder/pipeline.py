"""The sentences that join the rooms: Recipe → Plan that is proved, Plan → Image.

Which architecture an image is for comes from the program's ELF header, never from the machine that
packs it.
"""

import errno
from collections.abc import Callable, Iterator

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from rootfs_builder import elf
from rootfs_builder.cache.file_facts import Facts
from rootfs_builder.errors import UsageError, VerificationError
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.image import (
    CONFIG,
    DOCKER,
    MANIFEST,
    Config,
    Descriptor,
    Healthcheck,
    History,
    Image,
    Manifest,
    Platform,
    RootFs,
    Settings,
    canonical,
    layers,
)
from rootfs_builder.image.store import Store
from rootfs_builder.needs import collector
from rootfs_builder.needs.closure import Closure
from rootfs_builder.needs.rules import Rules
from rootfs_builder.packages import Owners
from rootfs_builder.paths import OpenedPath, printable
from rootfs_builder.plan import Plan, PlanRoot, budget, planner, replay, split
from rootfs_builder.recipe import DEFAULT_PATH, Recipe
from rootfs_builder.recipe.values import Health
from rootfs_builder.recipe.values import Platform as Wanted


def plan(
    recipe: Recipe,
    sources: Sources,
    *,
    rules: Rules,
    facts: Facts | None = None,
    owners: Owners | None = None,
) -> tuple[Closure, Plan]:
    """Collect, lay out, and resolve once more inside the plan.

    Raises:
        RootfsError: see users.resolve, collector.collect and planner.plan.
        VerificationError: the image would resolve differently; what and how.
    """
    closure = collector.collect(recipe, sources, rules=rules, facts=facts)
    result = planner.plan(closure, owners=owners)
    platform(recipe, closure)  # before anything is written
    differences = replay.check(closure, PlanRoot(result))
    if differences:
        raise VerificationError("\n".join(finding.text for finding in differences))
    later = replay.check_added(closure, PlanRoot(result)) if closure.trees else ()
    return closure, replace(result, findings=(*result.findings, *later, *_of_format(recipe)))


def trimmed(recipe: Recipe, plan: Plan, scratch: str) -> Plan:
    """The plan, stripped where the recipe says so, and no larger than it says.

    `scratch` is a directory for stripped files, that must last as long as the plan is used.

    Raises:
        RootfsError: see stripped.plan and budget.check.
    """
    if recipe.strip:
        from rootfs_builder.plan import strip

        plan = strip.plan(plan, scratch)
    if recipe.max_size is not None:
        budget.check(plan, recipe.max_size)
    return plan


def _of_format(recipe: Recipe) -> Iterator[Finding]:
    """What not every engine takes from an image of this format."""
    if recipe.health is not None and not recipe.docker_types:
        text = (
            "--health-cmd: docker alone takes it from an OCI image; from --format hybrid podman too"
        )
        yield warning(Code.HEALTH_CHECK_IGNORED, text)


def platform(recipe: Recipe, closure: Closure) -> Platform:
    """The platform that the programs are for.

    Raises:
        UsageError: `--platform`, or another program, contradicts the first program.
    """
    found: dict[Wanted, str] = {}
    for program in closure.programs:
        if program.link_maps:
            wanted_by = _platform(program.shown, program.link_maps[0].program.elf.header)
            found.setdefault(wanted_by, program.shown)
    if len(found) > 1:
        each = ", ".join(f"{printable(shown)} is for {one}" for one, shown in found.items())
        raise UsageError(f"one image is for one platform, and {each}; pack them separately")
    wanted = recipe.platform
    actual = next(iter(found), wanted or Wanted("amd64"))
    if wanted is not None and (
        wanted.architecture != actual.architecture
        or (wanted.variant and actual.variant and wanted.variant != actual.variant)
    ):
        raise UsageError(f"--platform {wanted}: {printable(found[actual])} is for {actual}")
    variant = (wanted.variant if wanted else "") or actual.variant
    return Platform(actual.architecture, "linux", variant or UNSET)


def _platform(shown: str, header: elf.Header) -> Wanted:
    machine = header.platform
    if not machine.architecture:
        raise UsageError(
            f"{printable(shown)}: no image platform is known for its machine, "
            f"e_machine {header.machine} with {header.bits} bits"
        )
    return Wanted(machine.architecture, machine.abi(header.flags).variant)


def image(
    recipe: Recipe,
    plan: Plan,
    store: Store,
    *,
    parts: tuple[Plan, ...],
    platform: Platform,
    epoch: int = 0,
    facts: Facts | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Image:
    """Pack a plan, each of its `parts` as a layer, and describe it; blobs end in `store`.

    Raises:
        UsageError: the entrypoint, or what checks its health, is not in the image.
    """
    settings = _settings(recipe, plan)
    packed = [
        layers.pack(part, store, codec=recipe.codec, epoch=epoch, facts=facts, progress=progress)
        for part in parts
    ]
    created = _rfc3339(epoch)
    config = Config(
        architecture=platform.architecture,
        os=platform.os,
        variant=platform.variant,
        created=created,
        config=settings,
        rootfs=RootFs(tuple(layer.diff_id for layer in packed)),
        history=tuple(History(created, split.title(part)) for part in parts),
    )
    return _stored(config, packed, recipe, store)


def _stored(config: Config, packed: list[layers.Layer], recipe: Recipe, store: Store) -> Image:
    """The image of a config and its layers, with its documents in `store`."""
    config_blob = store.add(canonical(config))
    types = DOCKER if recipe.docker_types else {}

    def typed(descriptor: Descriptor) -> Descriptor:
        return replace(
            descriptor, media_type=types.get(descriptor.media_type, descriptor.media_type)
        )

    manifest = Manifest(
        config=typed(Descriptor(CONFIG, config_blob.digest, config_blob.size)),
        layers=tuple(typed(layer.descriptor) for layer in packed),
        annotations=dict(recipe.annotations) or UNSET,
        media_type=types.get(MANIFEST, MANIFEST),
    )
    blob = store.add(canonical(manifest))
    platform = Platform(config.architecture, config.os, config.variant)
    descriptor = Descriptor(manifest.media_type, blob.digest, blob.size, platform)
    return Image(descriptor, manifest, config)


def _settings(recipe: Recipe, plan: Plan) -> Settings:
    env = {"PATH": DEFAULT_PATH} | dict(plan.env) | dict(recipe.env)
    entrypoint = recipe.entrypoint or (plan.programs[0],)
    walker = Walker(PlanRoot(plan))
    if printable(entrypoint[0]) != entrypoint[0].replace("%", "%25"):
        raise UsageError(
            f"{printable(entrypoint[0])}: a name that is not plain UTF-8 text cannot be an "
            "entrypoint; --at gives it another"
        )
    _check_program("--entrypoint", entrypoint[0], recipe, plan, walker)
    if recipe.health is not None:
        _check_program("--health-cmd", recipe.health.command[0], recipe, plan, walker)
    workdir = walker.walk(OpenedPath(recipe.workdir or "/"))
    if workdir.errno == errno.ENOTDIR or (workdir.node and workdir.node.kind != "dir"):
        raise UsageError(f"--workdir {printable(recipe.workdir)}: a file of the image")
    return Settings(
        entrypoint=entrypoint,
        cmd=recipe.command or UNSET,
        env=tuple(f"{key}={value}" for key, value in env.items()),
        user=plan.user or UNSET,
        working_dir=recipe.workdir or UNSET,
        labels=dict(recipe.labels) or UNSET,
        exposed_ports={port: {} for port in recipe.exposed_ports} or UNSET,
        volumes={volume: {} for volume in recipe.volumes} or UNSET,
        stop_signal=recipe.stop_signal or UNSET,
        healthcheck=_healthcheck(recipe.health),
    )


def _healthcheck(health: Health | None) -> Healthcheck | UnsetType:
    if health is None:
        return UNSET
    return Healthcheck(
        ("CMD", *health.command),
        interval=health.interval,
        timeout=health.timeout,
        start_period=health.start_period,
        retries=health.retries,
    )


def _check_program(option: str, program: str, recipe: Recipe, plan: Plan, walker: Walker) -> None:
    if program.startswith("/"):
        places = [program]
    elif "/" in program:
        places = [f"{recipe.workdir or '/'}/{program}"]
    else:
        places = [f"{directory}/{program}" for directory in recipe.search_path]
    nodes = [node for place in places if (node := walker.walk(OpenedPath(place)).node)]
    if any(node.kind == "file" and node.mode & 0o111 for node in nodes):
        return
    shown = f"{option} {printable(program)}"
    if nodes:
        what = "a directory" if nodes[0].kind == "dir" else "not executable"
        raise UsageError(f"{shown}: {what} in the image; name a program")
    inside = ", ".join(printable(one) for one in plan.programs)
    raise UsageError(f"{shown}: not in the image, which has {inside}; add it as another EXECUTABLE")


def _rfc3339(epoch: int) -> str:
    """Seconds since 1970 as RFC 3339 in UTC."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
