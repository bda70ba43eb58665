"""Options: what each takes, what it refuses, and that all mistakes are told at once."""

import pytest

from rootfs_builder import recipe as room
from rootfs_builder.errors import UsageError
from rootfs_builder.filesystem.patterns import Pattern
from rootfs_builder.recipe import Added, Health, RequestedPlatform
from rootfs_builder.recipe.codec import Codec

MANY_DIGITS = "9" * 5000  # more than int() takes


def options(**given):
    return room.from_options(**{"directory": "/home/me", "executables": ("./hello",)} | given)


def refused(**given):
    with pytest.raises(UsageError) as error:
        options(**given)
    return str(error.value)


def test_without_options_everything_has_its_default():
    assert options() == room.Recipe(
        executables=("/home/me/./hello",),
        display_names=("./hello",),
        names=(room.Reference("docker.io", "library/hello", "latest"),),
    )


@pytest.mark.parametrize(
    ("directory", "given", "absolute"),
    [
        ("/home/me", "hello", "/home/me/hello"),
        ("/home/me", "../x/hello", "/home/me/../x/hello"),  # the loader resolves it, not we
        ("/", "hello", "/hello"),
        ("/home/me", "/bin/hello", "/bin/hello"),
        ("/home/me", "//bin//hello", "//bin//hello"),
    ],
)
def test_a_relative_program_starts_at_the_directory(directory, given, absolute):
    assert options(directory=directory, executables=(given,)).executables == (absolute,)


VENV = Pattern("venv")
ACCEPTED = [
    ("library_path", ("lib",), ("/home/me/lib",)),
    ("library_path", ("/lib/", ".", "/"), ("/lib", "/home/me/.", "/")),
    ("include_lib", ("libx.so.1",), ("libx.so.1",)),
    ("add", ("a",), (Added("/home/me/a", "/a"),)),
    ("add", ("./a/b/",), (Added("/home/me/./a/b", "/a/b"),)),
    ("add", ("/etc/x",), (Added("/etc/x", "/etc/x"),)),
    ("add", ("a:/b",), (Added("/home/me/a", "/b"),)),
    ("add", ("a:/b/",), (Added("/home/me/a", "/b/a", "/b"),)),
    ("add", ("d/:/b/",), (Added("/home/me/d", "/b/d", "/b"),)),
    ("add", (".:/",), (Added("/home/me/.", "/me", "/"),)),
    ("exclude", ("venv", " /a//b/ ", "!**/*.py"), (VENV, Pattern("a/b"), Pattern("**/*.py", True))),
    ("add", ("../a:/b//c/./d",), (Added("/home/me/../a", "/b/c/d"),)),
    ("add", ("a:b",), (Added("/home/me/a:b", "/a:b"),)),
    ("add", ("a:/b:/c",), (Added("/home/me/a:/b", "/c"),)),
    ("at", "/srv/hello", "/srv/hello"),
    ("at", "//srv/./hello", "/srv/hello"),
    ("at", "/usr/bin/", "/usr/bin/hello"),  # into it, as with cp
    ("at", "/", "/hello"),
    ("entrypoint", "/bin/hello", ("/bin/hello",)),
    ("entrypoint", "hello  --flag 'two words' \"a 'b'\" c\\ d", None),
    ("entrypoint", '["/bin/hello", "$HOME", ";", ""]', ("/bin/hello", "$HOME", ";", "")),
    ("entrypoint", ' ["a"]', ("a",)),
    ("entrypoint", r"a \$x '$y' '`z`'", ("a", "$x", "$y", "`z`")),
    ("entrypoint", "a b#c #d", ("a", "b#c", "#d")),
    ("entrypoint", "a 'x;y' \"x|y\"", ("a", "x;y", "x|y")),
    ("command", ("--", "-x", "", "$HOME"), ("--", "-x", "", "$HOME")),
    ("env", ("A=b", "C=", "D=e=f", "A=2"), (("A", "b"), ("C", ""), ("D", "e=f"), ("A", "2"))),
    ("user", "0", "0"),
    ("user", "1000:100", "1000:100"),
    ("user", f"{2**31 - 1}", f"{2**31 - 1}"),
    *(
        ("user", text, text)
        for text in ("root", "_apt", "Debian-snmp", "me.too", "a" * 32, "www-data:1", "1:machine$")
    ),
    ("workdir", "/srv/", "/srv"),
    ("workdir", "/", "/"),
    ("label", ("a.b=c=d", "e="), (("a.b", "c=d"), ("e", ""))),
    ("annotation", ("a=b",), (("a", "b"),)),
    ("expose", ("80", "53/udp", "9/sctp", "0080"), ("80/tcp", "53/udp", "9/sctp", "80/tcp")),
    ("expose", ("1", "65535"), ("1/tcp", "65535/tcp")),
    ("volume", ("/data/", "/a//b"), ("/data", "/a/b")),
    ("stop_signal", "TERM", "SIGTERM"),
    *(("stop_signal", text, f"SIG{text}") for text in ("STKFLT", "PWR", "IOT", "CLD", "RTMAX-14")),
    ("stop_signal", "sigint", "SIGINT"),
    ("stop_signal", "9", "9"),
    ("stop_signal", "64", "64"),
    ("stop_signal", "RTMIN+3", "SIGRTMIN+3"),
    ("stop_signal", "SIGRTMAX-1", "SIGRTMAX-1"),
    *(
        ("max_size", text, number)
        for text, number in (
            ("10MB", 10_000_000),
            ("10 mib", 10 << 20),
            ("1.5GB", 1_500_000_000),
            ("500kB", 500_000),
            ("0", 0),
            ("7b", 7),
            ("2TiB", 2 << 40),
        )
    ),
    ("platform", "linux/amd64", RequestedPlatform("amd64")),
    ("platform", "linux/arm/v7", RequestedPlatform("arm", "v7")),
    ("platform", "LINUX/ARM64/V8", RequestedPlatform("arm64", "v8")),
    ("platform", "riscv64", RequestedPlatform("riscv64")),
    ("platform", "linux/x86_64", RequestedPlatform("amd64")),
    ("platform", "aarch64", RequestedPlatform("arm64")),
    ("platform", "linux/armv7l/v7", RequestedPlatform("arm", "v7")),
]
FIELDS = {
    "include_lib": "include_libraries",
    "add": "added",
    "label": "labels",
    "annotation": "annotations",
    "expose": "exposed_ports",
    "volume": "volumes",
}


