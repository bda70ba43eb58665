"""Tar headers: golden bytes of one, and all others read back by Python's own reader."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rootfs_builder.errors import InputError
from rootfs_builder.image import tar
from tests import trees

LAST_MODE, LAST_ID, LAST_SIZE = 0o7777, 0o7777777, 0o77777777777  # of the fields of USTAR


def read_back(header):
    return trees.opened(header + tar.END).next()  # one: its content is not there


def raw(text):
    return text.encode("utf-8", "surrogateescape")


def test_one_header_byte_by_byte():
    header = tar.header(b"usr/bin/hello", size=0o1234, mode=0o755, mtime=0o17, uid=8, gid=9)
    fields = [
        (b"usr/bin/hello", 100),
        (b"0000755", 8),
        (b"0000010", 8),
        (b"0000011", 8),
        (b"00000001234", 12),
        (b"00000000017", 12),
        (b"010372\0 ", 8),
        (b"0", 1),
        (b"", 100),
        (b"ustar", 6),
        (b"00", 2),
        (b"", 32 + 32 + 8 + 8 + 155 + 12),
    ]
    assert header == b"".join(text.ljust(size, b"\0") for text, size in fields)


def test_a_long_name_stands_in_a_pax_record_before_the_header():
    name = b"d/" * 50 + b"f"
    header = tar.header(name)
    assert len(header) == 3 * tar.BLOCK
    assert header[156:157] == b"x"
    assert header[512:1024] == (b"111 path=" + name + b"\n").ljust(512, b"\0")
    assert header[1024:1124] == name[:100]


PATHS = st.lists(trees.names(), min_size=1, max_size=30).map(b"/".join)


@given(
    name=PATHS,
    size=st.integers(0, 1 << 50),
    mode=st.integers(0, LAST_MODE),
    mtime=st.integers(0, tar.MAX_TIME),
    uid=st.integers(0, (1 << 32) - 2),
    gid=st.integers(0, (1 << 32) - 2),
)
@example(b"x" * 100, LAST_SIZE, LAST_MODE, tar.MAX_TIME, LAST_ID, LAST_ID)
@example(b"x" * 101, LAST_SIZE + 1, 0, 0, LAST_ID + 1, LAST_ID + 1)
@example("ä/\U0001f600\n=".encode(), 9 << 30, 0o755, 1, 0, 0)
@example(b"\xff\xfe" * 80, 0, 0o644, 0, 0, 0)
def test_every_field_reads_back(name, size, mode, mtime, uid, gid):
    header = tar.header(name, size=size, mode=mode, mtime=mtime, uid=uid, gid=gid)
    member = read_back(header)
    assert raw(member.name) == name
    assert (member.size, member.mode, member.mtime) == (size, mode, mtime)
    assert (member.uid, member.gid) == (uid, gid)
    assert member.isreg()
    assert len(header) % tar.BLOCK == 0


@given(link=PATHS | st.just(b"../" * 60), kind=st.sampled_from([tar.SYMLINK, tar.HARDLINK]))
def test_every_link_reads_back(link, kind):
    member = read_back(tar.header(b"l", kind=kind, link=link))
    assert (raw(member.linkname), member.type, member.size) == (link, kind, 0)


@given(name=PATHS)
def test_every_directory_reads_back(name):
    member = read_back(tar.header(name + b"/", kind=tar.DIRECTORY, mode=0o1777))
    assert (raw(member.name), member.isdir(), member.mode) == (name, True, 0o1777)


def test_a_value_that_fits_needs_no_pax_record():
    assert len(tar.header(b"x" * 100, size=LAST_SIZE, uid=LAST_ID, gid=LAST_ID)) == tar.BLOCK


@pytest.mark.parametrize("length", [*range(80, 120), *range(980, 1010), 9980, 9990, 9999])
def test_a_pax_record_counts_its_own_digits(length):
    header = tar.header(b"f", pax={"SCHILY.xattr.user.x": b"\xff" * length})
    record = header[512:-512].rstrip(b"\0")
    digits, _, rest = record.partition(b" ")
    assert int(digits) == len(record) == len(digits) + 1 + len(rest)
    assert rest == b"SCHILY.xattr.user.x=" + b"\xff" * length + b"\n"


def test_pax_records_are_sorted_and_every_record_is_there():
    header = tar.header(b"\xff", size=9 << 30, uid=1 << 30, pax={"b": b"1", "a": b"\0", "z": b"2"})
    records = header[512:-512].rstrip(b"\0").split(b"\n")[:-1]
    keys = [record.split(b" ", 1)[1].partition(b"=")[0] for record in records]
    assert keys == [b"a", b"b", b"path", b"size", b"uid", b"z"]


def test_a_pax_header_has_the_time_of_its_member_and_no_owner():
    header = tar.header(b"\xff", mtime=7, uid=5)
    assert header[136:148] == b"00000000007\0"
    assert header[108:124] == b"0000000\0" * 2


@pytest.mark.parametrize("mtime", [-1, tar.MAX_TIME + 1, 2**34])
def test_a_time_that_does_not_fit_is_refused(mtime):
    with pytest.raises(InputError, match=f"the time {mtime} does not fit"):
        tar.header(b"f", mtime=mtime)


@pytest.mark.parametrize(("size", "zeros"), [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)])
def test_padding_fills_the_last_block(size, zeros):
    assert tar.padding(size) == bytes(zeros)


def test_two_zero_blocks_are_the_end():
    assert bytes(1024) == tar.END
