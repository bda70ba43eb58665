"""What the user gives: a recipe, scripts, added files → words, in which rules look for evidence."""

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from rootfs_builder.filesystem.content import read
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs.closure import Program, Tree
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.rules import code, directives
from rootfs_builder.needs.rules.schema import Find, Rules
from rootfs_builder.paths import SourcePath, decode, encode, join, name, named_in, printable
from rootfs_builder.recipe import Recipe

_COMMENTS, _VAGUE = (b"#", b";", b"//", b"--"), frozenset(b"\0$%*?[{")
_MOST_FILES, _MOST_BYTES = 1000, 1 << 16  # of an added tree, so that it is configuration


Bound = frozenset[tuple[str, str]]  # variables with their values, as a key
Words = dict[Bound, Clue]


class UserInput(Struct, frozen=True):
    """The user's own words: `files` has what `--add` adds, and the arguments, as (name, bytes).

    `placed` has the files again, by their paths in the image. `scripts` are the resolved paths of
    the scripts that are packed, `command` is the arguments, with a NUL before and behind each.
    `variables` is what the image's environment is given, `user` who is to run the program. `texts`
    and `symbols` are all that the rules look for, so that a file is read once for all of them.
    `left_out` has the outermost paths in what `--add` adds that do not go in.
    """

    variables: dict[str, str]
    user: str = ""
    files: tuple[tuple[str, bytes], ...] = ()
    placed: dict[str, bytes] = {}
    scripts: tuple[SourcePath, ...] = ()
    command: bytes = b""
    texts: frozenset[bytes] = frozenset()
    symbols: frozenset[bytes] = frozenset()
    left_out: frozenset[SourcePath] = frozenset()


class _Hit(Struct, frozen=True):
    """What a pattern or a directive says in the text of the name `where`, by variable.

    `value` is the last of them, or all that matches; `is_vague` where it names no one thing.
    """

    where: str
    groups: dict[str, bytes]
    value: bytes
    is_vague: bool

    @property
    def clue(self) -> Clue:
        """In words."""
        value = decode(self.value)
        text = f"{self.where} names {printable(value).strip()}"
        return Clue(text, named_in(f"{self.where} {value}"))


class UserInputSearch:
    """Searches in what the user gives; the same is looked for once."""

    def __init__(self, user_input: UserInput) -> None:
        self.user_input = user_input
        self._found: dict[tuple[object, ...], tuple[_Hit, ...]] = {}
        places = "".join(f"\0{place}\0" for place in user_input.placed)
        texts = (("an argument", user_input.command), ("--add", encode(places)), *user_input.files)
        self._texts = tuple(one for one in texts if one[1])

    def first_containing(self, text: bytes) -> str | None:
        """The name of the first of the user's files that has a text in it."""
        return next((name for name, data in self.user_input.files if text in data), None)

    def search(self, find: Find) -> list[dict[str, bytes]]:
        """The variables of each match of what it looks for in these texts, none twice."""
        each = {tuple(one.groups.items()): None for one in self._hits(find)}
        return list(map(dict, each))

    def describe_match(self, find: Find) -> Clue | None:
        """Where the first match is, and what the last of its variables is."""
        hits = self._hits(find)
        return hits[0].clue if hits else None

    def clues(self, find: Find) -> "Words":
        """Each thing that is named, by its variables, with where it first is.

        A comment names nothing, nor does a text with a wildcard or a variable in it.
        """
        found: Words = {}
        for hit in self._hits(find):
            if hit.groups and not hit.is_vague:
                variables = {name: decode(one) for name, one in hit.groups.items()}
                found.setdefault(frozenset(variables.items()), hit.clue)
        return found

    def _hits(self, find: Find) -> tuple[_Hit, ...]:
        key = (find.words, *find.settings.items(), *find.code.items())
        if key not in self._found:
            self._found[key] = tuple(self._search(find))
        return self._found[key]

    def _search(self, find: Find) -> Iterator[_Hit]:
        for pattern in find.words:
            for where, text in self._texts:
                yield from (_hit(where, one) for one in re.finditer(pattern.encode(), text))
        for where, text in self._texts if find.settings or find.code else ():
            for groups in (*directives.found(text, find.settings), *code.found(text, find.code)):
                value = next(iter(groups.values()))
                yield _Hit(where, groups, value, not _VAGUE.isdisjoint(value))


def _hit(where: str, hit: re.Match[bytes]) -> _Hit:
    groups = {name: one for name, one in hit.groupdict().items() if one is not None}
    return _Hit(where, groups, hit[hit.lastindex or 0], _is_vague(hit))


def _is_vague(hit: re.Match[bytes]) -> bool:
    value = hit.lastindex or 0
    line = hit.string[hit.string.rfind(b"\n", 0, hit.start(value)) + 1 : hit.start(value)]
    return line.lstrip().startswith(_COMMENTS) or not _VAGUE.isdisjoint(hit[value])


def collect(
    recipe: Recipe,
    programs: Iterable[Program],
    added: Sequence[Tree],
    elf_files: ElfFiles,
    rules: Rules,
) -> UserInput:
    """Variables and arguments, scripts, the small files of small trees; what `rules` look for."""
    tables = [one for rule in rules for one in rule.evidence]
    texts = {text.encode() for one in tables for text in one.text}
    symbols = {name.encode() for one in tables for name in (*one.imports, *one.own_imports)}
    arguments = (*(recipe.entrypoint or ())[1:], *recipe.command)
    files = [(f"the argument {word}", word.encode()) for word in arguments]
    files += [(f"-e {name}", value.encode()) for name, value in recipe.env]
    scripts = {one.real: _text(one.real, elf_files) for one in programs if not one.link_maps}
    files += [(printable(name(path)), text) for path, text in scripts.items() if text is not None]
    placed = {place: text for tree in added for place, text in _placed(tree, elf_files)}
    files += [(printable(name(place)), text) for place, text in placed.items()]
    command = "".join(f"\0{word}" for word in (*arguments, "")) if arguments else ""
    variables = dict(recipe.env)
    return UserInput(
        variables,
        recipe.user,
        tuple(files),
        placed,
        tuple(scripts),
        encode(command),
        frozenset(texts),
        frozenset(symbols),
        frozenset(path for tree in added for path in tree.left_out),
    )


def _placed(tree: Tree, elf_files: ElfFiles) -> Iterator[tuple[str, bytes]]:
    """The small files of a small added tree, by their paths in the image."""
    if len(tree.nodes) > _MOST_FILES:
        return
    for path, node in tree.nodes:
        text = _text(path, elf_files) if node.kind in ("file", "symlink") else None
        if text is not None:
            inside = path[len(tree.source) :].strip("/")
            yield join(tree.destination, inside) if inside else tree.destination, text


def _text(path: SourcePath, elf_files: ElfFiles) -> bytes | None:
    """What a small file says; None of one that is none."""
    walk = elf_files.walker.walk(path)
    if walk.node is None or walk.node.kind != "file":
        return None
    source = elf_files.source(walk.real)
    return read(source) if source.size <= _MOST_BYTES else None
