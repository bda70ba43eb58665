"""strace's lines → events, whatever bytes a path has and however calls are interrupted."""

import pytest

from rootfs_builder.proof.events import Call, Fate, Kind, Lines, Named


def events(*lines):
    reader = Lines()
    return [one for line in lines for one in reader.read(line.encode() + b"\n")]


def hexadecimal(path):
    raw = path if isinstance(path, bytes) else path.encode()
    return "".join(f"\\x{byte:02x}" for byte in raw)


@pytest.mark.parametrize(
    "name", [b"a b", b'") = 3<x>', b"\xff\xfe", b"n\n1 open(", b"...", b" = 0"]
)
def test_no_byte_of_a_path_is_taken_for_syntax(name):
    path = hexadecimal(name)
    line = f'7 openat(AT_FDCWD<{hexadecimal("/d")}>, "{path}", O_RDONLY) = 3<{path}>'
    (event,) = events(line)
    assert event.paths == (Named(name.decode(errors="surrogateescape"), "/d"),)
    assert event.result == 3
    assert event.opened == name.decode(errors="surrogateescape")


def test_a_call_that_others_interrupt_is_one_event():
    path = hexadecimal("/etc/x")
    found = events(
        f'7 open("{path}", O_RDONLY <unfinished ...>',
        f'8 stat("{path}", <unfinished ...>',
        "7 <... open resumed>) = -1 ENOENT (No such file or directory)",
        "8 <... stat resumed>{st_mode=S_IFREG|0644, ...}) = 0",
    )
    assert [(one.pid, one.name, one.paths[0].path, one.errno) for one in found] == [
        (7, "open", "/etc/x", "ENOENT"),
        (8, "stat", "/etc/x", ""),
    ]


def test_a_descriptor_is_the_start_of_a_relative_path_and_a_deleted_one_is_none():
    (event,) = events(f'7 openat(5<{hexadecimal("/opt")}>, "{hexadecimal("x")}", O_RDONLY) = 6')
    assert event.paths == (Named("x", "/opt", relative_to_cwd=False),)
    listed, gone = events(
        f"7 getdents64(5<{hexadecimal('/opt')}>, 0x5 /* 3 entries */, 32768) = 80",
        f"7 getdents64(5<{hexadecimal('/opt')}>(deleted), 0x5 /* 0 entries */, 32768) = 0",
    )
    assert (listed.descriptor, gone.descriptor) == ("/opt", "")


def test_of_a_rename_both_paths_count_and_of_a_symlink_the_link():
    a, b = hexadecimal("a"), hexadecimal("b")
    renamed, linked = events(
        f'7 rename("{a}", "{b}") = 0', f'7 symlinkat("{a}", 5<{hexadecimal("/d")}>, "{b}") = 0'
    )
    assert [one.path for one in renamed.paths] == ["a", "b"]
    assert linked.paths == (Named("b", "/d", relative_to_cwd=False),)


def test_an_abstract_socket_is_no_path():
    family = "3<\\x73>, {sa_family=AF_UNIX, sun_path="
    named, abstract, internet = events(
        f'7 connect({family}"{hexadecimal("/run/s")}"}}, 9) = 0',
        f'7 connect({family}@"{hexadecimal("abc")}"}}, 6) = 0',
        f'7 bind(3<\\x73>, {{sa_family=AF_INET, inet_addr("{hexadecimal("::")}")}}, 16) = 0',
    )
    assert [one.path for one in named.paths] == ["/run/s"]
    assert (abstract.paths, internet.paths) == ((), ())


def test_ends_and_beginnings_of_processes():
    assert events(
        "7 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>",
        "8 +++ exited with 3 +++",
        "7 +++ killed by SIGKILL (core dumped) +++",
    ) == [Fate(7, Kind.BEGUN), Fate(8, Kind.EXITED, 3), Fate(7, Kind.KILLED, -9)]


@pytest.mark.parametrize(
    "line",
    ["", "strace: x", "7", "7 open(", '7 open("\\x2f', "7 --- SIGCHLD {si_signo=SIGCHLD} ---",
     "7 exit_group(0) = ?", "[ Process PID=7 runs in 32 bit mode. ]", "7 <... open resumed>"],
)  # fmt: skip
def test_other_lines_name_no_path(line):
    assert all(isinstance(one, Call) and not one.paths for one in events(line))
