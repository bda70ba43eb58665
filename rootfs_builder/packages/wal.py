"""An SQLite database and its write-ahead log → the database as its last reader would see it.

What was committed stands in the log until somebody copies it over, so that the file alone may be
old. A log is used again from its start: frames of an earlier round have another salt. Checksums
are not computed: they tell of a power failure. Source: sqlite.org/fileformat2.html, section 4.
"""

import struct

_MAGIC = b"SQLite format 3\0"
_JOURNAL = slice(18, 20)  # of the database: 2 for a write-ahead log, 1 for none
_HEADER, _FRAME = 32, 24


def merged(database: bytes, log: bytes) -> bytes:
    """One database that needs no log; what is not a database stays as it is."""
    if not database.startswith(_MAGIC):
        return database
    result = bytearray(database)
    pages: dict[int, bytes] = {}
    size = int.from_bytes(log[8:12]) or len(log)  # of a page; a log without one has no frames
    for at in range(_HEADER, len(log) - _FRAME - size + 1, _FRAME + size):
        number, commit = struct.unpack_from(">2I", log, at)
        if log[at + 8 : at + 16] != log[16:24]:
            break
        pages[number] = log[at + _FRAME : at + _FRAME + size]
        if commit:
            if commit * size > len(database) + len(log):
                break  # more pages than there are bytes for: no log of this database
            result[commit * size :] = bytes(max(0, commit * size - len(result)))
            for page, content in pages.items():
                if 0 < page <= commit:
                    result[(page - 1) * size : page * size] = content
            pages.clear()
    result[_JOURNAL] = b"\1\1"
    return bytes(result)
