"""One Ruby program or library → all that it can require, in $LOAD_PATH and in gems."""

from posixpath import normpath

from msgspec.structs import replace

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs.finder import Text
from rootfs_builder.needs.importers.ruby.gems import EXTENSION, Gem, RubyTexts
from rootfs_builder.needs.importers.ruby.source import Import, Imports, Kind
from rootfs_builder.needs.importers.ruby.values import OWN_NAME
from rootfs_builder.needs.importers.surroundings import Library
from rootfs_builder.needs.importers.walk import Walk
from rootfs_builder.paths import ancestors, below, join, name, parent, printable

_ENDS = ("", ".rb", ".so")  # what `require` puts behind a name
_LEFT_OUT = frozenset(  # of a gem: what only its author needs
    ("benchmark", "doc", "docs", "examples", "ext", "features", "sample", "spec", "test", "tests")
)
_BUILT_IN = frozenset(  # no files, or read when ruby starts
    ("complex", "enumerator", "fiber", "rational", "rubygems", "thread")
)
_OF_GEMS = ("bundler", "rubygems")  # which load gems
_BUNDLES = ("Gemfile.lock", "gems.locked")


class RubyWalk(Walk):
    """`options` is what ruby's own options require."""

    tools = (
        ("debug",),
        ("irb",),
        ("minitest",),
        ("mkmf",),
        ("racc",),
        ("rake",),
        ("rbs",),
        ("rdoc",),
        ("test",),
        ("typeprof",),
    )

    def __init__(self, texts: RubyTexts, options: Imports, text: Text | None = None) -> None:
        """`text` is None for the options alone."""
        super().__init__(texts, text, "ruby")
        self._texts = texts
        self._options = options
        self._gems = set[Gem]()
        self._by_kind = {
            Kind.BESIDE: self._beside,
            Kind.COMMAND: self._command,
            Kind.FAMILY: self._family,
            Kind.FEATURE: self._feature,
            Kind.GEM: self._gem,
            Kind.MAYBE: self._feature,
            Kind.PERHAPS: self._perhaps,
        }

    def _begin(self) -> None:
        self._gems.clear()
        for one in self._options:
            self._follow("", one)

    def _is_text(self, path: str) -> bool:
        return path.endswith(EXTENSION) or self._texts.is_ruby(path)

    def _read(self, path: str) -> None:
        base = name(path)
        if base in ("Gemfile", "gems.rb"):
            self._bundle(path)
        for one in self._texts.imports(path):
            self._follow(path, one)

    def _follow(self, path: str, one: Import) -> None:
        """Take what one import means."""
        if one.kind in self._by_kind:
            self._by_kind[one.kind](path, one)
        elif one.kind is Kind.COMPUTED:
            self._computed(path)
        elif one.kind is Kind.BUNDLE:
            self._bundle(path)
        elif one.kind in (Kind.LINE, Kind.PROGRAM):
            self._run(path, one.name, is_line=one.kind is Kind.LINE)
        elif one.kind is not Kind.REQUIRE_PATH:
            for place in self._placed(path, one.name):
                self._at(path, place, one.kind)

    def _perhaps(self, path: str, one: Import) -> None:
        for need in self._around.commands.perhaps(one.name, path, self._path):
            self._started.setdefault(need.path, need)

    def _at(self, path: str, place: Library, kind: Kind) -> None:
        if kind is Kind.LIBRARY:
            self._library(place)
        elif kind is Kind.FILES:
            names = () if place.path in self._around.shared else self._files.names(place.path)
            for base in names:
                file = join(place.path, base)
                if self._files.is_file(file) and self._is_text(file):
                    self._need(file, place, path, file)
            self._place(path, place)
        else:
            self._place(path, place)

    # --- features ---

    def _feature(self, path: str, one: Import) -> None:
        one = replace(one, name=one.name.replace(OWN_NAME, name(path)))
        if one.kind is Kind.MAYBE and self._texts.is_core(path):
            return
        if one.guarded and self._is_aside(path, one.name.split("/")):
            return
        if one.name.partition(".")[0] in _BUILT_IN or not one.name:
            return
        found = False
        for end in _ENDS:
            part = normpath(one.name) + end
            for library in self._found(part):
                found = True
                if one.kind is not Kind.MAYBE or not library.core:
                    self._load(library, part, path, one.name)
            for gem, directory in self._texts.providers(one.name):
                file = join(directory, part)
                if self._files.is_file(file):
                    found = True
                    self._activate(gem, path)
                    self._todo_if_text(file)
        if not found and not one.guarded:
            remedy = "install it, or --add the directory that has it and set RUBYLIB"
            what = f"the Ruby library {printable(one.name)}"
            self._lacks(path, one.line, what, remedy, f"{one.name.removesuffix('.rb')}.rb")

    def _todo_if_text(self, file: str) -> None:
        if self._is_text(file):
            self._todo.append(file)

    def _load(self, library: Library, part: str, by: str, what: str) -> None:
        """Take a file; outside the core library all of the directory that is called as it."""
        self._need(join(library.path, part), library, by, what)
        if library.core or library.whole:
            return
        top = part.partition("/")[0].removesuffix(".rb").removesuffix(".so")
        for one in self._all():
            if not one.core and self._files.kind(join(one.path, top)) == "dir":
                self._need(join(one.path, top), one, by, what)
        words = what.removesuffix(".rb").split("/")
        for count in range(1, len(words) + 1):
            for gem in self._texts.gems.get("-".join(words[:count]), ()):
                self._activate(gem, by)

    def _family(self, path: str, one: Import) -> None:
        """All features below a directory, of the core library only what is read as it is."""
        part = normpath(one.name)
        for library in self._found(part, "dir"):
            for file in self._below(join(library.path, part)) if not library.core else ():
                if file.endswith((".rb", ".so")):
                    self._load(library, file[len(library.path) + 1 :], path, one.name)
        for gem, directory in self._texts.providers(one.name):
            if gem in self._gems:
                for file in self._below(join(directory, part)):
                    self._todo_if_text(file)

    def _computed(self, path: str) -> None:
        """All of a part of the core library that computes what it loads, as irb its messages."""
        for library in self._all():
            part, _, rest = path[len(library.path) + 1 :].partition("/")
            if library.core and below(path, library.path) and rest and part not in _OF_GEMS:
                self._need(
                    join(library.path, part), library, path, "what it computes", follow=False
                )

    def _beside(self, path: str, one: Import) -> None:
        for place in self._placed(path, one.name):
            for end in _ENDS:
                if self._files.is_file(place.path + end):
                    self._need(place.path + end, place, path, name(place.path))

    # --- gems ---

    def _gem(self, path: str, one: Import) -> None:
        found = self._texts.gems.get(one.name, ())
        for gem in found:
            self._activate(gem, path)
        if not found and not one.guarded and not path.endswith(".gemspec"):
            remedy = "install it, or --add the directory of gems that has it and set GEM_PATH"
            self._lacks(path, one.line, f"the gem {printable(one.name)}", remedy, one.name)

    def _command(self, path: str, one: Import) -> None:
        """A program of a gem, in the directory that its author has chosen for programs."""
        gem_name, _, base = one.name.partition(" ")
        for gem in self._texts.gems.get(gem_name, ()):
            for part in ("bin", "exe", "libexec"):
                file = f"{gem.home}/gems/{gem.full}/{part}/{base}"
                if self._files.is_file(file):
                    self._own.add(file)
                    self._need(file, Library(gem.home), path, base)

    def _activate(self, gem: Gem, by: str) -> None:
        """Take a gem, and by its specification those that it depends on."""
        if gem in self._gems:
            return
        self._gems.add(gem)
        library = Library(gem.home)
        self._need(gem.specification, library, by, f"the gem {gem.name}")
        directory = f"{gem.home}/gems/{gem.full}"
        for base in self._files.names(directory):
            if base not in _LEFT_OUT:
                self._need(join(directory, base), library, by, f"the gem {gem.name}", follow=False)
        for extension in self._texts.extensions(gem):
            self._need(extension, library, by, f"the gem {gem.name}")
        for feature in dict.fromkeys((gem.name, gem.name.replace("-", "/"))):
            self._feature(gem.specification, Import(Kind.MAYBE, feature, 0, guarded=True))

    def _bundle(self, path: str) -> None:
        """The gems that a Gemfile.lock says, beside the text or above, where the program starts."""
        starts = [parent(path), *ancestors(parent(path))] if path else []
        for directory in (*starts, self._texts.directory):
            if in_system(directory) and directory != self._texts.directory:
                continue
            for base in (*_BUNDLES, "Gemfile", "gems.rb"):
                file = join(directory, base)
                if self._files.is_file(file):
                    self._need(file, Library(directory, parent(path)), path, base)
                    if base in _BUNDLES:
                        self._locked(file)

    def _locked(self, path: str) -> None:
        """The gems of a Gemfile.lock: `    NAME (VERSION)` below `specs:`."""
        lines = (self._files.read(path) or b"").decode("utf-8", "replace").splitlines()
        for number, line in enumerate(lines, 1):
            words = line.split()
            if line.startswith("    ") and line[4:5].strip() and len(words) > 1:
                full = f"{words[0]}-{words[1].strip('()')}"
                known = self._texts.gems.get(words[0], [])
                for gem in [one for one in known if one.full == full] or known:
                    self._activate(gem, path)
                if not known:
                    remedy = "install it, or --add the directory of gems that has it"
                    self._lacks(path, number, f"the gem {printable(words[0])}", remedy, words[0])
