"""What a text starts or imports and its package does not declare: small ones come along.

Who packs a script on a machine that has what it uses wants that, too. Large ones are a hint.
"""

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs.finder import Context
from rootfs_builder.paths import SourcePath

_MOST = 64 << 20  # bytes of its package: git has 35 MB, pandoc 200


def is_small(path: str, context: Context) -> bool:
    """Whether a file of the root is of a small package, or of none and small itself."""
    files = context.files
    real = files.real(path)
    if real is None or not files.is_file(real):
        return False
    try:
        owner = context.packages.of_all((SourcePath(real),)).packages[SourcePath(real)]
        whole = context.packages.files(owner) if owner is not None and in_system(real) else {real}
    except InputError:
        return False  # which others say
    return sum(map(files.size, {files.real(one) or one for one in whole})) <= _MOST
