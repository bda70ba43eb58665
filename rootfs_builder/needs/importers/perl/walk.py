"""One Perl program or module → all that it can load, in the directories of its own @INC."""

import re
from collections.abc import Iterator
from posixpath import normpath

from rootfs_builder.needs.finder import Text
from rootfs_builder.needs.importers.perl.imports import Import, Imports, Kind
from rootfs_builder.needs.importers.perl.texts import PerlTexts
from rootfs_builder.needs.importers.surroundings import Library
from rootfs_builder.needs.importers.walk import MARKS, Walk
from rootfs_builder.paths import ancestors, below, decode, join, parent, printable

_IN_ITSELF = re.compile(rb"search_path[\s=>\[]+__PACKAGE__")
_FINDERS = frozenset(("Module::Find", "Module::Pluggable", "Module::Pluggable::Object"))
_WORD = re.compile(rb"""(?<=['"])\w{2,}(?=['"])""")
_SCRIPT = "main"  # the package of what is no module
_MOST_OWN = 100  # modules: of more a script loads few
_CODE = (".pm", ".pl", ".pod", ".al", ".h", ".a", ".ix", ".t", ".PL", ".pmc")


class PerlWalk(Walk):
    """`options` is what perl's own options load."""

    tools = (
        ("CPAN",),
        ("ExtUtils",),
        ("Module", "Build"),
        ("Module", "CoreList"),
        ("TAP",),
        ("Test",),
        ("Test2",),
    )

    def __init__(
        self,
        texts: PerlTexts,
        options: Imports,
        text: Text | None = None,
        *,
        named: Imports = (),
        by: str = "",
    ) -> None:
        """`text` is None for the options alone, or for what is `named` by a configuration."""
        super().__init__(texts, text, "perl")
        self._named, self._by = named, by
        self._texts = texts
        self._options = options
        self._quoted = dict[str, frozenset[str]]()
        self._perhaps = dict[str, tuple[Library, str, str, str]]()
        self._loaded = set[tuple[str, str]]()
        self._required = set[str]()  # files that are Perl, whatever they are called
        self._packages = {one.name for one in options if one.kind is Kind.PACKAGE}

    def _begin(self) -> None:
        self._loaded.clear()
        for one in self._options:
            self._follow("", one)
        for one in self._named:
            self._follow(self._by, one)

    def _more(self) -> bool:
        """Of what was named by others the modules of packages of which something is loaded."""
        owner = self._around.commands.owner
        packages = {owner(one) for one in self._needs} if self._perhaps else set()
        come = [one for one in self._perhaps if owner(one) in packages]
        for one in come:
            self._load(*self._perhaps.pop(one))
        return bool(come)

    def _end(self) -> None:
        declared = tuple(f"\0{_file_of(one)}" for one in self._packages)
        for key in [one for one in self._findings if one.endswith(declared)]:
            del self._findings[key]

    def _is_text(self, path: str) -> bool:
        return path.endswith(".so") or path in self._required or self._texts.is_perl(path)

    def _read(self, path: str) -> None:
        if path.endswith(".so"):
            for module in self._texts.loaded_by(path):
                self._maybe(path, Import(Kind.MAYBE, module, 0))
            return
        imports = self._texts.imports(path)
        for one in imports:
            end = f"/{_file_of(one.name)}"
            if one.kind is Kind.PACKAGE:
                self._packages.add(one.name)
                if path == self._path and path.endswith(end):
                    self._library(Library(path.removesuffix(end)), whole=False)
        if any(one.name == "Module::Pluggable" for one in imports):
            packages = [one for one in imports if one.kind is Kind.PACKAGE]
            in_itself = _IN_ITSELF.search(self._files.read(path) or b"")
            end = "" if in_itself else "::Plugin"  # where it looks unless it is told
            for one in packages:
                self._family(path, Import(Kind.FAMILY, f"{one.name}{end}", one.line))
        for one in imports:
            self._follow(path, one)

    def _follow(self, path: str, one: Import) -> None:
        """Take what one import means."""
        one = self._texts.configured(one)
        if one.kind is Kind.MODULE:
            self._module(path, one)
        elif one.kind is Kind.MAYBE:
            self._maybe(path, one)
        elif one.kind in (Kind.FAMILY, Kind.PLUGINS):
            self._family(path, one)
        elif one.kind is Kind.FILE:
            self._file(path, one)
        elif one.kind is Kind.SHARE:
            self._share(path, one)
        elif one.kind in (Kind.COMMAND, Kind.PROGRAM, Kind.PERHAPS):
            self._starts(path, one)
        elif one.kind is not Kind.PACKAGE:
            for place in self._placed(path, one.name):
                if one.kind is Kind.LIBRARY:
                    self._library(place)
                else:
                    self._place(path, place)

    def _starts(self, path: str, one: Import) -> None:
        """A program, or what only seems to be one."""
        if one.kind is not Kind.PERHAPS:
            self._run(path, one.name, is_line=one.kind is Kind.COMMAND)
        elif not self._texts.is_core(path):
            for need in self._around.commands.perhaps(one.name, path, self._path):
                self._started.setdefault(need.path, need)

    def _module(self, path: str, one: Import) -> None:
        if one.guarded and self._is_aside(path, one.name.split("::")):
            return
        part = _file_of(one.name)
        found = [*self._found(part)]
        if not found and not one.guarded and not path.endswith(".t"):
            remedy = "install it, or --add the directory that has it and set PERL5LIB"
            what = f"the Perl module {printable(one.name)}"
            self._lacks(path, one.line, what, remedy, part)
        for library in found:
            if library.core or not self._texts.is_core(path):
                self._load(library, part, path, one.name)
            else:  # a class for who has more than Perl: Pod::Perldoc::ToTk
                self._load_if_declared(library, join(library.path, part), path, one)
        if one.name == "diagnostics":  # it reads the texts of all messages from there
            for library in self._found("pod/perldiag.pod"):
                self._need(join(library.path, "pod/perldiag.pod"), library, path, one.name)

    def _maybe(self, path: str, one: Import) -> None:
        """A text that names a module, or where plugins are looked for.

        In the core library these are lists of all there are, and names of classes that others load;
        but those of a module's own family, which the rule may leave out, it loads itself. Of other
        packages it is one that the text's own needs: others name what would do, too.
        """
        is_core = self._texts.is_core(path)
        if is_core and not self._is_family(path, one.name):
            return
        found = [*self._found(_file_of(one.name))]
        for library in found:
            file = join(library.path, _file_of(one.name))
            if is_core or not library.core:
                self._load_if_declared(library, file, path, one)
        relative = self._relative(path, _file_of(one.name)) if "::" in one.name else ()
        for library, file in () if found else relative:
            if file not in self._needs and self._files.is_file(file):
                self._load(library, file[len(library.path) + 1 :], path, one.name)
        is_source = path != self._by and not path.endswith(".so")
        imports = self._texts.imports(path) if is_source else ()
        computes = any(each.kind is Kind.FAMILY for each in imports)
        if (computes and not found) or any(each.name in _FINDERS for each in imports):
            self._family(path, one)
        self._chosen(path, one)

    def _relative(self, path: str, part: str) -> Iterator[tuple[Library, str]]:
        """Where a name leads behind the beginning of the name of the text's own module.

        So `PE::Header` in Win32::Exe::PE is Win32::Exe::PE::Header.
        """
        for library in (one for one in self._all() if below(path, one.path) and not one.core):
            for above in (path.removesuffix(".pm"), *ancestors(path)):
                if below(above, library.path) and above != library.path:
                    yield library, join(above, part)

    def _chosen(self, path: str, one: Import) -> None:
        """The modules of a family that a module names, and it or the script quotes the last part.

        So `Plack::Handler` in Plack::Loader, and 'FCGI' in the script, are Plack::Handler::FCGI.
        """
        part = one.name.replace("::", "/")
        for library in self._found(part, "dir") if path != self._path else ():
            quoted = self._last_parts(self._path) | self._last_parts(path)
            for last in quoted.intersection(self._files.names(join(library.path, part))):
                self._load_if_declared(library, f"{join(library.path, part)}/{last}", path, one)

    def _last_parts(self, path: str) -> frozenset[str]:
        """The files of modules of which a text quotes the last part."""
        if path not in self._quoted:
            text = (self._files.read(path) or b"") if path else b""
            self._quoted[path] = frozenset(f"{decode(one)}.pm" for one in _WORD.findall(text))
        return self._quoted[path]

    def _is_family(self, path: str, module: str) -> bool:
        """Whether a module has the first name of the one that a text of the core library is."""
        tops = (one.path for one in self._all() if one.core and below(path, one.path))
        first = module.partition("::")[0]
        return any(path[len(top) + 1 :].startswith((f"{first}/", f"{first}.")) for top in tops)

    def _load(self, library: Library, part: str, by: str, what: str) -> None:
        """Take a file of code; of a module outside the core library what belongs to it, too."""
        if (library.path, part) in self._loaded:
            return
        self._loaded.add((library.path, part))
        self._need(join(library.path, part), library, by, what)
        if library.core or not part.endswith(".pm") or library.whole:
            return
        module = part.removesuffix(".pm")
        for one in self._all():
            directory = f"{one.path}/auto/{module}"
            for base in self._files.names(directory):
                if self._files.is_file(join(directory, base)):
                    self._need(join(directory, base), one, by, what)
        self._data(library, module, by, what)
        for last in self._parts(join(library.path, module)):
            self._load(library, f"{module}/{last}.pm", by, what)

    def _data(self, library: Library, directory: str, by: str, what: str) -> None:
        """What is no code below a directory that modules have for themselves."""
        for data in self._below(join(library.path, directory)):
            if not data.endswith(_CODE):
                self._need(data, library, by, what)

    def _parts(self, module: str) -> list[str]:
        """Modules below another of which that has the last name as a word, to choose among them.

        So `implementations => ["XS", "PP"]` in Foo.pm stands for Foo::XS and Foo::PP.
        """
        if module not in self._texts.parts:
            names = {one[:-3] for one in self._files.names(module) if one.endswith(".pm")}
            text = (self._files.read(f"{module}.pm") or b"") if names else b""
            words = {decode(one) for one in re.findall(rb"(?<=['\"\s(])\w+(?=['\"\s),])", text)}
            self._texts.parts[module] = sorted(names & words)
        return self._texts.parts[module]

    def _family(self, path: str, one: Import) -> None:
        """All modules whose names begin with one; of the core library those of its own family.

        Those of other packages count where the text's own needs them, or all are plugins.
        """
        is_core = self._texts.is_core(path)
        if is_core and not self._is_family(path, one.name):
            return
        if one.name == _SCRIPT:
            self._any(path, one)
            return
        part = one.name.replace("::", "/")
        part, begin = (parent(part), part[:-1]) if part.endswith("*") else (part, part)
        found = [(one, join(one.path, begin)) for one in self._found(part, "dir")]
        for library, at in found or self._relative(path, begin):
            if library.core and not is_core:
                continue
            kinds = (".pm",) if library.core else (".pm", ".pl")  # ExifTool's Writer.pl
            for file in self._below(at if part == begin else parent(at)):
                if file.endswith(kinds) and file.startswith(at):
                    self._load_if_declared(library, file, path, one)

    def _any(self, path: str, one: Import) -> None:
        """The modules of the package that a script is of, which loads one that it is told."""
        files = sorted(file for file in self._around.commands.beside(path) if file.endswith(".pm"))
        if len(files) > _MOST_OWN or self._texts.is_core(path):
            return
        for library in self._all():
            for file in files:
                if below(file, library.path) and not library.core:
                    self._load(library, file[len(library.path) + 1 :], path, one.name)

    def _load_if_declared(self, library: Library, file: str, path: str, one: Import) -> None:
        """Take a plugin, or a module that the text's package needs; others perhaps later."""
        part = file[len(library.path) + 1 :]
        is_plugin = one.kind is Kind.PLUGINS
        if is_plugin or self._around.commands.declares(path, file, self._path):
            self._load(library, part, path, one.name)
        else:
            self._perhaps[file] = (library, part, path, one.name)

    def _file(self, path: str, one: Import) -> None:
        """What `require` or `do` reads: by its path, in @INC, or beside."""
        if one.name.startswith(("/", *MARKS)):
            for place in self._placed(path, one.name):
                self._take(place.path, place, path, one.name)
            return
        part = normpath(one.name)
        found = [*self._found(part)]
        for library in found:
            self._required.add(join(library.path, part))
            self._load(library, part, path, one.name)
            if "/" in part and not library.core and not part.endswith(".pm"):
                self._data(library, parent(part), path, one.name)
        if not found:
            starts = [Library(parent(path), parent(path))] if path else []
            for place in (*starts, Library(self._texts.directory)):
                self._take(normpath(f"{place.path}/{part}"), place, path, one.name)

    def _take(self, file: str, place: Library, by: str, what: str) -> None:
        if self._files.is_file(file):
            self._required.add(file)
            self._need(file, place, by, what)

    def _share(self, path: str, one: Import) -> None:
        base = one.name.replace("::", "-")
        for part in (f"auto/share/dist/{base}", f"auto/share/module/{base}"):
            for library in self._found(part, "dir"):
                self._need(join(library.path, part), library, path, part)


def _file_of(module: str) -> str:
    """The file of a module, within @INC."""
    return f"{module.replace('::', '/')}.pm"
