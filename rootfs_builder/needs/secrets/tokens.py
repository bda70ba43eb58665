"""Text → the tokens in it that have a form of their own, as services give them out.

Most tokens are a prefix, one of `_-.`, and many letters and digits. As classes of characters that
is one literal, `_RUN`: to translate a text and look for that is four times as fast as a regular
expression. The few tokens that have `-` or `_` among their letters are looked for by their prefix.
Nothing is a token whose letters are too few different ones, or say that they are an example.
"""

import re
from collections.abc import Iterator
from zlib import crc32

from rootfs_builder.needs.secrets.pem import Found

_CLASSES = bytes(
    ord("a") if chr(byte).isalnum() and byte < 0x80 else ord("_") if byte in b"_-." else ord(" ")  # noqa: PLR2004
    for byte in range(256)
)
_RUN = b"_" + b"a" * 20
_BEFORE, _AFTER = 80, 300  # bytes of a token around its run
_WORD, _END = rb"(?<![A-Za-z0-9_-])", rb"(?![A-Za-z0-9_-])"
_PREFIXED = (  # found by `_RUN`
    ("a token of GitHub", rb"gh[pousr]_[A-Za-z0-9]{36}"),
    ("a token of GitHub", rb"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    ("a token of npm", rb"npm_[A-Za-z0-9]{36}"),
    ("a key of Stripe", rb"[sr]k_live_[A-Za-z0-9]{20,}"),
    ("a token of Slack", rb"xox[abeoprs]-(?:[A-Za-z0-9]+-)*[A-Za-z0-9]{20,}"),
    ("a token of Slack", rb"xapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-z0-9]{60,}"),
    ("a token of Hugging Face", rb"hf_[A-Za-z0-9]{34}"),
    ("a token of Shopify", rb"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    ("a token of DigitalOcean", rb"do[opr]_v1_[a-f0-9]{64}"),
    ("a key of New Relic", rb"NRAK-[A-Z0-9]{27}"),
    ("a token of Grafana", rb"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}"),
    ("a key of Linear", rb"lin_api_[A-Za-z0-9]{40}"),
    ("a key of OpenAI", rb"sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"),
    ("a token of PyPI", rb"pypi-AgE[A-Za-z0-9_-]{50,}"),
    ("a token of Terraform", rb"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    ("a key of age", rb"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
)
_BY_LITERAL = (
    (b"glpat-", "a token of GitLab", rb"glpat-[A-Za-z0-9_-]{20,}"),
    (b"SG.", "a key of SendGrid", rb"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{30,64}"),
    (b"dckr_pat_", "a token of Docker Hub", rb"dckr_pat_[A-Za-z0-9_-]{27}"),
    (b"GOCSPX-", "an OAuth secret of Google", rb"GOCSPX-[A-Za-z0-9_-]{28}"),
    (b"hvs.", "a token of Vault", rb"hvs\.[A-Za-z0-9_-]{24,}"),
    (b"sk-ant-", "a key of Anthropic", rb"sk-ant-[a-z0-9]+-[A-Za-z0-9_-]{80,}"),
    (b"sk-proj-", "a key of OpenAI", rb"sk-proj-[A-Za-z0-9_-]{40,}"),
    (b"hooks.slack", "a webhook of Slack", rb"hooks\.slack\.com/services/T\w{8,}/B\w{8,}/\w{20,}"),
)
_ANY_PREFIXED = _WORD + rb"(?:" + b"|".join(one for _, one in _PREFIXED) + rb")" + _END

_AWS_ID = rb"(?<![A-Za-z0-9/+])A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])"
_AWS_SECRET = rb"(?<![A-Za-z0-9/+=_.-])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_])"
_NEAR = 500  # bytes between an id and its secret
_AZURE = rb"(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{42,86}={1,2})"

_NO_SECRET = rb"(?i)example|xxxx|0123456789abcdef0123|your[_-]?|dummy|fake|placeholder|redacted"
_OF_GITHUB = re.compile(rb"gh[pousr]_(?P<random>\w{30})(?P<check>\w{6})")
_DIGITS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FEWEST_LETTERS = 8  # different ones


def tokens(text: bytes) -> Iterator[Found]:
    """The tokens in a text; the evidence is the token."""
    for token in _candidates(text):
        if is_plausible(token[0]) and is_checked(token[0]):
            yield _name(token[0]), token[0]
    if b"AKIA" in text or b"ASIA" in text:
        yield from _of_aws(text)
    if b"Key=" in text:
        for key in re.finditer(_AZURE, text):
            if is_plausible(key[1]):
                yield "a key of Azure", key[1]


def _candidates(text: bytes) -> Iterator[re.Match[bytes]]:
    classes = text.translate(_CLASSES)
    at = classes.find(_RUN)
    while at >= 0:
        around = text[max(at - _BEFORE, 0) : at + _AFTER]
        yield from re.finditer(_ANY_PREFIXED, around)
        at = classes.find(_RUN, at + 1)
    for literal, _, pattern in _BY_LITERAL:
        if literal in text:
            yield from re.finditer(_WORD + pattern + _END, text)


def is_plausible(token: bytes) -> bool:
    """Whether it looks as if chance had made it."""
    return len(set(token)) >= _FEWEST_LETTERS and not re.search(_NO_SECRET, token)


def is_checked(token: bytes) -> bool:
    """Whether GitHub may have given it out: the last six digits are the CRC-32 of those before.

    In a README no token is, but many look like one. Source: "Behind GitHub's new authentication
    token formats"; measured with tokens that their owner has published.
    """
    found = _OF_GITHUB.fullmatch(token)
    if found is None:
        return True
    number, digits = crc32(found["random"]), b""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit : digit + 1] + digits
    return digits.rjust(len(found["check"]), b"0") == found["check"]


def is_mixed(value: bytes) -> bool:
    """Whether it has capitals, small letters and digits: no name, path or checksum in hex."""
    return all(re.search(kind, value) for kind in (rb"[A-Z]", rb"[a-z]", rb"[0-9]"))


def _name(token: bytes) -> str:
    known = (*_PREFIXED, *((what, pattern) for _, what, pattern in _BY_LITERAL))
    return next(what for what, pattern in known if re.fullmatch(pattern, token))


def _of_aws(text: bytes) -> Iterator[Found]:
    for one in re.finditer(_AWS_ID, text):
        around = text[max(one.start() - _NEAR, 0) : one.end() + _NEAR]
        for secret in re.findall(_AWS_SECRET, around):
            if is_mixed(secret) and is_plausible(secret):
                yield "a key for AWS", secret
