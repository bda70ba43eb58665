"""Path walks as the kernel does them, a directory as a snapshot, files that change while read."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rootfs_builder.errors import ChangedError, InputError
from rootfs_builder.filesystem.content import BytesSource, chunks, read
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.plan import PlanRoot, stage
from tests import trees

# Asks the kernel inside a chroot: [errno, resolved path] of each path on stdin.
ORACLE = """
import json, os, sys
fds = os.open("/proc/self/fd", os.O_RDONLY)
os.chroot(sys.argv[1])
answers = []
for path in json.load(sys.stdin):
    raw = path.encode("utf-8", "surrogateescape")
    try:
        opened = os.open(raw, os.O_PATH)
    except OSError as error:
        answers.append([error.errno, None])
    else:
        real = os.readlink(b"%d" % opened, dir_fd=fds).decode("utf-8", "surrogateescape")
        answers.append([0, real])
        os.close(opened)
print(json.dumps(answers))
"""


def kernel(top, paths):
    """What the kernel says of paths in a process whose root is `top`."""
    privileged = [] if os.geteuid() == 0 else ["unshare", "-r"]
    done = subprocess.run(
        [*privileged, sys.executable, "-S", "-c", ORACLE, top],
        input=json.dumps(paths),
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare failed" in done.stderr:
        pytest.skip("no user namespace to chroot in")
    assert done.returncode == 0, done.stderr
    return [tuple(answer) for answer in json.loads(done.stdout)]


def walked(root, paths):
    walker = Walker(root)
    walks = [walker.walk(path) for path in paths]
    return [(walk.errno, None if walk.errno else walk.real) for walk in walks]


COMPONENTS = ("a", "b", "c", "..")
RELATIVE = st.lists(st.sampled_from(COMPONENTS), min_size=1, max_size=4).map("/".join)
SLASH = st.sampled_from(["", "", "", "/", "//"])
TARGETS = st.tuples(st.sampled_from(["", "", "/"]), RELATIVE, SLASH).map("".join) | st.just("/")
PATHS = st.tuples(st.sampled_from(["/", "/", "//"]), RELATIVE, SLASH).map("".join)


@st.composite
def forests(draw):
    """Nodes at depth 1 to 3: None for a directory, "" for a file, else a link's target."""
    nodes = {}
    for name in COMPONENTS[:3]:
        nodes[f"/{name}"] = draw(st.none() | st.just("") | TARGETS | TARGETS)
    for above in [path for path in nodes if nodes[path] is None]:
        for name in COMPONENTS[:3]:
            nodes[f"{above}/{name}"] = draw(st.none() | st.just("") | TARGETS)
    return nodes


def grow(top, nodes):
    for path, node in nodes.items():
        if node is None:
            os.mkdir(top + path)
        elif node:
            os.symlink(node, top + path)
        else:
            Path(top + path).touch()


@settings(max_examples=60)
@given(nodes=forests(), paths=st.lists(PATHS, min_size=30, max_size=60))
def test_a_walk_ends_where_the_kernel_ends(nodes, paths):
    with trees.scratch() as top:
        grow(top, nodes)
        assert walked(DirectoryRoot(top), paths) == kernel(top, paths)


@pytest.fixture
def top(tmp_path):
    """A directory to be the root."""
    (tmp_path / "top").mkdir()
    return str(tmp_path / "top")


