"""A packaged script in a language that no importer reads → what its package and the modules have.

Nobody knows what it imports. Its package says which others it cannot do without; those that require
the interpreter, too, are modules for it.
"""

from collections.abc import Iterator
from itertools import filterfalse

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs import interpreters
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need, Text
from rootfs_builder.needs.general import left_out, standards
from rootfs_builder.packages import Package
from rootfs_builder.paths import SourcePath, parent, printable


def make(context: Context) -> "Unread":
    """The finder for one process."""
    return Unread(context)


class Unread:
    """Answers for the process of one interpreter."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def process(self) -> Iterator[Need]:
        """Nothing: a script shows it."""
        return iter(())

    def text(self, text: Text) -> Iterator[Need]:
        """The files of the packages of a script that is started."""
        program, real = self._context.program.real, self._context.files.real(text.path)
        if standards.is_read(program) or not interpreters.starts(self._context, text):
            return
        if real is None or not (in_system(real) and in_system(program)):
            return
        try:
            owned = self._context.packages.of_all((real, SourcePath(program))).packages
            script, interpreter = owned[real], owned[SourcePath(program)]
            modules = [] if script is None else [*self._modules(script, interpreter)]
        except InputError:
            return  # which others say
        for package in modules:
            yield from self._brought(package, text)

    def _modules(self, script: Package, interpreter: Package | None) -> Iterator[Package]:
        """The package of the script, and those for the interpreter that it requires.

        What the interpreter's own source has, its rule and its own evidence know.
        """
        owners, todo = self._context.packages, [script]
        for one in todo:
            yield one
            for other in owners.related(one).required:
                is_module = (
                    interpreter is not None
                    and other.source != interpreter.source
                    and owners.requires(other, interpreter)
                )
                if other not in todo and (is_module or other.source == script.source):
                    todo.append(other)

    def _brought(self, package: Package, text: Text) -> Iterator[Need]:
        clue = Clue(
            f"{printable(text.path)} is in a language whose imports are not read", (text.path,)
        )
        files = filterfalse(standards.is_unused, self._context.packages.files(package))
        paths = [one for one in files if not parent(one).endswith("bin")]
        size = sum(map(self._context.files.size, paths))
        if size > standards.MOST_DATA:
            yield left_out.package(package.name, len(paths), size, clue)
            return
        yield from (File(one, clue) for one in sorted(paths))
