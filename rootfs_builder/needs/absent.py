"""A closure + what is in its image → the packages that the user's programs require in vain.

Those that are large, or that another one may replace, are not included.
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


def find(
    closure: Closure, there: AbstractSet[str], told: Iterable[Finding], owners: Owners
) -> Iterator[Finding]:
    """A hint for each of the user's packages; the image has the paths that are `there`.

    Of some of the others findings have `told` why they are not.
    """
    programs = [
        SourcePath(one.real) for one in closure.programs if one.by is None and in_system(one.real)
    ]
    named = dict[str, list[str]]()
    try:
        for package, other in required.absent(programs, required.known(there, told), owners):
            named.setdefault(package.name, []).append(other.name)
    except InputError:  # which others say
        return
    for one, others in named.items():
        shown = " ".join(map(printable, sorted(others)))
        text = (
            f"the image has no file of some packages that {printable(one)} requires: {shown}; "
            "if the program needs one: --with packages=NAME"
        )
        yield hint(Code.PACKAGES_LEFT_OUT, text)
