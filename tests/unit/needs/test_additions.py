"""`--add`: what is excluded, which file counts where trees overlap, and what is said of a tree."""

import os
import shlex
import struct
import subprocess
import tarfile
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootfs_builder import recipe
from rootfs_builder.errors import InputError, PolicyError, UsageError
from rootfs_builder.filesystem.content import read
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.paths import below
from rootfs_builder.pipeline import planning

HERE = "/home/me"
PEM = "-----BEGIN {} KEY-----\nMC4CAQAwBQYDK2VwBCIEIHRoaXMgaXMgbm8ga2V5OyBhIHRlc3QgbWFkZSBpdCEh\n"
KEY = (PEM + "-----END {} KEY-----\n").replace("{}", "PRIVATE")  # or this file would be one


class Machine:
    """A machine in a directory, with one static program."""

    def __init__(self, top, program):
        self.top = Path(top)
        self.fill({f"{HERE}/prog": program.read_bytes()})
        (self.top / f"{HERE}/prog".lstrip("/")).chmod(0o755)

    def fill(self, tree):
        """Paths with a text, bytes, "-> target" of a symlink, or None for a directory."""
        for path, what in tree.items():
            file = self.top / (path if path.startswith("/") else f"{HERE}/{path}").lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            if what is None:
                file.mkdir(exist_ok=True)
            elif isinstance(what, bytes):
                file.write_bytes(what)
            elif what.startswith("-> "):
                file.symlink_to(what[3:])
            else:
                file.write_text(what)

    def plan(self, *added, rules=(), **options):
        given = {"directory": HERE, "executables": ("prog",), "add": added, **options}
        sources = Sources(DirectoryRoot(str(self.top)))
        return planning.plan(recipe.from_options(**given), sources, rules=rules).plan

    def tree(self, *added, **options):
        """Each path of the image but the program's: its text, a link's target after an arrow."""
        return {
            one.path: f"-> {one.target}" if one.kind == "symlink" else read(one.content).decode()
            for one in self.plan(*added, **options).entries
            if one.kind != "dir" and one.path != "/usr/local/bin/prog"
        }


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    file = tmp_path_factory.mktemp("program") / "prog"
    command = ["gcc", "-static", "-nostdlib", "-x", "c", "-", "-o", file]
    subprocess.run(command, input=b"void _start(void) {}", check=True)
    return file


@pytest.fixture
def machine(tmp_path, program):
    return Machine(tmp_path / "machine", program)


def said(plan, code):
    return [one.text for one in plan.findings if one.code == code]


def test_what_is_excluded_is_neither_packed_nor_looked_at(machine):
    machine.fill(
        {"app/a.py": "a", "app/.env": "PASSWORD=hf83hf7sk2", "app/t/key": KEY, "app/s": None}
    )
    os.mkfifo(machine.top / "home/me/app/s/fifo")
    with pytest.raises(PolicyError):
        machine.plan("app:/srv")
    found = machine.tree("app:/srv", exclude=(".env", "t", "**/fifo"))
    assert found == {"/srv/a.py": "a"}
    with pytest.raises(InputError, match="fifo is a device, FIFO or socket"):
        machine.plan("app:/srv", exclude=(".env", "t"))


def test_a_pattern_is_for_every_tree_and_the_directories_around_what_is_taken_back_stay(machine):
    machine.fill({"a/x/1": "1", "a/x/y/2": "2", "b/x/3": "3", "b/z/x": "4", "c": "5"})
    add = ("a:/a", "b:/b", "c:/x")
    assert machine.tree(*add, exclude=("x",)) == {"/b/z/x": "4", "/x": "5"}
    assert machine.tree(*add, exclude=("**/x", "!x/y")) == {"/a/x/y/2": "2", "/x": "5"}
    plan = machine.plan(*add, exclude=("x", "!x/y"))
    assert "/a/x/y" in {one.path for one in plan.entries if one.kind == "dir"}
    assert "/b/x" not in {one.path for one in plan.entries}


def test_an_ignore_file_in_a_tree_and_beside_it(machine):
    """Each is for paths that start where it lies; the nearer one comes later, options last."""
    machine.fill({"app/a": "a", "app/b": "b", "app/c/d": "d", "app/c/e": "e", "f": "f"})
    machine.fill({".rootfsignore": "# mine\napp/a\n*/c\nf\n"})
    assert machine.tree("app:/srv", "f:/f") == {"/srv/b": "b", "/f": "f"}
    assert machine.tree("app/c:/c") == {"/c/d": "d", "/c/e": "e"}
    machine.fill({"app/.rootfsignore": "b\n!a\n!c\n"})
    assert machine.tree("app:/srv") == {"/srv/a": "a", "/srv/c/d": "d", "/srv/c/e": "e"}
    assert machine.tree("app:/srv", exclude=("c/d", "!b")) == {
        "/srv/a": "a",
        "/srv/b": "b",
        "/srv/c/e": "e",
    }