@pytest.mark.parametrize(
    ("nodes", "path", "expected"),
    [
        ({"/d": None, "/d/f": "", "/l": "d"}, "/l/f", (0, "/d/f")),
        ({"/d": None, "/f": "", "/l": "/d"}, "/l/../f", (0, "/f")),
        ({"/d": None, "/d/e": None, "/d/f": "", "/l": "d/e"}, "/l/../f", (0, "/d/f")),
        ({"/f": "", "/l": "/../../f"}, "/l", (0, "/f")),
        ({"/f": "", "/l": "../../../f"}, "/../l", (0, "/f")),
        ({"/f": ""}, "/f/", (errno.ENOTDIR, None)),
        ({"/f": ""}, "/f/..", (errno.ENOTDIR, None)),
        ({"/f": ""}, "/f/x", (errno.ENOTDIR, None)),
        ({"/f": "", "/l": "f"}, "/l/", (errno.ENOTDIR, None)),
        ({"/f": "", "/l": "f/"}, "/l", (errno.ENOTDIR, None)),
        ({"/d": None, "/l": "d/"}, "/l", (0, "/d")),
        ({"/d": None}, "//d/.//./", (0, "/d")),
        ({"/l": "x"}, "/l", (errno.ENOENT, None)),
        ({}, "/x/..", (errno.ENOENT, None)),
        ({"/l": "l"}, "/l", (errno.ELOOP, None)),
        ({"/l": "m/x", "/m": "/l"}, "/l", (errno.ELOOP, None)),
        ({"/d": None, "/d/l": "../d/l/x"}, "/d/l", (errno.ELOOP, None)),
        ({}, "/", (0, "/")),
        ({}, "/../..", (0, "/")),
        ({}, "/" + "n" * 255, (errno.ENOENT, None)),
        ({}, "/" + "n" * 256, (errno.ENAMETOOLONG, None)),
        ({}, "/" + "ä" * 128, (errno.ENAMETOOLONG, None)),
        ({}, "/x/" + "n" * 256, (errno.ENOENT, None)),
        ({}, "/." * 2047 + "/", (0, "/")),
        ({}, "/." * 2048, (errno.ENAMETOOLONG, None)),
        ({"/l": "n" * 256}, "/l", (errno.ENAMETOOLONG, None)),
        ({"/\udcff": None, "/l": "\udcff"}, "/l", (0, "/\udcff")),
    ],
)
def test_a_walk(top, nodes, path, expected):
    grow(top, nodes)
    assert kernel(top, [path]) == [expected]
    assert walked(DirectoryRoot(top), [path]) == [expected]


@pytest.mark.parametrize("path", ["/f/.", "/l"])
def test_a_dot_behind_a_file_is_no_directory(top, path):
    grow(top, {"/f": "", "/l": "f/."})
    assert walked(DirectoryRoot(top), [path]) == kernel(top, [path]) == [(errno.ENOTDIR, None)]


def chain(top, links):
    """/1 leads to /2 … leads to the file /LINKS+1."""
    for number in range(1, links + 1):
        os.symlink(str(number + 1), f"{top}/{number}")
    Path(f"{top}/{links + 1}").touch()


def test_forty_links_are_followed_and_not_one_more(top):
    chain(top, 42)
    paths = ["/3", "/2", "/1", "/4"]
    expected = [(0, "/43"), (errno.ELOOP, None), (errno.ELOOP, None), (0, "/43")]
    assert kernel(top, paths) == expected
    assert walked(DirectoryRoot(top), paths) == expected


def test_links_count_along_the_whole_path(top):
    grow(top, {"/d": None, "/d/f": "", "/d/l": "."})
    paths = ["/d" + "/l" * count + "/f" for count in (40, 41)]
    expected = [(0, "/d/f"), (errno.ELOOP, None)]
    assert kernel(top, paths) == expected
    assert walked(DirectoryRoot(top), paths) == expected


def test_an_answer_does_not_depend_on_what_was_asked_before(top):
    chain(top, 190)
    paths = ["/1", "/160", "/165", "/190"]
    assert walked(DirectoryRoot(top), paths) == kernel(top, paths)


def test_thousands_of_links_are_too_many_and_no_crash(top):
    chain(top, 3000)
    assert walked(DirectoryRoot(top), ["/1"]) == [(errno.ELOOP, None)]


@pytest.mark.long
def test_thousands_of_directories_are_walked(top):
    command = (
        f"i=0; while [ $i -lt 2000 ]; do mkdir d && cd -P d || exit; i=$((i+1)); done; cd {top}"
    )
    subprocess.run(["sh", "-c", command], cwd=top, check=True)
    base = os.open(top, os.O_RDONLY)
    try:
        # A short base, since lstat(2) takes 4095 bytes in all.
        root = DirectoryRoot(f"/proc/self/fd/{base}")
        deep = "/d" * 2000
        assert walked(root, [deep, "/d/.." * 700]) == [(0, deep), (0, "/")]
    finally:
        os.close(base)
        subprocess.run(["rm", "-r", f"{top}/d"], check=True)  # too deep for pytest to clean up


def test_a_walk_knows_every_node_it_stepped_on(top):
    grow(top, {"/d": None, "/d/e": None, "/d/e/f": "", "/l": "d/x", "/d/x": "/d/e"})
    walk = Walker(DirectoryRoot(top)).walk("/l/../e/f")
    expected = ("/", "/l", "/d", "/d/x", "/", "/d", "/d/e", "/d", "/d/e", "/d/e/f")
    assert walk.steps == expected
    assert walk.links == 2


