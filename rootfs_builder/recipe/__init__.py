"""Options → `Recipe`: the one value that a build is described by.

Every value is checked here, where its name is still known, and all mistakes are reported at once.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec import Struct

from rootfs_builder.errors import OptionsError, UsageError
from rootfs_builder.paths import ImagePath, below, name
from rootfs_builder.recipe import codec, reference, values
from rootfs_builder.recipe.codec import GZIP, Codec
from rootfs_builder.recipe.reference import Reference
from rootfs_builder.recipe.values import Added, Health, Platform

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
T = TypeVar("T")


class Recipe(Struct, frozen=True, kw_only=True):
    """What goes into an image and how it starts.

    Paths in `executables`, `library_path` and `Added.source` are of this machine, absolute, not
    normalised. `shown` has the executables as the user typed them. `hwcaps` says whether libraries
    for special CPUs go in, `allow_sensitive` whether `added` may have secrets of the machine in it.
    `owners` (users as text), `modes` and `capabilities` (xattrs, empty for none) are of executables
    as in `shown`, or of paths of the image. `entrypoint` None means the first executable.
    `with_rules` are rules that act whatever the evidence, with their values, `without` rules that
    never do; `dlopen` is the least priority of a dlopen note that is followed. `shape` is the
    format of what is written, `layers` how many it may have at most. `max_size` are the bytes that
    all files may have; `strip` takes the symbols out of them.
    """

    executables: tuple[str, ...]
    shown: tuple[str, ...]
    name: Reference
    library_path: tuple[str, ...] = ()
    include_libraries: tuple[str, ...] = ()
    added: tuple[Added, ...] = ()
    allow_sensitive: bool = False
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
    platform: Platform | None = None
    with_rules: tuple[tuple[str, tuple[str, ...]], ...] = ()
    without: tuple[str, ...] = ()
    dlopen: str = "recommended"
    codec: Codec = GZIP
    layers: int = 2
    shape: str = "hybrid"
    health: Health | None = None
    strip: bool = False
    max_size: int | None = None

    @property
    def docker_types(self) -> bool:
        """Whether the image has docker's media types: podman drops a health check without them."""
        return self.shape == "docker" or (self.shape == "hybrid" and self.health is not None)

    @property
    def search_path(self) -> tuple[str, ...]:
        """PATH inside the image."""
        return tuple(dict(self.env).get("PATH", DEFAULT_PATH).split(":"))

    @property
    def preload(self) -> tuple[str, ...]:
        """What LD_PRELOAD names inside the image, and `added` does not put there."""
        names = preloaded(dict(self.env).get("LD_PRELOAD", ""))
        places = tuple(one.destination for one in self.added)
        return tuple(one for one in names if not any(below(one, place) for place in places))


def preloaded(text: str) -> tuple[str, ...]:
    """The names in an LD_PRELOAD, as ld.so(8) and musl's loader take them apart."""
    return tuple(text.replace(":", " ").split())


class _Mistakes:
    """Runs each check, keeps what is wrong, reports everything together."""

    def __init__(self) -> None:
        self._found: list[tuple[str, int | None, str]] = []

    def check(
        self, option: str, parse: Callable[[str], T], text: str, index: int | None = None
    ) -> T | None:
        try:
            return parse(text)
        except UsageError as error:
            self._found.append((option, index, str(error)))
            return None

    def each(self, option: str, parse: Callable[[str], T], texts: Iterable[str]) -> tuple[T, ...]:
        found = [self.check(option, parse, text, index) for index, text in enumerate(texts)]
        return tuple(one for one in found if one is not None)

    def add(self, sentence: str) -> None:
        option, _, what = sentence.partition(": ")
        self._found.append((option, None, what))

    def report(self) -> None:
        if self._found:
            raise OptionsError(tuple(self._found))


