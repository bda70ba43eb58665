"""The headers of a tar, with tarfile as the oracle; and those that no tar program writes."""

import io
import subprocess
import tarfile

import pytest
from msgspec.structs import replace

from rootfs_builder.errors import LimitError
from rootfs_builder.filesystem.content import BytesSource, read
from rootfs_builder.image import streams, tar_headers
from rootfs_builder.image.extents import Extent
from rootfs_builder.image.limits import NO_LIMITS, Limits, Meter
from rootfs_builder.image.tar_fields import TarError
from tests.faults import archives

KINDS = {b"1": "hardlink", b"2": "symlink", b"5": "dir", b"6": "special"}


def found(data, limits=None):
    source = BytesSource(data)
    with source.open() as content:
        return [*tar_headers.members(streams.Plain(content), Meter(limits, len(data)))]


def tarfiles(data):
    """What tarfile says of the same."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for one in archive:
            kind = KINDS.get(one.type, "file")
            content = archive.extractfile(one).read() if kind == "file" else None
            yield (one.name, kind, one.mode, one.uid, one.gid, one.size, one.linkname, content)


def ours(data):
    for one in found(data):
        content = None
        if one.kind == "file":
            content = read(Extent(BytesSource(data), one.offset, one.size, "", 1 << 30, one.parts))
        name = one.name.rstrip("/")
        yield (name, one.kind, one.mode, one.uid, one.gid, one.size, one.link, content)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Files of every kind whose names, sizes and holes need each form of header."""
    top = tmp_path_factory.mktemp("tree")
    (top / ("long" * 30)).mkdir(mode=0o711)
    (top / ("long" * 30) / "é\N{SNOWMAN}").write_bytes(b"x" * 1000)
    (top / ("long" * 30) / ("name" * 40)).write_bytes(b"")
    (top / "link").symlink_to("long" * 50)
    (top / "further").hardlink_to(top / ("long" * 30) / "é\N{SNOWMAN}")
    with (top / "holes").open("wb") as file:
        for number in range(40):
            file.seek(number << 16)
            file.write(b"data%d" % number)
        file.truncate(1 << 22)
    subprocess.run(["mkfifo", top / "fifo"], check=True)
    return top


@pytest.mark.parametrize("sparse", [(), ("--sparse",)])
@pytest.mark.parametrize("form", ["gnu", "oldgnu", "pax"])
def test_a_tar_of_gnu_tar_says_what_tarfile_says(tree, form, sparse):
    command = ["tar", "-c", f"--format={form}", *sparse, "--sort=name", "."]
    data = subprocess.run(command, cwd=tree, check=True, capture_output=True).stdout
    assert [*ours(data)] == [*tarfiles(data)]


@pytest.mark.parametrize(
    "info",
    [
        {"name": "a/" * 100 + "f"},
        {"uid": 1 << 40, "gid": 3_000_000},
        {"mode": 0o7777, "linkname": "x" * 300, "type": b"2"},
        {"name": "d/", "type": b"\0"},
        {"name": "\udcff\udcfe"},
    ],
)
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar_of_tarfile_says_what_tarfile_says(info, form):
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=form, pax_headers={"comment": "all"}
    ) as archive:
        one = tarfile.TarInfo("f")
        for key, value in info.items():
            setattr(one, key, value)
        archive.addfile(one)
    assert [*ours(out.getvalue())] == [*tarfiles(out.getvalue())]


@pytest.mark.parametrize("kind", [b"g", b"x"])
def test_a_name_of_a_pax_header_is_the_members(kind):
    data = archives.record(b"path", b"other") + archives.record(b"size", b"3")
    tar = archives.member(b"x", data, kind) + archives.member(b"f", b"abc")
    (one,) = found(tar)
    assert (one.name, one.size) == ("other", 3)


HEADER = archives.header


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"text" * 200, "its first block is not a tar header"),
        (HEADER(b"f") + b"text" * 128, "at byte 512"),
        (HEADER(b"f", 1000), "f: it is cut off"),
        (HEADER(b"f")[:300], "cut off"),
        (HEADER(b"f", 1 << 64), "f: an invalid size"),
        (HEADER(b"f", fields=[(100, b"9999999\0")]), "f: an invalid number"),
        (HEADER(b"x", 100, b"x"), "cut off in a header"),
        (archives.member(b"x", b"12 nothing", b"x"), "a damaged PAX header"),
        (
            archives.member(b"x", b"6 a=b\n" + b"x" * 30 + b"\n", b"x"),
            "a damaged PAX header",
        ),
        (archives.member(b"x", b"99999 a=b\n", b"x"), "a damaged PAX header"),
        (archives.member(b"x", archives.record(b"size", b"1e3"), b"x") + HEADER(b"f"), "invalid"),
        (archives.member(b"x", b"", b"x"), "cut off after a header"),
    ],
)
def test_damage_is_said_with_the_member(data, words):
    with pytest.raises(TarError, match=words):
        found(data)


def in_front(count):
    """A sparse file in PAX's form 1.0 that says how many parts it has."""
    keys = {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.realsize": b"9"}
    records = b"".join(archives.record(*one) for one in keys.items())
    return archives.member(b"x", records, b"x") + archives.member(b"f", b"%d\n" % count)


@pytest.mark.parametrize("count", [5, 10**15])
def test_a_map_that_does_not_end_is_damage(count):
    with pytest.raises(TarError, match="f: it is cut off in a header"):
        found(in_front(count))


@pytest.mark.parametrize(
    ("limit", "data"),
    [
        ("members", HEADER(b"f") * 3),
        ("header", archives.member(b"x", b"n" * 600, b"L") + HEADER(b"f")),
        ("headers", (archives.member(b"x", b"n" * 200, b"L") + HEADER(b"f")) * 3),
    ],
)
def test_a_limit_is_what_may_be_and_one_more_is_refused(limit, data):
    with pytest.raises(LimitError, match="more than the limit of 2; --no-limits") as raised:
        found(data, replace(Limits(), **{limit: 2}))
    most = {"members": 3, "header": 600, "headers": 600}[limit]
    assert raised.value.exit_code == 5
    assert found(data, replace(Limits(), **{limit: most}))
    assert found(data, NO_LIMITS)


def test_what_describes_a_member_is_none_itself():
    one = archives.member(b"x", archives.record(b"path", b"other"), b"x") + HEADER(b"f")
    assert len(found(one * 2, replace(Limits(), members=2))) == 2


def test_a_thousand_members_behind_a_large_global_header_cost_no_copies():
    keys = b"".join(archives.record(b"a%05d" % number, b"") for number in range(50_000))
    tar = archives.member(b"g", keys, b"g") + HEADER(b"f") * 1000
    assert len(found(tar)) == 1000