def test_nothing_outside_the_root_is_reached(top):
    Path(top).parent.joinpath("secret").touch()
    grow(top, {"/l": "../secret", "/m": "/secret"})
    root = DirectoryRoot(top)
    paths = ["/../secret", "/l", "/m", f"{top}/../secret"]
    assert [errno_ for errno_, _ in walked(root, paths)] == [errno.ENOENT] * 4


def test_what_may_not_be_asked_is_an_errno_not_a_crash():
    class Forbidden:
        def lstat(self, path):
            if path != "/":
                raise PermissionError(errno.EACCES, "no", path)
            return DirectoryRoot().lstat("/")

    assert Walker(Forbidden()).walk("/x/y").errno == errno.EACCES


@settings(max_examples=50)
@given(plan=trees.plans(), data=st.data())
def test_a_plan_answers_as_the_directory_it_is_written_to(plan, data):
    with trees.scratch() as top:
        stage.write(plan, top)
        roots = DirectoryRoot(top), PlanRoot(plan)
        paths = ["/", *(entry.path for entry in plan.entries)]
        assert answers(roots[0], paths) == answers(roots[1], paths)
        inside = st.lists(st.sampled_from([path[1:] for path in paths] + [".."]), max_size=4)
        asked = data.draw(st.lists(inside.map(lambda parts: "/" + "/".join(parts)), max_size=8))
        assert walked(roots[0], asked) == walked(roots[1], asked)


def answers(root, paths):
    """Everything a Root says, without the numbers that differ between two trees."""
    first = {}
    said = {}
    for path in paths:
        node = root.lstat(path)
        same_as = first.setdefault(node.identity, path)
        size = node.size if node.kind == "file" else 0
        mode = node.mode if path != "/" else 0
        said[path] = (node.kind, mode, size, same_as, detail(root, path, node))
    return said


def detail(root, path, node):
    if node.kind == "symlink":
        return root.readlink(path)
    return read(root.open(path)) if node.kind == "file" else root.list(path)


def test_each_path_is_looked_at_once(top):
    grow(top, {"/f": "", "/d": None, "/d/x": "", "/gone": ""})
    root = DirectoryRoot(top)
    seen = [root.lstat(path) for path in ("/f", "/d", "/gone", "/new")]
    listed = root.list("/d")
    os.unlink(f"{top}/gone")
    os.chmod(f"{top}/f", 0o600)
    grow(top, {"/new": "", "/d/y": ""})
    assert [root.lstat(path) for path in ("/f", "/d", "/gone", "/new")] == seen
    assert seen[3] is None
    assert root.list("/d") == listed == ("x",)


def test_a_link_is_read_once(top):
    grow(top, {"/l": "a"})
    root = DirectoryRoot(top)
    assert root.readlink("/l") == "a"
    os.unlink(f"{top}/l")
    grow(top, {"/l": "b"})
    assert root.readlink("/l") == "a"


def test_names_are_listed_by_their_bytes_in_every_locale(top):
    names = ["a", "B", "ä", "\ufffd", "\U0001f600", "\udcff"]
    for name in names:
        Path(os.fsdecode(top.encode() + b"/" + name.encode("utf-8", "surrogateescape"))).touch()
    assert DirectoryRoot(top).list("/") == ("B", "a", "ä", "\ufffd", "\U0001f600", "\udcff")


def test_two_names_of_one_file_have_one_identity(top):
    grow(top, {"/f": "", "/g": "", "/l": "f"})
    os.link(f"{top}/f", f"{top}/h")
    root = DirectoryRoot(top)
    assert root.lstat("/f").identity == root.lstat("/h").identity
    assert len({root.lstat(path).identity for path in ("/f", "/g", "/l")}) == 3


def test_a_device_is_special():
    assert DirectoryRoot().lstat("/dev/null").kind == "special"


def rewrite(path):
    path.write_bytes(b"other")


def touch(path):
    os.utime(path, ns=(0, 1))


def shrink(path):
    os.truncate(path, 2)


def grown(path):
    with path.open("ab") as stream:
        stream.write(b"x")


def replace(path):
    """Another file with the same size and times."""
    info = path.stat()
    other = path.with_suffix(".new")
    other.write_bytes(b"HELLO")
    os.utime(other, ns=(info.st_atime_ns, info.st_mtime_ns))
    other.rename(path)


CHANGES = [rewrite, touch, shrink, grown, replace]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"hello")
    os.utime(path, ns=(0, 0))
    return path


def source(path):
    return DirectoryRoot(str(path.parent)).open(f"/{path.name}")


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: one.__name__)
def test_a_file_that_changed_before_it_is_opened_is_refused(file, change):
    seen = source(file)
    change(file)
    with pytest.raises(ChangedError, match="changed while it was being read"):
        read(seen)