@pytest.mark.parametrize(("option", "given", "value"), ACCEPTED)
def test_what_an_option_takes(option, given, value):
    if value is None:
        value = ("hello", "--flag", "two words", "a 'b'", "c d")
    assert getattr(options(**{option: given}), FIELDS.get(option, option)) == value


REFUSED = [
    *(
        ("max_size", text, f"--max-size: {text!r} is not a size: 500kB, 10MB")
        for text in ("", "10M", "10m", "MB", "-1MB", "1e3MB", "10MBB", "1.MB")
    ),
    ("health_interval", "1s", "--health-interval: needs --health-cmd"),
    ("tag", ("Hello",), "--tag: 'Hello': an image name must be lowercase: 'hello'"),
    ("library_path", ("",), "-L: the directory has no name"),
    ("add", ("",), "--add: '' names no source"),
    ("add", (":/b",), "--add: ':/b' names no source"),
    ("add", ("../a",), "--add: '../a' contains '..': say where it goes"),
    ("add", ("a:/b/../c",), "--add: '/b/../c'"),
    ("at", "srv/hello", "--at: 'srv/hello'"),
    ("at", "/srv/../hello", "--at: "),
    ("at", "/.", "--at: "),
    *(
        ("exclude", (text,), f"--exclude: {text!r} excludes nothing")
        for text in ("", " ", ".", "/")
    ),
    *(("exclude", (text,), "write \\[") for text in ("[", "a/[b", "[]")),
    ("exclude", ("!",), "--exclude: '!' takes back nothing"),
    ("exclude", ("[z-a]",), "--exclude: 'z-a': a comes before z"),
    ("exclude", ("a\\",), "--exclude: "),
    ("at", "", "--at: "),
    ("entrypoint", "", "--entrypoint: it is empty"),
    ("entrypoint", "   ", "--entrypoint: it is empty"),
    ("entrypoint", "[]", "is not a JSON array of strings"),
    ("entrypoint", '[""]', "--entrypoint: "),
    ("entrypoint", '["a", 1]', "is not a JSON array of strings"),
    ("entrypoint", '["a"', "is not a JSON array of strings"),
    ("entrypoint", "a 'b", "has a quote that is not closed"),
    *(
        ("entrypoint", text, "is for a shell, and the image has no shell")
        for text in (
            "a && b",
            "a;b",
            "a | b",
            "a > b",
            "a < b",
            "a &",
            "(a)",
            "a $HOME",
            'a "$HOME"',
            "a `b`",
            "a $(b)",
        )
    ),
    ("env", ("",), "--env: '' is not KEY=VALUE"),
    ("env", ("=x",), "--env: '=x' is not KEY=VALUE"),
    ("env", ("HOME",), "this machine's environment is not read: -e HOME=VALUE"),
    ("env", ("A=\0",), "has a NUL byte"),
    ("user", "m e", "--user: 'm e': a name or digits"),
    ("user", "a" * 33, "--user: "),
    ("user", ".me", "--user: "),
    ("user", "-me", "--user: "),
    ("user", "1a", "--user: "),
    ("user", "a$b", "--user: "),
    ("user", "root:", "--user: "),
    ("user", "root\n", "--user: "),
    ("user", "", "--user: "),
    ("user", "-1", "--user: "),
    ("user", "1:", "--user: "),
    ("user", ":1", "--user: "),
    ("user", "1:2:3", "--user: "),
    ("user", "1\n", "--user: "),
    ("user", f"{2**31}", "--user: "),
    ("user", f"0:{2**31}", "--user: "),
    ("workdir", "srv", "--workdir: 'srv'"),
    ("label", ("a",), "--label: 'a' is not KEY=VALUE"),
    ("label", ("=b",), "--label: "),
    ("annotation", ("a",), "--annotation: "),
    ("expose", ("0",), "--expose: '0' is not a port"),
    ("expose", ("65536",), "--expose: "),
    ("expose", ("80/http",), "--expose: "),
    ("expose", ("80-90",), "--expose: "),
    ("expose", ("",), "--expose: "),
    ("volume", ("data",), "--volume: 'data'"),
    ("stop_signal", "0", "--stop-signal: '0' is not a signal"),
    ("stop_signal", "65", "--stop-signal: "),
    ("stop_signal", "SIGFOO", "--stop-signal: "),
    ("stop_signal", "", "--stop-signal: "),
    ("stop_signal", "RTMIN+", "--stop-signal: "),
    ("stop_signal", "SIGRTMIN+99", "--stop-signal: "),
    ("platform", "windows/amd64", "--platform: 'windows/amd64' is not a Linux platform"),
    ("platform", "linux", "--platform: "),
    ("platform", "linux/", "--platform: "),
    ("platform", "", "--platform: "),
    ("platform", "linux/arm64/v8/x", "--platform: "),
]


