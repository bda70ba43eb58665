"""JSON on stdout: one document a run, which is the result or what went wrong."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.errors import RootfsError

_WRITTEN: ContextVar[bool] = ContextVar("written", default=False)


def show(document: object) -> None:
    """Print a result."""
    import json

    import msgspec

    click.echo(json.dumps(msgspec.to_builtins(document), indent=2))
    _WRITTEN.set(True)


def show_error(error: "RootfsError", exit_code: int) -> None:
    """Print what went wrong, unless there is a result already, which says it."""
    from rootfs_builder.views import documents

    if not _WRITTEN.get():
        show(documents.Failed(documents.failure(error, exit_code)))
