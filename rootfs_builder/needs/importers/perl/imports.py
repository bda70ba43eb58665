"""What a Perl program or module imports and names, as values to be remembered."""

from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """What a name in a source stands for."""

    MODULE = "module"  # Foo::Bar is loaded
    MAYBE = "maybe"  # a text that may be the name of a module
    FAMILY = "family"  # any module below Foo::Bar is loaded, or beside it whose name begins so
    PLUGINS = "plugins"  # all modules below Foo::Bar are loaded, whoever has brought them
    FILE = "file"  # `require` or `do` of a file
    LIBRARY = "library"  # a directory of @INC
    PATH = "path"  # a path that starts from the place of the file or script
    SHARE = "share"  # of File::ShareDir: a distribution or module
    PROGRAM = "program"  # a program is started, by its name or path
    COMMAND = "command"  # a command line is run: by a shell, if it is more than words
    PERHAPS = "perhaps"  # a text or a list that seems to be a command names it
    PACKAGE = "package"  # a package that the text itself declares


class Import(Struct, frozen=True, array_like=True):
    """One name, and on which line it stands; where it is `guarded`, the text goes on without."""

    kind: Kind
    name: str
    line: int
    guarded: bool = False


Imports = tuple[Import, ...]


def is_module(name: str) -> bool:
    """Whether a text can be a module's name."""
    parts = name.split("::")
    words = all(one.isascii() and one.replace("_", "a").isalnum() for one in parts)
    return words and not name[0].isdigit()
