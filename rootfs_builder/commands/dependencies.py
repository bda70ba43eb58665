"""`--depfile`: what a build reads is recorded, and told to make, ninja or CMake."""

import os
from typing import TYPE_CHECKING

import click

from rootfs_builder.commands import options, terminal
from rootfs_builder.errors import UsageError
from rootfs_builder.paths import decode, encode, printable

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.cache.file_facts import Facts
    from rootfs_builder.filesystem.depfile import Recorder
    from rootfs_builder.filesystem.root import Root
    from rootfs_builder.filesystem.sources import Sources
    from rootfs_builder.packages import Owners

_LAYOUT = "oci:"
_MAKEFILE = ".mk"

option = click.option(
    "--depfile",
    metavar="FILE",
    shell_complete=options.file_names,
    help="Write there all that decided, for make, ninja and CMake; for make alone into FILE.mk.",
)


class Dependencies:
    """What the output depends on; nothing is recorded where no `depfile` is wanted."""

    def __init__(self, depfile: str | None, output: str, rule_files: tuple[str, ...] = ()) -> None:
        if depfile is not None and output == "-":
            raise UsageError("-o - and --depfile: stdout is no target; name a file")
        self._depfile = None if depfile is None else options.text(depfile)
        self._output = options.text(output)
        if self._output.startswith(_LAYOUT):
            self._output = f"{self._output.removeprefix(_LAYOUT).rstrip('/')}/index.json"
        self._rule_files = rule_files
        self._recorders: list[Recorder] = []

    def opened(self, root: "Root", directory: str) -> "Root":
        """A directory as a Root, with what records what is asked of it."""
        if self._depfile is None:
            return root
        from rootfs_builder.filesystem.depfile import Recorder

        self._recorders.append(Recorder(root, directory))
        return self._recorders[-1]

    def owners(self, sources: "Sources", sysroot: str | None, facts: "Facts") -> "Owners":
        """Who owns a file; of the hundreds of files that tell, the depfile gets one for all."""
        from rootfs_builder import packages

        if self._depfile is None:
            return packages.owners(sources, facts=facts)
        packages.watch(sources)
        return packages.owners(options.sources(sysroot), facts=facts)

    def document(self) -> bytes:
        """The content of the depfile; what it cannot say goes to stderr."""
        if self._depfile is None:
            return b""
        from rootfs_builder.filesystem import depfile
        from rootfs_builder.filesystem.depfile import Inputs

        rules = frozenset(_real(options.text(one)) for one in self._rule_files)
        text, unsaid = depfile.text(
            self._output,
            [*(one.inputs() for one in self._recorders), Inputs(files=rules)],
            directory=decode(os.getcwdb()),
            written=(_real(self._output), _real(self._depfile)),
            make=self._depfile.endswith(_MAKEFILE),
        )
        for path in unsaid:
            terminal.warn(f"--depfile: {printable(path)}: no build tool could read such a name")
        return encode(text)


def _real(path: str) -> str:
    return decode(os.path.realpath(encode(path)))
