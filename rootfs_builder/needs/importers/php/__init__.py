"""PHP: the files that scripts include, and what Composer's autoloaders of theirs load."""

from rootfs_builder.needs.finder import Context, Finder
from rootfs_builder.needs.importers.php.importer import Importer


def make(context: Context) -> Finder:
    """The importer for one process."""
    return Importer(context)