def test_what_the_user_names_is_in_whatever_an_ignore_file_says(machine):
    machine.fill({"app/a": "a", "venv/b": "b", "venv/c.tmp": "c"})
    machine.fill({".rootfsignore": "venv\n**/*.tmp\n"})
    assert machine.tree(".:/srv", "venv:/venv", exclude=("prog",)) == {
        "/srv/app/a": "a",
        "/venv/b": "b",
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"a\n[\n", "line 2: '['"), (b"\xff", "utf-8"), (None, "Invalid argument")],
)
def test_an_ignore_file_that_is_none_is_named(machine, content, words):
    machine.fill({"app/.rootfsignore": content})
    with pytest.raises(InputError, match=f"--add .*/app: {HERE}/app/.rootfsignore: ") as caught:
        machine.plan("app:/srv")
    assert words in str(caught.value)


def test_an_exclude_that_matches_nothing_is_said(machine):
    machine.fill({"app/a": "a", "app/b/c": "c"})
    plan = machine.plan("app:/srv", exclude=("a", "d", "b", "b/x", "c"))
    each = [text.split(":")[0] for text in said(plan, "nothing-excluded")]
    assert each == ["--exclude d", "--exclude c"]
    assert len(said(machine.plan(exclude=("a",)), "nothing-excluded")) == 1


def test_a_program_in_what_is_excluded_goes_where_it_would_without_the_tree(machine):
    machine.fill({"app/a": "a"})
    assert machine.plan(".:/srv").programs == ("/srv/prog",)
    assert machine.plan(".:/srv", exclude=("prog",)).programs == ("/usr/local/bin/prog",)


def test_a_relative_place_is_refused_by_its_name(machine):
    machine.fill({"site/a": "a", "c:d": "a file of that name"})
    with pytest.raises(UsageError, match=r"srv is not an absolute path .*; write .*/site:/srv"):
        machine.plan("site:srv")
    assert machine.tree("c:d") == {"/c:d": "a file of that name"}


def test_a_later_tree_that_goes_deeper_counts(machine):
    machine.fill(
        {"app/a": "a", "app/b/c": "c", "app/b/d": "d", "my.conf": "mine", "more/c": "more"}
    )
    whole = {"/x/a": "a", "/x/b/c": "c", "/x/b/d": "d"}
    assert machine.tree("app:/x", "my.conf:/x/a") == whole | {"/x/a": "mine"}
    assert machine.tree("app:/x", "more:/x/b") == whole | {"/x/b/c": "more"}
    assert machine.tree("app:/x", "my.conf:/x/b/") == whole | {"/x/b/my.conf": "mine"}
    for add in (
        ("my.conf:/x/a", "app:/x"),
        ("app:/x", "more:/x/b", "app/b:/x/b"),
        ("app/a:/x", "my.conf:/x"),
    ):
        with pytest.raises(InputError, match="two different files for one path"):
            machine.plan(*add)


def test_a_secret_that_a_later_file_replaces_is_none(machine):
    machine.fill({"app/key": KEY, "public": "x"})
    assert machine.tree("app:/x", "public:/x/key") == {"/x/key": "x"}
    with pytest.raises(PolicyError):
        machine.plan("app:/y", "app:/x", "public:/x/key")


def files(*paths):
    return st.sets(st.sampled_from(paths), min_size=1)


ADDED = st.one_of(
    st.tuples(st.just("/x"), files("1", "2", "d/1", "d/2")),
    st.tuples(st.just("/x/d"), files("1", "2")),
    st.tuples(st.sampled_from(("/x/1", "/x/2", "/x/d/1", "/x/d/2")), st.just({""})),
)


def copied(added):
    """What is in the image if each may replace files of shallower ones; None if two contradict."""
    found = {}
    for nth, (place, files) in enumerate(added):
        for file in files:
            claims = found.setdefault(f"{place}/{file}".rstrip("/"), {})
            for other in [one for one in claims if one != place and below(place, one)]:
                del claims[other]
            if place in claims:
                claims[place] = None
            else:
                claims[place] = f"{nth} {file}"
    if any(len(claims) > 1 or None in claims.values() for claims in found.values()):
        return None
    return {path: text for path, claims in found.items() for text in claims.values()}


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(ADDED, min_size=1, max_size=4))
def test_trees_over_each_other_are_what_copying_in_this_order_gives(
    tmp_path_factory, program, added
):
    machine = Machine(tmp_path_factory.mktemp("m"), program)
    add = []
    for nth, (place, files) in enumerate(added):
        machine.fill({f"{nth}/{file}".rstrip("/"): f"{nth} {file}" for file in files})
        add.append(f"{nth}:{place}")
    expected = copied(added)
    if expected is None:
        with pytest.raises(InputError):
            machine.plan(*add)
    else:
        assert machine.tree(*add) == expected


