"""The files of policies → their rules, which an image keeps before it is written."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rootfs_builder.errors import InputError, Mistake
from rootfs_builder.filesystem.root import Root
from rootfs_builder.pipeline import inputs
from rootfs_builder.pipeline.reading import Inputs
from rootfs_builder.plan import Plan

if TYPE_CHECKING:  # imported when there is a policy
    from rootfs_builder.packages import Package
    from rootfs_builder.views.policy import Named
    from rootfs_builder.views.policy.files import Licences

OPTION = "--policy"
_MOST = 1 << 20  # bytes


def read(files: Iterable[str]) -> "tuple[Named, ...]":
    """The rules of all policies.

    Raises:
        NotFoundError, InputError, UsageError: a file is missing, or not a policy.
    """
    return tuple(rule for file in files for rule in _read(file))


def _read(file: str) -> "tuple[Named, ...]":
    from rootfs_builder.views import policy

    data = inputs.beginning(file, (OPTION, file), _MOST + 1)
    if len(data) > _MOST:
        raise InputError(Mistake(OPTION, f"over {_MOST:,} bytes, which no policy has", file))
    return policy.read(inputs.toml_text(data, (OPTION, file)), file)


def enforce(rules: "tuple[Named, ...]", plan: Plan, read: Inputs) -> None:
    """Check the plan of an image; licences are those of the packages in the roots that are `read`.

    Raises:
        PolicyError: what breaks which rule.
    """
    if not rules:
        return
    from rootfs_builder.views.policy import checking

    inherited = "" if read.base is None else read.base.image.config.config.user or ""
    user = plan.user or inherited
    told = licences(None, read.sources)
    checking.enforce(checking.check(rules, plan, place="", user=user, licences=told), OPTION)


def licences(plan: Plan | None, root: Root | None = None) -> "Licences":
    """What tells the licences of packages: the databases in a plan, or else those of a root.

    The root is by default this machine; its package counts if it has the same version.
    """
    from rootfs_builder import packages
    from rootfs_builder.plan import PlanRoot

    roots = (None if plan is None else PlanRoot(plan), root or inputs.sources(None))
    owners = [packages.owners(one) for one in roots if one is not None]
    known: dict[Package, tuple[str, ...]] = {}

    def of(package: "Package") -> tuple[str, ...]:
        if package not in known:
            known[package] = next(filter(None, (one.licences(package) for one in owners)), ())
        return known[package]

    return of
