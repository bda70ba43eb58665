"""A root as a dict, for a finder: what it needs for a text, and what it warns of."""

from posixpath import normpath
from types import SimpleNamespace

from rootfs_builder.findings import Finding
from rootfs_builder.needs.finder import Context, Directory, File, LeftOut, Text, TextKind


class Files:
    """Answers as `ImageFiles`; a path to None is a directory. `parsed` has each text that was."""

    def __init__(self, tree, added=()):
        self.tree = dict(tree)
        self.added = tuple(added)
        self.parsed = []

    def kind(self, path):
        path = normpath(path)
        if self.tree.get(path) is not None:
            return "file"
        inside = path.rstrip("/") + "/"
        there = path in self.tree or any(one.startswith(inside) for one in self.tree)
        return "dir" if there else None

    def is_file(self, path):
        return self.kind(path) == "file"

    def real(self, path):
        return normpath(path) if self.kind(path) else None

    def size(self, path):
        return len(self.tree[path])

    def names(self, directory):
        inside = normpath(directory).rstrip("/") + "/"
        below = (one[len(inside) :] for one in self.tree if one.startswith(inside))
        return tuple(sorted({one.partition("/")[0] for one in below}))

    def commands(self, search_path):
        paths = [f"{d}/{one}" for d in reversed(search_path) for one in self.names(d)]
        return {one.rpartition("/")[2]: one for one in paths}

    def read(self, path):
        return self.tree[path].encode() if self.is_file(path) else None

    def head(self, path, size=4096):
        return (self.read(path) or b"")[:size]

    def fact(self, path, _fact, _kind, find, none):
        text = self.read(normpath(path))
        self.parsed.append(path)
        return none if text is None else find(text)


class Elf:
    """An interpreter in which texts are compiled."""

    def __init__(self, **texts):
        self.texts = texts

    def search(self, _path, pattern):
        name = pattern.partition(b"P<")[2].partition(b">")[0].decode()
        return [{name: one.encode()} for one in self.texts.get(name, ())]

    def imports(self, _path, symbols):
        return bool(symbols & {one.encode() for one in self.texts.get("symbols", ())})


class Package(str):
    """A package by its name; `gnupg-utils` is of the source `gnupg`."""

    __slots__ = ()

    @property
    def name(self):
        return str(self)

    @property
    def source(self):
        return self.partition("-")[0]


class Packages:
    """Whose files are, by path, and what each package needs: `{"own": ("other",)}`."""

    def __init__(self, owners=(), needs=()):
        self.owners = {path: Package(one) for path, one in dict(owners).items()}
        self.needs = {one: tuple(map(Package, others)) for one, others in dict(needs).items()}

    def of_all(self, paths):
        return SimpleNamespace(packages={one: self.owners.get(one) for one in paths})

    def installed(self, name):
        return tuple({one for one in self.owners.values() if one.name == name})

    def files(self, package):
        return {path for path, owner in self.owners.items() if owner == package}

    def related(self, package):
        required = self.needs.get(package, ())
        return SimpleNamespace(required=required, least=required, essential=package == "every")

    def kin(self, package, *, needed):
        assert not needed
        own = {path for path, owner in self.owners.items() if owner.source == package.source}
        return SimpleNamespace(own=own)

    def reaches(self, package, other):
        return other in (package, *self.needs.get(package, ()))

    def requires(self, package, other):
        if other == "every":
            return True
        known = {package, *self.needs.get(package, ())}
        same = (one for one in known if one.source == other.source)
        return other in known or any(other in self.needs.get(one, ()) for one in same)


def finder(module, tree, *, compiled, added=(), given=(), packages=None, **context):
    """The finder of an importer, over a root, with the paths that its interpreter has."""
    options = {"values": (), "arguments": (), "environment": {}, "directory": "/"} | context
    program = SimpleNamespace(real="/usr/bin/it", opened="/usr/bin/it")
    return module.make(
        Context(
            program=program,
            objects=(),
            variables={},
            search_path=("/usr/bin",),
            user="",
            files=Files(tree, added),
            elf_files=Elf(**compiled),
            packages=packages or Packages(),
            given=tuple(Text(one, TextKind.STARTED) for one in given),
            **options,
        )
    )


def started(found, path):
    """The paths that a script needs, and the lines of its warnings."""
    return split([*found.process(), *found.text(Text(path, TextKind.STARTED))])


def left_out(found, path):
    """The programs that a script starts and that are only a hint."""
    needs = found.text(Text(path, TextKind.STARTED))
    return {one.path for one in needs if isinstance(one, LeftOut)}


def split(needs):
    paths = {one.path for one in needs if isinstance(one, File | Directory)}
    return paths, [one.text for one in needs if isinstance(one, Finding)]
