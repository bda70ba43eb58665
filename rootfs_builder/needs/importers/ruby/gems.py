"""What one process of ruby sees: its $LOAD_PATH, the gems that are installed, texts in Ruby.

A directory of gems has specifications/NAME-VERSION.gemspec, gems/NAME-VERSION and
extensions/PLATFORM/ABI/NAME-VERSION. RubyGems has some of its own, distributions and the user more.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property

from msgspec import Struct

from rootfs_builder.errors import ElfError
from rootfs_builder.needs.finder import Context
from rootfs_builder.needs.importers.ruby import source
from rootfs_builder.needs.importers.ruby.source import Import, Imports, Kind
from rootfs_builder.needs.importers.surroundings import Surroundings, compiled_in, kind_of
from rootfs_builder.paths import below, decode, name, parent

_DIRECTORY = rb"\x00(?P<directory>/[\w/.+-]*ruby[\w/.+-]*)(?=\x00)"
_LIBRARY = r"libruby[\w.-]*\.so\."
_CORE = ("rbconfig.rb", "set.rb")  # what only the core library has
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_SPEC = re.compile(r"(?P<gem>.+?)-(?P<version>\d[\w.]*(?:-[\w.-]+)?)\.gemspec")
_SHARE = "/usr/share"
_SHARED = (f"{_SHARE}/rubygems-integration/all", f"{_SHARE}/gems", "/usr/local/share/gems")
_SUFFIXES = (".gemspec", ".rake", ".rb", ".ru")
_NAMES = ("Gemfile", "Rakefile", "config.ru", "gems.rb")
_SCRIPTS = ("", ".cgi", ".fcgi")
EXTENSION = ".so"
_REQUIRES = frozenset((b"rb_require",))
_FEATURE = rb"\x00(?P<feature>[A-Za-z]\w*(?:/\w+)*(?:\.rb)?)(?=\x00)"
_FACT = "ruby-imports v13"


class Gem(Struct, frozen=True):
    """A gem that is installed in the directory of gems `home`; `full` is its name and version."""

    name: str
    full: str
    home: str
    specification: str


class RubyTexts(Surroundings):
    """Answers for one process."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, compiled_in(context, _DIRECTORY, _LIBRARY, _CORE))
        self._known = dict[str, Imports]()

    def is_core(self, path: str) -> bool:
        """Whether a text comes with the interpreter: bundled gems do, too."""
        return super().is_core(path) or any(below(path, one) for one in self._bundled)

    @cached_property
    def _bundled(self) -> frozenset[str]:
        core = ((parent(one.path), name(one.path)) for one in self.libraries if one.core)
        return frozenset(f"{base}/gems/{version}" for base, version in core)

    def is_ruby(self, path: str) -> bool:
        """Whether a file is in Ruby, by its name or its first line."""
        base = name(path)
        suffix = kind_of(base)
        if suffix in _SUFFIXES or base in _NAMES:
            return True
        if suffix not in _SCRIPTS:
            return False
        return self.is_for(self.files.head(path, 512), b"ruby")

    def imports(self, path: str) -> Imports:
        """What a text or an extension requires; nothing of one that cannot be read."""
        if path not in self._known:
            self._known[path] = self._read(path)
        return self._known[path]

    def _read(self, path: str) -> Imports:
        if path.endswith(EXTENSION):
            return tuple(self._compiled(path))
        none: Imports = ()
        return self.files.fact(path, _FACT, Imports, source.read, none)

    def _compiled(self, path: str) -> Iterator[Import]:
        """What an extension may require: whole strings, if it calls rb_require(3)."""
        elf_files, real = self.context.elf_files, self.files.real(path)
        with suppress(ElfError):  # for another machine, or damaged
            if real is not None and elf_files.imports(real, _REQUIRES):
                for hit in elf_files.search(real, _FEATURE):
                    yield Import(Kind.MAYBE, decode(hit["feature"]), 0, guarded=True)

    @cached_property
    def gems(self) -> dict[str, list[Gem]]:
        """The gems by their names."""
        found = dict[str, list[Gem]]()
        for home in dict.fromkeys(self._homes()):
            for directory in ("specifications", "specifications/default"):
                for base in self.files.names(f"{home}/{directory}"):
                    spec = _SPEC.fullmatch(base)
                    if spec is not None:
                        full, path = base.removesuffix(".gemspec"), f"{home}/{directory}/{base}"
                        found.setdefault(spec["gem"], []).append(Gem(spec["gem"], full, home, path))
        return found

    @cached_property
    def _providers(self) -> dict[str, list[tuple[Gem, str]]]:
        """The gems and their directories that have a first part of features."""
        found = dict[str, list[tuple[Gem, str]]]()
        for gem in (one for each in self.gems.values() for one in each):
            for directory in self.require_paths(gem):
                for base in self.files.names(directory):
                    found.setdefault(base.partition(".")[0], []).append((gem, directory))
        return found

    def providers(self, feature: str) -> Iterator[tuple[Gem, str]]:
        """The gems that may have a feature, each with a directory of its features."""
        yield from self._providers.get(feature.partition("/")[0].partition(".")[0], ())

    def require_paths(self, gem: Gem) -> Iterator[str]:
        """The directories of features of a gem."""
        parts = [
            one.name for one in self.imports(gem.specification) if one.kind is Kind.REQUIRE_PATH
        ]
        for part in parts or ["lib"]:
            yield f"{gem.home}/gems/{gem.full}/{part}"
        yield from self.extensions(gem)

    def extensions(self, gem: Gem) -> Iterator[str]:
        """The directories of what is compiled of a gem."""
        top = f"{gem.home}/extensions"
        for platform in self.files.names(top):
            for abi in self.files.names(f"{top}/{platform}"):
                path = f"{top}/{platform}/{abi}/{gem.full}"
                if self.files.kind(path) == "dir":
                    yield path

    def _homes(self) -> Iterator[str]:
        """The directories of gems: those of the variables, the interpreter's, the user's own."""
        environment = self.context.environment
        for variable in ("GEM_HOME", "GEM_PATH"):
            yield from (one for one in environment.get(variable, "").split(":") if one)
        for library in self.libraries:
            base, version = parent(library.path), name(library.path)
            if _VERSION.fullmatch(version):
                yield f"{base}/gems/{version}"
                for top in (parent(base), _SHARE):
                    yield f"{top}/rubygems-integration/{version}"
                yield f"/var/lib/gems/{version}"
        yield from _SHARED
        for path in sorted(self.added):
            if path.endswith(".gemspec") and name(parent(path)) == "specifications":
                yield parent(parent(path))
