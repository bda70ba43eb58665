"""What is shown besides the result: the table of files by the kind of their first reason."""

import pytest

from rootfs_builder.plan import ReasonKind
from rootfs_builder.views import summary

ROWS = {
    ReasonKind.EXECUTABLE: "programs",
    ReasonKind.INTERPRETER: "loaders and interpreters",
    ReasonKind.ADDED: "added files",
    ReasonKind.NEEDED: "libraries",
    ReasonKind.AUXILIARY: "libraries",
    ReasonKind.FILTER: "libraries",
    ReasonKind.PRELOAD: "libraries",
    ReasonKind.DLOPEN: "libraries",
    ReasonKind.SYMLINK: "libraries",
    ReasonKind.DIRECTORY: "libraries",
    ReasonKind.RULE: "what rules add",
    ReasonKind.GENERATED: "generated files",
    ReasonKind.IMAGE: "without a reason",
}


@pytest.mark.parametrize("kind", ReasonKind)
def test_a_file_is_counted_in_the_row_of_its_reason(kind):
    row, total = summary.kinds([(kind, 1)])
    assert row.split("  ")[0] == ROWS[kind]
    assert total.split("  ")[0] == "all files"
