"""What one process of perl sees: its @INC, and the Perl texts of the image with their imports."""

import re
from functools import cached_property

from msgspec.structs import replace

from rootfs_builder.errors import ElfError
from rootfs_builder.needs.finder import Context
from rootfs_builder.needs.importers.perl import source
from rootfs_builder.needs.importers.perl.imports import Import, Imports
from rootfs_builder.needs.importers.perl.values import CONFIG
from rootfs_builder.needs.importers.surroundings import Surroundings, compiled_in, kind_of
from rootfs_builder.paths import decode, join, name

_INC = rb"\x00(?P<inc>/(?=[\w/.+-]*perl)[\w/.+-]+)(?=\x00)"  # in perl or libperl
_LIBRARY = r"libperl\.so\."
_CORE = ("strict.pm", "Config.pm")  # what only the core library has
_MODULES = (".pm", ".al", ".t")
_SUFFIXES = (*_MODULES, ".pl", ".ph", ".psgi", ".PL")
_SCRIPTS = ("", ".cgi", ".fcgi")
_FACT = "perl-imports v28"
_CONFIG = "Config_heavy.pl"
_CONFIGURED = re.compile(rf"{CONFIG}(\w+){CONFIG}")
_VALUE = re.compile(rb"(?m)^(\w+)='([^'\n]+)'$")
_LOADS = frozenset((b"Perl_load_module", b"Perl_load_module_nocontext", b"Perl_require_pv"))
_NAMES = rb"\x00(?P<module>[A-Za-z_]\w*(?:::\w+)+)(?=\x00)"


class PerlTexts(Surroundings):
    """Answers for one process."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, compiled_in(context, _INC, _LIBRARY, _CORE))
        self._known = dict[str, Imports]()
        self.parts = dict[str, list[str]]()  # of modules, as walks find them

    def is_perl(self, path: str) -> bool:
        """Whether a file is a program or module in Perl, by its name or its first lines."""
        base = name(path)
        suffix = kind_of(base)
        if suffix in _MODULES:
            return True
        if suffix not in (*_SUFFIXES, *_SCRIPTS):
            return False
        head = self.files.head(path, 512)
        if head.startswith(b"#!"):
            return self.is_for(head, b"perl") or b"exec perl" in head or b"/perl " in head
        return suffix in _SUFFIXES

    def imports(self, path: str) -> Imports:
        """What a text imports; nothing of one that cannot be read."""
        if path not in self._known:
            none: Imports = ()
            self._known[path] = self.files.fact(path, _FACT, Imports, source.read, none)
        return self._known[path]

    def configured(self, one: Import) -> Import:
        """An import with the values of Config.pm in its name; of an unknown one nothing."""
        if CONFIG not in one.name:
            return one
        text = _CONFIGURED.sub(lambda hit: self._config.get(hit[1], ""), one.name)
        return replace(one, name=text)

    @cached_property
    def _config(self) -> dict[str, str]:
        paths = (join(one.path, _CONFIG) for one in self.found(_CONFIG, "file"))
        texts = (self.files.read(one) or b"" for one in paths)
        return {decode(one): decode(value) for text in texts for one, value in _VALUE.findall(text)}

    def loaded_by(self, path: str) -> tuple[str, ...]:
        """The names in a module's library in C, if that loads modules."""
        real = self.files.real(path)
        if real is None:
            return ()
        elf_files = self.context.elf_files
        try:
            hits = elf_files.search(real, _NAMES) if elf_files.imports(real, _LOADS) else []
        except ElfError:  # for another machine, or damaged
            return ()
        return tuple(decode(one["module"]) for one in hits)
