"""The text of one option → its value, or a UsageError.

The error quotes the text and says what would be right. Config values follow the OCI image-spec,
config.md, except for those that docker, podman or runc refuse.
"""

import re
from posixpath import normpath

from msgspec import Struct

from rootfs_builder import platforms
from rootfs_builder.errors import UsageError
from rootfs_builder.filesystem import capabilities, patterns
from rootfs_builder.filesystem.patterns import Pattern
from rootfs_builder.paths import MOUNTED, ImagePath, below, name, printable

_MAX_ID = 2**31 - 1  # runc takes no more
_MAX_NAME = 32
_MAX_PORT = 65535
_NANOSECONDS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_BYTES = {"": 1, "b": 1} | {
    f"{letter}{unit}": base**power
    for power, letter in enumerate("kmgt", 1)
    for unit, base in (("b", 1000), ("ib", 1024))
}
KEEP = "keep"  # of --nss: what the root's own file says

_LAYERS = {"single": 1, "auto": 2, "package": 60}
MAX_LAYERS = 120  # docker's classic store takes 125, and others may be put on top

_NAMED_SIGNALS = """
    ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP
    SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX
"""
_SIGNALS = frozenset(  # of Linux, signal(7), whichever machine builds
    (
        *_NAMED_SIGNALS.split(),
        *(f"RTMIN+{number}" for number in range(1, 16)),
        *(f"RTMAX-{number}" for number in range(1, 15)),
    )
)
_MAX_SIGNAL = 64
_MOUNTED_FILES = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")


class Added(Struct, frozen=True):
    """`--add SRC:DEST`: a file or tree of this machine, and its path in the image.

    `into` is the directory that DEST with a slash at its end names, as for COPY in a Dockerfile: a
    file goes into it, to `destination`; of a directory the content does. What an exercise adds has
    a `clue`, the run that used it; of a directory that is `bare` nothing but itself is added.
    """

    source: str
    destination: ImagePath
    into: ImagePath | None = None
    clue: str = ""
    bare: bool = False


class Health(Struct, frozen=True):
    """`--health-cmd` and how often it is run; times in nanoseconds, 0 for what the engine does."""

    command: tuple[str, ...]
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    retries: int = 0


class RequestedPlatform(Struct, frozen=True):
    """os/architecture[/variant] in Go's spelling; os is always linux."""

    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in ("linux", self.architecture, self.variant) if part)


def absolute(path: str, base: str) -> str:
    """A path of this machine, that starts at the directory `base` if it is relative."""
    return path if path.startswith("/") else f"{base.rstrip('/')}/{path}"


def library_directory(text: str, base: str) -> str:
    """A directory for -L."""
    if not text:
        raise UsageError("the directory has no name")
    if re.search(r"\$\{?(ORIGIN|LIB|PLATFORM)", text):
        raise UsageError(f"{text!r}: a loader would replace the token in it; rename the directory")
    return absolute(text, base).rstrip("/") or "/"


def _image_path(text: str) -> ImagePath:
    """An absolute path inside the image, as a key."""
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if not text.startswith("/") or ".." in parts:
        raise UsageError(f"{text!r}: write an absolute path of the image, without ..: /NAME")
    return ImagePath("/" + "/".join(parts))


def file_path(text: str) -> ImagePath:
    """A path inside the image that can be a file's."""
    path = _image_path(text)
    if path == "/":
        raise UsageError(f"{text!r} is the root directory: say the file's name too, /NAME")
    return _visible(path)


def directory(text: str) -> ImagePath:
    """A directory inside the image."""
    return _image_path(plain(text))


def volume(text: str) -> ImagePath:
    """A directory that a volume may be mounted on."""
    path = directory(text)
    if path == "/":
        raise UsageError("'/' cannot be a volume: it would hide the program")
    return path


def _visible(path: ImagePath) -> ImagePath:
    """A path that no runtime mounts something over."""
    hidden = [one for one in MOUNTED if below(path, one)]
    hidden += [one for one in _MOUNTED_FILES if path.startswith(one + "/")]
    if hidden:
        raise UsageError(f"{path}: a container would not see it: its runtime mounts {hidden[0]}")
    return path


