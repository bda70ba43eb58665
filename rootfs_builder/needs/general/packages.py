"""Packages that the user asks for: `--with packages=NAME`.

No file says that a program needs them: a back end that it loads by a computed name, a program that
it looks for when it runs. One that only stands for others, as Debian's metapackages do, brings
those that it requires.
"""

from collections.abc import Iterator
from itertools import filterfalse

from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need, Text
from rootfs_builder.needs.general import asked, standards
from rootfs_builder.paths import printable


def make(context: Context) -> "Packages":
    """The finder for one process."""
    return Packages(context)


class Packages:
    """Brings the files of packages, all but documentation and what is for building."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def process(self) -> Iterator[Need]:
        """The files of those that are asked for; a program of them comes with what it needs.

        Raises:
            NotFoundError: one is not installed.
            InputError: see Owners.of_all.
        """
        for package in asked.behind(
            asked.packages(self._context, "packages"), self._context.packages
        ):
            clue = Clue(f"--with packages={printable(package.name)}")
            for path in sorted(
                filterfalse(standards.is_unused, self._context.packages.files(package))
            ):
                yield File(path, clue, started=self._context.files.may_execute(path))

    def text(self, text: Text) -> Iterator[Need]:
        """Nothing: no text asks for packages."""
        del text
        return iter(())