def from_options(
    *,
    directory: str,
    executables: tuple[str, ...],
    tag: str | None = None,
    library_path: tuple[str, ...] = (),
    include_lib: tuple[str, ...] = (),
    add: tuple[str, ...] = (),
    allow_sensitive: bool = False,
    hwcaps: str = "all",
    at: str | None = None,
    owner: tuple[str, ...] = (),
    mode: tuple[str, ...] = (),
    cap: tuple[str, ...] = (),
    entrypoint: str | None = None,
    command: tuple[str, ...] = (),
    env: tuple[str, ...] = (),
    user: str | None = None,
    workdir: str | None = None,
    label: tuple[str, ...] = (),
    annotation: tuple[str, ...] = (),
    expose: tuple[str, ...] = (),
    volume: tuple[str, ...] = (),
    stop_signal: str | None = None,
    platform: str | None = None,
    with_: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    nss: str | None = None,
    dlopen: str = "recommended",
    layers: str = "auto",
    compression: codec.Name = "gzip",
    compression_level: int | None = None,
    shape: str = "hybrid",
    strip: bool = False,
    max_size: str | None = None,
    **health: str | None,
) -> Recipe:
    """The recipe that the command line describes; relative paths start at `directory`.

    Raises:
        OptionsError: every mistake, a line each, led by its option.
    """
    mistakes = _Mistakes()
    if not executables:
        mistakes.add("EXECUTABLE: name at least one program")
    if not all(executables):
        mistakes.add("EXECUTABLE: an empty name; is a variable not set?")
    if at is not None and len(executables) > 1:
        mistakes.add(f"--at: takes one executable, {len(executables)} are given")

    def optional(option: str, parse: Callable[[str], T], text: str | None) -> T | None:
        return None if text is None else mistakes.check(option, parse, text)

    name_ = optional("--tag", reference.parse, tag)
    recipe = Recipe(
        executables=tuple(values.absolute(one, directory) for one in executables),
        shown=executables,
        name=name_ or reference.from_file_name(name(executables[0]) if executables else ""),
        library_path=mistakes.each(
            "-L", lambda text: values.library_directory(text, directory), library_path
        ),
        include_libraries=mistakes.each("--include-lib", values.library, include_lib),
        added=mistakes.each("--add", lambda text: values.added(text, directory), add),
        allow_sensitive=allow_sensitive,
        hwcaps=hwcaps != "baseline",
        at=optional("--at", values.file_path, at),
        owners=mistakes.each("--owner", values.owner, owner),
        modes=mistakes.each("--mode", values.mode, mode),
        capabilities=mistakes.each("--cap", values.capability, cap),
        entrypoint=optional("--entrypoint", values.words, entrypoint),
        command=mistakes.each("--", values.plain, command),
        env=mistakes.each("--env", values.variable, env),
        user=optional("--user", values.user, user) or "",
        workdir=optional("--workdir", values.directory, workdir) or "",
        labels=mistakes.each("--label", values.pair, label),
        annotations=mistakes.each("--annotation", values.pair, annotation),
        exposed_ports=mistakes.each("--expose", values.port, expose),
        volumes=mistakes.each("--volume", values.volume, volume),
        stop_signal=optional("--stop-signal", values.stop_signal, stop_signal) or "",
        platform=optional("--platform", values.platform, platform),
        with_rules=_merged(
            mistakes.each("--with", values.wanted, with_),
            optional("--nss", values.services, nss),
        ),
        without=mistakes.each("--without", values.plain, without),
        dlopen=dlopen,
        layers=mistakes.check("--layers", values.layers, layers) or 0,
        codec=_codec(compression, compression_level, mistakes),
        shape=shape,
        health=_health(mistakes, **health),
        strip=strip,
        max_size=optional("--max-size", values.size, max_size),
    )
    _check_docker_types(recipe, mistakes)
    mistakes.report()
    return recipe


def _codec(name: codec.Name, level: int | None, mistakes: _Mistakes) -> Codec:
    if level is None:
        level = codec.DEFAULT_LEVELS[name]
    elif name == "none":
        mistakes.add(f"--compression-level: {level} has no meaning with --compression none")
    elif level not in (levels := codec.LEVELS[name]):
        span = f"{levels[0]} to {levels[-1]}"
        mistakes.add(f"--compression-level: {name} has levels {span}; {level} is no such")
    return Codec(name, level)


def _health(
    mistakes: _Mistakes, health_cmd: str | None = None, **given: str | None
) -> Health | None:
    times: dict[str, int] = {}
    for option, text in given.items():
        if text is None:
            continue
        shown = "--" + option.replace("_", "-")
        if health_cmd is None:
            mistakes.add(f"{shown}: of what? --health-cmd says what is run")
        parse = values.count if option == "health_retries" else values.duration
        times[option.removeprefix("health_")] = mistakes.check(shown, parse, text) or 0
    command = (
        None if health_cmd is None else mistakes.check("--health-cmd", values.words, health_cmd)
    )
    return None if command is None else Health(command, **times)


def _check_docker_types(recipe: Recipe, mistakes: _Mistakes) -> None:
    """What an image with docker's media types cannot have."""
    if not recipe.docker_types:
        return
    why = "--format docker" if recipe.shape == "docker" else "--health-cmd"
    if recipe.codec.name == "zstd":
        mistakes.add(
            f"{why}: needs docker's media types, which have none for zstd; --compression gzip, "
            "or --format oci"
        )
    if recipe.annotations:
        mistakes.add(
            f"--annotation: {why} needs docker's media types, whose manifest has no annotations; "
            "use --label, or --format oci"
        )


def _merged(
    wanted: Iterable[tuple[str, tuple[str, ...]]], services: tuple[str, ...] | None
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each rule once, with all its values; `--nss` is the rule nsswitch's."""
    found: dict[str, tuple[str, ...]] = {}
    switch = () if services is None else (("nsswitch", services),)
    for rule, given in (*wanted, *switch):
        found[rule] = tuple(dict.fromkeys((*found.get(rule, ()), *given)))
    return tuple(sorted(found.items()))
