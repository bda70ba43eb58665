"""The paths that stand in bytes."""

import time

import pytest

from rootfs_builder.needs.general import standards, strings


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        (b"\0/usr/share/tool/data\0", ("/usr/share/tool/data",)),
        (b"\0%s:/etc/tool.conf;/opt/tool/x\0", ("/etc/tool.conf", "/opt/tool/x")),
        (b"\0/usr/share/tool/%s.dat\0", ("/usr/share/tool/%",)),
        (b"\0--conf=/etc/tool.conf\0", ("/etc/tool.conf",)),
        (b"\0/usr/local/etc/x\0", ("/usr/local/etc/x",)),
        (b"\0/var/lib/tool/x\0/home/me/usr/lib/tool\0", ()),  # not /lib/tool, nor /usr/lib/tool
        (b"\0/usr/src/tool/main.c\0/usr/lib/go/src/x.go\0", ()),
        (b"\0/usr/../home/x\0", ()),
        (b"usr/share/tool and/or etc", ()),
    ],
)
def test_paths_of_a_program(data, paths):
    assert strings.of_program(data) == strings.Strings(paths)


def test_texts_of_go_and_rust_follow_one_another():
    assert strings.of_program(b"\xff Go buildinf:/etc/tool.confnot found").unterminated
    assert strings.of_program(b"/rustc/9b00/library/core/src/str.rs/etc/tool.confat").unterminated


def test_what_has_a_nul_at_its_beginning_is_no_text():
    assert strings.of_text(b"include /etc/tool.d/x\n").paths == ("/etc/tool.d/x",)
    assert strings.of_text(b"\x89PNG\0/etc/tool.d/x\n").paths == ()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("prefix = /usr\nlib = ${prefix}/lib/tool\n", "/usr/lib/tool"),
        ("a=/usr\nb=$a/share\nc = $(b)/tool/%d.x\n", "/usr/share/tool/%"),
        ("my $DIR = '/etc/tool';\nopen('<', \"$DIR/words\");\n", "/etc/tool/words"),
        ('export D="/opt/tool"\n. ${D}/x.sh\n', "/opt/tool/x.sh"),
    ],
)
def test_a_variable_that_a_text_sets_stands_for_its_value(text, path):
    assert path in strings.of_text(text.encode()).paths


@pytest.mark.parametrize("text", [b"A=" + b"$A" * 90 + b"\n", b"A=$B$B\nB=$C$C\nC=$A$A\n"])
def test_variables_that_stand_for_one_another_cost_little(text):
    started = time.process_time()
    assert strings.of_text(text + b"x $A/y\n" * 200).paths == ()
    assert time.process_time() - started < 1


def test_a_variable_that_is_set_twice_stands_for_nothing():
    assert strings.of_text(b"d=/usr\nd=/opt\nx=$d/share/tool\ny=$y/share\n").paths == ()


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/",
            "/usr",
            "/usr/lib",
            "/usr/lib/x86_64-linux-gnu",
            "/lib64",
            "/etc",
            "/usr/local/share",
        ),
        *("/usr/share", "/usr/share/icons/hicolor", "/etc/init.d", "/usr/lib/systemd/system"),
        *(
            "/usr/lib/python3/dist-packages",
            "/usr/lib/x86_64-linux-gnu/perl5/5.40",
            "/etc/ssl/certs",
        ),
    ],
)
def test_directories_of_everybody(path):
    assert standards.is_shared(path)


def test_directories_of_one_program():
    for path in (
        "/usr/share/tool",
        "/etc/tool",
        "/usr/lib/tool",
        "/usr/lib/riscv64-linux-gnu/tool",
    ):
        assert not standards.is_shared(path)
        assert not standards.is_needless(path)


@pytest.mark.parametrize(
    "path",
    [
        *("/usr/share/doc/tool/README", "/usr/share/man/man1/tool.1", "/usr/include/tool.h"),
        *("/usr/share/tool/man", "/usr/lib/pkgconfig/x", "/etc/passwd", "/etc/nsswitch.conf"),
    ],
)
def test_what_no_program_needs(path):
    assert standards.is_needless(path)
