"""The modules that packages have for what they load: a library's own, and those among others'.

A library's own are installed wherever it is. One that is linked to a library which the process has
not is for those who ask: a hint tells of the others' directory. A program's own may lie in a
directory of plugins that it shares with others, as those of Qt do: no text spells out their path.
"""

from collections.abc import Iterable, Iterator

from rootfs_builder.errors import InputError
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need
from rootfs_builder.needs.general import left_out, standards
from rootfs_builder.needs.general.modules import is_module
from rootfs_builder.needs.general.places import Place
from rootfs_builder.packages import Kin
from rootfs_builder.paths import SourcePath, decode, name, parent, printable

_MOST_BYTES = 8 << 20  # of one directory
_PLUGINS = "plugins"
_CHOSEN = ("libcrypto.so.",)  # by name, in settings: the rules of OpenSSL read those


def of(loaded: Loaded, places: Iterable[Place], kin: Kin, context: Context) -> Iterator[Need]:
    """The modules in the directories that a library spells out, and what lies beside them."""
    if name(loaded.opened).startswith(_CHOSEN):
        return
    known = {one.soname or name(one.opened) for one in context.objects}
    for place in places:
        files = [one for one in kin.within(place.real) if parent(one) == place.real]
        modules = [one for one in files if is_module(name(one))]
        if not place.is_directory or standards.is_data(place.path) or not modules:
            continue
        alone = [one for one in modules if _needed(one, context) <= known]
        clue = Clue(
            f"{printable(name(loaded.opened))} names {printable(place.path)}", (place.path,)
        )
        size = sum(_size(one, context) for one in alone)
        if size <= _MOST_BYTES:
            idle = {*modules}.difference(alone)
            for one in sorted({*files} - idle):
                yield File(f"{place.path}/{name(one)}", clue)
        if size > _MOST_BYTES or len(alone) < len(modules):
            got = "it gets those that need no other library" if size <= _MOST_BYTES else ""
            whole = sum(_size(one, context) for one in modules)
            yield left_out.too_large(place.path, len(modules), whole, clue, got)


def shared(kin: Kin, context: Context) -> Iterator[Need]:
    """The modules of a program's packages in directories of plugins that others have, too."""
    files = [one for one in kin.mine if is_module(name(one)) and _PLUGINS in parent(one).split("/")]
    if sum(_size(one, context) for one in files) <= _MOST_BYTES:
        for one in sorted(files):
            clue = Clue(
                f"a package of {printable(context.program.opened)} has {printable(one)}", (one,)
            )
            yield File(one, clue)


def _needed(module: SourcePath, context: Context) -> set[str]:
    """The libraries that a module is linked to."""
    real = context.files.real(module)
    try:
        return {*map(decode, context.elf_files.file(real).needed)} if real is not None else set()
    except InputError:  # a text called so
        return set()


def _size(path: SourcePath, context: Context) -> int:
    node = context.elf_files.root.lstat(path)
    return node.size if node is not None else 0
