"""Settings below /etc that no package brings: whose they are nonetheless.

A package's scripts make them when it is installed, with ucf(1) or from debconf's answers, or an
administrator adds them. They belong to the package whose directory they lie in; one that lies in
/etc itself belongs to the package whose scripts name it.

Source: ucf(1); Debian Policy, 10.7.3.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from rootfs_builder.errors import InputError
from rootfs_builder.needs.finder import Context
from rootfs_builder.packages import Kin, Package
from rootfs_builder.paths import SourcePath, below, join, name

_NAMED = re.compile(r"(?<![\w./-])/etc/[\w.+@/-]*[\w+-]")
_MOST = 2_000  # entries of one directory, with all below it


def within(directory: SourcePath, kin: Kin, context: Context) -> Iterator[SourcePath]:
    """The files in directories below /etc of a package that no package has."""
    if not below(directory, "/etc"):
        return
    root, todo, files = context.elf_files.root, [directory], list[SourcePath]()
    for one in todo:
        for path in (SourcePath(join(one, last)) for last in context.files.names(one)):
            node = root.lstat(path)
            if node is not None and node.kind == "dir" and len(todo) < _MOST:
                todo.append(path)
            elif node is not None and node.kind == "file" and kin.has_any(one):
                files.append(path)
    yield from _unowned(files[:_MOST], context)


def by(package: Package, context: Context) -> Iterator[SourcePath]:
    """The files below /etc that the scripts of a package name, and that no package has.

    Scripts of many files name them in a loop: ones that the package has elsewhere, to be copied.
    """
    with suppress(InputError):  # which others say
        scripts = context.packages.installation(package)
        named = set(_NAMED.findall(scripts))
        copied = {name(one) for one in context.packages.files(package)} if "/etc" in scripts else ()
        named.update(f"/etc/{one}" for one in copied if one in context.files.names("/etc"))
        files = (one for one in map(SourcePath, sorted(named)) if context.files.is_file(one))
        yield from _unowned(files, context)


def _unowned(files: Iterable[SourcePath], context: Context) -> Iterator[SourcePath]:
    with suppress(InputError):
        owned = context.packages.of_all(files).packages
        yield from (path for path, owner in owned.items() if owner is None)
