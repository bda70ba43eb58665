"""Added files → which of them are secrets of the machine that builds.

Three kinds: files of the machine itself and of the sysroot (`machine`); what tools keep
credentials in, by its usual name (`names`); keys, tokens and hashes, by what is in the file
(`content`). A file of the user's that only goes to /etc/passwd of the image is none, and neither is
a symlink inside an added tree: it is kept as a link.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import Mistake, PolicyError
from rootfs_builder.filesystem.root import Identity, Node
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.needs.secrets import machine, names
from rootfs_builder.needs.secrets.registries import Registries
from rootfs_builder.packages import Owners
from rootfs_builder.paths import SourcePath, ancestors, below, printable

_FEW = 3  # secrets whose options fit a sentence
_EVERYBODY_READS, _EVERYBODY_ENTERS = 0o004, 0o001


class Secret(Struct, frozen=True):
    """A file that is a secret, in the paths of the source, and what makes it one.

    `added` is its path below what the user adds, as that is written.
    """

    path: SourcePath
    why: str
    added: str = ""


class Secrets:
    """The secrets among the files of one build; the machine's own are looked for once."""

    def __init__(self, sources: Sources, facts: FileFacts | None = None) -> None:
        self._sources = sources
        self._facts = facts or FileFacts()

    def among(self, nodes: Iterable[tuple[SourcePath, Node]]) -> tuple[Secret, ...]:
        """Those among files that are to be added, in their order; paths are resolved.

        A file that cannot be read, or has changed, is none: what packs it fails for the same
        reason.
        """
        paths, identities = self._of_the_machine
        secrets: list[Secret] = []
        for path, node in nodes:
            if node.kind != "file":
                continue
            why = paths.get(path) or identities.get(node.identity) or names.why(path)
            if not why and node.size and not names.is_example(path):
                why = self._by_content(path)
                why = "" if why and self._registries.has_brought(path) else why
            if why and not self._is_published(path, node):
                secrets.append(Secret(path, why))
        return tuple(secrets)

    def _is_published(self, path: SourcePath, node: Node) -> bool:
        """Whether a package has brought just this file for all: a key for tests, an example."""
        above = map(self._sources.lstat, ancestors(path)) if below(path, "/usr") else (None,)
        for_all = all(one is not None and one.mode & _EVERYBODY_ENTERS for one in above)
        return bool(for_all and node.mode & _EVERYBODY_READS) and self._owners.is_published(path)

    @cached_property
    def _registries(self) -> Registries:
        return Registries(self._sources)

    @cached_property
    def _owners(self) -> Owners:
        return Owners(self._sources, self._facts)

    @cached_property
    def _of_the_machine(self) -> tuple[dict[SourcePath, str], dict[Identity, str]]:
        return machine.files(self._sources)

    def _by_content(self, path: SourcePath) -> str:
        def look() -> str:
            from rootfs_builder.needs.secrets import content  # few builds look into a file

            return content.why(source, path)

        source = self._sources.open(path)
        fact = f"a secret, {names.kind(path)}"
        return self._facts.get_or_compute(source, fact, str, look)


def refuse(secrets: Mapping[str, tuple[Secret, ...]]) -> None:
    """Stop if there are secrets; the keys are the values of `--add` that add them.

    Raises:
        PolicyError: each secret and why it is one, below its option; and the way out.
    """
    mistakes = []
    for added, those in secrets.items():
        if those:
            lines = [f"  {printable(Sources.display(one.path))}: {one.why}" for one in those]
            text = "\n".join(("secrets, which all who get the image could read:", *lines))
            mistakes.append(Mistake("--add", text, added))
    if mistakes:
        found = [one for those in secrets.values() for one in those]
        advice = (
            "mount them when the container runs, docker run -v FILE:PATH, or leave them out with "
            f"--exclude; {_allowing(found)}"
        )
        paths = tuple(Sources.display(one.path) for one in found)
        raise PolicyError(*mistakes, Mistake("", advice, advice=advice), paths=paths)


def _allowing(secrets: Sequence[Secret]) -> str:
    """Which options pack the secrets all the same."""
    import shlex

    each = dict.fromkeys(one.added or Sources.display(one.path) for one in secrets)
    if len(each) > _FEW:
        return "--allow-sensitive=PATH packs one, --allow-sensitive all"
    flags = " ".join(f"--allow-sensitive={shlex.quote(printable(one))}" for one in each)
    return f"{flags} packs {'it' if len(each) == 1 else 'them'}"
