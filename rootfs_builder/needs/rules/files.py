"""A rule's paths and lines → trees of the source, generated files, directories, locales."""

import fnmatch
import re
from collections.abc import Iterator

from msgspec.structs import replace

from rootfs_builder.errors import InputError, NotFoundError
from rootfs_builder.filesystem.root import Node
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, warning
from rootfs_builder.loader import locale_archive, nss
from rootfs_builder.loader.elf_files import groups
from rootfs_builder.loader.link_map import LinkMap, Loaded
from rootfs_builder.needs import secrets as sensitive
from rootfs_builder.needs import trees, users
from rootfs_builder.needs.closure import Line, Made, Tree
from rootfs_builder.needs.rules import Rule, Variables
from rootfs_builder.needs.rules.schema import First, expand, uses
from rootfs_builder.needs.startup import Startup
from rootfs_builder.needs.users import User
from rootfs_builder.paths import ImagePath, OpenedPath, SourcePath, below, decode, parent, printable
from rootfs_builder.recipe.values import is_account

_GLOB = re.compile(r"[*?\[]")
_NSSWITCH = ImagePath("/etc/nsswitch.conf")
_LOCALES = "/usr/lib/locale"  # as distributions configure glibc
_LOCALE = re.compile(r"(?!\.{1,2}\Z)[\w.@+,-]+")  # no path leads out of _LOCALES, as in glibc
_BUILT_IN = ("C", "POSIX")


