"""dpkg's database: /var/lib/dpkg → what is installed, and the files of each.

`status` has a stanza for each package (deb-control(5)), `info/NAME[:ARCH].list` its paths, one a
line. There are thousands of lists and no index of them, so all are searched as one text, but
first those of the packages that are called like what is looked for. A diverted path stands under
another name, unless its package is the diverter (dpkg-divert(1)). Alternatives are links that no
package has (update-alternatives(1)).
"""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import cached_property

from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.packages import licences
from rootfs_builder.packages.database import (
    Brought,
    Package,
    Related,
    contents,
    find,
    settled,
    unreadable,
)
from rootfs_builder.packages.lists import Lists
from rootfs_builder.paths import SourcePath, decode, encode
from rootfs_builder.paths import name as last

_ADMIN = "/var/lib/dpkg"
_LIST, _SUMS = ".list", ".md5sums"
_INSTALLS = (".preinst", ".postinst")
_STATUS = f"{_ADMIN}/status"
_DIVERSIONS = f"{_ADMIN}/diversions"
_ALTERNATIVES = f"{_ADMIN}/alternatives"  # a link, then pairs of a name and a link, an empty line
_CHOSEN = "/etc/alternatives"  # by these names
STATES = (_STATUS, _DIVERSIONS)  # dpkg writes the first anew with whatever it does to a package
_OF_EVERY_PROGRAM = (  # what programs and scripts ask for most, as their names do not tell
    "base-files",
    "bash",
    "coreutils",
    "dash",
    "libc-bin",
    "libc6:",
    "libgcc-s1:",
    "libstdc++6:",
    "netbase",
)
_ALIKE = 6  # letters that the names of a file and of its package share: libssl, libcurl4t64
_NAME = re.compile(rb"^Package:[ \t]*(\S+)", re.MULTILINE)
_FIELD = re.compile(r"^(Version|Architecture|Source):(.*)$", re.MULTILINE)
_REQUIRES = re.compile(rb"^(?:Pre-Depends|Depends):(.*(?:\n[ \t].*)*)", re.MULTILINE)
_CONFFILES = re.compile(rb"^Conffiles:[ \t]*((?:\n .*)*)", re.MULTILINE)
_CONFFILE = re.compile(r"^ (\S.*?) ([0-9a-f]{32})(?: [\w-]+)?$", re.MULTILINE)
_ESSENTIAL = re.compile(rb"^Essential: yes$", re.MULTILINE)
_EXPECTED = re.compile(rb"^Priority: (?:required|important)$", re.MULTILINE)
_RECOMMENDS = re.compile(rb"^Recommends:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_SUGGESTS = re.compile(rb"^Suggests:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_PROVIDES = re.compile(rb"^Provides:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_TERM = re.compile(rb"(?:^|[,|])\s*([^\s,|:(]+)")  # NAME:ARCH (>= VERSION) [ARCH…]
_SOURCE_FIELD = re.compile(rb"^Source:[ \t]*(\S+)", re.MULTILINE)
_SOURCE = re.compile(r"(\S+)(?:[ \t]+\((.*)\))?")


class Dpkg:
    """The packages of dpkg, which are read when the first is asked for."""

    kind = "deb"
    states = STATES

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._packages: dict[str, Package | None] = {}
        self._fields: dict[str, dict[str, dict[str, str]]] = {}

    def likely(self, names: AbstractSet[str]) -> Iterator[Brought]:
        """See Database: those of packages that are called like them, until all lists are read."""
        if "_all" in self.__dict__:
            return iter(())
        like = (*_OF_EVERY_PROGRAM, *(one[:_ALIKE].lower() for one in names))
        return self._brought(names, Lists(self._lists(like)))

    def named(self, names: AbstractSet[str]) -> Iterator[Brought]:
        """See Database."""
        return self._brought(names, self._all)

    def _wanted(self, names: AbstractSet[str]) -> set[bytes]:
        """The last components of these files as the lists have them."""
        moved = {last(spelt) for spelt, (to, _) in self._diversions.items() if last(to) in names}
        return {encode(one) for one in names | moved}

    def _brought(self, names: AbstractSet[str], lists: Lists) -> Iterator[Brought]:
        """Where the files of those lists stand whose names are among these."""
        for line, label in lists.named(self._wanted(names)):
            if package := self._package(label):
                spelt = decode(line)
                to, by = self._diversions.get(spelt, (spelt, package.name))
                yield spelt if by == package.name else to, package

    @cached_property
    def _diversions(self) -> dict[str, tuple[str, str]]:
        """Paths that stand elsewhere: where, and the diverter, `:` for one that has no package."""
        lines = decode(contents(self._walker, _DIVERSIONS)[0]).split("\n")
        threes = zip(lines[0::3], lines[1::3], lines[2::3], strict=False)
        return {spelt: (to, by) for spelt, to, by in threes}

    @cached_property
    def _alternatives(self) -> dict[str, list[str]]:
        """The links that lead to a file or directory through /etc/alternatives."""
        root, found = self._walker.root, dict[str, list[str]]()
        admin, links = (find(self._walker, one, "dir") for one in (_ALTERNATIVES, _CHOSEN))
        each = root.list(admin) if admin is not None and links is not None else ()
        for master in each:
            lines = decode(contents(self._walker, f"{_ALTERNATIVES}/{master}")[0]).split("\n")
            pairs = [master, *lines[1 : lines.index("", 1)]] if "" in lines[1:] else []
            for one, link in zip(pairs[0::2], pairs[1::2], strict=False):
                path = SourcePath(f"{links}/{one}")
                node = root.lstat(path)
                if node is not None and node.kind == "symlink":
                    found.setdefault(root.readlink(path), []).append(link)
        return found

    # --- info/*.list ---

    @cached_property
    def _names(self) -> dict[str, SourcePath]:
        """The lists by their labels."""
        root, info = self._walker.root, find(self._walker, f"{_ADMIN}/info", "dir")
        try:
            names = () if info is None else root.list(info)
        except OSError as error:
            raise unreadable(f"{_ADMIN}/info", str(error.strerror)) from error
        lists = (one for one in names if one.endswith(_LIST))
        return {one[: -len(_LIST)]: SourcePath(f"{info}/{one}") for one in lists}

    @cached_property
    def _all(self) -> Lists:
        return Lists(self._lists(("",)))

    def _lists(self, like: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        """The lists whose labels begin like that, and their texts."""
        return ((one, self._text(at)) for one, at in self._names.items() if one.startswith(like))

    def _info(self, package: Package, ending: str) -> str:
        """The text of a package's own file in `info`."""
        labels = (f"{package.name}:{package.architecture}", package.name)
        found = (find(self._walker, f"{_ADMIN}/info/{one}{ending}") for one in labels)
        path = next((one for one in found if one is not None), None)
        return "" if path is None else decode(self._text(path))

    def _text(self, path: SourcePath) -> bytes:
        root = self._walker.root
        try:
            node = root.lstat(path)
        except OSError as error:
            raise unreadable(f"{_ADMIN}/info", str(error.strerror)) from error
        return settled(root.open(path))[0] if node is not None and node.kind == "file" else b""

    # --- status ---

    @cached_property
    def _stanzas(self) -> dict[str, list[bytes]]:
        stanzas: dict[str, list[bytes]] = {}
        for stanza in contents(self._walker, _STATUS)[0].split(b"\n\n"):
            if found := _NAME.search(stanza):
                stanzas.setdefault(decode(found[1]), []).append(stanza)
        return stanzas

    def _package(self, label: str) -> Package | None:
        """The package with the list NAME or NAME:ARCH, if it is known by `status`."""
        if label not in self._packages:
            self._packages[label] = next(self._described(label), None)
        return self._packages[label]

    def _described(self, label: str) -> Iterator[Package]:
        name, _, architecture = label.partition(":")
        field = self._described_as(name).get(architecture)
        if field is not None:
            source, version = name, field.get("Version", "")
            other = version
            if built := _SOURCE.fullmatch(field.get("Source", "")):
                source, other = built[1], built[2] or version
            yield Package(name, version, field.get("Architecture", ""), source, other, "deb")

    def _described_as(self, name: str) -> dict[str, dict[str, str]]:
        """The fields of the first stanza of each architecture, and under "" of the first of all."""
        if name not in self._fields:
            self._fields[name] = {}
            for stanza in self._stanzas.get(name, ()):
                found = _FIELD.findall(decode(stanza))
                field = {key: value.strip(" \t") for key, value in found}
                for architecture in ("", field.get("Architecture", "")):
                    self._fields[name].setdefault(architecture, field)
        return self._fields[name]

    def related(self, package: Package) -> Related:
        """See Database."""
        names = {package.source, *self._built_from.get(package.source, ())}
        same = {one for name in names for one in self.installed(name)}
        own = {one for one in same if one.source == package.source}
        required = self._that_are(_REQUIRES, package)
        recommended = self._that_are(_RECOMMENDS, package)
        optional = (recommended | self._that_are(_SUGGESTS, package)) - required - {package}
        stanzas = self._stanzas.get(package.name, ())
        return Related(
            tuple(sorted(own)),
            tuple(sorted((recommended | required) - own)),
            tuple(sorted(required)),
            tuple(sorted(self._least(package))),
            tuple(sorted(optional)),
            essential=any(map(_ESSENTIAL.search, stanzas)),
            expected=any(map(_EXPECTED.search, stanzas)),
        )

    def _that_are(self, field: re.Pattern[bytes], package: Package) -> set[Package]:
        """The installed packages that a field of a package names, or that provide what it names."""
        terms = {decode(one) for text in self._texts(field, package) for one in _TERM.findall(text)}
        return {one for term in terms for one in self._by_term(term)}

    def _least(self, package: Package) -> Iterator[Package]:
        """The installed packages that are enough for what a package requires."""
        for text in self._texts(_REQUIRES, package):
            for alternatives in text.split(b","):
                terms = map(decode, _TERM.findall(alternatives))
                yield from next(filter(None, map(self._by_term, terms)), ())

    def _texts(self, field: re.Pattern[bytes], package: Package) -> Iterator[bytes]:
        for stanza in self._stanzas.get(package.name, ()):
            yield from field.findall(stanza)

    def _by_term(self, term: str) -> tuple[Package, ...]:
        """The installed packages of a name, or that provide it."""
        names = {term, *self._provided.get(term, ())}
        return tuple(one for name in names for one in self.installed(name))

    def files(self, package: Package) -> Iterator[str]:
        """See Database; with the alternatives that lead to one of them."""
        for spelt in self._info(package, _LIST).split("\n"):
            if spelt not in ("", "/."):
                to, by = self._diversions.get(spelt, (spelt, package.name))
                yield spelt if by == package.name else to
                yield from self._alternatives.get(spelt, ())

    def sums(self, package: Package) -> Iterator[tuple[str, str]]:
        """See Database. Source: deb-md5sums(5); dpkg-query(1), Conffiles."""
        for line in self._info(package, _SUMS).splitlines():
            digest, _, path = line.partition("  ")
            yield f"/{path}", digest
        for stanza in self._stanzas.get(package.name, ()):
            for text in _CONFFILES.findall(stanza):
                for path, digest in _CONFFILE.findall(decode(text)):
                    yield path, digest

    def installation(self, package: Package) -> str:
        """See Database. Source: deb-preinst(5), deb-postinst(5)."""
        return "\n".join(self._info(package, one) for one in _INSTALLS)

    def licences(self, package: Package) -> tuple[str, ...]:
        """See Database."""
        if package not in self.installed(package.name):
            return ()
        (text,) = contents(self._walker, f"/usr/share/doc/{package.name}/copyright")
        return licences.of_copyright(decode(text))

    def installed(self, name: str) -> Iterator[Package]:
        """See Database: those whose files are here."""
        for architecture in self._described_as(name):
            label = f"{name}:{architecture}" if architecture else name
            package = self._package(label) if label in self._names else None
            if package is not None:
                yield package

    @cached_property
    def _built_from(self) -> dict[str, set[str]]:
        """The packages whose source has another name."""
        built: dict[str, set[str]] = {}
        for name, stanzas in self._stanzas.items():
            for stanza in stanzas:
                if b"\nSource:" in stanza and (found := _SOURCE_FIELD.search(stanza)):
                    built.setdefault(decode(found[1]), set()).add(name)
        return built

    @cached_property
    def _provided(self) -> dict[str, set[str]]:
        """The packages that provide each virtual one."""
        provided: dict[str, set[str]] = {}
        for name, stanzas in self._stanzas.items():
            for stanza in stanzas:
                for field in _PROVIDES.findall(stanza) if b"\nProvides:" in stanza else ():
                    for term in _TERM.findall(field):
                        provided.setdefault(decode(term), set()).add(name)
        return provided


def read(walker: Walker) -> Dpkg | None:
    """See the folder. An empty `status` is of a root into which packages were only unpacked."""
    status = find(walker, _STATUS)
    node = status and walker.root.lstat(status)
    return Dpkg(walker) if node and node.size else None
