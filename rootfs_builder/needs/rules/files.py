"""A rule's paths and lines → trees of the source, generated files, directories, locales."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import reduce

from msgspec import Struct

from rootfs_builder.errors import InputError, NotFoundError
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Finding
from rootfs_builder.loader import locale_archive, nss
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs import generated, unneeded, users
from rootfs_builder.needs.closure import GeneratedFile, GeneratedLine, Tree
from rootfs_builder.needs.finder import Directory, File
from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.needs.rules import Rule, Variables, copies
from rootfs_builder.needs.rules.copies import Copy, TreeCopies, prefix
from rootfs_builder.needs.rules.places import Places
from rootfs_builder.needs.rules.reach import Reach, anchor
from rootfs_builder.needs.rules.schema import VARIABLE, expand, uses, with_any
from rootfs_builder.needs.rules.user_input import UserInput
from rootfs_builder.needs.startup import Startup
from rootfs_builder.needs.users import User
from rootfs_builder.paths import (
    MOUNTED,
    ImagePath,
    OpenedPath,
    SourcePath,
    below,
    decode,
    parent,
)
from rootfs_builder.recipe.values import KEEP, is_account

_FEW = 3  # files of a directory, each of which has a line


class FileOutput(Struct, frozen=True):
    """The files that a rule adds; `found` says whether anything was there, new or not."""

    found: bool = False
    trees: tuple[Tree, ...] = ()
    lines: tuple[GeneratedLine, ...] = ()
    made: tuple[GeneratedFile, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __or__(self, other: "FileOutput") -> "FileOutput":
        return FileOutput(
            self.found or other.found,
            (*self.trees, *other.trees),
            (*self.lines, *other.lines),
            (*self.made, *other.made),
            (*self.findings, *other.findings),
        )


def joined(outputs: Iterable[FileOutput]) -> FileOutput:
    """Several outputs as one."""
    return reduce(FileOutput.__or__, outputs, FileOutput())


class RuleFiles:
    """Answers what files a rule adds to what the user gives."""

    def __init__(
        self,
        sources: Sources,
        startup: Startup,
        user_input: UserInput,
        reach: Reach,
        added: Iterable[Tree] = (),
    ) -> None:
        self._sources = sources
        self._reach = reach
        self._elf_files = startup.elf_files
        self._scripts = user_input.scripts
        self._places = Places(sources, startup.elf_files, reach, user_input.placed)
        texts = (text for _, text in user_input.files)
        self._copies = TreeCopies(
            sources,
            startup,
            reach,
            user_input.placed,
            left_out=user_input.left_out,
            imported={one for text in texts for one in unneeded.imported_installers(text)},
        )
        self.image = ImageFiles(startup.elf_files, added, reach.is_closed)

    @property
    def published(self) -> frozenset[SourcePath]:
        """Files that not everybody may read here, and that packages have published."""
        return frozenset(self._reach.published)

    @property
    def refused(self) -> frozenset[tuple[OpenedPath, str]]:
        """Each path that a rule may not follow, with the rule."""
        return frozenset((path, rule) for path, rule, _ in self._places.refused)

    def left_out(self, there: AbstractSet[SourcePath]) -> Iterator[Finding]:
        """A warning for each path that no rule may follow, but for what is there anyway.

        What every runtime mounts is.
        """
        refused = dict[tuple[str, str], dict[str, Finding]]()
        for path, rule, spelt in sorted(self._places.refused):
            if any(below(path, one) for one in MOUNTED):
                continue
            real = SourcePath(self._elf_files.walker.walk(path).real)
            if real not in there:
                found = copies.out_of_reach(self._sources, path if spelt else "", real, rule)
                refused.setdefault((parent(real), rule), {}).setdefault(real, found)
        for (directory, rule), each in refused.items():
            if len(each) <= _FEW:
                yield from each.values()
            else:
                yield copies.many_out_of_reach(self._sources, directory, [*each], rule)

    def act(self, rule: Rule, variables: Variables, host: LinkMap | None) -> FileOutput:
        """The files that a rule adds for one set of variables."""
        return joined((*self._locales(rule, variables), *self._files(rule, variables, host)))

    def _files(
        self, rule: Rule, variables: Variables, host: LinkMap | None
    ) -> Iterator[FileOutput]:
        if not self._has_value(rule, variables):
            return
        for item in rule.copy:
            yield from self._copy(rule, item, variables, host)
        for path, text in rule.texts.items():
            place = expand(path, variables)
            if place is not None:
                lines = self._known(rule, path) or text.lstrip("\n")
                end = "\n" if lines and not lines.endswith("\n") else ""
                line = GeneratedLine(ImagePath(place), rule.name, lines + end)
                yield FileOutput(found=True, lines=(line,))
        for path, mode in rule.directories.items():
            place = expand(path, variables)
            if place is not None:
                made = GeneratedFile(ImagePath(place), rule.name, int(mode, 8))
                yield FileOutput(found=True, made=(made,))

    def _known(self, rule: Rule, path: str) -> str:
        """What the root itself says of services and protocols, without comments; "" of others."""
        data = self.image.read(path) if rule.generates == generated.SERVICES else None
        lines = (one.partition("#")[0].split() for one in decode(data or b"").split("\n"))
        return "".join(f"{' '.join(words)}\n" for words in lines if words)

    def _has_value(self, rule: Rule, variables: Variables) -> bool:
        """Whether there is no {value}, or the root has any of the paths that depend on it.

        So a zone that does not exist brings nothing, and of a wrong PAM service not the rest.
        """
        templates = [one for one in rule.copy if "{value}" in one and "value" in variables]
        return not templates or any(self._places.paths(one, variables, rule) for one in templates)

    def libraries(self, rule: Rule, variables: Variables) -> Iterator[str]:
        """The libraries that a rule loads, and may."""
        for template in rule.load:
            library = expand(template, variables)
            start = anchor(template, variables, rule.landmarks)
            if library and self._places.may_load(library, rule.name, start, template):
                yield library

    def may_open(self, library: str, rule: str = "dlopen-notes") -> bool:
        """Whether a process may be given a library that a dlopen note, or a finder, names."""
        return self._places.may_load(library, rule)

    def place(self, rule: Rule, need: File, host: LinkMap | None) -> FileOutput:
        """What a finder needs, if it may be followed."""
        path = OpenedPath(need.path)
        if not self._places.may_follow(path, need.start, rule.name):
            return FileOutput()
        omit = (*rule.omit, *need.omit)
        copy = Copy(
            rule.name, omit, host, script=need.script, start=need.start, clue=need.clue.text
        )
        return self._taken(path, copy)

    def directory(self, rule: Rule, need: Directory, user: User | None) -> FileOutput:
        """A directory of the image's user, or without one for whoever runs it.

        One that is shared is then root's: some programs refuse to start where others may write. So
        is one that is only read.
        """
        owner = None if need.fixed else user
        mode = 0o755 if owner or need.shared or need.fixed else 0o1777
        place, uid, gid = ImagePath(need.path), *((owner.uid, owner.gid or 0) if owner else (0, 0))
        made = GeneratedFile(place, rule.name, mode, uid=uid, gid=gid)
        return FileOutput(found=True, made=(made,))

    def has_all(
        self, rule: Rule, places: tuple[Variables, ...], there: AbstractSet[SourcePath]
    ) -> bool:
        """Whether nothing that a rule could copy from these places is left out.

        A name that somebody has yet to say may be any. Where there is none at all, the hint says
        that too.
        """
        each = [(one, with_any(one, place)) for one in rule.copy for place in places]
        found = {path for one in each for path, may in self._places.candidates(*one, rule) if may}
        if not each or (not found and any(VARIABLE.search(one) for one in rule.copy)):
            return False
        return all(
            self._copies.has_taken(one, rule.omit) or self._elf_files.walker.walk(one).real in there
            for one in found
        )

    def located(self, rule: Rule, variables: Variables, program: Loaded) -> Variables:
        """The variables, with the program's prefixes and the directories of the landmarks."""
        found = {
            "prefix": prefix(SourcePath(program.real)),
            "called": prefix(SourcePath(program.opened)),
            **variables,
        }
        for name, templates in rule.landmarks.items():
            paths = (path for one in templates for path in self._places.paths(one, found, rule))
            landmark = next(paths, None)
            if landmark is not None:
                found[name] = parent(landmark)
        return found

    @staticmethod
    def account(rule: Rule, user: User) -> FileOutput:
        """The lines of the user that runs the program, and a home if it is to have one."""
        texts = (("/etc/passwd", user.passwd_line()), ("/etc/group", user.group_line()))
        lines = tuple(
            GeneratedLine(ImagePath(path), rule.name, f"{text}\n")
            for path, text in texts
            if text is not None
        )
        if not user.has_home:
            return FileOutput(found=bool(lines), lines=lines)
        home = GeneratedFile(
            ImagePath(user.home), rule.name, 0o700, uid=user.uid, gid=user.gid or 0
        )
        return FileOutput(found=True, lines=lines, made=(home,))

    def known_account(self, rule: Rule, text: str, *, is_group: bool = False) -> FileOutput:
        """The lines of an account that the root knows by a name; nothing where it does not."""
        with suppress(InputError, NotFoundError):
            if is_account(text) and is_group:
                line = f"{text}:x:{users.gid(text, self._sources)}:\n"
                lines = (GeneratedLine(ImagePath("/etc/group"), rule.name, line),)
                return FileOutput(found=True, lines=lines)
            if is_account(text):
                return self.account(rule, users.resolve(text, self._sources))
        return FileOutput()

    def switch(self, rule: Rule, services: tuple[str, ...]) -> tuple[tuple[str, ...], FileOutput]:
        """The services that need a module, and an nsswitch.conf.

        KEEP stands for what the root's own file says.
        """
        if services == (KEEP,):
            own = (self._elf_files.content(OpenedPath(nss.PATH)) or b"").decode("ascii", "replace")
            text, services = nss.kept(own), nss.services(own)
        else:
            text = nss.text(services)
        line = GeneratedLine(nss.PATH, rule.name, text)
        modules = tuple(one for one in services if one not in nss.BUILT_IN)
        return modules, FileOutput(found=True, lines=(line,))

    def followed(self, rule: Rule, variables: Variables) -> Iterator[Variables]:
        """The new variables that a rule's `follow` finds in files of the image."""
        for follow in rule.follow:
            files = (
                path for one in follow.files for path in self._places.paths(one, variables, rule)
            )
            for path in files:
                for hit in self._places.search(path, follow):
                    yield {name: decode(value) for name, value in hit.items()}

    def _copy(
        self, rule: Rule, item: str, variables: Variables, host: LinkMap | None
    ) -> Iterator[FileOutput]:
        script = self._script(variables) if uses(item, rule.by_script) else None
        start = anchor(item, variables, rule.landmarks)
        copy = Copy(rule.name, rule.omit, host, script=script, start=start)
        for path in self._places.paths(item, variables, rule):
            yield self._taken(path, copy)

    def _taken(self, path: OpenedPath, copy: Copy) -> FileOutput:
        copied = self._copies.take(path, copy)
        return FileOutput(copied.found, copied.trees, findings=copied.findings)

    def _script(self, variables: Variables) -> SourcePath | None:
        """The first script of the directory that they speak of."""
        return next((one for one in self._scripts if parent(one) == variables.get("script")), None)

    @staticmethod
    def built_in(rule: Rule, variables: Variables) -> bool:
        """Whether a locale that is wanted needs no files."""
        return any(expand(one, variables) in locale_archive.BUILT_IN for one in rule.locale)

    def _locales(self, rule: Rule, variables: Variables) -> Iterator[FileOutput]:
        for template in rule.locale:
            locale = expand(template, variables)
            if locale is not None and locale_archive.is_name(locale):
                yield self._locale(rule, locale)

    def _locale(self, rule: Rule, locale: str) -> FileOutput:
        """A locale's directory, or what the archive has in its place."""
        for directory in locale_archive.directories(locale):
            if self._places.paths(directory, {}, rule):
                copied = self._taken(OpenedPath(directory), Copy(rule.name, rule.omit, None))
                return FileOutput(found=True) | copied
        archive = self._elf_files.walker.walk(OpenedPath(locale_archive.ARCHIVE))
        if archive.node is None or archive.node.kind != "file":
            return FileOutput()
        with self._elf_files.source(archive.real).open() as content:
            files = locale_archive.placed(content, locale)
        made = tuple(
            GeneratedFile(ImagePath(path), rule.name, 0o644, data) for path, data in files.items()
        )
        return FileOutput(found=bool(made), made=made)
