"""Some files below a directory → the fewest paths that have these, and no others that count."""

from collections.abc import Callable, Iterable, Iterator

from rootfs_builder.paths import SourcePath, join, parent


def fewest(
    top: SourcePath,
    files: frozenset[SourcePath],
    names: Callable[[str], Iterable[str]],
    is_idle: Callable[[SourcePath], bool],
) -> Iterator[SourcePath]:
    """The paths, at and below `top`, each a file or a directory of which all that counts is wanted.

    `names` has what is in a directory, `is_idle` says of one that is not wanted that it may come.
    """
    directories = {above for one in files for above in _between(one, top)}
    whole = dict[SourcePath, bool]()
    for directory in sorted(directories, key=len, reverse=True):
        entries = (join(directory, one) for one in names(directory))
        whole[directory] = all(
            one in files or whole.get(one, False) or is_idle(one) for one in entries
        )
    for path in sorted({*files, *directories}):
        is_whole = path in files or whole[path]
        if is_whole and (path == top or not whole[parent(path)]):
            yield path


def _between(path: SourcePath, top: SourcePath) -> Iterator[SourcePath]:
    """The directories above a path, up to `top`."""
    while path != top:
        path = parent(path)
        yield path


def above(path: str) -> Iterator[str]:
    """The directories of a relative path, from the inside out."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
