"""Packages: those that the user asks a rule for, as `--with RULE=NAME`, and what some stand for."""

from collections.abc import Iterable, Iterator

from rootfs_builder.errors import Mistake, NotFoundError
from rootfs_builder.needs.finder import Context
from rootfs_builder.needs.general import standards
from rootfs_builder.packages import Owners, Package


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


def behind(named: Iterable[Package], packages: Owners) -> Iterator[Package]:
    """Packages; instead of one that has nothing for a program those that it requires.

    Raises:
        InputError: see Owners.of_all.
    """
    todo = [*named]
    for one in todo:
        if not all(map(standards.is_unused, packages.files(one))):
            yield one
        else:
            todo += [new for new in packages.related(one).required if new not in todo]
