"""`--depfile`: what a build reads is recorded, and told to make, ninja or CMake."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rootfs_builder import packages
from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import UsageError
from rootfs_builder.filesystem.root import Root
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.packages import Owners
from rootfs_builder.paths import decode, encode, printable
from rootfs_builder.pipeline import inputs
from rootfs_builder.pipeline.inputs import Opened
from rootfs_builder.recipe.destination import Destination

if TYPE_CHECKING:  # only a build with a depfile pays for it
    from rootfs_builder.filesystem.depfile import Recorder

_MAKEFILE = ".mk"


class Dependencies:
    """What an output depends on; nothing is recorded where no `depfile` is wanted.

    `files` are read in any case, besides those of rules. What `opened` makes of a directory is what
    is read.
    """

    def __init__(
        self,
        depfile: str | None,
        output: Destination,
        files: Iterable[str] = (),
        opened: Opened = inputs.as_it_is,
    ) -> None:
        if depfile is not None and output.is_stdout:
            raise UsageError("-o - and --depfile: stdout is not a target; name a file")
        self._depfile = depfile
        self._opened = opened
        self._files = tuple(files)
        self._output = output.target
        self._recorders: list[Recorder] = []

    def opened(self, root: Root, directory: str) -> Root:
        """A directory as a Root, with what records what is asked of it."""
        root = self._opened(root, directory)
        if self._depfile is None:
            return root
        from rootfs_builder.filesystem.depfile import Recorder

        self._recorders.append(Recorder(root, directory))
        return self._recorders[-1]

    def owners(self, sources: Sources, facts: FileFacts) -> Owners:
        """Who owns a file; of the hundreds of files that tell, the depfile gets one for all."""
        root = sources.system
        if self._depfile is None:
            return packages.owners(root, facts=facts)
        packages.watch(root)
        for recorder in self._recorders:
            root = recorder.root if root is recorder else root
        return packages.owners(root, facts=facts)

    def document(self, files: Iterable[str] = ()) -> tuple[bytes, tuple[Finding, ...]]:
        """The content of the depfile, and a finding for each path that it cannot name.

        `files` are those that were read besides the roots: rules, images.
        """
        if self._depfile is None:
            return b"", ()
        from rootfs_builder.filesystem import depfile
        from rootfs_builder.filesystem.depfile import Inputs

        text, unsaid = depfile.text(
            self._output,
            [
                *(one.inputs() for one in self._recorders),
                Inputs(files=frozenset(map(_real, (*files, *self._files)))),
            ],
            directory=decode(os.getcwdb()),
            written=(_real(self._output), _real(self._depfile)),
            make=self._depfile.endswith(_MAKEFILE),
        )
        findings = [
            warning(
                Code.NOT_IN_DEPFILE,
                f"--depfile: {printable(path)}: no build tool could read such a name",
                path,
            )
            for path in unsaid
        ]
        return encode(text), tuple(findings)


def _real(path: str) -> str:
    return decode(os.path.realpath(encode(path)))
