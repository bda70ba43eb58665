"""Text → the credentials in it that only what stands around them shows.

Each kind has a literal that most files lack, and a pattern. They are looked for at the start of
texts that are no program's source, which may well talk about them.
"""

import re
from collections.abc import Iterator

from rootfs_builder.needs.secrets.pem import Found
from rootfs_builder.needs.secrets.tokens import is_mixed, is_plausible

_SET = rb"[\"']?\s*[=:]\s*[\"']?"
_HASH = (
    rb"(?m)^[ \t]*[\"']?[A-Za-z_][\w.@-]{0,63}[\"']?:[ \t]*[\"']?"
    rb"(\$(?:1|5|6|7|y|gy|2[abxy]?|apr1|sha1|argon2id?)\$[./A-Za-z0-9$=,+-]{25,})"
)
_KINDS = (  # a literal that is there, the pattern (its group is the evidence), and what it is
    (b":$", _HASH, "password hashes"),
    (b": $", _HASH, "password hashes"),
    (b"{SHA}", rb"(?m)^[\w.@-]+:(\{SHA\}[A-Za-z0-9+/]{27}=)", "password hashes"),
    (b"SCRAM-SHA-256$", rb"(SCRAM-SHA-256\$\d{4,6}:[A-Za-z0-9+/=]{20,}\$[A-Za-z0-9+/=]{40,}:)", "password hashes"),
    (b"{SSHA}", rb"(?mi)^(?:userPassword:|rootpw|olcRootPW:)\s+(\{SSHA\}[A-Za-z0-9+/]{30,}={0,2})", "password hashes"),
    (b"OpenVPN Static key", rb"-----BEGIN OpenVPN Static key V1-----\s+((?:[0-9a-f]{32}\s+){15}[0-9a-f]{32})", "a key of OpenVPN"),
    (b"PrivateKey", rb"(?m)^[ \t]*PrivateKey[ \t]*=[ \t]*([A-Za-z0-9+/]{43}=)", "a key of WireGuard"),
    (b"PresharedKey", rb"(?m)^[ \t]*PresharedKey[ \t]*=[ \t]*([A-Za-z0-9+/]{43}=)", "a key of WireGuard"),
    (b"ws_secret_access_key", rb"aws_secret_access_key" + _SET + rb"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])", "a key for AWS"),
    (b"AWS_SECRET_ACCESS_KEY", rb"AWS_SECRET_ACCESS_KEY" + _SET + rb"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])", "a key for AWS"),
    (b'"auth"', rb"\"auths\"\s*:\s*\{\s*\"[^\"]+\"\s*:\s*\{[^{}]*\"auth\"\s*:\s*\"([A-Za-z0-9+/=]{8,})\"", "passwords for image registries"),
    (b'"auth"', rb"\A\s*\{\s*\"(?:https?://)?[\w.:-]+[\w./:-]*\"\s*:\s*\{[^{}]*\"auth\"\s*:\s*\"([A-Za-z0-9+/=]{8,})\"", "passwords for image registries"),
    (b"kind: Config", rb"(?m)^users:[^\0]*?^[ \t-]+(?:token|password|client-key-data):[ \t]*[\"']?([A-Za-z0-9+/=_.-]{8,})", "keys for Kubernetes clusters"),
    (b"client-key-data", rb"client-key-data\"?:[ \t]*\"?([A-Za-z0-9+/=]{40,})", "keys for Kubernetes clusters"),
    (b'"lineage"', rb"\A\s*\{(?=[^\0]{0,400}\"terraform_version\")[^\0]{0,400}(\"lineage\"\s*:\s*\"[0-9a-f-]{36}\")", "state of Terraform, with all that it knows"),
    (b"refresh_token", rb"\"refresh_token\"\s*:\s*\"(1//[A-Za-z0-9_-]{20,}|[A-Za-z0-9_./+=~-]{40,})\"", "a refresh token"),
    (b"access_token", rb"\"access_token\"\s*:\s*\"(ya29\.[A-Za-z0-9_.-]{20,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,})\"", "an access token"),
    (b"algorithm ", rb"(?m)algorithm\s+\"?hmac-[a-z0-9-]+\"?;\s*secret\s+\"?([A-Za-z0-9+/]{20,}={0,2})\"?;", "a key of a name server"),
    (b"ciphertext", rb"(?s)\A\s*\{(?=.{0,2000}\"ciphertext\")(?=.{0,2000}\"kdf(?:params)?\").{0,2000}(\"mac\"\s*:\s*\"[0-9a-f]{64}\")", "a key of Ethereum"),
)  # fmt: skip
_LITERALS = tuple(dict.fromkeys(literal for literal, _, _ in _KINDS))
_HASHED = "password hashes"

_WHOLE = (  # what the whole file is
    (b"://", rb"\A(?:[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@]+@[^\s/@]+\S*\s*)+\Z", "passwords in URLs"),
    (b"password", rb"\A(?:\s*(?:machine\s+\S+|default)\s+(?:(?:login|password|account|port)\s+\S+\s+)*password\s+\S+(?:\s+(?:login|account|port)\s+\S+)*\s*)+\Z", "passwords for curl, ftp, git …"),
    (b"eyJ", rb"\A\s*eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}\s*\Z", "a token"),
    (b"md5", rb"\A(?:\"[^\"\n]+\" \"(?:md5[0-9a-f]{32}|SCRAM-SHA-256\$[^\"\n]+)\"\s*)+\Z", _HASHED),
    (b":", rb"\A(?:[^\s:*]+:\d+:[^\s:*]+:[^\s:*]+:[^\s]+\s*)+\Z(?<=\n)", ""),
)  # fmt: skip
_MAX_WHOLE = 16 << 10
_SECRET_URL = rb"(?i)\b[a-z][a-z0-9+.-]{2,20}://([^/\s:@\"'<>{}$%]{0,40}:([^/\s:@\"'<>{}$%]{16,})@([a-z0-9.-]+))"


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
            if what and literal in text and re.match(pattern, text) and is_plausible(text):
                yield what, text