def hwcaps(text: str) -> bool:
    """Whether libraries for special CPUs are included: `all` or `baseline`."""
    return text != "baseline"


def library(text: str) -> str:
    """A name for dlopen."""
    if not text:
        raise UsageError("the library has no name")
    return text


def added(text: str, base: str) -> Added:
    """SRC or SRC:DEST; without DEST the path in the image is SRC, from the root directory."""
    source, destination = text, ""
    if ":/" in text:
        source, _, destination = text.rpartition(":/")
        destination = "/" + destination
    if not source:
        raise UsageError(f"{text!r} names no source: SRC or SRC:DEST")
    into = None
    if not destination:
        if ".." in source.split("/"):
            raise UsageError(f"{text!r} contains '..': say where it goes, SRC:DEST")
        destination = source if source.startswith("/") else "/" + source
    elif destination.endswith("/"):
        into = _visible(_image_path(destination))
        destination += name(normpath(absolute(source, base)))
    place = _visible(_image_path(destination))
    return Added(absolute(source, base).rstrip("/") or "/", place, into)


def exclusion(text: str) -> Pattern:
    """A pattern for `--exclude`."""
    try:
        found = patterns.parse(text)
    except ValueError as error:
        raise UsageError(f"{error}; .dockerignore has the same syntax") from None
    if found is None:
        raise UsageError(f"{text!r} excludes nothing: a path below SRC, or NAME, *.tmp, **/NAME")
    return found


def scope(text: str, base: str) -> str:
    """A file or directory, for what an option is to hold for."""
    if not text:
        raise UsageError("the path after = is empty; is a variable not set?")
    return absolute(text, base).rstrip("/") or "/"


