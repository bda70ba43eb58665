"""The fields of a tar's headers → texts and numbers."""


class TarError(Exception):
    """A tar is damaged."""


def text(field: bytes) -> bytes:
    """A field up to its NUL."""
    return field.partition(b"\0")[0]


def number(field: bytes) -> int:
    """A number in octal digits, or in base 256 (GNU tar's and star's); raises TarError."""
    if field[0] & 0x80:
        top = 0x80 << 8 * (len(field) - 1)
        value = int.from_bytes(field, "big") - top
        return value - top if field[0] & 0x40 else value
    try:
        return int(text(field).strip() or b"0", 8)
    except ValueError as error:
        raise TarError("an invalid number") from error


def decimal(value: bytes) -> int:
    """A number of a PAX header, of 64 bits; raises TarError."""
    if not value.isdigit() or len(value) > len(str(1 << 64)):
        raise TarError("an invalid number")
    return int(value)
