"""Java: the jars that a jar names in its manifest, and those that arguments and CLASSPATH name.

Source: JAR File Specification, "Class-Path" and "Notes on Manifest and Signature Files"; java(1).
Java passes over what is missing there, and so is it here.
"""

import re
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from posixpath import join, normpath

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need, Text
from rootfs_builder.needs.importers.java import jars
from rootfs_builder.paths import name, parent, printable

_PATHS = ("-cp", "-classpath", "--class-path", "-p", "--module-path", "-jar")
_FACT = "java-class-path v1"
_SCHEME = re.compile(r"file:/*(?=/)")


def make(context: Context) -> "JavaFinder":
    """The importer for one process of java."""
    return JavaFinder(context)


class JavaFinder:
    """Reads each jar that comes in."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def process(self) -> Iterator[Need]:
        """What the command line and the environment name."""
        words = self._context.arguments
        split = ((value, key) for key, _, value in (word.partition("=") for word in words))
        pairs = (*((value, key) for key, value in pairwise(words)), *split)
        told = [(value, key) for value, key in pairs if key in _PATHS]
        told.append((self._context.searched("CLASSPATH"), "CLASSPATH"))
        for value, key in told:
            for path in filter(None, value.split(":")):
                yield from self._jar(normpath(join(self._context.directory, path)), key)

    def text(self, text: Text) -> Iterator[Need]:
        """What the manifest of a jar names, from the jar's own place on."""
        if not text.path.endswith(jars.ENDINGS):
            return
        for one in self._class_path(text.path):
            path = normpath(join(parent(text.path), _SCHEME.sub("", one)))
            yield from self._jar(path, printable(name(text.path)))

    def _jar(self, path: str, by: str) -> Iterator[Need]:
        files = self._context.files
        if in_system(path) and files.kind(path) and not files.is_added(path):
            yield File(path, Clue(f"{by} names {printable(path)}", (path,)))

    def _class_path(self, path: str) -> tuple[str, ...]:
        files = self._context.files
        real = files.real(path)
        if real is None or not files.is_file(path) or files.is_closed(real):
            return ()
        source = files.elf_files.source(real)
        find = partial(jars.class_path, source)
        return files.elf_files.facts.get_or_compute(source, _FACT, tuple[str, ...], find)
