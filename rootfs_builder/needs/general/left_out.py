"""What of a program's packages stays away, in a sentence, with the option that brings it."""

from rootfs_builder.findings import Code, Finding, hint, warning
from rootfs_builder.needs.clues import Clue
from rootfs_builder.paths import printable

RULE = "own-package"
CLOSED = "not readable by everyone on this machine"
PRIVATE = "named for passwords or keys"


def too_large(path: str, count: int, size: int, clue: Clue, got: str = "") -> Finding:
    """A file, or a directory of `count` files and `size` bytes; the program may have `got` some."""
    option = f"--with {RULE}={printable(path)}"
    which = f"of which {got}: {option} adds all" if got else f"which is left out: {option}"
    text = f"{clue.text} ({count:,} files, {size / 1e6:,.0f} MB), {which}"
    return hint(Code.PACKAGE_FILES_LEFT_OUT, text, *clue.paths)


def package(named: str, count: int, size: int, clue: Clue) -> Finding:
    """A package of `count` files and `size` bytes."""
    text = f"{clue.text}, and {printable(named)} ({count:,} files, {size / 1e6:,.0f} MB) is left "
    text += f"out: --with packages={printable(named)}"
    return hint(Code.PACKAGE_FILES_LEFT_OUT, text, *clue.paths)


def held(path: str, count: int, clue: Clue, why: str) -> Finding:
    """One sentence for all files of a directory that may hold passwords, and how that shows."""
    shown = printable(path)
    files = "1 file in it" if count == 1 else f"{count:,} files in it"
    was, them = ("was", "it") if count == 1 else ("were", "them")
    text = f"{clue.text}: {files}, {why}, {was} not included; to include {them}: "
    text += f"--add {shown}:{shown}"
    return warning(Code.SECRET_LEFT_OUT, text, *clue.paths)
