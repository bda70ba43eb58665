"""Recipe + Plan → Image: layers in a store, and the config that says how a container starts.

Source: image-spec, config.md; the health check is docker's extension.
"""

import errno
from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import Mistake, UsageError
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.image import (
    Config,
    Healthcheck,
    History,
    Image,
    Layer,
    Platform,
    Settings,
    layers,
    make,
)
from rootfs_builder.image.store import Store
from rootfs_builder.paths import OpenedPath, printable
from rootfs_builder.plan import Plan, PlanRoot, split
from rootfs_builder.recipe import DEFAULT_PATH, Recipe
from rootfs_builder.recipe.values import Health


def image(
    recipe: Recipe,
    plan: Plan,
    store: Store,
    *,
    parts: tuple[Plan, ...],
    platform: Platform,
    base: Image | None = None,
    epoch: int = 0,
    facts: FileFacts | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Image:
    """Pack a plan, each of its `parts` as a layer, and describe it; layers end in `store`.

    `plan` is what a container sees. The layers of a `base` come first, and its config is inherited.
    `epoch` is when all of it was made, in seconds since 1970; `progress` is told the bytes of each
    piece that is done.

    Raises:
        UsageError: the entrypoint, the health check or the working directory is not in the image.
    """
    found_settings = settings(recipe, plan)
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def packed(part: Plan) -> Layer:
        layer = layers.pack(
            part, store, codec=recipe.codec, epoch=epoch, facts=facts, progress=progress
        )
        return replace(layer, history=History(created, split.title(part)))

    found = tuple(map(packed, parts))
    config = Config(
        architecture=platform.architecture,
        os=platform.os,
        variant=platform.variant,
        created=created,
        config=found_settings,
        history=tuple(layer.history for layer in found),
    )
    return make(
        *(config, found) if base is None else _over(base, config, found, recipe.user),
        annotations=dict(recipe.annotations) or UNSET,
        docker_types=recipe.docker_types,
        names=tuple(dict.fromkeys(map(str, recipe.names))),
    )


def _over(
    base: Image, config: Config, found: tuple[Layer, ...], user: str
) -> tuple[Config, tuple[Layer, ...]]:
    from rootfs_builder.image import from_base  # few images have a base

    return from_base.inherited(base, config, found, user=user)


def settings(recipe: Recipe, plan: Plan) -> Settings:
    """How a container of the image starts.

    Raises:
        UsageError: the entrypoint, the health check or the working directory is not in the image.
    """
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
        raise UsageError(Mistake("--workdir", "a file of the image", recipe.workdir))
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
    if nodes:
        what = "a directory" if nodes[0].kind == "dir" else "not executable"
        raise UsageError(Mistake(option, f"{what} in the image; name a program", program))
    inside = ", ".join(printable(one) for one in plan.programs)
    text = f"not in the image, which has {inside}; add it as another EXECUTABLE"
    raise UsageError(Mistake(option, text, program))
