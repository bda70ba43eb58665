"""Packages that the user asks a rule for, as `--with RULE=NAME`."""

from collections.abc import Iterator

from rootfs_builder.errors import Mistake, NotFoundError
from rootfs_builder.needs.finder import Context
from rootfs_builder.packages import Package


def packages(context: Context, rule: str) -> Iterator[Package]:
    """Those of each name.

    Raises:
        NotFoundError: one is not installed.
        InputError: see Owners.of_all.
    """
    for one in context.values:
        found = context.packages.installed(one)
        if not found:
            raise NotFoundError(
                Mistake("--with", "no package of that name is installed", f"{rule}={one}")
            )
        yield from found
