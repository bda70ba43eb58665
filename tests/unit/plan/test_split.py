"""What lies together in a layer, and why nothing else in an image decides it."""

import pytest
from msgspec.structs import replace

from rootfs_builder.packages import Package
from rootfs_builder.plan import Plan, order, split
from tests import trees

MIB = 1 << 20
OWN = "own"


def deb(name, source=None, version="1"):
    return Package(name, version, "amd64", source or name, version, "deb")


LIBC = deb("libc6", "glibc", "2.41-12")
ZLIB = deb("zlib1g", "zlib", "1:1.3.1-1")


def plan(tree, whose):
    """The plan of a dict; `whose` has the package of a path, or OWN."""
    entries = []
    for entry in trees.plan(tree).entries:
        owner = whose.get(entry.path)
        known = {"first_party": True} if owner == OWN else {"package": owner}
        entries.append(replace(entry, **known))
    return Plan(tuple(entries))


def large(plan, *paths):
    """The plan, with these files a mebibyte long."""
    grown = {path: trees.file(path, path[-1:].encode() * MIB).content for path in paths}
    return replace(
        plan,
        entries=tuple(
            replace(one, content=grown.get(one.path, one.content)) for one in plan.entries
        ),
    )


def layers(plan, budget):
    """The layers, lowest first, each as what it has beside directories."""
    parts = split.by_change(plan, budget=budget)
    return [[one.path for one in part.entries if one.kind != "dir"] for part in parts]


HELLO = {
    "/lib": "symlink usr/lib",
    "/usr/lib/libc.so.6": "file 0755 libc",
    "/usr/lib/ld.so": "file 0755 ld.so",
    "/etc/passwd": "file 0644 generated",
    "/usr/local/bin/hello": "file 0755 hello",
}
WHOSE = {"/usr/lib/libc.so.6": LIBC, "/usr/lib/ld.so": LIBC, "/usr/local/bin/hello": OWN}


def test_the_users_own_files_lie_on_top_of_all_others():
    assert layers(plan(HELLO, WHOSE), 2) == [
        ["/etc/passwd", "/lib", "/usr/lib/ld.so", "/usr/lib/libc.so.6"],
        ["/usr/local/bin/hello"],
    ]


@pytest.mark.parametrize("whose", [{}, dict.fromkeys(HELLO, OWN)])
def test_where_all_belongs_to_one_there_is_one_layer(whose):
    assert len(layers(plan(HELLO, whose), 2)) == 1


def test_one_layer_is_the_plan_itself():
    whole = plan(HELLO, WHOSE)
    assert split.by_change(whole, budget=1) == (whole,)


def test_each_package_has_a_layer_and_what_has_none_comes_before_the_users_own():
    tree = HELLO | {"/usr/lib/libz.so.1": "file 0644 z", "/usr/lib/liba.so": "file 0644 a"}
    whose = WHOSE | {"/usr/lib/libz.so.1": ZLIB, "/usr/lib/liba.so": deb("liba")}
    assert layers(plan(tree, whose), 60) == [
        ["/usr/lib/ld.so", "/usr/lib/libc.so.6"],
        ["/usr/lib/libz.so.1"],
        ["/usr/lib/liba.so"],  # the table has the two above
        ["/etc/passwd", "/lib"],
        ["/usr/local/bin/hello"],
    ]


def test_a_large_file_and_the_link_to_it_have_a_layer_of_their_own():
    tree = {
        "/usr/lib/libc.so.6": "file 0755 libc",
        "/usr/lib/libm.so.6": "file 0644 m",
        "/usr/lib/libm.so": "symlink libm.so.6",
        "/usr/lib/libc.so": "symlink libc.so.6",
        "/usr/lib/other": "symlink libz.so",
        "/usr/lib/libz.so": "file 0644 z",
        "/usr/lib/nowhere": "symlink nothing",
    }
    whose = dict.fromkeys(tree, LIBC) | {"/usr/lib/libz.so": ZLIB}
    whole = large(plan(tree, whose), "/usr/lib/libc.so.6", "/usr/lib/libz.so")
    assert layers(whole, 60) == [
        ["/usr/lib/libm.so", "/usr/lib/libm.so.6", "/usr/lib/nowhere", "/usr/lib/other"],
        ["/usr/lib/libc.so", "/usr/lib/libc.so.6"],
        ["/usr/lib/libz.so"],
    ]


def test_names_of_one_file_lie_together_whoever_has_them():
    tree = {
        "/usr/bin/first": "file 0755 x",
        "/usr/bin/second": "hardlink /usr/bin/first",
        "/usr/bin/third": "file 0755 y",
    }
    whole = plan(tree, {"/usr/bin/first": deb("a"), "/usr/bin/third": deb("b")})
    assert layers(whole, 60) == [["/usr/bin/first", "/usr/bin/second"], ["/usr/bin/third"]]


