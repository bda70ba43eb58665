"""The Plan: what it refuses, its one order, and a Plan asked as a Root."""

import pytest
from msgspec.structs import replace

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.content import read
from rootfs_builder.plan import (
    Plan,
    PlanRoot,
    Reason,
    ReasonKind,
    chain,
    hard_links,
    order,
    with_parents,
)
from tests import trees

FF = "\udcff"  # the byte FF, which is no UTF-8


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ([("/a", "file 0644 "), ("/a", "file 0644 ")], "/a: two entries for one path"),
        ([("/a", "file 0644 "), ("/a", "dir 0755")], "/a: two entries for one path"),
        ([("/.wh.a", "file 0644 ")], "/.wh.a: a name that starts with .wh."),
        ([("/.wh..wh..opq", "file 0644 ")], "deletes files"),
        ([("/d", "dir 0755"), ("/d/.wh.x", "symlink y")], "/d/.wh.x: a name"),
        ([("/d/a", "file 0644 ")], "/d/a: /d is not a directory of the image"),
        ([("/d/e", "dir 0755"), ("/d", "dir 0755")], "/d/e: /d is not a directory"),
        ([("/d", "symlink e"), ("/d/a", "file 0644 ")], "/d/a: /d is not a directory"),
        ([("/d", "file 0644 "), ("/d/a", "file 0644 ")], "/d/a: /d is not a directory"),
    ],
)
def test_a_plan_refuses(tree, words):
    with pytest.raises(InputError) as refused:
        Plan(tuple(trees.entry(path, entry) for path, entry in tree))
    assert words in str(refused.value)


def test_files_of_one_source_are_one_file_under_the_first_name():
    one, other = trees.file("/b", b"x"), trees.file("/d", b"x")
    entries = [other, one, replace(one, path="/a"), replace(one, path="/c")]
    assert hard_links(entries) == {"/b": "/a", "/c": "/a"}
    assert hard_links(entries[:2]) == {}  # the same bytes are no reason
    assert hard_links(entries[1::2]) == {"/c": "/b"}  # as in a layer without /a


@pytest.mark.parametrize("differs", [{"mode": 0o755}, {"uid": 1}, {"gid": 1}])
def test_one_file_has_one_mode_and_one_owner(differs):
    one = trees.file("/a", b"x")
    others = [replace(one, path=path, **differs) for path in ("/b", "/c")]
    assert hard_links([one, *others]) == {"/c": "/b"}


def test_a_plan_counts_each_inode_once():
    one, other = trees.file("/b", b"xyz"), trees.file("/d", b"x")
    plan = Plan(
        (*with_parents([trees.entry("/a", "symlink b"), one, replace(one, path="/c"), other]),)
    )
    assert [entry.path for entry in plan.unique_files] == ["/b", "/d"]
    assert plan.size == 4


def because(path, *by):
    """A file with a reason for each path in `by`; None is the user."""
    return replace(
        trees.file(path, b""), reasons=tuple(Reason(ReasonKind.NEEDED, one) for one in by)
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a", ["/a"]),
        ("/b", ["/b", "/a"]),
        ("/d", ["/d", "/b", "/a"]),  # and not by way of /c
        ("/f", ["/f", "/a"]),  # a circle is left
    ],
)
def test_a_chain_of_reasons_is_the_shortest_way_to_the_user(path, expected):
    entries = [because("/a", None), because("/b", "/a"), because("/c", "/b")]
    entries += [because("/d", "/c", "/b"), because("/e", "/f"), because("/f", "/e", "/a")]
    causes = chain(Plan(order(entries)), path)
    assert [cause.entry.path for cause in causes] == expected
    assert causes[-1].reason.by is None
    assert all(cause.reason in cause.entry.reasons for cause in causes)


def test_a_chain_without_an_end_ends_all_the_same():
    plan = Plan(order([because("/a", "/b"), because("/b", "/a")]))
    assert [cause.entry.path for cause in chain(plan, "/a")] == ["/a", "/b"]


@pytest.mark.parametrize("path", ["/", "//x", "x", "/d/", "/d/.", "/d/.."])
def test_a_plan_refuses_a_path_that_is_no_key(path):
    with pytest.raises(InputError):
        Plan((trees.entry("/d/", "dir 0755"), trees.file(path, b"")))


@pytest.mark.parametrize("name", [".wh", ".what", "x.wh.y", ".whiteout"])
def test_a_plan_takes_names_that_only_look_like_whiteouts(name):
    assert trees.of_plan(trees.plan({f"/{name}": "file 0644 "})).keys() == {f"/{name}"}


def test_a_message_shows_an_undecodable_name():
    with pytest.raises(InputError, match="/%FF/a: /%FF is not a directory"):
        Plan((trees.file("/\udcff/a", b""),))


def test_the_order_is_by_the_bytes_of_the_path():
    # As str, U+DCFF (the byte FF) would stand before U+FFFD (EF BF BD) and U+1F600 (F0 …).
    paths = ["/a", "/a-b", "/a/b", "/b", "/\ufffd", "/\U0001f600", "/\udcff"]
    entries = [trees.file(path, b"") for path in reversed(paths)]
    assert [entry.path for entry in order(entries)] == paths


def test_every_parent_is_made_once_and_says_for_which_entry():
    entries = with_parents([trees.file("/a/b/c", b""), trees.entry("/a/", "dir 0700")])
    assert trees.of_plan(Plan(entries)) == {
        "/a/": "dir 0700",
        "/a/b/": "dir 0755",
        "/a/b/c": f"file 0644 {trees.sha8(b'')}",
    }
    assert [(why.kind, why.by) for why in entries[1].reasons] == [("directory", "/a/b/c")]


def test_the_size_counts_each_inode_once():
    plan = trees.plan({"/a": "file 0644 12345", "/b": "hardlink /a", "/c": "symlink a"})
    assert plan.size == 5


@pytest.fixture
def root():
    return PlanRoot(
        trees.plan(
            {
                "/a": "file 0640 hello",
                "/b": "hardlink /a",
                "/d/": "dir 0711",
                f"/d/{FF}": "file 0644 x",
                "/d/\ufffd": "symlink ../a",
            }
        )
    )


def test_a_plan_answers_lstat(root):
    node = root.lstat("/a")
    assert (node.kind, node.mode, node.size) == ("file", 0o640, 5)
    assert (root.lstat("/d").kind, root.lstat("/d").mode) == ("dir", 0o711)
    assert root.lstat("/d/\ufffd").kind == "symlink"
    assert root.lstat("/").kind == "dir"
    assert root.lstat("/x") is None


def test_two_names_of_one_file_have_one_identity_and_one_content(root):
    assert root.lstat("/b") == root.lstat("/a")
    assert read(root.open("/b")) == b"hello"
    identities = [root.lstat(path).identity for path in ("/", "/a", "/d", f"/d/{FF}")]
    assert len(set(identities)) == 4


def test_a_plan_lists_by_the_bytes_of_the_name(root):
    assert root.list("/d") == ("\ufffd", FF)
    assert root.list("/") == ("a", "b", "d")


def test_a_plan_answers_readlink(root):
    assert root.readlink("/d/\ufffd") == "../a"


def test_only_a_file_can_be_opened(root):
    with pytest.raises(OSError, match="not a regular file"):
        root.open("/d")
