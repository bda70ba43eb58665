"""The 512-byte blocks of a tar archive, written by us so that they are the same in every Python.

USTAR headers, with a PAX record where a value does not fit: a name over 100 bytes, a file over
8 GiB, a file capability. Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended
Header".
"""

from rootfs_builder.errors import InputError

BLOCK = 512
END = bytes(2 * BLOCK)
MAX_TIME = 2**33 - 1  # eleven octal digits

_FIELD = 100
_MAX_SIZE = 8**11 - 1
_MAX_ID = 8**7 - 1

FILE, HARDLINK, SYMLINK, DIRECTORY = b"0", b"1", b"2", b"5"
_PAX = b"x"


def padding(size: int) -> bytes:
    """The zeros that fill the last block of `size` bytes."""
    return bytes(-size % BLOCK)


def header(
    name: bytes,
    *,
    kind: bytes = FILE,
    size: int = 0,
    mode: int = 0o644,
    mtime: int = 0,
    link: bytes = b"",
    uid: int = 0,
    gid: int = 0,
    pax: dict[str, bytes] | None = None,
) -> bytes:
    """The header of one member, after a PAX header where one is needed.

    `mtime` is in seconds since 1970. `pax` are further records, such as an xattr.
    """
    records = dict(pax or {})
    if len(name) > _FIELD or not name.isascii():
        records["path"] = name
    if len(link) > _FIELD or not link.isascii():
        records["linkpath"] = link
    for key, value, limit in (
        ("size", size, _MAX_SIZE),
        ("uid", uid, _MAX_ID),
        ("gid", gid, _MAX_ID),
    ):
        if value > limit:
            records[key] = b"%d" % value
    extended = b""
    if records:
        body = b"".join(_record(key, records[key]) for key in sorted(records))
        extended = _block(b"PaxHeaders/" + name[-80:], _PAX, len(body), 0o644, mtime, b"", 0, 0)
        extended += body + padding(len(body))
    return extended + _block(name, kind, size, mode, mtime, link, uid, gid)


def _record(key: str, value: bytes) -> bytes:
    """`LENGTH KEY=VALUE` and a line feed, where LENGTH counts its own digits."""
    rest = b" " + key.encode() + b"=" + value + b"\n"
    length = len(rest) + 1
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def _block(  # noqa: PLR0917 - the fields of the format
    name: bytes, kind: bytes, size: int, mode: int, mtime: int, link: bytes, uid: int, gid: int
) -> bytes:
    if not 0 <= mtime <= MAX_TIME:
        raise InputError(
            f"the time {mtime} does not fit into a tar header: 0 to {MAX_TIME} seconds"
        )
    fields = (
        name[:_FIELD].ljust(_FIELD, b"\0")
        + b"%07o\0" % mode
        + b"%07o\0" % (uid if uid <= _MAX_ID else 0)
        + b"%07o\0" % (gid if gid <= _MAX_ID else 0)
        + b"%011o\0" % (size if size <= _MAX_SIZE else 0)
        + b"%011o\0" % mtime
        + b" " * 8
        + kind
        + link[:_FIELD].ljust(_FIELD, b"\0")
        + b"ustar\x0000"
    ).ljust(BLOCK, b"\0")
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]