@pytest.mark.parametrize(("option", "given", "words"), REFUSED)
def test_what_an_option_refuses(option, given, words):
    assert words in refused(**{option: given})


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("stop_signal", "\N{SUPERSCRIPT TWO}"),
        ("stop_signal", "\N{ARABIC-INDIC DIGIT NINE}"),
        ("stop_signal", MANY_DIGITS),
        ("user", "\N{ARABIC-INDIC DIGIT NINE}"),
        ("user", MANY_DIGITS),
        ("expose", ("\N{ARABIC-INDIC DIGIT NINE}",)),
        ("entrypoint", '["\\u0000"]'),
        ("entrypoint", '["\\ud800"]'),
    ],
)
def test_what_an_option_should_refuse(option, given):
    refused(**{option: given})


@pytest.mark.parametrize(
    ("text", "words"), [('a ""', ("a", "")), ("a ';'", ("a", ";")), ("a '(' b", ("a", "(", "b"))]
)
def test_a_quoted_word_is_no_shell_syntax(text, words):
    assert options(entrypoint=text).entrypoint == words


def test_all_mistakes_are_told_at_once_a_line_each():
    lines = refused(
        executables=("a", "b"),
        tag=("A",),
        at="/x",
        env=("GOOD=1", "BAD", "WORSE"),
        user="ro ot",
        expose=("x",),
    ).splitlines()
    options_named = [line.partition(":")[0] for line in lines]
    assert options_named == ["--at", "--tag", "--env", "--env", "--user", "--expose"]


