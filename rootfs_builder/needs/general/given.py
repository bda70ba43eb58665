"""If the user packs a script, its package decides what others of the same source need.

A start script may be of a package that holds what several programs share, and require little.
"""

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs.finder import Context
from rootfs_builder.needs.general.belongings import Belongings
from rootfs_builder.packages import Package


class Given:
    """Answers for the process of one context."""

    def __init__(self, context: Context, belongings: Belongings) -> None:
        reals = (context.files.real(one.path) for one in context.given)
        owners = (belongings.owner(one) for one in reals if one and in_system(one))
        self.packages = tuple(dict.fromkeys(one for one in owners if one is not None))

    def speaks_for(self, owner: Package | None) -> Package | None:
        """The package of the user's script that is of the source of another one, or that one."""
        same = (one for one in self.packages if owner and one.source == owner.source)
        return next(same, owner)
