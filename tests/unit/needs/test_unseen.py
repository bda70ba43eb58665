"""A program that starts others, and nothing shows which."""

from types import SimpleNamespace

import pytest

from rootfs_builder.elf.go_commands import GoCommands
from rootfs_builder.needs import unseen
from rootfs_builder.needs.closure import ProgramKind

EDITOR = SimpleNamespace(
    kind=ProgramKind.EXECUTABLE,
    real="/usr/bin/editor",
    display_name="editor",
    link_maps=[SimpleNamespace(calls=())],
)
ELF_FILES = SimpleNamespace(imports=lambda *_: {b"execve"}, go_commands=lambda _: GoCommands())


@pytest.mark.parametrize(
    ("started", "said"),
    [((), True), (("/usr/bin/editor", "/usr/bin/dash"), True), (("/usr/bin/other",), False)],
)
def test_neither_a_shell_nor_the_program_itself_is_an_answer(started, said):
    """As Kakoune's scripts start Kakoune, and its user any program."""
    tree = SimpleNamespace(programs=[SimpleNamespace(real=one) for one in started], plugins=())
    supply = SimpleNamespace(left_out=())
    closure = SimpleNamespace(programs=[EDITOR], trees=[tree], supply=supply)
    assert any(unseen.find(closure, ELF_FILES)) is said
