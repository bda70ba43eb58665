"""Programs and modules that a text uses and its package does not declare: small ones are included.

Whoever packs a script on a machine that has what it uses wants that, too. Large ones are a hint.
"""

from collections.abc import Iterator

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs.finder import Context
from rootfs_builder.packages import Owners, Package
from rootfs_builder.paths import SourcePath

_MOST = 128 << 20  # bytes of packages: git has 35 MB and 60 of Perl, gcc 200, ffmpeg 400


def is_small(path: str, context: Context, by: Package | None = None) -> bool:
    """Whether a file of the root, with all that its package requires, is small.

    What every system has does not count, nor what the package `by` needs anyhow.
    """
    files, packages = context.files, context.packages
    real = files.real(path)
    if real is None or not files.is_file(real):
        return False
    try:
        owner = packages.of_all((SourcePath(real),)).packages[SourcePath(real)]
        if owner is None or not in_system(real):
            return files.size(real) <= _MOST
        size = 0
        for one in _required(owner, packages, by):
            size += packages.size(one)
            if size > _MOST:
                return False
    except InputError:
        return False  # which others say
    return True


def _required(package: Package, packages: Owners, by: Package | None) -> Iterator[Package]:
    """A package, and those that are enough for what it requires, at any distance."""
    todo, seen = [package], {package}
    while todo:
        one = todo.pop()
        related = packages.related(one)
        if related.essential or (by is not None and packages.reaches(by, one)):
            continue
        yield one
        todo += [other for other in related.least if other not in seen]
        seen.update(related.least)
