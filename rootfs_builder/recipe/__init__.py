"""Options → `Recipe`: the one value that a build is described by.

Every value is checked here, where its name is still known, and all mistakes are reported at once.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from msgspec import Struct

from rootfs_builder.choices import Compare, Compression, Dlopen, Format
from rootfs_builder.errors import EXECUTABLE
from rootfs_builder.filesystem.patterns import Pattern
from rootfs_builder.paths import ImagePath, decode, name
from rootfs_builder.recipe import codec, options, reference, values
from rootfs_builder.recipe.codec import GZIP, Codec
from rootfs_builder.recipe.exercise import Exercise
from rootfs_builder.recipe.options import BY_PARAMETER, OPTIONS, Mistakes
from rootfs_builder.recipe.reference import Reference
from rootfs_builder.recipe.values import Added, Health, RequestedPlatform

if TYPE_CHECKING:  # for Python alone: the command line has options
    from rootfs_builder.recipe.arguments import Arguments

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HEALTH = {  # parameter → field of Health
    "health_interval": "interval",
    "health_timeout": "timeout",
    "health_start_period": "start_period",
    "health_retries": "retries",
}


class Recipe(Struct, frozen=True, kw_only=True):
    """The content of an image, and how it starts.

    Paths in `executables`, `library_path`, `Added.source` and `allow_sensitive` are of this
    machine, absolute, not normalised. `display_names` has the executables as the user typed them,
    `names` those of the image.
    `exclude` says what of added trees stays away.
    `hwcaps` is whether libraries for special CPUs go in, `allow_sensitive` what of `added` may be
    secret, "/" for all. `owners` (users as text), `modes` and `capabilities` (xattrs, empty for
    none) are of executables as in `display_names`, or of paths of the image. `entrypoint` None
    means the first executable.
    `with_rules` are rules that act whatever the evidence, with their values, `without` rules that
    never do; `dlopen` is the least priority of a dlopen note that is followed. `shape` is the
    format of what is written, `layers` how many it may have at most. `max_size` are the bytes that
    all files may have; `strip` takes the symbols out of them. `exercises` are runs that show what
    is needed besides, and have to do the same in the image; `exercise_probe` speaks with a daemon.
    """

    executables: tuple[str, ...]
    display_names: tuple[str, ...]
    names: tuple[Reference, ...]
    library_path: tuple[str, ...] = ()
    include_libraries: tuple[str, ...] = ()
    added: tuple[Added, ...] = ()
    exclude: tuple[Pattern, ...] = ()
    allow_sensitive: tuple[str, ...] = ()
    hwcaps: bool = True
    at: ImagePath | None = None
    owners: tuple[tuple[str, str], ...] = ()
    modes: tuple[tuple[str, int], ...] = ()
    capabilities: tuple[tuple[str, bytes], ...] = ()
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    user: str = ""
    workdir: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    platform: RequestedPlatform | None = None
    with_rules: tuple[tuple[str, tuple[str, ...]], ...] = ()
    without: tuple[str, ...] = ()
    dlopen: Dlopen = "recommended"
    codec: Codec = GZIP
    layers: int = 2
    shape: Format = "hybrid"
    health: Health | None = None
    strip: bool = False
    max_size: int | None = None
    exercises: tuple[Exercise, ...] = ()
    exercise_compare: Compare = "stdout"
    exercise_probe: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, *executables: str, directory: str | None = None, **arguments: "Unpack[Arguments]"
    ) -> "Recipe":
        """The recipe of an image with these executables; the first is what it starts.

        `arguments` are `pack`'s options by name; relative paths start at `directory`, by default
        the working directory.

        Raises:
            TypeError: there is no such argument.
            UsageError: every argument of a wrong type, or else every mistake, with its option.
        """
        from rootfs_builder.recipe.arguments import as_options

        here = decode(os.getcwdb()) if directory is None else directory
        given = as_options(executables, arguments)
        return from_options(directory=here, executables=executables, **given)

    @property
    def docker_types(self) -> bool:
        """Whether the image has docker's media types: podman drops a health check without them."""
        return self.shape == "docker" or (self.shape == "hybrid" and self.health is not None)

    @property
    def search_path(self) -> tuple[str, ...]:
        """PATH inside the image."""
        return tuple(dict(self.env).get("PATH", DEFAULT_PATH).split(":"))


