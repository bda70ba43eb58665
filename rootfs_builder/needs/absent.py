"""A closure + what is in its image → the packages that the user's programs ask for in vain.

Those that are required are large, or another one may replace them, else they would be there; what
is only recommended or suggested is for some of the users.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.findings import Code, Finding, hint
from rootfs_builder.needs.closure import Closure
from rootfs_builder.needs.general import required
from rootfs_builder.packages import Owners
from rootfs_builder.paths import SourcePath, printable

_MOST = 12  # names in a line


def find(
    closure: Closure, there: AbstractSet[str], told: Iterable[Finding], owners: Owners
) -> Iterator[Finding]:
    """Hints for each of the user's packages; the image has the paths that are `there`.

    Of some of the others findings have `told` why they are not.
    """
    programs = [
        SourcePath(one.real) for one in closure.programs if one.by is None and in_system(one.real)
    ]
    known = required.known(there, told)
    for optional in (False, True):
        named = dict[str, list[str]]()
        try:
            for package, other in required.absent(programs, known, owners, optional=optional):
                named.setdefault(package.name, []).append(other.name)
        except InputError:  # which others say
            return
        asks = "recommends or suggests" if optional else "requires"
        for one, others in named.items():
            yield _hint(one, asks, others)


def _hint(package: str, asks: str, others: list[str]) -> Finding:
    shown = " ".join(map(printable, sorted(others)[:_MOST]))
    more = f" and {len(others) - _MOST} more" if len(others) > _MOST else ""
    text = (
        f"the image has no file of some packages that {printable(package)} {asks}: {shown}{more}; "
        "if the program needs one: --with packages=NAME"
    )
    return hint(Code.PACKAGES_LEFT_OUT, text)
