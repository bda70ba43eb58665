"""Codecs: members that any reader takes, the same bytes everywhere, checked compressors."""

import gzip
import shutil
import subprocess

import deflate
import pytest
import zstandard

from rootfs_builder.errors import RootfsError
from rootfs_builder.image import codecs
from rootfs_builder.recipe.codec import LEVELS as LEVELS_OF
from rootfs_builder.recipe.codec import Codec

UNITS = [b"", b"x", b"hello " * 10_000, bytes(range(256)) * 4096]
LEVELS = [Codec(name, level) for name in ("gzip", "zstd") for level in LEVELS_OF[name]]


@pytest.mark.parametrize("codec", LEVELS, ids=lambda codec: f"{codec.name} {codec.level}")
def test_members_in_a_row_are_the_units_in_a_row(codec):
    member = codecs.compressor(codec)
    stream = b"".join(map(member, UNITS))
    program = shutil.which("zstd" if codec.name == "zstd" else "gzip")
    if codec.name == "gzip":
        assert gzip.decompress(stream) == b"".join(UNITS)
    else:
        reader = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
        assert reader.readall() == b"".join(UNITS)
    if program is not None:
        plain = subprocess.run([program, "-dc"], input=stream, capture_output=True, check=True)
        assert plain.stdout == b"".join(UNITS)


def test_no_codec_changes_nothing():
    member = codecs.compressor(Codec("none", 0))
    assert [member(unit) for unit in UNITS] == UNITS


def test_the_gzip_header_says_nothing_about_this_machine():
    header = codecs.compressor(Codec("gzip", 6))(b"x")[:10]
    assert header == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])


@pytest.mark.parametrize("level", [1, 3, 19, 22])
def test_a_zstd_frame_names_its_size_and_every_reader_has_room_for_its_window(level):
    frame = codecs.compressor(Codec("zstd", level))(bytes(1 << 20))
    parameters = zstandard.get_frame_parameters(frame)
    assert parameters.content_size == 1 << 20
    assert parameters.window_size <= 1 << 20


@pytest.mark.parametrize(("name", "low", "high"), [("gzip", 1, 12), ("zstd", 1, 19)])
def test_a_higher_level_is_smaller(name, low, high):
    data = b"".join(b"%d %x " % (number, number * 2654435761) for number in range(50_000))
    sizes = [len(codecs.compressor(Codec(name, level))(data)) for level in (low, high)]
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize("wrong", [lambda data, _: data, lambda *_: b"\3\0"])
def test_another_gzip_is_refused(monkeypatch, wrong):
    monkeypatch.setattr(deflate, "deflate_compress", wrong)
    with pytest.raises(
        RootfsError, match="not be reproducible; install exactly the version of `deflate`"
    ):
        codecs.compressor(Codec("gzip", 1))


def test_another_zstd_is_refused(monkeypatch):
    newest = zstandard.ZstdCompressor
    monkeypatch.setattr(zstandard, "ZstdCompressor", lambda level: newest(level=level + 1))
    with pytest.raises(RootfsError, match="install exactly the version of `zstandard`"):
        codecs.compressor(Codec("zstd", 19))


def test_without_compression_the_compressor_does_not_matter(monkeypatch):
    monkeypatch.setattr(deflate, "deflate_compress", lambda *_: b"")
    assert codecs.compressor(Codec("none", 0))(b"x") == b"x"