def test_no_program_is_a_mistake_among_others():
    assert refused(executables=(), user="x").splitlines()[0].startswith("EXECUTABLE: ")


def test_at_is_for_one_program():
    words = "--at: takes one executable, 2 are given"
    assert words in refused(executables=("a", "b"), at="/x")


def test_the_name_is_the_tag_or_comes_from_the_first_program():
    assert str(options(tag=("host:1/x:y",)).names[0]) == "host:1/x:y"
    named = options(executables=("/x/My Prog!", "b")).names[0]
    assert str(named) == "docker.io/library/my-prog:latest"


def test_the_search_path_is_the_images():
    assert options().search_path[0] == "/usr/local/sbin"
    assert options(env=("PATH=/a:/b",)).search_path == ("/a", "/b")


@pytest.mark.parametrize(
    ("compression", "level", "codec"),
    [
        ("gzip", None, Codec("gzip", 6)),
        ("gzip", 12, Codec("gzip", 12)),
        ("zstd", None, Codec("zstd", 3)),
        ("zstd", 22, Codec("zstd", 22)),
        ("none", None, Codec("none", 0)),
    ],
)
def test_compression(compression, level, codec):
    assert options(compression=compression, compression_level=level).codec == codec


@pytest.mark.parametrize(
    ("compression", "level", "message"),
    [
        ("gzip", 0, "--compression-level: gzip has levels 1 to 12; 0 is not one"),
        ("gzip", 13, "--compression-level: gzip has levels 1 to 12; 13 is not one"),
        ("zstd", 23, "--compression-level: zstd has levels 1 to 22; 23 is not one"),
        ("none", 1, "--compression-level: 1 has no meaning with --compression none"),
    ],
)
def test_a_level_that_is_none(compression, level, message):
    with pytest.raises(UsageError) as caught:
        options(compression=compression, compression_level=level)
    assert str(caught.value) == message


def test_a_health_check():
    given = options(
        health_cmd="check 'a b'",
        health_interval="1m30s",
        health_timeout="1.5s",
        health_start_period="500ms",
        health_retries="3",
    )
    assert given.health == Health(
        ("check", "a b"),
        interval=90 * 10**9,
        timeout=1_500_000_000,
        start_period=5 * 10**8,
        retries=3,
    )
    assert options(health_cmd='["check", ";"]').health == Health(("check", ";"))


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("health_cmd", "check || exit 1", "--health-cmd: 'check || exit 1' is for a shell"),
        ("health_cmd", "", "--health-cmd: it is empty"),
        *(
            (
                "health_interval",
                text,
                f"--health-interval: {text!r} is not a time: 30s, 500ms, 1m30s",
            )
            for text in ("", "30", "s", "-1s", "1d", "1s ", "1s2", "1 s", "1m 30s")
        ),
        ("health_timeout", "0s", "--health-timeout: '0s': docker takes no time below 1ms"),
        *(
            ("health_retries", text, f"--health-retries: {text!r} is not a number from 1 up")
            for text in ("0", "-1", "1.0", "x", "", MANY_DIGITS)
        ),
    ],
)
def test_what_is_no_health_check(option, text, message):
    assert message in refused(**{"health_cmd": "check", option: text})


@pytest.mark.parametrize(
    ("given", "docker"),
    [
        ({}, False),
        ({"health_cmd": "check"}, True),
        ({"shape": "docker"}, True),
        ({"shape": "oci", "health_cmd": "check"}, False),
    ],
)
def test_docker_media_types_are_for_docker_archives_and_health_checks(given, docker):
    assert options(**given).docker_types is docker
    if not docker:
        assert options(**given, compression="zstd", annotation=("a=b",))
        return
    why = "--format docker" if "shape" in given else "--health-cmd"
    said = refused(**given, compression="zstd", annotation=("a=b",)).splitlines()
    assert said == [
        (
            f"{why}: needs docker's media types, which have none for zstd; --compression gzip, or "
            "--format oci"
        ),
        (
            f"--annotation: {why} needs docker's media types, whose manifest has no annotations; "
            "use --label, or --format oci"
        ),
    ]
