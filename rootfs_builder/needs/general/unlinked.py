"""Libraries that a package requires and that nothing of it is linked to.

Whoever builds a package has its dependencies worked out from what is linked; one on a library that
is not was written down because the program, or the library, loads it with dlopen(3) by a name that
it puts together. Of other sources some such dependencies are older than the program: they count
where a text is seen to do that.

Source: Debian Policy, 8.6; dpkg-shlibdeps(1).
"""

import re
from collections.abc import Iterator

from rootfs_builder.errors import InputError
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, Library
from rootfs_builder.needs.general import standards
from rootfs_builder.packages import Package
from rootfs_builder.paths import SourcePath, decode, name, parent, printable

_LIBRARY = re.compile(r"lib[\w.+-]+\.so\.\d+")
_MOST = 40  # files of a package that may be linked


def of(package: Package, context: Context, *, of_others: bool = False) -> Iterator[Library]:
    """The libraries of those packages, of its source alone or `of_others` too."""
    try:
        related = context.packages.related(package)
        required = {*related.required} & {*(related.required if of_others else related.same)}
        each = {one: _libraries(context.packages.files(one)) for one in required}
        if not any(each.values()):
            return
        linked = _linked(context.packages.files(package), context)
    except InputError:  # which others say
        return
    if linked is None:
        return
    linked |= {name(one.opened) for one in context.objects}
    linked |= {one.soname for one in context.objects if one.soname}
    for one, libraries in sorted(each.items()):
        if libraries and linked.isdisjoint(libraries):
            shown = f"{printable(package.name)} requires {printable(one.name)}"
            for library in libraries:
                yield Library(library, Clue(f"{shown}, to which nothing is linked"), optional=True)


def _libraries(files: frozenset[SourcePath]) -> list[str]:
    """The names, as of SONAMEs, of a package's libraries that the loader finds."""
    names = (name(one) for one in files if standards.is_crowded(parent(one)))
    return sorted(one for one in names if _LIBRARY.fullmatch(one))


def _linked(files: frozenset[SourcePath], context: Context) -> set[str] | None:
    """What the programs and libraries of a package are linked to; None where they are too many."""
    found = set[str]()
    elf = [one for one in sorted(files) if ".so" in name(one) or context.files.may_execute(one)]
    if len(elf) > _MOST:
        return None
    for one in filter(None, map(context.files.real, elf)):
        try:
            found.update(map(decode, context.elf_files.file(one).needed))
        except InputError:  # a script
            continue
    return found
