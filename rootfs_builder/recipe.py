"""Options → `Recipe`: the one value that a build is described by.

Every value is checked here, where its name is still known, and all mistakes are reported at once.
Config values follow the OCI image-spec, config.md.
"""

import re
import signal
from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec import Struct

from rootfs_builder import reference
from rootfs_builder.errors import UsageError
from rootfs_builder.paths import MOUNTED, ImagePath, below, name, printable
from rootfs_builder.reference import Reference

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELL = set("|&;<>()")
_MAX_ID = 2**31 - 1  # runc takes no more
_MAX_PORT = 65535
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armhf": "arm", "i386": "386"}

_REALTIME = re.compile(r"SIGRTMIN\+([1-9]|1[0-5])|SIGRTMAX-([1-9]|1[0-4])")
_MOUNTED_FILES = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")

T = TypeVar("T")


class Added(Struct, frozen=True):
    """`--add SRC:DEST`: a file or tree of this machine, and its path in the image."""

    source: str
    destination: ImagePath


class Platform(Struct, frozen=True):
    """os/architecture[/variant] in Go's spelling; os is always linux."""

    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in ("linux", self.architecture, self.variant) if part)


class Recipe(Struct, frozen=True, kw_only=True):
    """What goes into an image and how it starts.

    Paths in `executables`, `library_path` and `Added.source` are of this machine, absolute, not
    normalised. `shown` has the executables as the user typed them. `hwcaps` says whether libraries
    for special CPUs go in. `entrypoint` None means the first executable.
    """

    executables: tuple[str, ...]
    shown: tuple[str, ...]
    name: Reference
    library_path: tuple[str, ...] = ()
    include_libraries: tuple[str, ...] = ()
    added: tuple[Added, ...] = ()
    hwcaps: bool = True
    at: ImagePath | None = None
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

    @property
    def search_path(self) -> tuple[str, ...]:
        """PATH inside the image."""
        return tuple(dict(self.env).get("PATH", DEFAULT_PATH).split(":"))


class _Mistakes:
    """Runs each check, keeps what is wrong, reports everything together."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def check(self, option: str, parse: Callable[[str], T], text: str) -> T | None:
        try:
            return parse(text)
        except UsageError as error:
            self._found.append(f"{option}: {error}")
            return None

    def each(self, option: str, parse: Callable[[str], T], texts: Iterable[str]) -> tuple[T, ...]:
        found = [self.check(option, parse, text) for text in texts]
        return tuple(one for one in found if one is not None)

    def add(self, sentence: str) -> None:
        self._found.append(sentence)

    def report(self) -> None:
        if self._found:
            raise UsageError("\n".join(self._found))


def from_options(
    *,
    directory: str,
    executables: tuple[str, ...],
    tag: str | None = None,
    library_path: tuple[str, ...] = (),
    include_lib: tuple[str, ...] = (),
    add: tuple[str, ...] = (),
    hwcaps: str = "all",
    at: str | None = None,
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
) -> Recipe:
    """The recipe that the command line describes; relative paths start at `directory`.

    Raises:
        UsageError: every mistake, a line each, led by its option.
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
        executables=tuple(_absolute(one, directory) for one in executables),
        shown=executables,
        name=name_ or reference.from_file_name(name(executables[0]) if executables else ""),
        library_path=mistakes.each("-L", lambda text: _directory(text, directory), library_path),
        include_libraries=mistakes.each("--include-lib", _library, include_lib),
        added=mistakes.each("--add", lambda text: _added(text, directory), add),
        hwcaps=hwcaps != "baseline",
        at=optional("--at", _file_path, at),
        entrypoint=optional("--entrypoint", _words, entrypoint),
        command=mistakes.each("--", _plain, command),
        env=mistakes.each("--env", _variable, env),
        user=optional("--user", _user, user) or "",
        workdir=optional("--workdir", _directory_path, workdir) or "",
        labels=mistakes.each("--label", _pair, label),
        annotations=mistakes.each("--annotation", _pair, annotation),
        exposed_ports=mistakes.each("--expose", _port, expose),
        volumes=mistakes.each("--volume", _volume, volume),
        stop_signal=optional("--stop-signal", _signal, stop_signal) or "",
        platform=optional("--platform", _platform, platform),
    )
    mistakes.report()
    return recipe


def _absolute(path: str, directory: str) -> str:
    return path if path.startswith("/") else f"{directory.rstrip('/')}/{path}"


def _directory(text: str, directory: str) -> str:
    if not text:
        raise UsageError("the directory has no name")
    if re.search(r"\$\{?(ORIGIN|LIB|PLATFORM)", text):
        raise UsageError(f"{text!r}: a loader would replace the token in it; rename the directory")
    return _absolute(text, directory).rstrip("/") or "/"


def _image_path(text: str) -> ImagePath:
    """An absolute path inside the image, as a key."""
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if not text.startswith("/") or ".." in parts:
        raise UsageError(f"{text!r}: write an absolute path of the image, without ..: /NAME")
    return ImagePath("/" + "/".join(parts))


def _file_path(text: str) -> ImagePath:
    """A path inside the image that can be a file's."""
    path = _image_path(text)
    if path == "/":
        raise UsageError(f"{text!r} is the root directory: say the file's name too, /NAME")
    return _visible(path)


