r"""Text → the private keys in it, in PEM and what is like it.

The hard thing: files that mention `BEGIN PRIVATE KEY` are many, and keys stand on lines of their
own, indented in YAML, commented out, in strings with `\\n`, or in base64 once more. A key is what
decodes: after the marker (RFC 7468, 2) and perhaps headers (RFC 1421, 4.4; RFC 9580, 6.2.2) come
letters of base64 whose bytes are as long as their own DER says, or begin as OpenSSH's or PGP's do.
"""

import binascii
import re
from collections.abc import Iterator

MARKER = b"PRIVATE KEY"
IN_BASE64 = b"LS0tLS1CRUdJTi"  # -----BEGIN
MAX_KEY = 16 << 10  # bytes of text: an RSA key of 16384 bits has 13 KB
A_KEY = "a private key"

Found = tuple[str, bytes]  # what it is, and the bytes that make it one

_BEGIN = rb"----[- ]BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?[- ]----"
_LINE_END = rb"(?:\\+[rn])+|&#(?:10|13|x[aAdD]);|<br */?>|\r"
_HEADER = rb"(?m)^[ \t\"'#*/;]*[A-Za-z][A-Za-z0-9-]*: [^\n]*$"
_BASE64 = rb"(?:[A-Za-z0-9+/]|\s|\\+[rn])+={0,2}"
_ENCRYPTED = rb"(?:\\+[rn]|\s|\"|#|\*)*Proc-Type: 4,ENCRYPTED"  # RFC 1421, 4.6.1.1
_OPENSSH = b"openssh-key-v1\0"
_SSH2 = b"\x3f\x6f\xf9\xeb"
_SHORTEST = 40  # bytes: an Ed25519 key has 48
_DER_SEQUENCE = 0x30
_PGP_SECRET_KEY = (0x94, 0x95, 0x96, 0xC5)


def keys(text: bytes) -> Iterator[Found]:
    """The private keys in a text; the evidence is a key's own bytes."""
    if MARKER in text:
        for begin in re.finditer(_BEGIN, text):
            key = _decoded(text[begin.start() : begin.end() + MAX_KEY], begin.end() - begin.start())
            if key:
                yield A_KEY, key
    at = text.find(IN_BASE64)
    while at >= 0:
        run = re.match(_BASE64, text[at : at + 2 * MAX_KEY])
        letters = re.sub(_LINE_END, b"", run[0]) if run else b""
        yield from keys(_base64(re.sub(rb"\s+", b"", letters)))
        at = text.find(IN_BASE64, at + max(len(run[0]) if run else 0, 1))


def _decoded(text: bytes, begin: int) -> bytes:
    """The key after a marker that ends at `begin`; empty where none is whole."""
    body, _, end = text[begin:].partition(b"----")
    is_encrypted = re.match(rb"-? ?END", end) and re.match(_ENCRYPTED, body)
    body = re.sub(_HEADER, b"", re.sub(_LINE_END, b"\n", body.replace(rb"\/", b"/")))
    body, _, _ = body.partition(b"=")
    key = _base64(re.sub(rb"[^A-Za-z0-9+/]", b"", body))
    if len(key) < _SHORTEST:
        return b""
    if is_encrypted or key.startswith((_OPENSSH, _SSH2)) or key[0] in _PGP_SECRET_KEY:
        return key
    return (
        key[: der_length(key)] if der_length(key) <= len(key) and key[0] == _DER_SEQUENCE else b""
    )


def der_length(data: bytes) -> int:
    """How many bytes a DER value at the start of `data` has with its head; X.690, 8.1.3."""
    if len(data) < 2 or data[1] < 0x80:  # noqa: PLR2004
        return 2 + data[1] if len(data) > 1 else 2
    octets = data[1] & 0x7F
    return 2 + octets + int.from_bytes(data[2 : 2 + octets], "big")


def _base64(letters: bytes) -> bytes:
    """What letters of base64 decode to, with or without padding."""
    letters = letters.rstrip(b"=")
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    try:
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return b""