class RuleFiles:
    """The files that rules bring; `trees`, `lines` and `made` grow with each `act`.

    `placed` is what the user adds, by path: it counts before the root's. `scripts` are those that
    are packed.
    """

    def __init__(self, sources: Sources, startup: Startup) -> None:
        self._sources = sources
        self._startup = startup
        self._objects = startup.objects
        self._secrets = sensitive.Secrets(sources, startup.objects.facts)
        self._taken: dict[tuple[str, str, tuple[str, ...]], dict[Loaded | None, bool]] = {}
        self._globbed: dict[str, tuple[OpenedPath, ...]] = {}
        self.known: set[SourcePath] = set()  # what comes without a rule
        self.placed: dict[str, bytes] = {}
        self.scripts: tuple[SourcePath, ...] = ()
        self.trees: list[Tree] = []
        self.lines: set[Line] = set()
        self.made: set[Made] = set()

    def act(self, rule: Rule, variables: Variables, host: LinkMap | None) -> bool:
        """Do what a rule says of files; whether anything was there to be brought."""
        found = self._locales(rule, variables)
        if not self._has_value(rule, variables):
            return found
        for item in rule.copy:
            found |= self._copy(rule, item, variables, host)
        for path, text in rule.write.items():
            place = expand(path, variables)
            if place is not None:
                lines = text.lstrip("\n")
                end = "\n" if lines and not lines.endswith("\n") else ""
                self.lines.add(Line(ImagePath(place), rule.name, lines + end))
                found = True
        for path, mode in rule.directories.items():
            place = expand(path, variables)
            if place is not None:
                self.made.add(Made(ImagePath(place), rule.name, int(mode, 8)))
                found = True
        return found

    def _has_value(self, rule: Rule, variables: Variables) -> bool:
        """Whether the root has any of the paths that depend on {value}; without, all others go in.

        So a zone that does not exist brings nothing, and of a wrong PAM service not the rest.
        """
        asked = [one for one in rule.copy if isinstance(one, str) and "{value}" in one]
        return not asked or any(self.paths(one, variables) for one in asked)

    def has_all(self, rule: Rule) -> bool:
        """Whether the files that a rule would copy, all known by their paths, are in already."""
        plain = [one for one in rule.copy if isinstance(one, str) and "{" not in one]
        if not plain or len(plain) < len(rule.copy):
            return False
        there = self.known | {path for tree in self.trees for path, _ in tree.nodes}
        found = [path for one in plain for path in self.paths(one, {})]
        return all(self._objects.walker.walk(path).real in there for path in found)

    def located(self, rule: Rule, variables: Variables, program: Loaded) -> Variables:
        """The variables, with the program's prefixes and the directories of the landmarks."""
        found = {"prefix": _prefix(program.real), "called": _prefix(program.opened), **variables}
        for name, templates in rule.landmarks.items():
            paths = (path for one in templates for path in self.paths(one, found))
            landmark = next(paths, None)
            if landmark is not None:
                found[name] = parent(landmark)
        return found

    def account(self, rule: Rule, user: User) -> bool:
        """The lines of the user that runs the program, and a home; whether it is to have any."""
        lines = (("/etc/passwd", user.passwd_line()), ("/etc/group", user.group_line()))
        wanted = [(ImagePath(path), f"{line}\n") for path, line in lines if line is not None]
        self.lines |= {Line(path, rule.name, line) for path, line in wanted}
        if not user.home.startswith("/home/"):
            return bool(wanted)
        home = Made(ImagePath(user.home), rule.name, 0o700, uid=user.uid, gid=user.gid or 0)
        self.made.add(home)
        return True

    def known_account(self, rule: Rule, text: str) -> bool:
        """The lines of an account that the root knows by a name; whether it does."""
        try:
            return is_account(text) and self.account(rule, users.resolve(text, self._sources))
        except (InputError, NotFoundError):
            return False

    def switch(self, rule: Rule, services: tuple[str, ...]) -> tuple[str, ...]:
        """Generate nsswitch.conf; the services that need a module.

        `keep` stands for what the root's own file says.
        """
        if services == ("keep",):
            own = (self._objects.content(OpenedPath(_NSSWITCH)) or b"").decode("ascii", "replace")
            text, services = nss.kept(own), nss.services(own)
        else:
            text = nss.text(services)
        self.lines.add(Line(_NSSWITCH, rule.name, text))
        return tuple(one for one in services if one not in nss.BUILT_IN)

    def followed(self, rule: Rule, variables: Variables) -> Iterator[Variables]:
        """The new variables that a rule's `follow` finds in files of the image."""
        for follow in rule.follow:
            files = (path for one in follow.files for path in self.paths(one, variables))
            for path in files:
                for said in self._said(path, follow.text.encode()):
                    yield {name: decode(value) for name, value in said.items()}

    def _said(self, path: OpenedPath, pattern: bytes) -> list[dict[str, bytes]]:
        """The groups of each match of a pattern in a file of the image."""
        placed = self._placed(path)
        if placed is not None:
            return groups(re.finditer(pattern, placed))
        return self._objects.said(path, pattern)

    def paths(self, template: str, variables: Variables) -> tuple[OpenedPath, ...]:
        """The paths of the root and of what is added that a template with globs stands for."""
        path = expand(template, variables)
        if path is None or not path.startswith("/"):
            return ()
        if path not in self._globbed:
            self._globbed[path] = tuple(self._glob(path))
        return self._globbed[path]

    def _glob(self, path: str) -> Iterator[OpenedPath]:
        found = [""]
        for part in path.strip("/").split("/"):
            if not _GLOB.search(part):
                found = [f"{one}/{part}" for one in found]
                continue
            found = [
                f"{one}/{entry}"
                for one in found
                for entry in sorted({*self._names(one or "/"), *self._names_placed(one)})
                if fnmatch.fnmatchcase(entry, part) and (entry[0] != "." or part[0] == ".")
            ]
        for one in found:
            walk = self._objects.walker.walk(OpenedPath(one))
            if (not walk.errno and walk.node is not None) or self._placed(one) is not None:
                yield OpenedPath(one)

    def _placed(self, path: str) -> bytes | None:
        """What the user adds at a path, also by the root's links to it."""
        if not self.placed or path in self.placed:
            return self.placed.get(path)
        walk = self._objects.walker.walk(OpenedPath(path))
        return None if walk.errno else self.placed.get(walk.real)

    def _names_placed(self, directory: str) -> set[str]:
        """The names of what the user adds in a directory and below it."""
        begin = f"{directory}/"
        return {one[len(begin) :].partition("/")[0] for one in self.placed if one.startswith(begin)}

    def _names(self, directory: str) -> tuple[str, ...]:
        walk = self._objects.walker.walk(OpenedPath(directory))
        if walk.errno or walk.node is None or walk.node.kind != "dir":
            return ()
        try:
            return self._sources.list(walk.real)
        except OSError:
            return ()

    def _copy(
        self, rule: Rule, item: str | First, variables: Variables, host: LinkMap | None
    ) -> bool:
        if isinstance(item, str):
            by = self._script(variables) if uses(item, rule.by_script) else None
            found = [self._take(rule, path, None, host, by) for path in self.paths(item, variables)]
            return any(found)
        place = expand(item.to, variables)
        first = next((one for path in item.first for one in self.paths(path, variables)), None)
        if first is None or place is None:
            return False
        return self._take(rule, first, ImagePath(place), host)

    def _script(self, variables: Variables) -> SourcePath | None:
        """The first script of the directory that they speak of."""
        return next((one for one in self.scripts if parent(one) == variables.get("script")), None)

    def _take(
        self,
        rule: Rule,
        path: OpenedPath,
        to: ImagePath | None,
        host: LinkMap | None,
        by: SourcePath | None = None,
    ) -> bool:
        """Take in what lies at a path, and where the links in it lead; whether that was anything.

        It is found `by` a script, or else by the program. No secret comes, and no way to one: only
        --add takes those. What the user puts there is there.
        """
        if to is None and path in self.placed:
            return True
        taken = self._taken.setdefault((path, to or path, rule.omit), {})
        program = host.program if host else None  # each has its own way to what a plugin needs
        if program in taken:
            return taken[program]
        again = bool(taken)
        taken[program] = False
        walk = self._objects.walker.walk(path)
        if walk.errno or walk.node is None or walk.node.kind == "special":
            return False
        real = SourcePath(walk.real)
        there = _kept(trees.nodes(self._sources, real), rule.omit)
        secrets = _guarded(there) | {one.path: one.why for one in self._secrets.among(there)}
        for secret, why in secrets.items():
            text = f"{printable(secret)} is left out: {why}; --add --allow-sensitive packs it"
            self._startup.findings.append(warning(Code.SECRET_LEFT_OUT, text, secret))
        if real in secrets:
            return False
        taken[program] = True
        nodes = tuple((p, n) for p, n in there if n.kind != "special" and p not in secrets)
        anchor = by or (_anchor(program, real) if program else None)
        place = to or ImagePath(real)  # it keeps its path, unless its anchor moves
        tree = Tree(real, place, nodes, rule.name, None if to else walk, anchor)
        tree = trees.with_closures(tree, self._startup, self._sources, host)
        self.trees.append(replace(tree, programs=()) if again else tree)
        for inside, node in nodes:
            if node.kind == "symlink" and not self._is_around(inside):
                self._take(rule, OpenedPath(inside), None, host, by)
        return True

    def _is_around(self, link: SourcePath) -> bool:
        """Whether a link leads to a directory that it is in: no reason to take all of that."""
        walk = self._objects.walker.walk(link)
        return not walk.errno and below(link, walk.real)

    @staticmethod
    def built_in(rule: Rule, variables: Variables) -> bool:
        """Whether a locale that is wanted needs no files."""
        return any(expand(template, variables) in _BUILT_IN for template in rule.locale)

    def _locales(self, rule: Rule, variables: Variables) -> bool:
        found = False
        for template in rule.locale:
            wanted = expand(template, variables)
            if wanted is not None and wanted not in _BUILT_IN and _LOCALE.fullmatch(wanted):
                found |= self._locale(rule, wanted)
        return found

    def _locale(self, rule: Rule, wanted: str) -> bool:
        normal = locale_archive.normalized(wanted)
        for spelt in dict.fromkeys((wanted, normal)):
            if self.paths(f"{_LOCALES}/{spelt}", {}):
                self._take(rule, OpenedPath(f"{_LOCALES}/{spelt}"), None, None)
                return True
        archive = self._objects.walker.walk(OpenedPath(f"{_LOCALES}/locale-archive"))
        if archive.node is None or archive.node.kind != "file":
            return False
        with self._objects.source(archive.real).open() as content:
            files = locale_archive.read(content, normal)
        for key, data in (files or {}).items():
            place = ImagePath(f"{_LOCALES}/{normal}/{key}")
            self.made.add(Made(place, rule.name, 0o644, data))
        return bool(files)