def test_trees_that_do_not_overlap_may_come_in_any_order(machine):
    machine.fill({"a/1": "1", "b/2": "2", "c": "3"})
    add = ("a:/x", "b:/x/y", "c:/z")
    (found,) = {tuple(machine.plan(*one).entries) for one in permutations(add)}
    assert {"/x/1", "/x/y/2", "/z"} <= {one.path for one in found}


def image(path):
    """An archive as docker or we write one."""
    with tarfile.open(path, "w") as tar:
        for name in ("blobs/sha256/0", "index.json", "manifest.json", "oci-layout"):
            (path.parent / "x").write_text("{}")
            tar.add(path.parent / "x", name)


def test_what_no_image_needs_is_said_with_the_flag(machine):
    machine.fill({"app/.git/HEAD": "x" * 1000, "app/a.py": "", "app/sub/__pycache__/a.pyc": "x"})
    machine.fill(
        {"app/sub/__pycache__/b.pyc": "yy", "app/ordinary.tar": "", "app/out/index.json": "{}"}
    )
    machine.fill({"app/out/oci-layout": "{}", "app/out/blobs/sha256/1": "z"})
    image(machine.top / "home/me/old image.tar")
    os.rename(machine.top / "home/me/old image.tar", machine.top / "home/me/app/old image.tar")
    plan = machine.plan("app:/srv")
    lines = said(plan, "unneeded-files")
    flags = [line.partition("to leave it out: ")[2] for line in lines]
    assert flags == [
        "--exclude .git",
        "--exclude 'old image.tar' --exclude out",
        "--exclude sub/__pycache__",
    ]
    assert [one.level for one in plan.findings] == ["warning", "warning", "hint"]
    assert "app/.git (1,000 bytes)" in lines[0]
    assert "(3 bytes)" in lines[2]
    exclude = (".git", "old image.tar", "out", "sub/__pycache__")
    assert not machine.plan("app:/srv", exclude=exclude).findings


def test_a_tree_that_is_in_another_one_goes_in_twice(machine):
    machine.fill({"app/a": "a", "app/venv/b": "b"})
    (line,) = said(machine.plan("app:/srv", "app/venv:/venv"), "unneeded-files")
    assert "is included twice, as /venv and /srv/venv" in line
    assert line.endswith("--exclude venv")
    assert not machine.plan("app:/srv", "app/a:/a").findings
    for options in ({"exclude": ("venv",)}, {}):
        place = "/venv" if options else "/srv/venv"
        assert not machine.plan("app:/srv", f"app/venv:{place}", **options).findings


SITE = "venv/lib/python3.11/site-packages"
WITH_PIP = {
    "venv/pyvenv.cfg": "home = /usr/bin",
    f"{SITE}/pip/__init__.py": "import setuptools, pip",
    f"{SITE}/pip/__pycache__/x.pyc": "x",
    f"{SITE}/pip-23.0.dist-info/METADATA": "Name: pip",
    f"{SITE}/setuptools/__init__.py": "import pkg_resources",
    f"{SITE}/pkg_resources/__init__.py": "",
    f"{SITE}/_distutils_hack/__init__.py": "",
    f"{SITE}/distutils-precedence.pth": "",
    f"{SITE}/flask/__init__.py": "import os",
    f"{SITE}/pipenv/__init__.py": "# import pip",
}


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ({}, set()),
        ({f"{SITE}/flask/x.py": "try:\n    import pkg_resources\n"}, {"setuptools"}),
        ({f"{SITE}/flask/x.py": "from pip._internal import main"}, {"pip"}),
        ({f"{SITE}/flask-1.dist-info/METADATA": "Requires-Dist: setuptools (>=3)"}, {"setuptools"}),
        ({f"{SITE}/f-1.dist-info/METADATA": "Requires-Dist: pip ; extra == 'all'"}, set()),
        ({"app.py": "import setuptools"}, {"setuptools"}),
        ({"app.py": "__import__('pkg_resources').declare_namespace(__name__)"}, {"setuptools"}),
    ],
)
def test_what_installs_packages_is_said_unless_something_imports_it(machine, more, kept):
    machine.fill(WITH_PIP | {"app.py": ""} | more)
    plan = machine.plan("venv:/venv", "app.py:/app.py")
    line = "".join(said(plan, "unneeded-files"))
    flags = shlex.split(line.partition("to leave it out: ")[2])
    there = {one.rpartition("/")[2] for one in flags}
    assert there & {"pip", "setuptools"} == {"pip", "setuptools"} - kept
    assert "flask" not in line
    assert "pipenv" not in line