@pytest.mark.parametrize("change", CHANGES[:4], ids=lambda one: one.__name__)
def test_a_file_that_changes_while_it_is_read_is_refused(file, change):
    seen = source(file)
    with pytest.raises(ChangedError, match="changed"), seen.open() as content:  # noqa: PT012
        assert content[0:2] == b"he"
        change(file)
        content[0:5]


def linked(path):
    os.link(path, path.with_suffix(".other"))


def unlinked(path):
    linked(path)
    path.with_suffix(".other").unlink()


def chmod(path):
    path.chmod(path.stat().st_mode & 0o777)


def same(path):
    """The same bytes, and the time that it had."""
    path.write_bytes(b"hello")
    os.utime(path, ns=(0, 0))


@pytest.mark.parametrize("when", ["before it is opened", "while it is read", "both"])
@pytest.mark.parametrize("change", [linked, unlinked, chmod, same], ids=lambda one: one.__name__)
def test_another_ctime_alone_is_no_change(file, change, when):
    seen = source(file)
    assert read(seen) == b"hello"
    time.sleep(0.02)  # a tick of the file system's clock
    if when != "while it is read":
        change(file)
    with seen.open() as content:
        assert content[0:2] == b"he"
        if when == "while it is read":
            change(file)
        elif when == "both":
            chmod(file)
        assert content[2:5] == b"llo"
    assert file.stat().st_ctime_ns != seen.stamp[4]


def other_bytes(path):
    path.write_bytes(b"jello")
    os.utime(path, ns=(0, 0))


def test_other_bytes_with_the_same_size_and_mtime_are_a_change(file):
    seen = source(file)
    with pytest.raises(ChangedError), seen.open() as content:  # noqa: PT012
        assert content[0:2] == b"he"
        time.sleep(0.02)
        other_bytes(file)
        content[2:5]
    other_bytes(file)
    seen = source(file)
    assert read(seen) == b"jello"
    time.sleep(0.02)
    same(file)
    with pytest.raises(ChangedError):
        read(seen)
    with pytest.raises(ChangedError), seen.open() as content:  # what is read now is the same
        assert content[2:5] == b"llo"


def test_two_names_of_a_file_are_equal_though_one_was_made_later(file):
    root = DirectoryRoot(str(file.parent))
    first = root.open("/f")
    time.sleep(0.02)
    linked(file)
    other = root.open("/f.other")
    assert other == first
    assert other.identity == first.identity
    assert len({first, other}) == 1
    assert other.stamp != first.stamp


def test_a_change_is_seen_between_pieces(file):
    pieces = chunks(source(file), 2)
    assert next(pieces) == b"he"
    shrink(file)
    with pytest.raises(ChangedError):
        list(pieces)


def test_an_error_of_the_reader_is_not_hidden_by_a_change(file):
    with pytest.raises(ZeroDivisionError), source(file).open():  # noqa: PT012
        touch(file)
        raise ZeroDivisionError


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("x"), lambda _: None])
def test_a_file_that_became_something_else_is_an_error_and_hangs_nobody(file, make):
    seen = source(file)
    file.unlink()
    make(file)
    with pytest.raises((ChangedError, InputError)):
        read(seen)


def test_a_file_that_is_shorter_than_the_kernel_says_is_refused(file, monkeypatch):
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: pread(fd, min(size, 3 - at), at))
    with pytest.raises(InputError):
        read(source(file))


@pytest.mark.parametrize("unit", [1, 2, 3, 5, 100])
def test_pieces_make_the_whole(file, unit):
    pieces = list(chunks(source(file), unit))
    assert b"".join(pieces) == b"hello"
    assert {len(piece) for piece in pieces[:-1]} <= {unit}


def test_no_bytes_are_no_pieces(file):
    file.write_bytes(b"")
    assert list(chunks(source(file), 4)) == []
    assert read(source(file)) == b""


def test_content_is_sliced_like_bytes(file):
    with source(file).open() as content, BytesSource(b"hello").open() as other:
        assert len(content) == len(other) == 5
        for part in (slice(0, 2), slice(3, 99), slice(9, 12), slice(4, 2), slice(-2, None)):
            assert content[part] == other[part] == b"hello"[part]


def test_sources_of_one_inode_are_equal_and_of_two_are_not(file):
    other = file.with_name("g")
    other.write_bytes(b"hello")
    os.link(other, file.with_name("h"))
    assert source(other) == source(file.with_name("h"))
    assert source(file) != source(other)
