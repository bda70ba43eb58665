"""A program that is not there, as it was named → what the user may have meant."""

import re

from rootfs_builder.filesystem.walk import Walk, Walker
from rootfs_builder.paths import OpenedPath, join, name, parent, printable

_URL = r"[a-z][a-z0-9+.-]*://"
_WINDOWS = r"[A-Za-z]:\\|[^/]*\\[^/ ]*\\"
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.zst")
_IMAGE = r"(?:[\w.-]+(?::\d+)?/)*[a-z0-9][\w.-]*(?::[\w][\w.-]*|@sha256:[0-9a-f]+)\Z"


def advice(named: str, path: OpenedPath, walker: Walker) -> str:
    """What is wrong with a name at whose `path` there is no file, and what to type."""
    shown = printable(named)
    folder = walker.walk(OpenedPath(parent(path)))
    if _is_link(name(path), folder, walker):
        return "a symlink to what is not there; name the file itself, or repair the link"
    if re.match(_URL, named):
        return f"a URL; fetch it first: curl -LO {shown}"
    if re.match(_WINDOWS, named):
        return "a path of Windows; name a program compiled for Linux, with / in its path"
    if re.match(_IMAGE, named):
        return "no such file; is it an image? EXECUTABLE is a program on the host"
    if " " in named:
        word, _, rest = named.partition(" ")
        return f"no such file; arguments go after --: {printable(word)} … -- {printable(rest)}"
    if named.endswith(_ARCHIVES):
        return "no such file; is the image packed, and is the path right?"
    text = "no such file; is it built, and is the path right?"
    if "/" not in named:
        text += f" PATH is not searched; for a program in it: $(command -v {shown})"
    return text


def _is_link(named: str, folder: Walk, walker: Walker) -> bool:
    if folder.node is None or folder.node.kind != "dir":
        return False
    node = walker.root.lstat(join(folder.real, named))
    return node is not None and node.kind == "symlink"
