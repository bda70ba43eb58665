"""ELF files to read: a sample of this machine's, files made to order, and damaged ones."""

import os
import struct

from hypothesis import strategies as st

FOLDERS = ("/usr/bin", "/usr/sbin", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")
SAMPLE = 60  # files in a usual run; ROOTFS_BUILDER_ALL_ELF=1 reads every one of the machine


def is_elf(path):
    with open(path, "rb") as stream:
        head = stream.read(20)
    # 2 and 3 are programs and shared objects; the kernel starts, and loaders load, nothing else.
    return head[:4] == b"\x7fELF" and 2 in head[16:18] + b"\x02" and set(head[16:18]) & {2, 3}


def machine_files():
    everything = bool(os.environ.get("ROOTFS_BUILDER_ALL_ELF"))
    found = []
    for folder in FOLDERS:
        for here, directories, names in os.walk(folder):
            if not everything:
                directories.clear()
            found += [path for name in names if os.path.isfile(path := os.path.join(here, name))]
    if not everything:
        step = max(1, len(found) // (2 * SAMPLE))  # about every other file is ELF
        found = sorted(found)[::step]
    # Files of debug symbols have headers of segments whose bytes they lack: nothing loads them.
    kept = (path for path in found if "/debug/" not in path and is_elf(path))
    return sorted({os.path.realpath(path) for path in kept})


BASE = 0x400000
STRINGS = b"\0libneeded.so\0libaux.so\0libfilter.so\0me.so\0/rpath\0$ORIGIN/lib\0V_1\0V_2\0"


def at(text):
    return STRINGS.index(b"\0" + text + b"\0") + 1


def make(
    bits=64,
    order="<",
    *,
    interpreter=b"/lib/ld.so\0",
    tags=None,
    tables=b"",
    strings=STRINGS,
    machine=62,
):
    """A whole ELF file: headers, interpreter, strings, other tables, dynamic segment."""
    word = "Q" if bits == 64 else "I"
    header_size, segment_size = (64, 56) if bits == 64 else (52, 32)
    body = header_size + 3 * segment_size
    positions = [body, body + len(interpreter)]
    positions.append(positions[1] + len(strings))
    positions.append(positions[2] + len(tables))
    if tags is None:
        tags = [(1, at(b"libneeded.so"))]
    full = [(5, BASE + positions[1]), *tags, (0, 0), (1, 99999)]  # what follows DT_NULL is no tag
    full = [(tag, value(BASE + positions[2]) if callable(value) else value) for tag, value in full]
    dynamic = b"".join(struct.pack(order + 2 * word, *one) for one in full)
    size = positions[3] + len(dynamic)
    segments = [(3, positions[0], len(interpreter)), (1, 0, size), (2, positions[3], len(dynamic))]
    ident = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1]) + bytes(9)
    ehsize = (header_size, segment_size, 3, 0, 0, 0)
    fields = (3, machine, 1, 0, header_size, 0, 7, *ehsize)
    file = ident + struct.pack(f"{order}HHI3{word}I6H", *fields)
    for kind, offset, length in segments:
        place = (offset, BASE + offset, 0, length, length)
        if bits == 64:
            file += struct.pack(order + "II6Q", kind, 4, *place, 1)
        else:
            file += struct.pack(order + "8I", kind, *place, 4, 1)
    return file + interpreter + strings + tables + dynamic


_VALUES = [0, 1, 2, 0x7F, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
_EDITS = st.lists(
    st.tuples(st.integers(0, 700), st.sampled_from(_VALUES), st.sampled_from("BHI")), max_size=5
)


@st.composite
def damaged(draw, wholes):
    """One of some whole files with other numbers here and there, or cut off."""
    data = bytearray(draw(st.sampled_from(wholes)))
    for offset, value, size in draw(_EDITS):
        mask = {"B": 0xFF, "H": 0xFFFF, "I": 0xFFFFFFFF}[size]
        if offset + 4 <= len(data):
            struct.pack_into("<" + size, data, offset, value & mask)
    cut = draw(st.integers(0, 900))
    return bytes(data[: len(data) - cut if cut < 100 else None])


class Metered(bytes):
    """Bytes that may be handed out only so often: a reader that does more work hangs or swells."""

    bytes_left, reads_left = 4 << 20, 200_000

    def __getitem__(self, part):
        piece = bytes.__getitem__(self, part)
        self.bytes_left -= len(piece)
        self.reads_left -= 1
        assert self.bytes_left > 0, "it reads far more than there is"
        assert self.reads_left > 0, "it reads far more often than there is something to read"
        return piece
