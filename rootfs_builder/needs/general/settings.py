"""A text that comes in → what it sets, if it is a configuration; no format is known."""

import re
from posixpath import splitext

from rootfs_builder.needs.finder import Text
from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.paths import below

_NAMES = (  # what the names of configurations end in, outside /etc
    *("", ".cf", ".cfg", ".cnf", ".conf", ".config", ".env", ".ini", ".json", ".properties"),
    *(".service", ".toml", ".xml", ".yaml", ".yml"),
)
_SURELY = frozenset((".cf", ".cfg", ".cnf", ".conf", ".ini"))  # others may be data
_MOST_BYTES = 1 << 20
_SCRIPT = rb"#![ \t]*/"
_COMMENT = rb"(?m)^[ \t]*(?:#|;|//)[^\n]*"


def read(text: Text, files: ImageFiles, *, any_name: bool = False) -> bytes:
    """The lines of a configuration that are not comments; empty for any other file.

    With `any_name` it may be called what it likes.
    """
    ending = splitext(text.path)[1]
    if not any_name and ending not in _NAMES and not below(text.path, "/etc"):
        return b""
    if files.size(text.path) > _MOST_BYTES:
        files.unread.update((text.path,) if ending in _SURELY else ())
        return b""
    data = files.read(text.path) or b""
    return b"" if b"\0" in data or re.match(_SCRIPT, data) else without_comments(data)


def without_comments(data: bytes) -> bytes:
    """A text without the lines that most formats take for comments."""
    return re.sub(_COMMENT, b"", data)
