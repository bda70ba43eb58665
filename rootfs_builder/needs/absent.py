"""A closure + what is in its image → the packages that the user's programs require in vain.

Whoever built a package wrote down what it cannot do without. Where nothing of such a package came,
no file has shown what it is for: a back end that is loaded by a computed name, a program that is
looked for at run time. Much is required by the scripts that run when a package is installed, by
other programs of the package, or of every system; that is left out as far as it shows.

Source: Debian Policy, 2.5 and 7.2.
"""

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.findings import Code, Finding, hint
from rootfs_builder.needs.closure import Closure
from rootfs_builder.needs.general import packages, standards
from rootfs_builder.packages import Owners, Package
from rootfs_builder.paths import SourcePath, ancestors, name, parent, printable

_LIBRARY = re.compile(r"lib.+\.so\.[\d.]+")  # the loader knows who needs it


def find(
    closure: Closure, there: AbstractSet[str], told: Iterable[Finding], owners: Owners
) -> Iterator[Finding]:
    """A hint for each of the user's packages; the image has the paths that are `there`.

    Of some of the others findings have `told` why they are not.
    """
    programs = [one.real for one in closure.programs if one.by is None and in_system(one.real)]
    called = {name(one) for one in programs}
    known = {path for one in told for path in one.paths if not standards.is_shared(path)} | there
    try:
        for package in dict.fromkeys(owners.of_all(programs).packages.values()):
            if package is not None:
                is_main = any(one.startswith(package.name) for one in called)
                absent = sorted(_absent(package, known, owners, of_source=is_main))
                yield from (_hint(package.name, absent),) if absent else ()
    except InputError:  # which others say
        return


def _hint(package: str, absent: list[str]) -> Finding:
    shown = " ".join(map(printable, absent))
    text = (
        f"the image has no file of some packages that {printable(package)} requires: {shown}; "
        "if the program needs one: --with packages=NAME"
    )
    return hint(Code.PACKAGES_LEFT_OUT, text)


def _absent(
    package: Package, known: AbstractSet[str], owners: Owners, *, of_source: bool
) -> Iterator[str]:
    """The names of the packages that one requires, of which nothing is known.

    Those of its own source count if the program is what the package is about.
    """
    scripts = owners.installation(package)
    for other in packages.behind(owners.related(package).required, owners):
        related = owners.related(other)
        usual = related.essential or related.expected
        usual |= other.source == package.source and not of_source
        if not usual and not any(_accounts(path, known, scripts) for path in owners.files(other)):
            yield other.name


def _accounts(path: SourcePath, known: AbstractSet[str], scripts: str) -> bool:
    """Whether a file of a package says what it is there for, or why it is not."""
    if _LIBRARY.fullmatch(name(path)) or standards.is_interpreter(path):
        return True
    word = rf"(?<![\w/.-]){re.escape(name(path))}(?![\w.-])"
    is_installer = standards.is_crowded(parent(path)) and re.search(word, scripts)
    return bool(is_installer) or not known.isdisjoint((path, *ancestors(path)))
