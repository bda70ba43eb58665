"""The options that describe an image → which field of the `Recipe` each sets, and who parses it.

`OPTIONS` is the one table of what options mean: the recipe is parsed by it, and a key of
`rootfs.toml` takes the kind of value that its option takes. How an option is spelt on the command
line, and its help, are click's.

To add one: write its line here and its parser in `values`, and declare it for click in `commands`.
The words that a choice may be go into `rootfs_builder.choices`, which both read.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

from msgspec import Struct

from rootfs_builder.choices import COMPARES, COMPRESSIONS, DLOPEN, FORMATS, HWCAPS
from rootfs_builder.errors import EXECUTABLE, Mistake, UsageError
from rootfs_builder.recipe import exec_form, exercise, reference, values

T = TypeVar("T")

ValueKind = Literal[
    "text",
    "texts",
    "repeated",
    "pairs",
    "words",
    "programs",
    "files",
    "scope",
    "flag",
    "number",
    "choice",
]

_MANY = ("texts", "repeated", "pairs", "programs", "files", "scope")
_FROM_HERE = ("files", "scope")  # paths of this machine, by themselves or with something else


class Option(Struct, frozen=True):
    """An option: the name of its parameter, how messages spell it, and what it takes.

    It sets `field` of the Recipe; "" if it sets none, or one together with others. `parse` is given
    the text, and of several each; if the text has a path of this machine, or is run `from_here`,
    the directory in which a relative path starts is given too. `choices` are the only texts that a
    choice may be. A scope is paths, or all there is: "/", which is true in a recipe. What is
    repeated is one text or several there.
    """

    parameter: str
    name: str
    kind: ValueKind = "text"
    field: str = ""
    parse: Callable[..., Any] | None = None
    default: str | None = None
    is_path: bool = False
    choices: tuple[str, ...] = ()
    from_here: bool = False

    @property
    def takes_many(self) -> bool:
        """Whether it may be given several times."""
        return self.kind in _MANY


EXECUTABLES = Option("executables", EXECUTABLE, "programs")
OPTIONS = (
    Option("tag", "--tag", "repeated", "names", reference.parse),
    Option("library_path", "-L", "texts", "library_path", values.library_directory, is_path=True),
    Option("include_lib", "--include-lib", "texts", "include_libraries", values.library),
    Option("add", "--add", "files", "added", values.added),
    Option("exclude", "--exclude", "texts", "exclude", values.exclusion),
    Option("allow_sensitive", "--allow-sensitive", "scope", "allow_sensitive", values.scope),
    Option("hwcaps", "--hwcaps", "choice", "hwcaps", values.hwcaps, "all", choices=HWCAPS),
    Option("at", "--at", field="at", parse=values.file_path),
    Option("owner", "--owner", "pairs", "owners", values.owner),
    Option("mode", "--mode", "pairs", "modes", values.mode),
    Option("cap", "--cap", "pairs", "capabilities", values.capability),
    Option("entrypoint", "--entrypoint", "words", "entrypoint", exec_form.parse),
    Option("command", "--", "texts", "command", values.plain),
    Option("env", "--env", "pairs", "env", values.variable),
    Option("user", "--user", field="user", parse=values.user),
    Option("workdir", "--workdir", field="workdir", parse=values.directory),
    Option("label", "--label", "pairs", "labels", values.pair),
    Option("annotation", "--annotation", "pairs", "annotations", values.pair),
    Option("expose", "--expose", "texts", "exposed_ports", values.port),
    Option("volume", "--volume", "texts", "volumes", values.volume),
    Option("stop_signal", "--stop-signal", field="stop_signal", parse=values.stop_signal),
    Option("platform", "--platform", field="platform", parse=values.platform),
    Option("with_", "--with", "texts", parse=values.rule),
    Option("nss", "--nss", parse=values.services),
    Option("without", "--without", "texts", "without", values.plain),
    Option("dlopen", "--dlopen", "choice", "dlopen", default="recommended", choices=DLOPEN),
    Option("layers", "--layers", field="layers", parse=values.layers, default="auto"),
    Option("compression", "--compression", "choice", default="gzip", choices=COMPRESSIONS),
    Option("compression_level", "--compression-level", "number"),
    Option("shape", "--format", "choice", "shape", choices=FORMATS),
    Option("health_cmd", "--health-cmd", "words", parse=exec_form.parse),
    Option("health_interval", "--health-interval", parse=values.duration),
    Option("health_timeout", "--health-timeout", parse=values.duration),
    Option("health_start_period", "--health-start-period", parse=values.duration),
    Option("health_retries", "--health-retries", parse=values.count),
    Option("exercise", "--exercise", "texts", "exercises", exercise.parse, from_here=True),
    Option(
        "exercise_compare",
        "--exercise-compare",
        "choice",
        "exercise_compare",
        default="stdout",
        choices=COMPARES,
    ),
    Option("exercise_probe", "--exercise-probe", "words", "exercise_probe", exercise.probe),
    Option("strip", "--strip", "flag", "strip"),
    Option("max_size", "--max-size", field="max_size", parse=values.size),
    # where a build reads and writes, which is no part of a Recipe
    Option("output", "--output"),
    Option("iidfile", "--iidfile", is_path=True),
    Option("metadata_file", "--metadata-file", is_path=True),
    Option("depfile", "--depfile", is_path=True),
    Option("seccomp", "--seccomp", is_path=True),
    Option("security_context", "--security-context", is_path=True),
    Option("sysroot", "--sysroot", is_path=True),
    Option("base", "--base", is_path=True),
    Option("rule_files", "--rules", "texts", is_path=True),
    Option("policy", "--policy", "repeated", is_path=True),
    Option("no_plan", "--no-plan", "flag"),
)
BY_PARAMETER = {option.parameter: option for option in OPTIONS}


class Mistakes:
    """Runs each check, keeps what is wrong, reports everything together."""

    def __init__(self) -> None:
        self._found: list[Mistake] = []

    def add(self, option: str, text: str, value: str = "") -> None:
        """Keep one that no parser has found."""
        self._found.append(Mistake(option, text, value))

    def parse(
        self, option: str, parse: Callable[[str], T], text: str, position: int | None = None
    ) -> T | None:
        """The value of a text, None if it has a mistake."""
        try:
            return parse(text)
        except UsageError as error:
            self._found += [Mistake(option, one.text, position=position) for one in error.mistakes]
            return None

    def each(self, option: str, parse: Callable[[str], T], texts: Iterable[str]) -> tuple[T, ...]:
        """The values of several texts, without those that have a mistake."""
        found = [self.parse(option, parse, text, nth) for nth, text in enumerate(texts)]
        return tuple(one for one in found if one is not None)

    def report(self) -> None:
        """Raise all that is wrong.

        Raises:
            UsageError: there is anything.
        """
        if self._found:
            raise UsageError(*self._found)


def parse(arguments: Mapping[str, Any], directory: str, mistakes: Mistakes) -> dict[str, Any]:
    """The value of each option that is given or has a default, by its parameter.

    Raises:
        TypeError: there is no such option.
    """
    unknown = arguments.keys() - BY_PARAMETER.keys()
    if unknown:
        raise TypeError(f"no such option: {', '.join(sorted(unknown))}")
    found = {}
    for option in OPTIONS:
        value = arguments.get(option.parameter)
        value = option.default if value is None else value
        if value is not None:
            found[option.parameter] = _value(option, value, directory, mistakes)
    return {parameter: value for parameter, value in found.items() if value is not None}


def _value(option: Option, value: Any, directory: str, mistakes: Mistakes) -> Any:
    parse = option.parse
    if option.choices and value not in option.choices:
        mistakes.add(option.name, f"{value!r} is none of: {', '.join(option.choices)}")
        return None
    if parse is None:
        return value

    def parsed(text: str) -> Any:
        from_here = option.is_path or option.from_here or option.kind in _FROM_HERE
        return parse(text, directory) if from_here else parse(text)

    if option.takes_many:
        return mistakes.each(option.name, parsed, value)
    return mistakes.parse(option.name, parsed, value)
