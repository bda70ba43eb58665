"""The bytes of a file → the private key that it is, or holds, in one of the binary formats.

Each format is walked, not only recognised: a file of certificates alone is not a secret. A PKCS#12
file is one if it has a key bag in clear, as all tools write it (the key inside is encrypted by
itself). If all bags are encrypted it is assumed to hold certificates, as Java's truststores do.
"""

import re
import struct

from rootfs_builder.filesystem.content import Content
from rootfs_builder.needs.secrets.pem import A_KEY, der_length

_MAX_DER = 1 << 20  # bytes
_MAX_ENTRIES = 100_000
_INTEGER, _OCTETS, _SEQUENCE, _OID = 0x02, 0x04, 0x30, 0x06
_PKCS12 = (  # version 3, then what is "data": RFC 7292, 4
    rb"(?s)\x30[\x80-\x84].{0,4}?\x02\x01\x03\x30.{1,5}?\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
)
_KEY_BAG = rb"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01[\x01\x02]"  # RFC 7292, appendix D
_ENCRYPTIONS = (b"\x2a\x86\x48\x86\xf7\x0d\x01\x05", b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01")
_RSA_INTEGERS, _DSA_INTEGERS = 9, 6
_PGP_LENGTHS = {0x94: 1, 0x95: 2, 0x96: 4}
_PGP_VERSIONS = (3, 4, 5, 6)
_PGP_ALGORITHMS = (1, 2, 3, 16, 17, 18, 19, 22, 25, 26, 27, 28)
_STARTS = (
    (b"PuTTY-User-Key-File-", "a private key of PuTTY"),
    (b"(11:private-key", "a private key of GnuPG"),
    (b"(21:protected-private-key", "a private key of GnuPG"),
    (b"(20:shadowed-private-key", "a private key of GnuPG"),
    (b"Private-key-format: v1.", "a private key of DNSSEC"),
    (b"SSH PRIVATE KEY FILE FORMAT 1.1", "a private key of ssh"),
    (b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5", "a database of KeePass"),
    (b"untrusted comment: minisign encrypted secret key", "a private key of minisign"),
    (b"untrusted comment: signify secret key", "a private key of signify"),
    (b"\x05\x04\x00\x0c\x00\x01\x00\x08", "tickets of Kerberos"),
)


def why(content: Content, head: bytes) -> str:
    """What makes the file a secret, whose first bytes are `head`; empty for most."""
    for start, text in _STARTS:
        if head.startswith(start):
            return text
    if head[:4] in (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce"):
        return "a keystore with a private key" if _java_has_key(content) else ""
    if head[:2] == b"\x05\x02":
        return "a keytab, Kerberos keys" if _is_keytab(head, len(content)) else ""
    if head[:1] == b"\x30":
        return _der(content)
    if head[:1] in (b"\x94", b"\x95", b"\x96", b"\xc5"):
        return "a private key of PGP" if _is_pgp(head, len(content)) else ""
    return (
        "a private key of GnuPG"
        if re.match(rb"(?:\w+: [^\n]*\n)*Key: ?\((?:protected-)?private-key", head)
        else ""
    )


def _der(content: Content) -> str:
    data = content[0 : min(len(content), _MAX_DER)]
    if re.match(_PKCS12, data):
        return "a PKCS#12 file with a private key" if re.search(_KEY_BAG, data) else ""
    if not 0 <= len(content) - der_length(data) <= 2:  # noqa: PLR2004  a line's end
        return ""
    return A_KEY if _is_der_key(_values(data)) else ""


def _values(data: bytes) -> list[tuple[int, bytes]]:
    """The tags and bytes within the DER value that `data` is, at most a dozen."""
    at, end = _head_size(data), der_length(data)
    found: list[tuple[int, bytes]] = []
    while at < end and len(found) <= _RSA_INTEGERS + 1:
        part = data[at:end]
        size = der_length(part)
        if size > len(part):
            return []
        found.append((part[0], part[_head_size(part) : size]))
        at += size
    return found


def _head_size(data: bytes) -> int:
    return 2 + (data[1] & 0x7F if len(data) > 1 and data[1] & 0x80 else 0)


def _is_der_key(values: list[tuple[int, bytes]]) -> bool:
    tags = [tag for tag, _ in values]
    if tags[:3] == [_INTEGER, _SEQUENCE, _OCTETS]:  # PKCS#8: RFC 5958, 2
        return values[0][1] in (b"\0", b"\1") and values[1][1][:1] == bytes([_OID])
    if tags[:2] == [_INTEGER, _OCTETS]:  # RFC 5915, 3
        return values[0][1] == b"\1" and len(values[1][1]) in range(20, 67)
    if tags == [_SEQUENCE, _OCTETS]:  # encrypted PKCS#8: RFC 5958, 3
        algorithm = values[0][1]
        return algorithm[:1] == bytes([_OID]) and algorithm[2:].startswith(_ENCRYPTIONS)
    if tags and set(tags) == {_INTEGER} and values[0][1] == b"\0":  # PKCS#1 and OpenSSL's DSA
        return len(tags) in (_RSA_INTEGERS, _DSA_INTEGERS)
    return False


def _java_has_key(content: Content) -> bool:
    """Whether an entry of a JKS or JCEKS is a key: OpenJDK's JavaKeyStore.engineStore."""
    version, count = struct.unpack(">II", content[4:12].ljust(8, b"\0"))
    at = 12
    for _ in range(min(count, _MAX_ENTRIES)):
        head = content[at : at + 6]
        if len(head) < 6:  # noqa: PLR2004
            return False
        tag, alias = struct.unpack(">IH", head)
        if tag != 2:  # noqa: PLR2004  1 is a private key, 3 a secret key
            return tag in (1, 3)
        at += 6 + alias + 8
        if version == 2:  # noqa: PLR2004
            at += 2 + int.from_bytes(content[at : at + 2], "big")
        at += 4 + int.from_bytes(content[at : at + 4], "big")
    return False


def _is_keytab(head: bytes, whole: int) -> bool:
    """Whether the first entry is one: MIT krb5's keytab file format."""
    data = head[2:]
    while len(data) >= 4:  # noqa: PLR2004
        (size,) = struct.unpack(">i", data[:4])
        if size >= 0:
            break
        data = data[4 - size :]  # a hole
    else:
        return False
    entry = data[4 : 4 + size]
    if not 16 <= size <= whole or len(entry) < 16:  # noqa: PLR2004
        return False
    components, realm = struct.unpack(">HH", entry[:4])
    return 1 <= components <= 8 and entry[4 : 4 + realm].isascii() and 0 < realm < len(entry)  # noqa: PLR2004


def _is_pgp(head: bytes, size: int) -> bool:
    """Whether the file starts with a packet of a secret key: RFC 9580, 4.2 and 5.5."""
    if head[0] in _PGP_LENGTHS:
        octets = _PGP_LENGTHS[head[0]]
        at, length = 1 + octets, int.from_bytes(head[1 : 1 + octets], "big")
    else:
        at, length = _new_length(head)
    body = head[at : at + 9]
    if len(body) < 9 or at + length > size:  # noqa: PLR2004
        return False
    algorithm = body[7] if body[0] == 3 else body[5]  # noqa: PLR2004  version 3 has days of validity
    rest = head[at + length : at + length + 1]
    return (
        body[0] in _PGP_VERSIONS and algorithm in _PGP_ALGORITHMS and (not rest or rest[0] >= 0x80)  # noqa: PLR2004
    )


def _new_length(head: bytes) -> tuple[int, int]:
    if head[1] < 192:  # noqa: PLR2004
        return 2, head[1]
    if head[1] < 224:  # noqa: PLR2004
        return 3, ((head[1] - 192) << 8) + head[2] + 192
    return 6, int.from_bytes(head[2:6], "big")
