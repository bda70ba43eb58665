"""What a chance does to an input: to bytes, to a text, to a JSON document, to the headers of a tar.

Each takes a `random.Random`, so that a seed repeats a case. A structure is damaged where it stands
and made whole around that: a tar header's checksum is right again, as otherwise each reader stops
there and sees nothing else.
"""

import struct

BLOCK = 512
EXTREMES = (
    *(0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF),
    *(1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 64) - 0x1000),
)
_FORMATS = ("<B", "<H", "<I", "<I", "<Q", "<Q", ">I", ">Q")
_FIELDS = (  # of a tar header: offset, size
    *((0, 100), (100, 8), (108, 8), (116, 8), (124, 12), (124, 12), (124, 12), (136, 12)),
    *((156, 1), (156, 1), (157, 100), (257, 6), (263, 2), (265, 32), (329, 8), (337, 8)),
    *((345, 155), (386, 24), (482, 1), (483, 12)),
)
_KINDS = b"0\0" + b"123456789LKxgSDMNV"
_NUMBERS = (b"", b"-1", b"8", b"7" * 11, b"\x80" + b"\0" * 7 + b"\xff" * 4, b"\xff" * 12, b"0" * 12)
_NUMBERS += (b"\x80" + b"\x7f" + b"\xff" * 10, b"%011o" % (1 << 32), b" \0", b"1_0", b"+7", b"0x10")
_NAMES = (
    *(b"", b"/", b".", b"..", b"../x", b"a/../../x", b"/etc/x", b"a//b", b"\xff\xfe", b"x" * 100),
    *(b".wh..wh..opq", b".wh.x", b".wh.", b"a/.wh.", b"usr", b"usr/lib", b"./a", b"\x1b[31m"),
)
_WORDS = (
    *("", " ", "/", "..", "../../x", "\0", "\x1b[31m", "x" * 5000, "sha256:", "sha256:" + "0" * 64),
    *("=", ":", "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"), "é", "-1"),
)
_VALUES = (
    *(None, True, -1, 0, 1 << 31, 1 << 63, 1 << 70, 1e308, -0.0, [], {}, [[]], [None], {"": 0}),
    *([[[[[[[[]]]]]]]], ["x"] * 1000, {"x" * 100: {"y": []}}, *_WORDS),
)


def damaged(data, chance, regions=()):
    """Bytes that were changed in one to four places, mostly in `regions`: (offset, size)."""
    data = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        if data:
            _damage(data, chance, _place(len(data), chance, regions))
    return bytes(data)


def _place(size, chance, regions):
    if regions and chance.random() < 0.8:
        offset, length = chance.choice(regions)
        return min(offset + chance.randrange(max(1, length)), size - 1)
    return chance.randrange(size)


def _damage(data, chance, at):
    how = chance.randrange(12)
    if how < 3:
        data[at] ^= 1 << chance.randrange(8)
    elif how < 8:
        form = chance.choice(_FORMATS)
        size = struct.calcsize(form)
        if chance.random() < 0.8:
            at -= at % size
        value = chance.choice(EXTREMES) + chance.choice((0, 0, 0, -1, 1, 8))
        data[at : at + size] = struct.pack(form, value % (1 << 8 * size))
    elif how == 8:
        del data[at:]
    elif how == 9:  # a piece once more
        piece = data[at : at + chance.choice((1, 8, 24, 512, 4096))]
        data[at:at] = piece * chance.choice((1, 1, 2, 40))
    elif how == 10:  # a piece from elsewhere
        start = chance.randrange(len(data))
        piece = data[start : start + chance.choice((4, 8, 16, 64, 512))]
        data[at : at + len(piece)] = piece
    else:
        size = chance.choice((1, 4, 8, 64))
        data[at : at + size] = bytes([chance.choice((0, 0xFF, 0x41))]) * size


