"""Libraries that nothing is linked to, and that are opened: those that a package requires.

Whoever builds a package has its dependencies worked out from what is linked; one on a library that
is not was written down because the program, or the library, loads it with dlopen(3) by a name that
it puts together. Of other sources some such dependencies are older than the program: they count
where a text is seen to do that.

Source: Debian Policy, 8.6; dpkg-shlibdeps(1); Guile Reference Manual, Foreign Libraries; Racket's
`ffi-lib`.
"""

import re
from collections.abc import Iterator

from rootfs_builder.errors import InputError
from rootfs_builder.findings import Code, hint
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, Library, Need
from rootfs_builder.needs.general import settings, standards, strings
from rootfs_builder.packages import Package
from rootfs_builder.paths import SourcePath, decode, name, parent, printable

_LIBRARY = re.compile(r"lib[\w.+-]+\.so\.\d+")
_LISP = re.compile(rb"\((?:dynamic-link|ffi-lib|load-extension|load-foreign-library)[ \n]")
_STEM = re.compile(rb'"(?:/[^"\s]*/)?(?P<stem>lib[\w.+-]+?)(?:\.so)?"')
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


def filled_in(loaded: Loaded, context: Context) -> Iterator[Need]:
    """The libraries beside one that opens them by a name with something filled in.

    Those come for which a word of the image's command line or variables stands; of others
    nobody knows, so they are a hint.
    """
    files, elf_files = context.files, context.elf_files
    hits = elf_files.search(loaded.real, strings.TEMPLATES)
    if not hits or not elf_files.imports(loaded.real, strings.DLOPEN):
        return
    texts = " ".join((*context.arguments, *context.environment.values()))
    words, loads = set(re.split(r"[^\w-]+", texts)), {one.real for one in context.objects}
    shown, idle, chosen = printable(name(loaded.opened)), set[str](), set[str]()
    for hit in hits:
        template = re.escape(decode(hit["name"])).replace("%s", r"(?P<word>[\w-]+)", 1)
        takes = re.compile(template).fullmatch
        for one in files.names(parent(loaded.real)):
            found = takes(one)
            path = f"{parent(loaded.real)}/{one}"
            if found is None or files.covers(path) or files.real(path) in loads:
                continue
            (chosen if found["word"] in words else idle).add(one)
    for one in sorted(chosen):
        yield Library(one, Clue(f"{shown} opens {printable(one)}, which a word chooses"))
    if idle and not chosen:
        text = f"{shown} opens libraries as {decode(hits[0]['name'])}, and these are left out: "
        each = " ".join(f"--include-lib {printable(one)}" for one in sorted(idle))
        yield hint(Code.DLOPEN_LEFT_OUT, f"{text}{each}", loaded.opened)


def of_lisp(path: str, context: Context) -> Iterator[Library]:
    """The libraries that a text opens by names without `.so`, as Guile's modules do."""
    none: tuple[str, ...] = ()
    for stem in context.files.fact(path, "opened by Lisp", tuple[str, ...], _stems, none):
        shown = f"{printable(name(path))} opens {printable(stem)}"
        yield Library(f"{stem}.so", Clue(shown, (path,)), optional=True)


def _stems(data: bytes) -> tuple[str, ...]:
    code = settings.without_comments(data) if _LISP.search(data) else b""
    return tuple(dict.fromkeys(decode(hit["stem"]) for hit in _STEM.finditer(code)))