def from_options(*, directory: str, executables: tuple[str, ...], **arguments: Any) -> Recipe:
    """The recipe that options describe, by the names of their parameters: see `options.OPTIONS`.

    Relative paths start at `directory`; None is an option that is not given.

    Raises:
        UsageError: every mistake, with its option.
    """
    mistakes = Mistakes()
    at = arguments.get("at")
    _check_executables(executables, at, mistakes)
    if at is not None and at.endswith("/") and executables:
        arguments["at"] = at + name(executables[0])  # as cp and COPY take a directory
    parsed = options.parse(arguments, directory, mistakes)
    fields = {
        option.field: parsed[option.parameter]
        for option in OPTIONS
        if option.field and option.parameter in parsed
    }
    if not fields.get("names"):
        fields["names"] = (reference.from_file_name(name(executables[0]) if executables else ""),)
    recipe = Recipe(
        executables=tuple(values.absolute(one, directory) for one in executables),
        display_names=executables,
        with_rules=_rules(parsed),
        codec=_codec(parsed, mistakes),
        health=_health(arguments, parsed, mistakes),
        **fields,
    )
    _check_docker_types(recipe, mistakes)
    _check_exercises(recipe, arguments, mistakes)
    mistakes.report()
    return recipe


def _check_executables(executables: tuple[str, ...], at: str | None, mistakes: Mistakes) -> None:
    if not executables:
        mistakes.add(EXECUTABLE, "name at least one program")
    if not all(executables):
        mistakes.add(EXECUTABLE, "an empty name; is a variable not set?")
    if at is not None and len(executables) > 1:
        mistakes.add("--at", f"takes one executable, {len(executables)} are given")


def _codec(parsed: Mapping[str, Any], mistakes: Mistakes) -> Codec:
    if "compression" not in parsed:
        return GZIP  # it is a mistake, and what its levels are is not known
    name_: Compression = parsed["compression"]
    level = parsed.get("compression_level")
    if level is None:
        level = codec.DEFAULT_LEVELS[name_]
    elif name_ == "none":
        text = f"{level} has no meaning with --compression none"
        mistakes.add("--compression-level", text)
    elif level not in (levels := codec.LEVELS[name_]):
        text = f"{name_} has levels {levels[0]} to {levels[-1]}; {level} is not one"
        mistakes.add("--compression-level", text)
    return Codec(name_, level)


def _health(
    arguments: Mapping[str, Any], parsed: Mapping[str, Any], mistakes: Mistakes
) -> Health | None:
    if arguments.get("health_cmd") is None:
        for parameter in _HEALTH:
            if arguments.get(parameter) is not None:
                text = "needs --health-cmd"
                mistakes.add(BY_PARAMETER[parameter].name, text)
    if "health_cmd" not in parsed:
        return None
    times = {field: parsed[one] for one, field in _HEALTH.items() if one in parsed}
    return Health(parsed["health_cmd"], **times)


def _check_docker_types(recipe: Recipe, mistakes: Mistakes) -> None:
    """Refuse settings that an image with docker's media types cannot have."""
    if not recipe.docker_types:
        return
    option, value = ("--format", "docker") if recipe.shape == "docker" else ("--health-cmd", "")
    if recipe.codec.name == "zstd":
        text = (
            "needs docker's media types, which have none for zstd; --compression gzip, "
            "or --format oci"
        )
        mistakes.add(option, text, value)
    if recipe.annotations:
        why = f"{option} {value}".rstrip()
        text = (
            f"{why} needs docker's media types, whose manifest has no annotations; "
            "use --label, or --format oci"
        )
        mistakes.add("--annotation", text)


def _check_exercises(recipe: Recipe, arguments: Mapping[str, Any], mistakes: Mistakes) -> None:
    if arguments.get("exercise_compare") is not None and not recipe.exercises:
        mistakes.add("--exercise-compare", "needs --exercise")
    if recipe.exercise_probe and len(recipe.exercises) != 1:
        text = f"speaks with the daemon of one --exercise, {len(recipe.exercises)} are given"
        mistakes.add("--exercise-probe", text)


def _rules(parsed: Mapping[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each rule of `--with` once, with all its values; `--nss` is the rule nsswitch's."""
    found: dict[str, tuple[str, ...]] = {}
    switch = (("nsswitch", parsed["nss"]),) if "nss" in parsed else ()
    for rule, texts in (*parsed.get("with_", ()), *switch):
        found[rule] = tuple(dict.fromkeys((*found.get(rule, ()), *texts)))
    return tuple(sorted(found.items()))
