"""Keys that everybody has: those of the tests and examples of well-known packages.

`known.txt` has a line for each: the digest of the key's bytes, however it is written, and where it
is from. `scripts/innocent --write` writes it.
"""

import hashlib
from functools import cache
from importlib import resources

DIGITS = 32  # of SHA-256 in hex


def digest(evidence: bytes) -> str:
    """What a key is known by."""
    return hashlib.sha256(evidence).hexdigest()[:DIGITS]


def is_known(evidence: bytes) -> bool:
    """Whether a key is everybody's."""
    return digest(evidence) in _known()


@cache
def _known() -> frozenset[str]:
    return frozenset(line.partition(" ")[0] for line in known_text().splitlines())


def known_text() -> str:
    """The table, with a line above it that says what it is."""
    return resources.files(__package__).joinpath("known.txt").read_text("utf-8")
