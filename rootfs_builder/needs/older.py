"""A library of a base image that is older than a program needs: the version, and who asks for it.

The symbols are read by pyelftools, since only the message has them.
"""

import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from rootfs_builder.filesystem.content import read
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.loader.missing import MissingVersion
from rootfs_builder.paths import OpenedPath, decode, printable

_SHOWN = 3  # symbols of a version
_LIBRARIES = 3  # that a message has
_ADVICE = (
    "take a newer base, or what was built for the release of this one: --sysroot names a root or "
    "image that has it"
)


def texts(missing: Iterable[MissingVersion], elf_files: ElfFiles) -> Iterator[str]:
    """A few lines for each library that is too old, with all that is missing in it."""
    by_library: dict[tuple[OpenedPath, OpenedPath], list[str]] = {}
    for one in missing:
        versions = by_library.setdefault((one.provider, one.by), [])
        if one.version not in versions:
            versions.append(one.version)
    for (provider, by), versions in islice(by_library.items(), _LIBRARIES):
        lines = [f"{printable(provider)} of the base is older than {printable(by)} needs"]
        for version in versions:
            names = sorted(_symbols(by, version, elf_files))
            shown = ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
            lines.append(f"  version `{version}' not found{f', for {shown}' if shown else ''}")
        yield "\n".join(lines)
    if len(by_library) > _LIBRARIES:
        yield f"and {len(by_library) - _LIBRARIES} more need newer libraries"
    yield _ADVICE


def _symbols(by: OpenedPath, version: str, elf_files: ElfFiles) -> set[str]:
    """The symbols that an object needs in a version; none where its sections do not tell."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    data = read(elf_files.source(elf_files.walker.walk(by).real))
    try:
        file = ELFFile(io.BytesIO(data))
        needs: Any = file.get_section_by_name(".gnu.version_r")
        numbers: Any = file.get_section_by_name(".gnu.version")
        symbols: Any = file.get_section_by_name(".dynsym")
        if needs is None or numbers is None or symbols is None:
            return set()
        wanted = {
            one["vna_other"]
            for _, each in needs.iter_versions()
            for one in each
            if one.name == version
        }
        return {
            printable(decode(symbol.name.encode(errors="surrogateescape")))
            for number, symbol in zip(numbers.iter_symbols(), symbols.iter_symbols(), strict=False)
            if number["ndx"] in wanted
        }
    except ELFError:
        return set()