def _directory_path(text: str) -> ImagePath:
    return _image_path(_plain(text))


def _volume(text: str) -> ImagePath:
    path = _directory_path(text)
    if path == "/":
        raise UsageError("'/' cannot be a volume: it would hide the program")
    return path


def _visible(path: ImagePath) -> ImagePath:
    """A path that no runtime mounts something over."""
    for mounted in (*MOUNTED, *(f"{file}/" for file in _MOUNTED_FILES)):
        if below(path, mounted) or path.startswith(mounted.rstrip("/") + "/"):
            raise UsageError(
                f"{path}: a container would not see it: its runtime mounts {mounted.rstrip('/')}"
            )
    return path


def _library(text: str) -> str:
    if not text:
        raise UsageError("the library has no name")
    return text


def _added(text: str, directory: str) -> Added:
    source, destination = text, ""
    if ":/" in text:
        source, _, destination = text.rpartition(":/")
        destination = "/" + destination
    if not source:
        raise UsageError(f"{text!r} names no source: SRC or SRC:DEST")
    if not destination:
        if ".." in source.split("/"):
            raise UsageError(f"{text!r} leads upwards: say where it goes, SRC:DEST")
        destination = source if source.startswith("/") else "/" + source
    elif destination.endswith("/"):
        destination += name(source.rstrip("/"))
    place = _visible(_image_path(destination))
    return Added(_absolute(source, directory).rstrip("/") or "/", place)


def _words(text: str) -> tuple[str, ...]:
    """An entrypoint in exec form: a JSON array of strings, or words as a shell would quote them."""
    if text.lstrip().startswith("["):
        import json

        try:
            words = json.loads(text)
        except ValueError:
            raise UsageError(f"{text!r} is no JSON array of strings") from None
        if not words or not all(isinstance(word, str) for word in words):
            raise UsageError(f"{text!r} is no JSON array of strings")
        if not words[0]:
            raise UsageError("its first word is empty")
        return tuple(map(_plain, words))
    import shlex

    if _is_for_a_shell(text):
        raise UsageError(
            f"{text!r} is for a shell, and the image has no shell; give the program and its "
            'arguments, as words or as a JSON array: ["/usr/local/bin/app", "--flag"]'
        )
    try:
        words = shlex.split(text)
    except ValueError:
        raise UsageError(f"{text!r} has a quote that is not closed") from None
    if not words or not words[0]:
        raise UsageError("it is empty")
    return tuple(map(_plain, words))


def _is_for_a_shell(text: str) -> bool:
    """Whether a shell would do more with the text than split it at blanks."""
    quote, escaped = "", False
    for character in text:
        if escaped or (quote == "'" and character != "'"):
            escaped = False
        elif character == "\\":
            escaped = True
        elif character in "$`" or (not quote and character in _SHELL):
            return True
        elif character in (quote or "'\""):
            quote = "" if quote else character
    return False


def _plain(text: str) -> str:
    """Text that a JSON document and an exec(2) can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{printable(text)!r} is not UTF-8, which an image must be") from None
    if "\0" in text:
        raise UsageError(f"{printable(text)!r} has a NUL byte in it")
    return text


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = _plain(text).partition("=")
    if not key or not equals:
        raise UsageError(f"{text!r} is not KEY=VALUE")
    return key, value


def _variable(text: str) -> tuple[str, str]:
    if text and "=" not in text:
        raise UsageError(
            f"{text!r} has no =VALUE; this machine's environment is not read: -e {text}=VALUE"
        )
    return _pair(text)


def _user(text: str) -> str:
    numbers = re.fullmatch(r"([0-9]{1,10})(?::([0-9]{1,10}))?", text)
    if numbers is None or any(int(one or 0) > _MAX_ID for one in numbers.groups()):
        raise UsageError(
            f"{text!r}: digits only, such as 1000 or 1000:1000; a name needs an /etc/passwd"
        )
    return text


def _port(text: str) -> str:
    match = re.fullmatch(r"([0-9]{1,5})(?:/(tcp|udp|sctp))?", text.lower())
    if not match or not 1 <= int(match[1]) <= _MAX_PORT:
        raise UsageError(f"{text!r} is no port: 1 to 65535, with /tcp, /udp or /sctp; no range")
    return f"{int(match[1])}/{match[2] or 'tcp'}"


def _signal(text: str) -> str:
    upper = text.upper()
    full = upper if upper.startswith("SIG") else "SIG" + upper
    if re.fullmatch("[0-9]{1,2}", text) and 1 <= int(text) < signal.NSIG:
        return text
    if full in signal.Signals.__members__ or _REALTIME.fullmatch(full):
        return full
    raise UsageError(f"{text!r} is no signal: SIGTERM, SIGINT, SIGQUIT …, or a number")


def _platform(text: str) -> Platform:
    os, _, rest = text.lower().partition("/")
    if os != "linux":
        os, rest = "linux", text.lower() if "/" not in text else ""
    architecture, _, variant = rest.partition("/")
    architecture = _ARCHITECTURES.get(architecture, architecture)
    if not re.fullmatch(r"[a-z0-9]+", architecture) or not re.fullmatch(r"[a-z0-9.]*", variant):
        raise UsageError(f"{printable(text)!r} is no platform of Linux: linux/amd64, linux/arm64 …")
    return Platform(architecture, variant)
