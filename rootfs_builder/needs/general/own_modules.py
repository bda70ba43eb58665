"""Modules that packages install for their own libraries or programs.

A library's modules come if they need no library that the process and their package lack, but for
small ones of packages that theirs requires; a hint names the directory of the others. A program's
own plugins may lie in a shared plugin directory, such as Qt's, whose path no text contains.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from os.path import splitext

from rootfs_builder.errors import InputError
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need
from rootfs_builder.needs.general import asked, left_out, standards
from rootfs_builder.needs.general.belongings import Belongings
from rootfs_builder.needs.general.modules import is_module, needed
from rootfs_builder.needs.general.places import Place, Places
from rootfs_builder.packages import Kin, Package
from rootfs_builder.paths import SourcePath, ancestors, below, encode, name, parent, printable

_MUCH = 1 << 20  # bytes
_PLUGINS = "plugins"  # a part of the paths of directories that many packages share
_OF_LANGUAGES = re.compile(
    r"/(?:erlang|jvm|lua|node_modules|nodejs|ocaml|perl5?|php|python3?|R|ruby|tcltk)[\d.]*/"
)
_OF_CODE = ("/usr/lib/", "/usr/libexec/")
_CHOSEN = ("libcrypto.so.",)  # by name, in settings: the rules of OpenSSL read those


def may_have(library: str) -> bool:
    """Whether the modules of a library are not chosen by a rule."""
    return not library.startswith(_CHOSEN)


def belongings(context: Context) -> Belongings:
    """Answers for directories of modules, without those that need a further library."""
    return Belongings(context, partial(_idle, context), "it gets those that need no other library")


def is_much_idle(directory: str, context: Context) -> bool:
    """Whether the modules that need a further library are worth a line."""
    found = (context.files.real(one) for one in _idle(context, directory))
    return sum(_size(one, context) for one in found if one is not None) >= _MUCH


def _idle(context: Context, directory: str) -> frozenset[str]:
    """The modules of a directory that need a library which the process and their package lack.

    What a library of their package needs counts, too. Small libraries of packages that theirs
    requires are no reason to leave a module out: tdb.so of libldb2 needs libtdb.
    """
    known = {one.soname or name(one.opened) for one in context.objects}
    modules = (f"{directory}/{one}" for one in context.files.names(directory) if is_module(one))
    libraries = dict[Package | None, tuple[dict[str, SourcePath], dict[str, SourcePath]]]()

    def lacks(module: str) -> bool:
        owner = _owner(module, context)
        if owner not in libraries:
            libraries[owner] = _libraries(owner, context)
        own, others = libraries[owner]
        todo, seen, size = [module], set(known), 0
        while todo:
            more = needed(todo.pop(), context) - seen
            if not more <= own.keys() | others.keys():
                return True
            size += sum(context.files.size(others[one]) for one in more - own.keys())
            seen |= more
            todo += (own.get(one) or others[one] for one in more)
        return size > _MUCH

    return frozenset(filter(lacks, modules))


def _libraries(
    package: Package | None, context: Context
) -> tuple[dict[str, SourcePath], dict[str, SourcePath]]:
    """The files of a package by name, and the libraries of those that it requires."""
    if package is None:
        return {}, {}
    files, related = context.packages.files, context.packages.related(package)
    each = sorted(files(package), key=lambda one: (standards.is_crowded(parent(one)), one))
    others = (one for other in related.required for one in files(other) if ".so" in name(one))
    return {name(one): one for one in each}, {name(one): one for one in others}


def _owner(path: str, context: Context) -> Package | None:
    real = context.files.real(path)
    with suppress(InputError):  # which others say
        return context.packages.of_all((real,)).packages[real] if real else None
    return None


def called(kin: Kin, own: Iterable[Loaded], context: Context) -> Iterator[tuple[Place, Loaded]]:
    """The directories of modules of a source that one of its objects names from a shared one on.

    As `gwyddion/modules`, which is below the directory of libraries. Each comes with who names it.
    """
    there, texts = Places(context), dict[bytes, str]()
    modules = [one for one in kin.own if is_module(name(one))]
    for top in there.private(modules):
        inside = {one for one in map(parent, modules) if below(one, top.path)}
        for directory in inside | {above for one in inside for above in ancestors(one)}:
            tail = directory[len(parent(top.path)) + 1 :]
            if below(directory, top.path) and "/" in tail:
                texts[encode(f"{tail}\0")] = directory
    for loaded in own if texts else ():
        for text in sorted(context.elf_files.contained(loaded.real, texts)):
            place = there.place(texts[text])
            if place is not None and not context.files.covers(place.path):
                yield place, loaded


def required(package: Package, context: Context) -> Iterator[tuple[Place, Package]]:
    """The directories of packages of modules alone that a package cannot do without: back ends.

    They have no command and no library, so nothing is linked to them: who requires them loads them.

    Raises:
        InputError: see Owners.of_all.
    """
    there = Places(context)
    for one in asked.behind(context.packages.related(package).required, context.packages):
        files = context.packages.files(one)
        if any(standards.is_crowded(parent(path)) for path in files):
            continue
        modules = [path for path in files if _is_loaded(path, context)]
        yield from ((place, one) for place in there.private(modules))


def among(files: Iterable[SourcePath], context: Context) -> Iterator[SourcePath]:
    """The modules among files, by their names, or as the first file with their suffix is one."""
    kinds = dict[str, bool]()
    for one in sorted(files):
        suffix = splitext(name(one))[1]
        in_lib = one.startswith(_OF_CODE) and not standards.is_crowded(parent(one))
        if suffix and in_lib and suffix not in kinds:
            kinds[suffix] = not _OF_LANGUAGES.search(one) and _is_shared_object(one, context)
        if is_module(name(one)) or (in_lib and kinds.get(suffix)):
            yield one


def _is_loaded(path: SourcePath, context: Context) -> bool:
    """Whether it is a module, by whatever name, that is not of a language: importers know those."""
    if _OF_LANGUAGES.search(path) or not (is_module(name(path)) or "." not in name(path)):
        return False
    return _is_shared_object(path, context)


def _is_shared_object(path: SourcePath, context: Context) -> bool:
    real = context.files.real(path) if context.files.is_file(path) else None
    with suppress(InputError):  # a script, a text
        return real is not None and context.elf_files.file(real).interpreter is None
    return False


def shared(kin: Kin, context: Context) -> Iterator[Need]:
    """The modules of a program's packages in plugin directories in which others have theirs."""
    covers = context.files.covers
    modules = (one for one in kin.mine if is_module(name(one)) and not covers(one))
    files = [one for one in modules if _is_shared(parent(one), kin, context)]
    shown = f"a package of {printable(context.program.opened)} has"
    if sum(_size(one, context) for one in files) <= standards.MOST_BYTES:
        for one in sorted(files):
            yield File(one, Clue(f"{shown} {printable(one)}", (one,)))
        return
    for directory in sorted({parent(one) for one in files}):
        sizes = [_size(one, context) for one in files if parent(one) == directory]
        clue = Clue(f"{shown} modules in {printable(directory)}", (directory,))
        yield left_out.too_large(directory, len(sizes), sum(sizes), clue)


def _is_shared(directory: str, kin: Kin, context: Context) -> bool:
    """Whether it is a directory of plugins that others share."""
    if _PLUGINS not in directory.split("/"):
        return False
    each = (SourcePath(f"{directory}/{one}") for one in context.files.names(directory))
    return any(one not in kin.own for one in each)


def _size(path: SourcePath, context: Context) -> int:
    node = context.elf_files.root.lstat(path)
    return node.size if node is not None else 0
