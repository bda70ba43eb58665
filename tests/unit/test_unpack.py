"""Reading layers: what a container of them would see, with umoci's and tarfile's tars as input."""

import gzip
import io
import tarfile
import tempfile

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from rootfs_builder import layers, unpack
from rootfs_builder.errors import InputError
from rootfs_builder.plan import Entry, Plan, Reason, hard_links, with_parents
from rootfs_builder.root import BytesSource, Slice, read
from rootfs_builder.store import Store

WHY = (Reason("image"),)


def tar(*members):
    """A layer: (name, text) is a file, (name, None) a directory, (name, "->", target) a symlink."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, *rest in members:
            info = tarfile.TarInfo(name)
            if rest[0] == "->":
                info.type, info.linkname = tarfile.SYMTYPE, rest[1]
            elif rest[0] == "=":
                info.type, info.linkname = tarfile.LNKTYPE, rest[1]
            elif rest[0] is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            else:
                info.size = len(rest[0])
            data = rest[0].encode() if info.isreg() else b""
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture
def unpacked():
    """Unpack layers: path → text of a file, target of a symlink, None of a directory."""
    with tempfile.TemporaryFile() as scratch:

        def run(*blobs):
            plan = unpack.read([BytesSource(blob) for blob in blobs], scratch)
            links = {path: f"= {first}" for path, first in hard_links(plan.entries).items()}
            return {entry.path: shown(entry) for entry in plan.entries} | links

        yield run


def shown(entry):
    if entry.kind == "symlink":
        return "-> " + entry.target
    return None if entry.content is None else read(entry.content).decode()


BASE = tar(("a", None), ("a/x", "x"), ("a/y", "y"), ("l", "->", "a"), ("f", "f"))


BELOW = {"/a": None, "/a/x": "x", "/a/y": "y", "/l": "-> a", "/f": "f"}
UPPER = {
    "replaced": ([("a/x", "new")], {"/a/x": "new"}),
    "whiteout": ([("a/.wh.x", "")], {"/a/x": ...}),
    "whiteout of a directory": ([(".wh.a", "")], {"/a": ..., "/a/x": ..., "/a/y": ...}),
    "opaque": ([("a/.wh..wh..opq", ""), ("a/z", "z")], {"/a/x": ..., "/a/y": ..., "/a/z": "z"}),
    "whiteout of the lower only": ([("a/x", "new"), ("a/.wh.x", "")], {"/a/x": "new"}),
    "a directory over a file": ([("f", None), ("f/in", "i")], {"/f": None, "/f/in": "i"}),
    "a file over a directory": ([("a", "now")], {"/a": "now", "/a/x": ..., "/a/y": ...}),
    "below a lower link": ([("l/z", "z")], {"/l": None, "/l/z": "z"}),
    "below its own link": ([("m", "->", "a"), ("m/z", "z")], {"/m": "-> a", "/a/z": "z"}),
    "./ in front": ([("./a/x", "dot")], {"/a/x": "dot"}),
    "implicit parents": ([("b/c/d", "deep")], {"/b": None, "/b/c": None, "/b/c/d": "deep"}),
    "a hard link": ([("g", "=", "f")], {"/g": "= /f"}),
}


@pytest.mark.parametrize("case", UPPER)
def test_an_upper_layer(unpacked, case):
    members, changes = UPPER[case]
    expected = {path: now for path, now in {**BELOW, **changes}.items() if now is not ...}
    assert unpacked(BASE, tar(*members)) == expected


def test_a_hard_link_keeps_what_an_upper_layer_replaces(unpacked):
    assert unpacked(tar(("a", "old"), ("b", "=", "a")), tar(("a", "new"))) == {
        "/a": "new",
        "/b": "old",
    }


@pytest.mark.parametrize(
    "compress",
    [
        lambda data: data,
        gzip.compress,
        lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
        zstandard.compress,
        lambda data: zstandard.compress(data[:700]) + zstandard.compress(data[700:]),
    ],
    ids=["none", "gzip", "gzip members", "zstd", "zstd frames"],
)
def test_a_compression(unpacked, compress):
    assert unpacked(compress(BASE))["/a/x"] == "x"


def test_a_hard_link_to_a_symlink_is_that_symlink(unpacked):
    assert unpacked(tar(("a", "->", "x"), ("b", "=", "a"))) == {"/a": "-> x", "/b": "-> x"}


@pytest.mark.parametrize(
    "blob",
    [
        gzip.compress(BASE)[:-20],
        gzip.compress(BASE)[:50] + b"\xff" * 50,
        zstandard.compress(BASE)[:-20],
        b"not a tar at all" * 100,
        BASE[:800],
        tar(("../x", "x")),
        tar(("h", "=", "nothing")),
        b"BZh91AY",
        b"\xfd7zXZ\x00",
    ],
    ids=["short gzip", "bad gzip", "short zstd", "text", "short tar", "upwards", "link to nothing",
         "bzip2", "xz"],
)  # fmt: skip
def test_a_damaged_layer_is_refused(unpacked, blob):
    with pytest.raises(InputError):
        unpacked(blob)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=120)
PATHS = st.lists(
    NAMES.filter(lambda n: n not in {".", ".."} and not n.startswith(".wh.")),
    min_size=1,
    max_size=3,
)
SIZES = st.sampled_from([0, 1, 511, 512, 513, 65535, 65536, 65537])


@st.composite
def plans(draw):
    entries = {}
    for parts in draw(st.lists(PATHS, max_size=6)):
        path = "/" + "/".join(parts)
        kind = draw(st.sampled_from(["file", "dir", "symlink"]))
        mode = 0o777 if kind == "symlink" else draw(st.sampled_from([0o644, 0o755, 0o1777, 0o600]))
        number = len(entries)
        content = BytesSource(bytes([number]) * draw(SIZES)) if kind == "file" else None
        target = draw(NAMES) if kind == "symlink" else ""
        above = [path[:i] for i, c in enumerate(path) if c == "/" and i]
        below = [other for other in entries if other.startswith(path + "/")]
        free = all(entries[one].kind == "dir" for one in above if one in entries)
        if free and (kind == "dir" or not below):
            entries[path] = Entry(path, kind, mode, WHY, content, target)
    return Plan(with_parents(entries.values()))


@given(plans())
def test_reading_back_gives_the_plan_less_its_reasons(plan):
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as scratch:
        store = Store(file)
        layer = layers.pack(plan, store)
        blob = store.blobs[layer.descriptor.digest]
        file.flush()
        back = unpack.read([Slice(file, blob.offset, blob.size)], scratch)
        assert [facts(entry) for entry in back.entries] == [facts(entry) for entry in plan.entries]


def facts(entry):
    content = None if entry.content is None else read(entry.content)
    return entry.path, entry.kind, entry.mode, content, entry.target, entry.uid, entry.gid