def _prefix(path: str) -> str:
    """The directory that has a program in its bin."""
    return parent(parent(path))


def _anchor(program: Loaded, path: SourcePath) -> SourcePath | None:
    """By which of the program's own places a path is found: its file's, or its name's."""
    places = (SourcePath(program.real), SourcePath(program.opened))
    return next((one for one in places if below(path, _prefix(one))), None)


def _kept(
    nodes: tuple[tuple[SourcePath, Node], ...], omit: tuple[str, ...]
) -> tuple[tuple[SourcePath, Node], ...]:
    """The nodes of a tree, less those that a rule leaves out, and all below these."""
    if not omit:
        return nodes
    top = nodes[0][0]
    left_out = re.compile("|".join(map(_omitted, omit)))
    return tuple(
        (path, node)
        for path, node in nodes
        if path == top or not left_out.fullmatch(path[len(top) + 1 :])
    )


def _guarded(nodes: tuple[tuple[SourcePath, Node], ...]) -> dict[SourcePath, str]:
    """The files of /etc that not everybody may read here: they may hold passwords."""
    return {
        path: "not everybody may read it here"
        for path, node in nodes
        if node.kind == "file" and below(path, "/etc") and not node.mode & 0o004
    }


def _omitted(pattern: str) -> str:
    """A pattern of `omit` for paths within a tree: a name matches at any depth."""
    wild = re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return f"{'' if '/' in pattern else '(?:.*/)?'}{wild}(?:/.*)?"
