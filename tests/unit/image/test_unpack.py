"""Reading layers: what a container of them would see, with umoci's and tarfile's tars as input."""

import gzip
import io
import subprocess
import tarfile
import tempfile

import pytest
import zstandard

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem import capabilities
from rootfs_builder.filesystem.content import BytesSource, read
from rootfs_builder.image import (
    DOCKER,
    LAYER,
    LAYER_GZIP,
    LAYER_ZSTD,
    Descriptor,
    Layer,
    streams,
    unpack,
)
from rootfs_builder.image.limits import Meter
from rootfs_builder.plan import hard_links
from tests.timing import is_linear


def tar(*members):
    """A layer: (name, text) is a file, (name, None) a directory, (name, "->", target) a symlink.

    With "=" in place of "->" it is a hard link, and with "|" alone a FIFO.
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, *rest in members:
            info = tarfile.TarInfo(name)
            if rest[0] == "->":
                info.type, info.linkname = tarfile.SYMTYPE, rest[1]
            elif rest[0] == "=":
                info.type, info.linkname = tarfile.LNKTYPE, rest[1]
            elif rest[0] == "|":
                info.type = tarfile.FIFOTYPE
            elif rest[0] is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            else:
                info.size = len(rest[0])
            data = rest[0].encode() if info.isreg() else b""
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def layer(blob, media_type=""):
    return Layer(Descriptor(media_type), "", BytesSource(blob))


@pytest.fixture
def unpacked():
    """Unpack layers: path → text of a file, target of a symlink, None of a directory."""
    with tempfile.TemporaryFile() as scratch:

        def run(*blobs):
            plan = unpack.read(map(layer, blobs), scratch)
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
    "a FIFO, and its further name": ([("f", "|"), ("g", "=", "f"), ("h", "=", "g")], {"/f": ...}),
    "a file over a FIFO": (
        [("p", "|"), ("p", "new"), ("q", "=", "p")],
        {"/p": "new", "/q": "= /p"},
    ),
}


@pytest.mark.parametrize("case", UPPER)
def test_an_upper_layer(unpacked, case):
    members, changes = UPPER[case]
    expected = {path: now for path, now in {**BELOW, **changes}.items() if now is not ...}
    assert unpacked(BASE, tar(*members)) == expected


def test_whiteouts_cost_what_they_delete_and_not_what_there_is():
    def layers(size):
        lower = tar(*((f"d{number % 50}/f{number}", "") for number in range(size)))
        upper = tar(*((f"d{number % 50}/.wh.f{number}", "") for number in range(size // 2)))
        return lambda: counted.append(len(unpack.read(map(layer, (lower, upper)), scratch).entries))

    counted = []
    with tempfile.TemporaryFile() as scratch:
        assert is_linear(layers, 2_000)
    assert {*counted} == {50 + 1_000, 50 + 4_000}


def test_a_hard_link_keeps_what_an_upper_layer_replaces(unpacked):
    assert unpacked(tar(("a", "old"), ("b", "=", "a")), tar(("a", "new"))) == {
        "/a": "new",
        "/b": "old",
    }


CAPABILITY = f"SCHILY.xattr.{capabilities.ATTRIBUTE}"
RAW = capabilities.parse("cap_net_raw=ep")
FOR_ANOTHER = b"\x01\0\0\x03" + RAW[4:] + b"\xe8\x03\0\0"  # revision 3, of a namespace of 1000


def with_capability(raw):
    info = tarfile.TarInfo("f")
    info.pax_headers = {CAPABILITY: raw.decode("utf-8", "surrogateescape")}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    return out.getvalue()


@pytest.mark.parametrize("raw", [RAW, FOR_ANOTHER])
def test_a_file_has_its_capabilities_whichever_namespace_they_were_for(raw):
    with tempfile.TemporaryFile() as scratch:
        (entry,) = unpack.read([layer(with_capability(raw))], scratch).entries
    assert entry.capability == RAW


SKIPPED = b"\x5f\x2a\x4d\x18\4\0\0\0size"  # a frame that is not data (RFC 8878, section 3.1.2)


@pytest.mark.parametrize(
    "compress",
    [
        lambda data: data,
        gzip.compress,
        lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
        zstandard.compress,
        lambda data: zstandard.compress(data[:700]) + zstandard.compress(data[700:]),
        lambda data: SKIPPED + zstandard.compress(data),
        lambda data: zstandard.compress(data) + SKIPPED,
    ],
    ids=["none", "gzip", "gzip members", "zstd", "zstd frames", "pzstd", "zstd:chunked"],
)
def test_a_compression(unpacked, compress):
    assert unpacked(compress(BASE))["/a/x"] == "x"


@pytest.mark.parametrize("name", ["BZh", "PK\3\4", "\x1f\x8b", "\xfd7zXZ", "(µ", "BZh91AY&SY"])
@pytest.mark.parametrize("media_type", ["", LAYER, DOCKER[LAYER]])
def test_a_tar_whose_first_name_begins_like_another_format_is_a_tar(name, media_type):
    blob = tar((name, "x"))
    with tempfile.TemporaryFile() as scratch:
        (entry,) = unpack.read([layer(blob, media_type)], scratch).entries
    assert entry.path == f"/{name}"
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as scratch:
        file.write(blob)
        assert streams.decompressed(file, scratch, Meter()) is file


@pytest.mark.parametrize(
    ("media_type", "compress"),
    [
        (LAYER_GZIP, gzip.compress),
        (DOCKER[LAYER_GZIP], gzip.compress),
        (LAYER_ZSTD, zstandard.compress),
    ],
)
def test_the_media_type_of_a_layer_decides(media_type, compress):
    with tempfile.TemporaryFile() as scratch:
        found = unpack.read([layer(compress(BASE), media_type)], scratch)
    assert "/a/x" in [entry.path for entry in found.entries]
    with tempfile.TemporaryFile() as scratch, pytest.raises(InputError, match="layer 1 is damaged"):
        unpack.read([layer(BASE, media_type)], scratch)


@pytest.mark.parametrize(
    "form", ["--format=gnu", *(f"--sparse-version={version}" for version in ("0.0", "0.1", "1.0"))]
)
@pytest.mark.parametrize("holes", [1, 30])
def test_a_sparse_file_is_whole(unpacked, tmp_path, form, holes):
    with (tmp_path / "f").open("wb") as file:
        for number in range(holes):
            file.seek(number << 16)
            file.write(b"data" if number % 2 else b"\xc3\xa4")
        file.truncate(file.tell() + (1 << 16))
    (tmp_path / "g").write_text("g")
    pax = () if "gnu" in form else ("--format=pax",)
    command = ["tar", "-c", "--sparse", form, *pax, "--hard-dereference", "f", "g"]
    layer = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    text = (tmp_path / "f").read_text()
    assert len(layer) < len(text) / 4
    assert unpacked(layer, tar(("h", "h"))) == {"/f": text, "/g": "g", "/h": "h"}


@pytest.mark.parametrize("places", ["-5,4", "0,-1", "90,20", "0,2000"])
def test_a_damaged_sparse_file_is_refused(unpacked, places):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("f")
        info.size = 8
        info.pax_headers = {"GNU.sparse.size": "100", "GNU.sparse.map": places}
        archive.addfile(info, io.BytesIO(b"x" * 8))
    with pytest.raises(InputError, match="layer 1 is damaged"):
        unpacked(out.getvalue())


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
        with_capability(b"\xff" * 20),
        b"BZh91AY",
        b"\xfd7zXZ\x00",
    ],
    ids=["short gzip", "bad gzip", "short zstd", "text", "short tar", "upwards", "link to nothing",
         "capability", "bzip2", "xz"],
)  # fmt: skip
def test_a_damaged_layer_is_refused(unpacked, blob):
    with pytest.raises(InputError):
        unpacked(blob)
