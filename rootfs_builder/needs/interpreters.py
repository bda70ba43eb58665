"""Which program runs a script: that of its first line."""

from collections.abc import Iterator
from contextlib import suppress

from rootfs_builder.errors import InputError
from rootfs_builder.loader import executable
from rootfs_builder.needs.finder import Context, Text, TextKind
from rootfs_builder.paths import OpenedPath, SourcePath, join


def starts(context: Context, text: Text) -> bool:
    """Whether a process is started to run a text."""
    given = text.kind is TextKind.STARTED
    return given and (bool(text.by) or runs(context, text.path))


def runs(context: Context, path: str) -> bool:
    """Whether the first line of a text names the program of a process."""
    files = context.files
    real = files.real(path)
    if real is None or not files.is_file(path):
        return False
    walker = files.elf_files.walker
    with suppress(InputError):
        found = executable.look(path, walker.walk(OpenedPath(real)), files.elf_files)
        if isinstance(found, executable.Script):
            command = found.looked_up or found.interpreter
            program = SourcePath(context.program.real)
            return program in map(files.real, _paths(context, command))
    return False


def _paths(context: Context, command: str) -> Iterator[str]:
    if command.startswith("/"):
        yield command
        return
    each = (join(top.rstrip("/"), command) for top in context.search_path)
    yield from (path for path in each if context.files.is_file(path))