def plain(text: str) -> str:
    """Text that a JSON document and an exec(2) can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{printable(text)!r} is not UTF-8, which an image must be") from None
    if "\0" in text:
        raise UsageError(f"{printable(text)!r} has a NUL byte in it")
    return text


def pair(text: str) -> tuple[str, str]:
    """KEY=VALUE, with a key."""
    key, equals, value = plain(text).partition("=")
    if not key or not equals:
        raise UsageError(f"{text!r} is not KEY=VALUE")
    return key, value


def variable(text: str) -> tuple[str, str]:
    """An environment variable, NAME=VALUE."""
    if text and "=" not in text:
        raise UsageError(
            f"{text!r} has no =VALUE; this machine's environment is not read: -e {text}=VALUE"
        )
    return pair(text)


def user(text: str) -> str:
    """NAME[:GROUP], each a name or digits; which digits a name has is for `users` to find."""
    halves = text.split(":")
    if len(halves) > 2 or not all(is_id(half) or is_account(half) for half in halves):  # noqa: PLR2004
        raise UsageError(
            f"{text!r}: a name or digits, and the group's after a colon: nonroot, 1000, 1000:1000"
        )
    return text


def owner(text: str) -> tuple[str, str]:
    """PATH=USER[:GROUP]."""
    path, user_ = _of_path(text, "USER[:GROUP]")
    return path, user(user_)


def mode(text: str) -> tuple[str, int]:
    """PATH=MODE, in octal digits."""
    path, digits = _of_path(text, "MODE")
    if not re.fullmatch("[0-7]{3,4}", digits):
        raise UsageError(f"{digits!r} is not a mode: write octal digits, as 0755 or 4755")
    return path, int(digits, 8)


def capability(text: str) -> tuple[str, bytes]:
    """PATH=CAPABILITIES, as setcap takes them; `none` for none."""
    path, list_ = _of_path(text, "CAPABILITIES")
    return path, b"" if list_ == "none" else capabilities.parse(list_)


def _of_path(text: str, what: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not path or not equals:
        raise UsageError(f"{text!r} is not PATH={what}")
    return path, value


def is_id(text: str) -> bool:
    """Whether it is a uid or gid in digits, as high as a runtime takes it."""
    return re.fullmatch("[0-9]{1,10}", text) is not None and int(text) <= _MAX_ID


def is_account(text: str) -> bool:
    """Whether it can be the name of a user or group, as /etc/passwd has them: useradd(8)."""
    return (
        len(text) <= _MAX_NAME and re.fullmatch(r"[A-Za-z_][\w.-]*\$?", text, re.ASCII) is not None
    )


def rule(text: str) -> tuple[str, tuple[str, ...]]:
    """NAME or NAME=VALUE,VALUE: a rule, and the values that it takes."""
    name_, equals, list_ = plain(text).partition("=")
    found = tuple(one for one in list_.split(",") if one)
    if not name_ or (equals and not found):
        raise UsageError(f"{text!r} is not NAME or NAME=VALUE; `rootfs-builder rules` lists them")
    return name_, found


def services(text: str) -> tuple[str, ...]:
    """For --nss: `files` alone, `keep`, or services of the name service switch."""
    found = tuple(one for one in text.split(",") if one)
    if not found or not all(re.fullmatch(r"[a-z][a-z0-9_]*", one) for one in found):
        raise UsageError(f"{text!r} is none of: files, keep, SERVICE,SERVICE…")
    if KEEP in found and len(found) > 1:
        raise UsageError(f"{text!r}: keep means the root's own file, and takes nothing else")
    return found


def layers(text: str) -> int:
    """`single`, `auto`, or `package[:N]`: the number of layers that an image may have."""
    kind, colon, number = text.partition(":")
    if kind in _LAYERS and not colon:
        return _LAYERS[kind]
    if kind == "package" and re.fullmatch("[0-9]{1,4}", number) and 1 <= int(number) <= MAX_LAYERS:
        return int(number)
    raise UsageError(
        f"{text!r} is none of: auto, single, package, package:N with N from 1 to {MAX_LAYERS}"
    )


def port(text: str) -> str:
    """PORT or PORT/PROTOCOL, as config.md spells it: always with the protocol."""
    match = re.fullmatch(r"([0-9]{1,5})(?:/(tcp|udp|sctp))?", text.lower())
    if not match or not 1 <= int(match[1]) <= _MAX_PORT:
        raise UsageError(f"{text!r} is not a port: 1 to 65535, with /tcp, /udp or /sctp; no range")
    return f"{int(match[1])}/{match[2] or 'tcp'}"


def stop_signal(text: str) -> str:
    """A signal by name or number, that docker and podman both know."""
    upper = text.upper()
    full = upper if upper.startswith("SIG") else "SIG" + upper
    if re.fullmatch("[0-9]{1,2}", text) and 1 <= int(text) <= _MAX_SIGNAL:
        return text
    if full.removeprefix("SIG") in _SIGNALS:
        return full
    raise UsageError(f"{text!r} is not a signal: SIGTERM, SIGINT, SIGQUIT …, or a number")


def duration(text: str) -> int:
    """A time as docker spells it, 30s or 1m30s, in nanoseconds."""
    parts = re.findall(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m|h)", text)
    if not parts or "".join(map("".join, parts)) != text:
        raise UsageError(f"{text!r} is not a time: 30s, 500ms, 1m30s")
    found = sum(round(float(number) * _NANOSECONDS[unit]) for number, unit in parts)
    if found < _NANOSECONDS["ms"]:
        raise UsageError(f"{text!r}: docker takes no time below 1ms")
    return found


def count(text: str) -> int:
    """A number from 1 on."""
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        raise UsageError(f"{text!r} is not a number from 1 up")
    return int(text)


def size(text: str) -> int:
    """A number of bytes with a unit: 10MB is ten million, 10MiB is 10 x 1024 x 1024."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([a-z]{0,3})", text.lower())
    if not match or match[2] not in _BYTES:
        raise UsageError(f"{text!r} is not a size: 500kB, 10MB, 1.5GB; or 10MiB, in powers of 1024")
    return int(float(match[1]) * _BYTES[match[2]])


def platform(text: str) -> RequestedPlatform:
    """os/architecture[/variant]; the architecture alone will do."""
    os, _, rest = text.lower().partition("/")
    if os != "linux":
        os, rest = "linux", text.lower() if "/" not in text else ""
    architecture, _, variant = rest.partition("/")
    architecture = platforms.architecture(architecture)
    if not re.fullmatch(r"[a-z0-9]+", architecture) or not re.fullmatch(r"[a-z0-9.]*", variant):
        raise UsageError(f"{printable(text)!r} is not a Linux platform: linux/amd64, linux/arm64 …")
    return RequestedPlatform(architecture, variant)