def damaged_text(data, chance):
    """Bytes of a text: its lines and words are moved, repeated and changed, too."""
    lines = data.split(b"\n")
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.randrange(len(lines))
        how = chance.randrange(9)
        if how == 0:
            del lines[at : at + chance.choice((1, 1, 5))]
        elif how == 1:
            lines[at:at] = lines[at : at + 3] * chance.choice((1, 2, 200))
        elif how == 2:
            lines[at] = lines[at] * chance.choice((2, 10, 2000))
        elif how == 3:
            other = chance.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif how == 4:
            words = lines[at].split(b" ")
            words[chance.randrange(len(words))] = chance.choice(_WORDS).encode()
            lines[at] = b" ".join(words)
        elif how == 5:
            cut = chance.randrange(len(lines[at]) + 1)
            signs = (b"\0", b"[", b"{", b'"', b"\\", b"=", b".", b"*", b"/", b"\xff", b"#", b":")
            lines[at] = lines[at][:cut] + chance.choice(signs) + lines[at][cut:]
        else:
            lines[at] = damaged(lines[at], chance)
        lines = lines or [b""]
    return b"\n".join(lines)


def damaged_document(document, chance):
    """A JSON document with another value, key or part somewhere."""
    places = [*_places(document)]
    if not places or chance.random() < 0.02:
        return chance.choice(_VALUES)
    holder, key = chance.choice(places)
    how = chance.randrange(8)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, list):
        holder *= chance.choice((2, 50))
    elif how == 1:
        holder[chance.choice(_WORDS)] = holder.pop(key)
    elif how == 2:
        other, name = chance.choice(places)
        if name in other if isinstance(other, dict) else name < len(other):
            holder[key] = _copied(other[name])
    elif how == 3 and isinstance(holder[key], str):
        holder[key] = damaged(holder[key].encode(), chance).decode("utf-8", "replace")
    elif how == 4:
        holder[key] = [holder[key]]
    else:
        holder[key] = chance.choice(_VALUES)
    return document


def _places(value):
    """Every (holder, key) of a document."""
    if not isinstance(value, dict | list):
        return
    for key, part in [*(value.items() if isinstance(value, dict) else enumerate(value))]:
        yield value, key
        yield from _places(part)


def _copied(value):
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    return [*map(_copied, value)] if isinstance(value, list) else value


def damaged_tar(data, chance):
    """A tar with other fields in its headers, whose checksums are right; or headers moved."""
    data = bytearray(data)
    headers = [*_headers(data)]
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.choice(headers)
        how = chance.randrange(10)
        if how < 7:
            _damage_header(data, chance, at)
        elif how == 7:
            data[at:at] = data[at : at + BLOCK] * chance.choice((1, 2, 30))
        elif how == 8:
            end = min(at + BLOCK * 2, len(data))
            body = damaged(data[at + BLOCK : end], chance)[: end - at - BLOCK]
            data[at + BLOCK : at + BLOCK + len(body)] = body
        else:
            del data[at + BLOCK * chance.choice((0, 1)) :]
        headers = [one for one in headers if one + BLOCK <= len(data)] or [0]
        if len(data) < BLOCK:
            break
    return bytes(data)


def _headers(data):
    """Where the headers are, as sizes in ustar lead from one to the next."""
    at = 0
    while at + BLOCK <= len(data) and any(data[at : at + BLOCK]):
        yield at
        size = int(bytes(data[at + 124 : at + 135]).rstrip(b"\0 ") or b"0", 8)
        at += BLOCK + (size + BLOCK - 1) // BLOCK * BLOCK


def _damage_header(data, chance, at):
    offset, size = chance.choice(_FIELDS)
    if offset == 156:
        value = bytes([chance.choice(_KINDS)])
    elif size in (8, 12, 24):
        value = chance.choice(_NUMBERS)
    elif size >= 32:
        value = chance.choice(_NAMES)
    else:
        value = bytes(chance.randrange(256) for _ in range(size))
    data[at + offset : at + offset + size] = value[:size].ljust(size, b"\0")
    header = bytes(data[at : at + 148]) + b" " * 8 + bytes(data[at + 156 : at + BLOCK])
    data[at + 148 : at + 156] = b"%06o\0 " % sum(header)
