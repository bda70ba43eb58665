"""What a build reads besides its recipe: a root, and files of rules."""

import os
from collections.abc import Callable, Iterable, Iterator

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import InputError, Mistake, NotFoundError, UsageError
from rootfs_builder.filesystem.over import Over
from rootfs_builder.filesystem.root import DirectoryRoot, Root
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.needs import rules as rule_tables
from rootfs_builder.needs.rules import Rules
from rootfs_builder.paths import ROOT, ImagePath, SourcePath, decode, encode

_MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
_MAX_RULES = 1 << 24  # bytes
Opened = Callable[[Root, str], Root]


def as_it_is(root: Root, directory: str) -> Root:
    """A root, of which nothing is recorded."""
    del directory
    return root


def is_image(sysroot: str) -> bool:
    """Whether a sysroot is an image: a file, or the directory of an OCI layout."""
    path = encode(sysroot)
    if os.path.isdir(path):
        return os.path.isfile(os.path.join(path, b"oci-layout"))
    return sysroot.startswith("oci:") or os.path.isfile(path)


def sources(sysroot: str | None, opened: Opened = as_it_is) -> Sources:
    """What the build reads: this machine, or the directory `sysroot` with this machine beside it.

    `opened` is given each directory as a Root, and what it gives is read instead.

    Raises:
        UsageError, NotFoundError, InputError: `sysroot` is not a directory.
    """
    machine = opened(DirectoryRoot(), "/")
    if sysroot is None:
        return Sources(machine)
    real = directory(sysroot)
    if real == "/":
        return Sources(machine)
    return Sources(machine, linked(opened(DirectoryRoot(real), real)), real)


def linked(root: Root) -> Root:
    """A root, with the links of a merged /usr that unpacked packages lack: /lib to usr/lib.

    Packages bring only what is in /usr; the links are made when a system is installed, and without
    them no program finds its loader. A root in which one of them is a directory is not merged.
    """
    nodes = {one: root.lstat(SourcePath(f"/{one}")) for one in _MERGED}
    missing = [one for one, node in nodes.items() if node is None]
    wanted = [one for one in missing if _is_directory(root, f"/usr/{one}")]
    if not wanted or any(node is not None and node.kind == "dir" for node in nodes.values()):
        return root
    from rootfs_builder.plan import Entry, Plan, PlanRoot, Reason, ReasonKind, order

    reason = (Reason(ReasonKind.SYMLINK),)
    links = (
        Entry(ImagePath(f"/{one}"), "symlink", 0o777, reason, target=f"usr/{one}") for one in wanted
    )
    return Over(PlanRoot(Plan(order(links))), root)


def supplied(sources: Sources) -> Iterator[Finding]:
    """What there is to say of links that a sysroot lacks: they are in the image, too."""
    root = sources.system
    if sources.sysroot and isinstance(root, Over):
        names = [f"/{one}" for one in root.first.list(ROOT)]
        each = ", ".join(f"{one} -> usr{one}" for one in names)
        text = (
            f"the sysroot has no {each}: the links of a merged /usr, which packages do not bring, "
            "are taken as if it had them"
        )
        yield warning(Code.LINKS_SUPPLIED, text, *names)


def _is_directory(root: Root, path: str) -> bool:
    node = root.lstat(SourcePath("/usr"))
    node = None if node is None else root.lstat(SourcePath(path))
    return node is not None and node.kind == "dir"


def directory(sysroot: str) -> str:
    """The resolved path of a sysroot that is a directory.

    Raises:
        UsageError, NotFoundError, InputError: it is not one.
    """
    if not sysroot:
        raise UsageError(Mistake("--sysroot", "the directory has no name"))
    try:
        real = os.path.realpath(encode(sysroot), strict=True)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(Mistake("--sysroot", "no such directory", sysroot)) from None
    except OSError as error:
        raise InputError(Mistake("--sysroot", str(error.strerror), sysroot)) from error
    if not os.path.isdir(real):
        raise InputError(Mistake("--sysroot", "neither a directory nor an image", sysroot))
    return decode(real)


def rules(files: Iterable[str] = (), facts: FileFacts | None = None) -> Rules:
    """The rules, with those of the user's files.

    Raises:
        NotFoundError, InputError, UsageError: a file is missing, or not one of rules.
    """
    return rule_tables.load(tuple((file, _rules_text(file)) for file in files), facts=facts)


def _rules_text(file: str) -> str:
    data = beginning(file, ("--rules", file), _MAX_RULES + 1)
    if len(data) > _MAX_RULES:
        text = f"over {_MAX_RULES:,} bytes, which no rules have"
        raise InputError(Mistake("--rules", text, file))
    return toml_text(data, ("--rules", file))


def beginning(path: str, about: tuple[str, str], size: int, *, advice: str = "") -> bytes:
    """At most the first `size` bytes of a file that the user names.

    Mistakes are `about` an option, or none, and its value; `advice` says what to do if there is no
    such file.

    Raises:
        NotFoundError, InputError: it cannot be read.
    """
    option, value = about
    try:
        with open(encode(path), "rb") as stream:
            return stream.read(size)
    except FileNotFoundError:
        raise NotFoundError(Mistake(option, f"no such file{advice}", value)) from None
    except OSError as error:
        raise InputError(Mistake(option, str(error.strerror), value)) from error


def toml_text(data: bytes, about: tuple[str, str]) -> str:
    """The text of a file in TOML; a mistake is `about` an option, or none, and its value.

    Raises:
        InputError: it is not UTF-8.
    """
    option, value = about
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InputError(Mistake(option, "not UTF-8 text, which TOML is", value)) from None
