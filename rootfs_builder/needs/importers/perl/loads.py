"""Functions of Perl that are given a module's name and load it, or look for what belongs to it."""

import re
from collections.abc import Iterator

from rootfs_builder.needs.importers.perl.imports import Import, Kind

_DRIVER = re.compile(r"(?i)dbi:(?P<driver>\w+)")  # DBI(3pm), connect
_LINE = re.compile(
    rb"(?P<pod>^=[a-z].*?^=cut\b)|(?P<end>^__(?:DATA|END)__$.*)"
    rb"|^[ \t]*(?:use|require)[ \t]+(?P<module>[A-Z]\w*(?:::\w+)*)[ \t;]",
    re.DOTALL | re.MULTILINE,
)

LOADERS = frozenset(  # functions of Module::Runtime and its like: their argument is a module
    (
        "autoload",
        "ensure_class_loaded",
        "load_class",
        "load_module",
        "load_optional_class",
        "loadclass",
        "require_module",
        "try_load_class",
        "use_module",
        "use_package_optimistically",
    )
)
INHERITING = frozenset(("apply", "extends", "inherit", "load", "with"))  # the same, if constant
FINDERS = frozenset(("findallmod", "findsubmod", "useall", "usesub"))  # all modules below a name
SHARES = frozenset(
    ("class_dir", "class_file", "dist_dir", "dist_file", "module_dir", "module_file")
)


def drivers(connection: str) -> Iterator[str]:
    """The module of the database that DBI connects to, if it is told."""
    if found := _DRIVER.match(connection):
        yield f"DBD::{found['driver']}"


def misread(text: bytes) -> Iterator[Import]:
    """What the lines of a text say that the grammar could not read whole, without their place."""
    for hit in _LINE.finditer(text):
        if hit["module"]:
            line = text.count(b"\n", 0, hit.start("module")) + 1
            yield Import(Kind.MODULE, hit["module"].decode(), line, guarded=True)
