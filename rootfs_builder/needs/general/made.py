"""Files that no package brings: whose they are nonetheless.

What is made in a directory where a source has files is its own, as caches and indexes are. Of
settings below /etc a package's scripts make some when it is installed, with ucf(1) or from
debconf's answers, or an administrator adds them where the package has an empty directory for that.
One is the package's if it is in such a directory, if it is called as a file that the package has
elsewhere, to be copied, or if the scripts name it. What else an administrator keeps beside the
settings is nobody's.

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
_BACKUP = re.compile(r".*(?:~|\.(?:bak|dpkg-\w+|old|orig|rpm\w+|save|sw[op]|ucf-\w+))")
_PRIVATE = re.compile(r"(?i)credential|passw|private|secret|token|\.key$")
_MOST = 2_000  # entries of one directory, with all below it


def within(directory: SourcePath, kin: Kin, context: Context) -> Iterator[SourcePath]:
    """The files in a directory, or deeper, that no package has and that are of some.

    Outside of /etc all are, where its source has files.
    """
    of_etc = below(directory, "/etc")
    if not of_etc and not any(map(kin.owns, kin.within(directory))):
        return
    known = {name(one) for one in kin.own} if of_etc else set[str]()
    if kin.of is not None and of_etc:
        known.update(map(name, by(kin.of, context)))
    root, todo, files = context.elf_files.root, [directory], list[SourcePath]()
    for one in todo:
        all_count = kin.has(one) or not of_etc
        for last in context.files.names(one):
            path = SourcePath(join(one, last))
            node = root.lstat(path)
            if node is not None and node.kind == "dir" and len(todo) < _MOST:
                todo.append(path)
            elif node is not None and node.kind == "file" and (all_count or last in known):
                files += () if kin.has(path) else (path,)
    yield from _unowned(files[:_MOST], context)


def by(package: Package, context: Context) -> Iterator[SourcePath]:
    """The files below /etc that the scripts of a package name, and that no package has.

    Scripts of many files name them in a loop: ones that the package has elsewhere, to be copied.
    """
    with suppress(InputError):  # which others say
        scripts = context.packages.installation(package)
        named = set(_NAMED.findall(scripts))
        copied = {name(one) for one in context.packages.files(package)} if "/etc" in scripts else ()
        named.update(f"/etc/{one}" for one in context.files.names("/etc") if one in copied)
        files = (one for one in map(SourcePath, sorted(named)) if context.files.is_file(one))
        yield from _unowned(files, context)


def is_private(path: str) -> bool:
    """Whether a file that somebody made may hold passwords, as its name says."""
    return _PRIVATE.search(name(path)) is not None


def _unowned(files: Iterable[SourcePath], context: Context) -> Iterator[SourcePath]:
    with suppress(InputError):
        owned = context.packages.of_all(files).packages
        for path, owner in owned.items():
            if owner is None and not _BACKUP.fullmatch(name(path)):
                yield path
