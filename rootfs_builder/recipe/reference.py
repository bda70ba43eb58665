"""The name of an image: `hello` → `docker.io/library/hello:latest`.

Engines read a name in two places of an archive and only agree when both have it in full, so a
name is normalised once, here. Source: distribution/reference, the grammar in its package comment.
"""

import re

from msgspec import Struct

from rootfs_builder.errors import UsageError

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:]+\])(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_MAX_NAME = 255
_MAX_FILE_NAME = 200  # leaves room for a registry


class Reference(Struct, frozen=True):
    """A full image name: registry, repository, tag."""

    domain: str
    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.domain}/{self.repository}:{self.tag}"


def parse(text: str) -> Reference:
    """Read a name as docker does.

    Raises:
        UsageError: names the part that is wrong, and what would be right.
    """
    if "@" in text:
        raise UsageError(f"{text!r}: a digest cannot be chosen; give a name and a tag")
    first, slash, rest = text.partition("/")
    domain = "docker.io"
    if slash and (first == "localhost" or set(first) & set(".:[")):
        domain, text = first, rest
        if not _DOMAIN.fullmatch(domain):
            raise UsageError(f"{domain!r} is not a registry name: lowercase host, optional :port")
    repository, colon, tag = text.partition(":")
    if domain in ("docker.io", "index.docker.io"):
        domain = "docker.io"
        repository = repository if "/" in repository else f"library/{repository}"
    if repository != repository.lower():
        raise UsageError(f"{text!r}: an image name must be lowercase: {text.lower()!r}")
    if not _REPOSITORY.fullmatch(repository) or len(f"{domain}/{repository}") > _MAX_NAME:
        raise UsageError(
            f"{text!r} is not a valid image name: letters a-z, digits, single . _ - inside, / "
            "between parts"
        )
    if colon and not _TAG.fullmatch(tag):
        raise UsageError(
            f"{tag!r}, after the colon, is not a valid tag: up to 128 letters, digits, _ . -, "
            "no . or - in front"
        )
    return Reference(domain, repository, tag or "latest")


def from_file_name(name: str) -> Reference:
    """The name an image gets from its program's file name, with what is not allowed replaced."""
    cleaned = re.sub(r"[^a-z0-9._-]+", "-", name.lower())
    cleaned = re.sub(r"([._-])[._-]+", r"\1", cleaned)[:_MAX_FILE_NAME].strip("._-")
    return Reference("docker.io", f"library/{cleaned or 'image'}", "latest")
