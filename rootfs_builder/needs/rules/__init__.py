"""What a program needs that none of its ELF headers says: rules as data, and what they match.

A rule sees evidence in the objects of one process and the user's own words, never an absence or
what another rule did, and it can only add: so the order of rules does not matter.

To add one: put its table into a `.toml` file of this folder (or of your own, `--rules FILE`).
"""

import os
from functools import partial

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import UsageError
from rootfs_builder.filesystem.content import Source
from rootfs_builder.filesystem.content import read as bytes_of
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.needs.rules.matching import Match, Variables, match
from rootfs_builder.needs.rules.reading import read
from rootfs_builder.needs.rules.requests import Requested
from rootfs_builder.needs.rules.schema import Rule, Rules
from rootfs_builder.paths import ROOT, join, printable
from rootfs_builder.recipe.toml_lines import Lines

__all__ = ["Match", "Requested", "Rule", "Rules", "Variables", "load", "match", "read"]


def load(extra: tuple[tuple[str, str], ...] = (), *, facts: FileFacts | None = None) -> Rules:
    """The rules of this folder and those of the user's files, given as (name, text).

    What the folder's files say is remembered in `facts`.

    Raises:
        UsageError: a file is malformed, or a name is taken.
    """
    folder, facts = DirectoryRoot(os.path.dirname(__file__)), facts or FileFacts()
    found: dict[str, str] = {}
    rules: list[Rules] = []
    for name in folder.list(ROOT):
        if name.endswith(".toml"):
            source = folder.open(join(ROOT, name))
            own = partial(_own, source, name)
            rules.append(facts.get_or_compute(source, "rules", Rules, own))
            found |= {rule.name: name for rule in rules[-1]}
    for name, text in extra:
        rules.append(read(text, name))
        taken = [rule.name for rule in rules[-1] if rule.name in found]
        if taken:
            lines = Lines(text)
            raise UsageError(
                "\n".join(
                    f"{printable(name)}:{lines.of((one,))}: [{one}] is a rule of "
                    f"{printable(found[one])} already; give it another name, and leave that one "
                    f"out with --without {one}"
                    for one in taken
                )
            )
        found |= {rule.name: name for rule in rules[-1]}
    return tuple(sorted((rule for some in rules for rule in some), key=lambda rule: rule.name))


def _own(source: Source, name: str) -> Rules:
    return read(bytes_of(source).decode(), name, own=True)