def test_large_tests_of_packages_are_a_hint_small_ones_are_not(machine):
    for size in (1000, 6_000_000):
        machine.fill({f"{SITE}/np/tests/data": "", f"{SITE}/np/include/x.h": "x"})
        os.truncate(machine.top / f"home/me/{SITE}/np/tests/data", size)
        lines = said(machine.plan("venv:/venv"), "unneeded-files")
        assert len(lines) == (size > 1000)
    assert f"--exclude {SITE[5:]}/np/include --exclude {SITE[5:]}/np/tests" in lines[0]


def test_the_ways_to_what_is_added_are_open_unless_somebody_else_brings_them(machine):
    machine.fill(
        {"a.conf": "a", "/etc/closed/own": "b", "/etc/closed/in/c": "c", "/etc/sticky/x": ""}
    )
    (machine.top / "etc/closed/in").chmod(0o700)
    (machine.top / "etc/closed").chmod(0o750)
    (machine.top / "etc/sticky").chmod(0o1777)

    def modes(*added):
        plan = machine.plan(*added, user="65532:65532")
        found = {one.path: one.mode for one in plan.entries if one.kind == "dir"}
        return found, [one.code for one in plan.findings]

    found, codes = modes("a.conf:/etc/closed/in/a.conf", "a.conf:/etc/sticky/a")
    assert (found["/etc/closed"], found["/etc/closed/in"], found["/etc/sticky"]) == (
        0o755,
        0o755,
        0o1777,
    )
    assert "closed-to-user" not in codes
    for order in (
        ("a.conf:/etc/closed/a.conf", "/etc/closed"),
        ("/etc/closed", "a.conf:/etc/closed/a.conf"),
    ):
        found, codes = modes(*order)
        assert (found["/etc/closed"], found["/etc/closed/in"]) == (0o750, 0o700)
        assert "closed-to-user" in codes


def test_links_that_lead_to_what_the_image_has_not_are_said(machine):
    machine.fill({"/etc/box/a": "a", "other/b": "b", "app/in": "i", "app/1": "-> /etc/box/a"})
    machine.fill(
        {"app/2": "-> ../other/b", "app/3": f"-> {HERE}/other/b", "app/4": f"-> {HERE}/app/in"}
    )
    machine.fill(
        {"app/5": "-> /dev/null", "app/6": "-> gone", "app/7": "-> /etc/gone", "app/8": "-> in"}
    )
    lines = said(machine.plan("app:/srv"), "dangling-symlink")
    assert [line.partition(":")[0] for line in lines] == [f"{HERE}/app/{one}" for one in (1, 2, 3)]
    assert lines[0].endswith("the image does not have; add that too: --add /etc/box/a")
    assert f"{HERE}/other/b, which the image does not have; add that too" in lines[1]
    assert lines[2].endswith("add that too, or make the link relative")
    assert not said(
        machine.plan("app:/srv", "/etc/box", "other:/other", exclude=("3",)), "dangling-symlink"
    )
    machine.fill({f"more/{nth}": "-> /etc/box/a" for nth in range(9)})
    assert said(machine.plan("more:/srv"), "dangling-symlink")[3:] == [
        "/srv has 6 more symlinks to what the image does not have"
    ]


def test_a_link_of_the_system_that_is_added_at_its_own_place_stays_one(machine):
    machine.fill({"/usr/share/x/real/a": "a", "/usr/share/x/link": "-> real", "/usr/bin/t": "tool"})
    machine.fill(
        {"/etc/alternatives/t": "-> /usr/bin/t", "/usr/bin/name": "-> ../../etc/alternatives/t"}
    )
    assert machine.tree("/usr/bin/name") == {
        "/usr/bin/name": "-> ../../etc/alternatives/t",
        "/etc/alternatives/t": "-> /usr/bin/t",
        "/usr/bin/t": "tool",
    }
    assert machine.tree("/usr/share/x/link") == {
        "/usr/share/x/link": "-> real",
        "/usr/share/x/real/a": "a",
    }
    assert machine.tree("/usr/bin/name:/usr/bin/other") == {"/usr/bin/other": "tool"}


def test_bytes_of_a_word_are_enough_to_know_an_archive_and_others_are_none(machine):
    header = b"not-an-image".ljust(257, b"\0") + b"ustar" + struct.pack("250x")
    machine.fill({"app/a.tar": header * 4})
    assert not machine.plan("app:/srv").findings
