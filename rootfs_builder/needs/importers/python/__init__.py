"""Python: what scripts and modules import, and the files that they find by their own place.

The graph of imports is walked from what is started: a module is read when something imports it,
and its package comes whole. An import in a function or behind a condition is followed, too; of a
package it is where its metadata says that it needs the other. So optional needs stay away.
"""

from rootfs_builder.needs.finder import Context, Finder
from rootfs_builder.needs.importers.python import interpreter
from rootfs_builder.needs.importers.python.importer import Importer, Nothing


def make(context: Context) -> Finder:
    """The importer for one process."""
    found = interpreter.find(context)
    return Nothing() if found is None else Importer(context, found)
