"""What a shell script uses, and when."""

from msgspec import Struct

from rootfs_builder.needs.importers.shell.values import Values


class Mode(Struct, frozen=True):
    """When a command is run.

    `sometimes`: for an option, or when something is wrong. `branch`: if a condition holds that is
    not known here. `guards` are commands of which the script has asked whether they are there,
    `tolerated` says that it goes on where one is not. Another program starts it if it is `apart`:
    that knows no function, and no command that a shell has itself.
    """

    sometimes: bool = False
    branch: bool = False
    tolerated: bool = False
    guards: frozenset[str] = frozenset()
    apart: bool = False

    @property
    def perhaps(self) -> bool:
        """Whether it may be that it is not run."""
        return self.branch or self.sometimes


class Use(Struct, frozen=True):
    """Something that a script uses, at a line of `file`.

    A `command`, one that is only `sought`, a `source`, a `file`, a `script` for an interpreter, or
    a `setting` for other programs.
    `last` is a command that takes the place of the shell, `by` the command that runs a script, or
    the variable that is set.
    """

    kind: str
    values: Values
    file: str
    line: int
    mode: Mode
    last: bool = False
    by: str = ""
