"""What the user should know of a build, as values."""

from typing import Literal

from msgspec import Struct

Level = Literal["added", "hint", "warning"]


class Finding(Struct, frozen=True):
    """What the user should know: what a rule added, a hint with the flag that adds, a warning."""

    level: Level
    text: str
