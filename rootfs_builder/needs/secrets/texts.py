"""Text → the credentials in it that only what stands around them shows.

Each kind has a literal that most files lack, and a pattern. They are looked for at the start of
texts that are no program's source, which may well talk about them.
"""

import re
from collections.abc import Iterator

from rootfs_builder.needs.secrets.pem import Found
from rootfs_builder.needs.secrets.tokens import is_mixed, is_plausible

_HASHES = "password hashes"
_REGISTRIES = "passwords for image registries"
_CLUSTERS = "keys for Kubernetes clusters"
_AWS = "a key for AWS"
_WIREGUARD = "a key of WireGuard"

_SET = rb"[\"']?\s*[=:]\s*[\"']?"
_JWT = rb"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}"
_AWS_SECRET = _SET + rb"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])"
_WIREGUARD_KEY = rb"[ \t]*=[ \t]*([A-Za-z0-9+/]{43}=)"
_AUTH = rb"[^{}]{0,2000}\"auth\"\s*:\s*\"([A-Za-z0-9+/=]{8,})\""
_CRYPT = (  # crypt(5), and htpasswd's
    rb"(?m)^[ \t]*[\"']?[A-Za-z_][\w.@-]{0,63}[\"']?:[ \t]*[\"']?"
    rb"(\$(?:1|5|6|7|y|gy|2[abxy]?|apr1|sha1|argon2id?)\$[./A-Za-z0-9$=,+-]{25,})"
)
_SCRAM = rb"(SCRAM-SHA-256\$\d{4,6}:[A-Za-z0-9+/=]{20,}\$[A-Za-z0-9+/=]{40,}:)"
_LDAP = rb"(?mi)^(?:userPassword:|rootpw|olcRootPW:)\s+(\{SSHA\}[A-Za-z0-9+/]{30,}={0,2})"
_OPENVPN = rb"-----BEGIN OpenVPN Static key V1-----\s+((?:[0-9a-f]{32}\s+){15}[0-9a-f]{32})"
_USER_OF_A_CLUSTER = (
    rb"(?m)^users:[^\0]{0,8000}?^[ \t-]+(?:token|password|client-key-data):"
    rb"[ \t]*[\"']?([A-Za-z0-9+/=_.-]{8,})"
)
_TERRAFORM = (
    rb"\A\s*\{(?=[^\0]{0,400}\"terraform_version\")"
    rb"[^\0]{0,400}(\"lineage\"\s*:\s*\"[0-9a-f-]{36}\")"
)
_REFRESH = rb"\"refresh_token\"\s*:\s*\"(1//[A-Za-z0-9_-]{20,}|[A-Za-z0-9_./+=~-]{40,})\""
_ACCESS = rb"\"access_token\"\s*:\s*\"(ya29\.[A-Za-z0-9_.-]{20,}|" + _JWT + rb")\""
_TSIG = rb"algorithm\s+\"?hmac-[a-z0-9-]+\"?;\s*secret\s+\"?([A-Za-z0-9+/]{20,}={0,2})\"?;"
_ETHEREUM = (
    rb"(?s)\A\s*\{(?=.{0,2000}\"ciphertext\")(?=.{0,2000}\"kdf(?:params)?\")"
    rb".{0,2000}(\"mac\"\s*:\s*\"[0-9a-f]{64}\")"
)
_KINDS = (  # a literal that is there, the pattern (its group is the evidence), and what it is
    (b":$", _CRYPT, _HASHES),
    (b": $", _CRYPT, _HASHES),
    (b"{SHA}", rb"(?m)^[\w.@-]{1,64}:(\{SHA\}[A-Za-z0-9+/]{27}=)", _HASHES),
    (b"SCRAM-SHA-256$", _SCRAM, _HASHES),
    (b"{SSHA}", _LDAP, _HASHES),
    (b"OpenVPN Static key", _OPENVPN, "a key of OpenVPN"),
    (b"PrivateKey", rb"(?m)^[ \t]*PrivateKey" + _WIREGUARD_KEY, _WIREGUARD),
    (b"PresharedKey", rb"(?m)^[ \t]*PresharedKey" + _WIREGUARD_KEY, _WIREGUARD),
    (b"aws_secret_access_key", rb"aws_secret_access_key" + _AWS_SECRET, _AWS),
    (b"AWS_SECRET_ACCESS_KEY", rb"AWS_SECRET_ACCESS_KEY" + _AWS_SECRET, _AWS),
    (b'"auth"', rb"\"auths\"\s*:\s*\{\s*\"[^\"]{1,300}\"\s*:\s*\{" + _AUTH, _REGISTRIES),
    (b'"auth"', rb"\A\s*\{\s*\"[\w./:-]{1,300}\"\s*:\s*\{" + _AUTH, _REGISTRIES),
    (b"kind: Config", _USER_OF_A_CLUSTER, _CLUSTERS),
    (b"client-key-data", rb"client-key-data\"?:[ \t]*\"?([A-Za-z0-9+/=]{40,})", _CLUSTERS),
    (b'"lineage"', _TERRAFORM, "state of Terraform, with all that it knows"),
    (b"refresh_token", _REFRESH, "a refresh token"),
    (b"access_token", _ACCESS, "an access token"),
    (b"algorithm ", _TSIG, "a key of a name server"),
    (b"ciphertext", _ETHEREUM, "a key of Ethereum"),
)
_LITERALS = tuple(dict.fromkeys(literal for literal, _, _ in _KINDS))

_NETRC = (
    rb"\A\s*(?>(?:machine\s+\S+|default)\s+(?:(?:login|account|port)\s+\S+\s+)*password\s+\S+"
    rb"(?:\s+(?:login|account|port)\s+\S+)*(?:\s+|\Z))+\Z"
)
_URLS = rb"\A(?>[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@]+@\S+(?:\s+|\Z))+\Z"
_WHOLE = (  # what a file is that has nothing else
    (b"://", _URLS, "passwords in URLs"),
    (b"password", _NETRC, "passwords for curl, ftp, git …"),
    (b"eyJ", rb"\A\s*" + _JWT + rb"\s*\Z", "a token"),
    (b"md5", rb"\A(?>\"[^\"\n]+\" \"(?:md5[0-9a-f]{32}|SCRAM-SHA-256\$[^\"\n]+)\"\s*)+\Z", _HASHES),
)  # fmt: skip
_MAX_WHOLE = 16 << 10  # bytes
_SECRET_URL = (
    rb"(?i)\b[a-z][a-z0-9+.-]{2,20}://"
    rb"([^/\s:@\"'<>{}$%]{0,40}:([^/\s:@\"'<>{}$%]{16,200})@[a-z0-9.-]+)"
)


def credentials(text: bytes) -> Iterator[Found]:
    """The credentials in the start of a text; the evidence is the value alone."""
    there = {literal for literal in _LITERALS if literal in text}
    for literal, pattern, what in _KINDS if there else ():
        if literal in there:
            for one in re.finditer(pattern, text):
                if is_plausible(one[1]):
                    yield what, one[1]
    if b"@" in text and b"://" in text:
        for one in re.finditer(_SECRET_URL, text):
            if is_mixed(one[2]) and is_plausible(one[1]):
                yield "a password in a URL", one[2]


def whole(text: bytes) -> Iterator[Found]:
    """What a whole text is, if it is nothing but credentials."""
    if len(text) <= _MAX_WHOLE:
        for literal, pattern, what in _WHOLE:
            if literal in text and re.match(pattern, text) and is_plausible(text):
                yield what, text