def test_every_layer_has_its_directories_and_an_empty_one_lies_where_it_belongs():
    tree = {
        "/var/empty/": "dir 1777",
        "/srv/data/": "dir 0755",
        "/usr/lib/": "dir 0755",
        "/usr/lib/libc.so.6": "file 0755 libc",
        "/usr/lib/own.so": "file 0644 own",
    }
    whole = plan(tree, {"/usr/lib/libc.so.6": LIBC, "/usr/lib/own.so": OWN, "/srv/data": OWN})
    lower, upper = (trees.of_plan(part) for part in split.by_change(whole, budget=2))
    assert lower == {
        "/var/": "dir 0755",
        "/var/empty/": "dir 1777",
        "/usr/": "dir 0755",
        "/usr/lib/": "dir 0755",
        "/usr/lib/libc.so.6": trees.of_plan(whole)["/usr/lib/libc.so.6"],
    }
    assert list(upper) == ["/srv/", "/srv/data/", "/usr/", "/usr/lib/", "/usr/lib/own.so"]


def many(*sources, each=1):
    """A plan of packages of these sources, `each` of every source, and a file of the user's."""
    tree, whose = {"/hello": "file 0755 hello"}, {"/hello": OWN}
    for source in sources:
        for number in range(each):
            path = f"/usr/lib/{source}.{number}"
            tree[path] = f"file 0644 {source}"
            whose[path] = deb(f"{source}{number}", source)
    return plan(tree, whose)


def test_over_the_budget_the_packages_of_one_source_lie_together():
    whole = many("a", "b", each=3)
    assert len(layers(whole, 7)) == 7
    assert [len(layer) for layer in layers(whole, 6)] == [3, 3, 1]


def test_over_the_budget_large_files_join_their_package_first():
    whole = large(many("a", each=3), "/usr/lib/a.0", "/usr/lib/a.1")
    whole = replace(
        whole,
        entries=tuple(
            replace(one, package=deb("a")) if one.package else one for one in whole.entries
        ),
    )
    assert len(layers(whole, 4)) == 4
    assert [len(layer) for layer in layers(whole, 3)] == [3, 1]


UNKNOWN = [f"lib{number}" for number in range(200)]


def test_over_the_budget_what_the_table_begins_with_stays_alone():
    found = layers(many("zlib", "glibc", "perl", *UNKNOWN), 20)
    assert found[:2] == [["/usr/lib/glibc.0"], ["/usr/lib/zlib.0"]]
    assert found[-1] == ["/hello"]
    assert ["/usr/lib/perl.0"] not in found  # the budget is too small for that


@pytest.mark.parametrize("budget", [2, 3, 4, 5, 10, 60, 120])
def test_the_budget_is_kept(budget):
    rows = [name for row in split._TABLE for name in row.split()]
    whole = many(*rows, *UNKNOWN)
    assert len(layers(whole, budget)) <= budget


@pytest.mark.parametrize("budget", [3, 10, 60])
def test_one_package_more_changes_one_layer(budget):
    before = many("glibc", "zlib", *UNKNOWN)
    after = many("glibc", "zlib", *UNKNOWN, "newcomer")
    parts = split.by_change(before, budget=budget)
    others = split.by_change(after, budget=budget)
    assert len([part for part in others if part not in parts]) == 1
    assert len(parts) == len(others)


def test_what_else_is_in_an_image_does_not_matter():
    """Equal files of a package make equal layers, whatever the image has beside them."""
    parts, others = (
        split.by_change(many(*sources), budget=60)
        for sources in (("zlib", "a", "b"), ("a", "c", "zlib", "glibc"))
    )
    shared = [part.entries[-1].path for part in parts if part in others]
    assert shared == ["/usr/lib/zlib.0", "/usr/lib/a.0", "/hello"]


def test_versions_in_the_names_of_sources_do_not_count():
    gcc = [many(source) for source in ("gcc", "gcc-14", "gcc-13.2")]
    for whole in gcc:
        assert split._of_source(whole.entries[-1])[0] == split._RANK["gcc"]
    assert split._stem("389") == "389"


def test_no_name_stands_in_two_rows_of_the_table():
    for rank, row in enumerate(split._TABLE):
        assert {split._RANK[split._stem(name)] for name in row.split()} == {rank}


@pytest.mark.parametrize(
    ("tree", "whose", "words"),
    [
        (HELLO, WHOSE, "libc6 2.41-12 amd64, own files, files of the system"),
        ({"/a": "file 0644 a"}, {"/a": ZLIB}, "zlib1g 1:1.3.1-1 amd64: /a"),
        ({"/a": "file 0644 a"}, {"/a": OWN}, "own files: /a"),
        ({"/a": "file 0644 a"}, {}, "files of the system: /a"),
        ({"/a": "symlink b"}, {"/a": ZLIB}, "zlib1g 1:1.3.1-1 amd64"),
        ({"/a/": "dir 0755"}, {}, "files of the system"),
        ({"/\udce9\n": "file 0644 a"}, {"/\udce9\n": OWN}, "own files: /%E9%0A"),
        (
            {f"/{n}": "file 0644 x" for n in "abcde"},
            {f"/{n}": deb(n) for n in "abcde"},
            "a 1 amd64, b 1 amd64, c 1 amd64, 2 more",
        ),
    ],
)
def test_the_title_says_what_is_in_a_layer(tree, whose, words):
    assert split.title(plan(tree, whose)) == words


def test_the_parts_of_a_plan_are_plans_in_order():
    for part in split.by_change(plan(HELLO, WHOSE), budget=60):
        assert part.entries == order(part.entries)
