"""The PAM services by which a program lets users in: their settings and the modules named there.

A program calls pam_start(3) with the name of a service. That is one of the program's own source
package which it names, one that the user adds below /etc/pam.d, or asks for by `--with pam=NAME`.
A service's file includes others, and each line of it names a module; `other` is what applies to a
service without a file. Source: pam.d(5).
"""

import re
from collections.abc import Iterator
from functools import cached_property
from posixpath import join as path_join
from posixpath import normpath

from rootfs_builder.findings import Code, hint, warning
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Library, Need, Text, TextKind
from rootfs_builder.needs.general.belongings import Belongings
from rootfs_builder.paths import SourcePath, decode, encode, name, parent, printable

_SETTINGS = "/etc/pam.d"
_ALWAYS = (f"{_SETTINGS}/other", "/etc/pam.conf", "/usr/sbin/unix_chkpwd")
_READ = {"pam_shells.so": ("/etc/shells",)}  # by modules, what no package of theirs has
_STARTS = frozenset((b"pam_start", b"pam_start_confdir"))
_LINE = re.compile(
    r"(?m)^[ \t]*(?:@include[ \t]+(?P<file>[\w.-]+)"
    r"|(?P<quiet>-?)\w+[ \t]+(?:(?P<control>\w+)|\[[^\]\n]*\])[ \t]+(?P<module>[\w./-]+))"
)


def make(context: Context) -> "Services":
    """The finder for one process; its rule says where modules lie, as {modules}."""
    return Services(context)


class Services:
    """Looks in a program's own strings, in its scripts and at what the user adds or asks for."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._belongings = Belongings(context)
        self._read: set[str] = set()

    def process(self) -> Iterator[Need]:
        """The services that the program names, or that the user adds or asks for."""
        program, elf_files = self._context.program, self._context.elf_files
        is_asked = "pam" in self._context.chosen
        for one in self._context.values or (("other",) if is_asked else ()):
            if one not in self._there:
                text = f"/etc/pam.d has no PAM service {printable(one)}: --with pam=NAME names one"
                yield warning(Code.RULE_FOUND_NOTHING, text, f"{_SETTINGS}/{one}")
            yield from self._service(one, Clue(f"--with pam={one}"))
        for one in self._there:
            if self._context.files.is_added(f"{_SETTINGS}/{one}"):
                yield from self._service(one, Clue(f"{_SETTINGS}/{one} is added"))
        for loaded in self._context.objects:
            yield from self._named_by(loaded)
        calls = elf_files.imports(program.real, _STARTS)
        if calls and self._context.is_named and self._there and not self._read and not is_asked:
            text = (
                "the image has no PAM service, so nobody can log in; name them (pam=login,su): "
                f"--with pam ({printable(name(program.opened))} calls pam_start)"
            )
            yield hint(Code.RULE_HINT, text, _SETTINGS)

    def loaded(self, objects: tuple[Loaded, ...]) -> Iterator[Need]:
        """The services that an object names which the process opens later."""
        for one in objects:
            yield from self._named_by(one)

    def _named_by(self, loaded: Loaded) -> Iterator[Need]:
        """The services of its source package that an object names, if it starts any."""
        elf_files = self._context.elf_files
        starts = elf_files.imports(loaded.real, _STARTS)
        own = self._of(SourcePath(loaded.real)) if starts else ()
        texts = {encode(f"{one}\0"): one for one in own}  # a linker may join it to another's end
        for one in sorted({texts[text] for text in elf_files.contained(loaded.real, texts)}):
            yield from self._service(one, self._named(name(loaded.opened), one))

    def text(self, text: Text) -> Iterator[Need]:
        """The services that a script or module quotes, which calls libpam by itself."""
        if text.kind is TextKind.SETTINGS:
            return
        data = self._context.files.read(text.path) or b""
        real = self._context.files.real(text.path)
        if b"pam" in data and b"\0" not in data and real is not None:
            for one in self._of(real):
                if re.search(rb"""(["'])%s\1""" % re.escape(encode(one)), data):
                    yield from self._service(one, self._named(name(text.path), one))

    @cached_property
    def _there(self) -> tuple[str, ...]:
        return self._context.files.names(_SETTINGS)

    def _of(self, path: SourcePath) -> tuple[str, ...]:
        """The services of the source package of a file."""
        kin = self._belongings.kin(self._belongings.owner(path), needed=False)
        return tuple(sorted(name(one) for one in kin.own if parent(one) == _SETTINGS))

    @staticmethod
    def _named(by: str, service: str) -> Clue:
        return Clue(f"{printable(by)} names the PAM service {service}", (by,))

    def _service(self, service: str, clue: Clue) -> Iterator[Need]:
        """The settings of a service with all that they include, and their modules."""
        for path in (f"{_SETTINGS}/{service}", *_ALWAYS):
            if path not in self._read and self._context.files.is_file(path):
                self._read.add(path)
                yield File(path, clue if name(path) == service else Clue("PAM uses it", (path,)))
                yield from self._lines(path)

    def _module(self, called: str) -> str:
        """Where a module is; Debian's libpam also looks where those without multiarch lie."""
        first = self._context.variables.get("modules", "")
        each = [normpath(path_join(one, called)) for one in (first, "/usr/lib/security")]
        return next(filter(self._context.files.is_file, each), each[0])

    def _lines(self, path: str) -> Iterator[Need]:
        if parent(path) != _SETTINGS:
            return
        for hit in _LINE.finditer(decode(self._context.files.read(path) or b"")):
            clue = Clue(f"{printable(path)} names {hit['file'] or hit['module']}", (path,))
            control = hit["control"] or ""
            if hit["file"] or control in ("include", "substack"):
                yield from self._service(hit["file"] or hit["module"], clue)
            else:
                library = self._module(hit["module"])
                yield Library(library, clue, optional=bool(hit["quiet"]) or control == "optional")
                yield from (File(one, clue) for one in _READ.get(name(library), ()))
