"""A closure + what is in its image → the packages that the user's programs require in vain.

Whoever built a package wrote down what it cannot do without. Where nothing of such a package came,
no file has shown what it is for: a back end that is loaded by a computed name, a program that is
looked for at run time. Much is required by the scripts that run when a package is installed, by
other programs of the package, or of every system; that is left out as far as it shows.

Source: Debian Policy, 2.5 and 7.2.
"""

import re
from collections.abc import Container, Iterator

from rootfs_builder.errors import InputError
from rootfs_builder.findings import Code, Finding, hint
from rootfs_builder.needs.closure import Closure
from rootfs_builder.needs.general import packages, standards
from rootfs_builder.packages import Owners, Package
from rootfs_builder.paths import name, parent, printable

_LIBRARY = re.compile(r"lib.+\.so\.[\d.]+")  # the loader knows who needs it


def find(closure: Closure, there: Container[str], owners: Owners) -> Iterator[Finding]:
    """A hint for each of the user's packages; the image has the paths that are `there`."""
    try:
        programs = (one.real for one in closure.programs if one.by is None)
        known = dict.fromkeys(owners.of_all(programs).packages.values())
        for one in known:
            if one is not None:
                yield from _hint(one, there, owners)
    except InputError:  # which others say
        return


def _hint(package: Package, there: Container[str], owners: Owners) -> Iterator[Finding]:
    scripts = owners.installation(package)
    absent = sorted(
        other.name
        for other in packages.behind(owners.related(package).required, owners)
        if other.source != package.source
        and not owners.related(other).expected
        and _is_absent(other, there, owners, scripts)
    )
    if absent:
        shown = " ".join(map(printable, absent))
        text = (
            f"{printable(package.name)} requires these packages, of which nothing is in the image: "
            f"{shown}; if the program needs one: --with packages=NAME"
        )
        yield hint(Code.PACKAGES_LEFT_OUT, text)


def _is_absent(package: Package, there: Container[str], owners: Owners, scripts: str) -> bool:
    """Whether nothing of a package came, though a program might need it."""
    for path in owners.files(package):
        if path in there or _LIBRARY.fullmatch(name(path)) or standards.is_interpreter(path):
            return False
        is_command = standards.is_crowded(parent(path))
        if is_command and re.search(rf"(?<![\w/.-]){re.escape(name(path))}(?![\w.-])", scripts):
            return False
    return True
