"""Whatever is given, the user gets a sentence: what is wrong, with which file, and the way out.

Every refusal is checked by `refused`: exit code, no traceback, nothing on stdout, and the directory
exactly as it was, an older output included. What a failed write leaves is in test_output_safety.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "/bin/true"  # any program of the machine; it needs libc
UNREADABLE = ("Permission denied", "cannot be read")
FOR_A_SHELL = ("no shell", "JSON array")
PRIVATE = "int private_function(void) { return 0; }"
CALLER = "int private_function(void); int main(void) { return private_function(); }"


@pytest.fixture
def refused(cli, tmp_path):
    """Run a command line that must be refused; the sentence, in which each of `words` stands."""

    def run(*args, code, words=(), run=cli, **options):
        before = snapshot(tmp_path)
        done = run(*args, **options)
        assert done.returncode == code, done
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith(("rootfs-builder: ", "Usage: ")), done.stderr
        for word in words:
            assert word in done.stderr
        assert done.stdout.startswith('{\n  "error": ') if "--json" in args else not done.stdout
        assert snapshot(tmp_path) == before
        return done.stderr

    return run


@pytest.fixture
def pack(refused, tmp_path):
    """`pack ARGS... -o x.tar` that must be refused and leave the older x.tar alone."""

    def run(*args, **options):
        (tmp_path / "x.tar").write_bytes(b"an older output")
        os.utime(tmp_path / "x.tar", (1, 1))
        return refused("pack", "-o", "x.tar", *args, **options)

    return run


def snapshot(directory):
    """Every file with its content, and all that lstat(2) says but the time it was read."""
    found = {}
    for path in sorted(directory.rglob("*")):
        info = path.lstat()
        content = path.read_bytes() if path.is_file() and os.access(path, os.R_OK) else b""
        found[path] = (info.st_ino, info.st_mode, info.st_size, info.st_mtime_ns, content)
    return found


def ordinary(*args, cwd):
    """The command line without root's privileges: uid 0 without capabilities is any owner.

    Not another user: that one might not reach the interpreter, the checkout or tmp_path.
    """
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    return subprocess.run(
        [*drop, sys.executable, "-m", "rootfs_builder", *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def patched(source, path, offset, value):
    """A copy of an ELF file with another 16-bit field in its header: 16 is e_type, 18 e_machine."""
    data = bytearray(Path(source).read_bytes())
    data[offset : offset + 2] = value.to_bytes(2, sys.byteorder)
    path.write_bytes(data)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", ["empty", "was it built?"], id="empty file"),
        pytest.param(b"hello\n", ["text", "#!"], id="text that is not a script"),
        pytest.param(b"\0\1\2\3" * 99, ["no ELF file", "compiled program"], id="other bytes"),
        pytest.param(b"MZ\x90\0" * 99, ["Windows", "compiled for Linux"], id="Windows program"),
        pytest.param(b"\xcf\xfa\xed\xfe" * 99, ["macOS", "compiled for Linux"], id="macOS program"),
        pytest.param(
            Path(PROGRAM).read_bytes()[:64],
            ["damaged ELF file", "build or copy it again"],
            id="ELF cut at 64 bytes",
        ),
        pytest.param(
            Path(PROGRAM).read_bytes()[: Path(PROGRAM).stat().st_size // 2],
            ["damaged ELF file", "build or copy it again"],
            id="ELF cut in the middle",
        ),
        pytest.param(b"#!\n", ["no interpreter"], id="script without interpreter"),
        pytest.param(b"#!sh\n", ["sh", "absolute path", "#!/"], id="script by a relative path"),
        pytest.param(b"#!/bin/sh\r\n", ["Windows line ends", "convert it"], id="script with CRLF"),
        pytest.param(b"#!/usr/bin/env sh\r\n", ["Windows line ends"], id="env with CRLF"),
        pytest.param(b"#!/usr/bin/env\n", ["which program"], id="env without a program"),
        pytest.param(b"#!/usr/bin/env -S A=b\n", ["which program"], id="env with options only"),
    ],
)
def test_file_that_cannot_be_started(pack, tmp_path, content, words):
    (tmp_path / "prog").write_bytes(content)
    (tmp_path / "prog").chmod(0o755)
    pack("./prog", code=1, words=["./prog: ", *words])


def test_an_option_of_an_interpreter_may_end_in_cr(cli, tmp_path):
    """The kernel finds the interpreter: perl -w takes it."""
    (tmp_path / "prog").write_bytes(b"#!/bin/sh -e\r\n")
    (tmp_path / "prog").chmod(0o755)
    cli("tree", "./prog", check=True)


def test_missing_file(pack):
    pack("./nowhere", code=3, words=["./nowhere", "no such file"])


def test_every_missing_file_is_named(pack):
    pack("./nowhere", PROGRAM, "./neither", code=3, words=["./nowhere", "./neither"])


def test_file_below_a_file(pack, tmp_path):
    (tmp_path / "file").touch()
    pack("file/below", code=3, words=["file/below", "no such file"])


def test_directory(pack, tmp_path):
    (tmp_path / "dir").mkdir()
    pack("./dir", code=1, words=["./dir", "a directory", "name the compiled program"])


def test_empty_name(pack):
    pack("", code=2, words=["EXECUTABLE", "empty"])


def test_fifo_does_not_hang(pack, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    pack("./fifo", code=1, words=["./fifo", "FIFO", "name the compiled program"], timeout=20)


def test_symlink_loop(pack, tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    pack("./a", code=1, words=["./a", "leads back to itself"])


def test_unreadable_file(pack, tmp_path):
    shutil.copy(PROGRAM, tmp_path / "prog")
    (tmp_path / "prog").chmod(0o311)
    pack("./prog", code=1, words=["prog", *UNREADABLE], run=ordinary, cwd=tmp_path)


def test_unreadable_directory(pack, tmp_path):
    (tmp_path / "dir").mkdir(mode=0o600)
    pack("dir/prog", code=1, words=["dir/prog", *UNREADABLE], run=ordinary, cwd=tmp_path)


def test_unreadable_library(pack, cc, tmp_path):
    library = cc(PRIVATE, name="libprivate.so", args=["-shared", "-fPIC"])
    cc(CALLER, name="prog", args=[library])
    library.chmod(0o311)
    pack("./prog", code=1, words=["libprivate.so", *UNREADABLE], run=ordinary, cwd=tmp_path)


def test_object_file(pack, cc):
    cc(PRIVATE, name="part.o", args=["-c"])
    pack("./part.o", code=1, words=["part.o", "object file", "link it"])


def test_core_dump(pack, tmp_path):
    patched(PROGRAM, tmp_path / "core.42", 16, 4)
    pack("./core.42", code=1, words=["core.42", "core dump", "the program that left it"])


@pytest.mark.parametrize("needs", ["libc", "nothing"])
def test_shared_library_as_the_program(pack, cc, needs):
    with_libc = ["-Wl,--no-as-needed", "-lc"] if needs == "libc" else ["-nostdlib"]
    cc(PRIVATE, name="libprivate.so", args=["-shared", "-fPIC", *with_libc])
    pack("./libprivate.so", code=1, words=["libprivate.so", "shared library", "--include-lib"])


def test_missing_libraries_are_named_together(pack, cc, tmp_path):
    args = ["-shared", "-fPIC"]
    first = cc("int one;", name="libfirst.so", args=[*args, "-Wl,-soname,libfirst.so"])
    second = cc("int two;", name="libsecond.so", args=[*args, "-Wl,-soname,libsecond.so"])
    source = "extern int one, two; int main(void) { return one + two; }"
    cc(source, name="prog", args=[first, second, "-Wl,-rpath,/one/more"])
    first.unlink()
    second.unlink()
    words = ["libfirst.so: not found", "libsecond.so: not found", "/one/more/libfirst.so", "-L DIR"]
    said = pack("./prog", code=3, words=words)
    assert said.count(f"needed by {tmp_path}/prog") == 2


def test_missing_library_of_a_library(pack, cc, tmp_path):
    inner = cc(PRIVATE, name="libinner.so", args=["-shared", "-fPIC", "-Wl,-soname,libinner.so"])
    outer = "int private_function(void); int outer(void) { return private_function(); }"
    library = cc(outer, name="libouter.so", args=["-shared", "-fPIC", inner])
    cc("int outer(void); int main(void) { return outer(); }", name="prog", args=[library, inner])
    inner.unlink()
    words = ["libinner.so: not found", f"needed by {tmp_path}/libouter.so", "-L DIR"]
    pack("./prog", code=3, words=words)


def test_missing_interpreter(pack, cc):
    cc("int main(void) { return 0; }", name="prog", args=["-Wl,-dynamic-linker,/no/ld.so"])
    words = ["/no/ld.so: not found", "needed by ./prog", "dynamic loader", "--sysroot DIR"]
    pack("./prog", code=3, words=words)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("#!/no/such/shell", "/no/such/shell"), ("#!/usr/bin/env nosuchshell", "nosuchshell")],
)
def test_missing_interpreter_of_a_script(pack, tmp_path, line, wanted):
    (tmp_path / "script").write_text(f"{line}\n")
    pack("./script", code=3, words=[f"{wanted}: no such file", "needed by ./script"])


def test_interpreter_of_a_script_is_a_directory(pack, tmp_path):
    (tmp_path / "script").write_text(f"#!{tmp_path}\n")
    pack("./script", code=1, words=[f"{tmp_path}: a directory", "needed by ./script"])


@pytest.mark.parametrize("loop", [False, True])
def test_chain_of_scripts_is_too_long(pack, tmp_path, loop):
    for number in range(7):
        above = tmp_path / f"script{(number + 1) % 7 if loop else number + 1}"
        (tmp_path / f"script{number}").write_text(f"#!{above}\n")
    shutil.copy(PROGRAM, tmp_path / "script7")
    pack("./script0", code=1, words=["scripts", "over 5 deep"])


def test_platforms_of_two_programs_differ(pack, cc, tmp_path):
    cc("int main(void) { return 0; }", name="native", args=["-static"])
    patched(tmp_path / "native", tmp_path / "foreign", 18, 183)
    said = pack("native", "foreign", code=2, words=["one image is for one platform"])
    assert "native is for linux/" in said
    assert "foreign is for linux/arm64" in said


def test_library_for_another_machine(pack, tmp_path):
    patched(PROGRAM, tmp_path / "foreign", 18, 183)
    pack("./foreign", code=3, words=["another kind of machine", "/lib64/ld-", "--sysroot DIR"])


def test_machine_that_no_platform_has(pack, cc, tmp_path):
    cc("int main(void) { return 0; }", name="native", args=["-static"])
    patched(tmp_path / "native", tmp_path / "odd", 18, 999)
    pack("odd", code=2, words=["odd", "999"])


def test_programs_with_one_name(pack, tmp_path):
    for directory, program in (("one", PROGRAM), ("two", "/bin/false")):
        (tmp_path / directory).mkdir()
        shutil.copy(program, tmp_path / directory / "prog")
    words = [f"{tmp_path}/one/prog", f"{tmp_path}/two/prog", "/usr/local/bin/prog", "two different"]
    pack("one/prog", "two/prog", code=1, words=words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tag", "a b"], ["--tag", "'a b'", "not a valid image name"]),
        (["--tag", "Hello:1"], ["--tag", "lowercase", "'hello"]),
        (["--tag", "hello:.x"], ["--tag", "'.x'", "not a valid tag"]),
        (["--tag", f"hello@sha256:{'0' * 64}"], ["--tag", "digest", "a name and a tag"]),
        (["--tag", "Registry.example/x"], ["--tag", "registry", "lowercase"]),
        (["--entrypoint", "true && false"], ["--entrypoint", *FOR_A_SHELL]),
        (["--entrypoint", "$HOME/true"], ["--entrypoint", *FOR_A_SHELL]),
        (["--entrypoint", "true | false"], ["--entrypoint", *FOR_A_SHELL]),
        (["--entrypoint", "true > /tmp/x"], ["--entrypoint", *FOR_A_SHELL]),
        (["--entrypoint", "true `false`"], ["--entrypoint", *FOR_A_SHELL]),
        (["--entrypoint", 'true "$(false)"'], ["--entrypoint", *FOR_A_SHELL]),
        (["--entrypoint", "true 'a"], ["--entrypoint", "quote", "not closed"]),
        (["--entrypoint", "[true]"], ["--entrypoint", "JSON array of strings"]),
        (["--entrypoint", ""], ["--entrypoint", "empty"]),
        (["--entrypoint", '[""]'], ["--entrypoint", "empty"]),
        (["--entrypoint", "/elsewhere"], ["/elsewhere", "not in the image", "EXECUTABLE"]),
        (["--entrypoint", "elsewhere"], ["elsewhere", "not in the image", "EXECUTABLE"]),
        (["--entrypoint", "/usr/bin"], ["/usr/bin", "--entrypoint", "a directory"]),
        (["--workdir", "src"], ["--workdir", "'src'", "absolute path"]),
        (["--user", "Me Myself"], ["--user", "'Me Myself'", "a name or digits"]),
        (["--user", "1000:"], ["--user", "'1000:'", "a name or digits"]),
        (["--env", "DEBUG"], ["--env", "'DEBUG'", "-e DEBUG=VALUE"]),
        (["--expose", "http"], ["--expose", "'http'", "not a port"]),
        (["--expose", "65536"], ["--expose", "'65536'", "1 to 65535"]),
        (["--label", "a"], ["--label", "'a'", "KEY=VALUE"]),
        (["--annotation", "a"], ["--annotation", "'a'", "KEY=VALUE"]),
        (["--volume", "data"], ["--volume", "'data'", "absolute path"]),
        (["--stop-signal", "STOPIT"], ["--stop-signal", "'STOPIT'", "SIGTERM"]),
        (["--platform", "windows/amd64"], ["--platform", "'windows/amd64'", "linux/amd64"]),
        (["--platform", "linux/s390x"], ["--platform linux/s390x", f"{PROGRAM} is for linux/"]),
        (["--at", "true"], ["--at", "'true'", "absolute path"]),
        (["--at", "/."], ["--at", "'/.'", "/NAME"]),
        (["--exclude", "[a"], ["--exclude", "'[a'", ".dockerignore"]),
        (["--at", "/x", "/bin/false"], ["--at", "one executable"]),
        (["--add", "../x"], ["--add", "'../x'", "SRC:DEST"]),
        (["--add", ":/x"], ["--add", "':/x'", "SRC"]),
        (["--sysroot", ""], ["--sysroot", "no name"]),
        (["-L", ""], ["-L", "no name"]),
        (["--include-lib", ""], ["--include-lib", "no name"]),
        (["--nosuch"], ["no such option", "--nosuch", "--help"]),
    ],
    ids=" ".join,
)
def test_option_is_refused(pack, options, words):
    pack(PROGRAM, *options, code=2, words=words)


def test_every_mistake_is_named_at_once(pack):
    options = ["--tag", "A", "--env", "B", "--expose", "c"]
    pack(PROGRAM, *options, code=2, words=["--tag: ", "--env: ", "--expose: "])


@pytest.mark.parametrize(
    "entrypoint",
    ["true 'a && b'", '["true", "$HOME", "a | b"]', r"true \$HOME", 'true "a; b"', "/usr/bin/true"],
)
def test_quoted_words_are_no_shell_syntax(cli, entrypoint):
    done = cli("pack", "/usr/bin/true", "-o", "x.tar", "--entrypoint", entrypoint)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("value", ["abc", "-1", "1.5", "99999999999999"])
def test_source_date_epoch(pack, value):
    words = [f"SOURCE_DATE_EPOCH={value}", "seconds since 1970"]
    pack(PROGRAM, code=2, words=words, env={"SOURCE_DATE_EPOCH": value})


def test_sysroot_is_neither_a_directory_nor_an_image(pack, tmp_path):
    (tmp_path / "file").touch()
    pack(PROGRAM, "--sysroot", "file", code=1, words=["--sysroot file", "no tar archive"])
    pack(PROGRAM, "--sysroot", "none", code=3, words=["--sysroot none", "no such directory"])


def test_include_lib(pack, cc):
    cc("int main(void) { return 0; }", name="prog", args=["-static"])
    words = ["--include-lib libm.so.6", "no program here has a dynamic loader"]
    pack("prog", "--include-lib", "libm.so.6", code=2, words=words)
    words = ["libnosuch.so: not found", PROGRAM.rpartition("/")[2], "-L DIR"]
    pack(PROGRAM, "--include-lib", "libnosuch.so", code=3, words=words)


def test_add(pack, tmp_path):
    pack(PROGRAM, "--add", "no", "--add", "nor:/x", code=3, words=["/no: No such", "/nor: No such"])
    (tmp_path / "dir").mkdir()
    os.mkfifo(tmp_path / "dir/fifo")
    for source in ("dir/fifo", "dir"):
        pack(PROGRAM, "--add", source, code=1, words=[f"--add {tmp_path}/{source}", "FIFO"])
    (tmp_path / "secret").touch(mode=0o200)
    words = ["secret", *UNREADABLE]
    pack(PROGRAM, "--add", "secret", code=1, words=words, run=ordinary, cwd=tmp_path)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], ["Usage: rootfs-builder", "pack", "rootfs-builder pack ./hello -o"]),
        (["pack"], ["EXECUTABLE", "--help"]),
        (["pack", PROGRAM], ["-o", "--help"]),
        (["sing"], ["sing: unknown command", "--help"]),
        (["pack", PROGRAM, "-o", "-", "--json"], ["-o -", "--json", "stdout takes one"]),
        (["stage", PROGRAM, "-o", "out", "--", "word"], ["stage", "after --"]),
        (["tree", PROGRAM, "--", "word"], ["tree", "after --"]),
        (["why", PROGRAM, "libc.so.6", "--", "word"], ["why", "after --"]),
    ],
    ids=" ".join,
)
def test_usage(refused, args, words):
    refused(*args, code=2, words=words)


@pytest.mark.parametrize("path", ["/no/such/path", "libnosuch.so"])
def test_why_of_what_is_not_in_the_image(refused, path):
    refused("why", PROGRAM, path, code=3, words=[path, "not in the image"])


@pytest.mark.parametrize("verb", ["stage", "tree", "why"])
def test_other_verbs_refuse_as_pack_does(refused, verb):
    rest = {"stage": ["-o", "out"], "tree": [], "why": ["libc.so.6"]}[verb]
    refused(verb, "./nowhere", *rest, code=3, words=["./nowhere", "no such file"])


def test_what_goes_in_with_a_warning(cli, cc, tmp_path):
    """Set-user-id bits that are dropped, a RUNPATH that depends on where the program is started."""
    cc("int main(void) { return 0; }", name="prog", args=["-Wl,-rpath,lib"]).chmod(0o4755)
    done = cli("pack", "prog", "-o", "x.tar", check=True)
    assert "warning: /usr/local/bin/prog: its set-user-id" in done.stderr
    assert f"warning: {tmp_path}/prog looks for libraries in lib" in done.stderr


def test_a_library_that_is_asked_for_by_its_path(cli, cc):
    library = cc("int f(void) { return 1; }", name="libf.so", args=["-shared", "-fPIC"])
    cc("int f(void);int main(void) { return f(); }", name="prog", args=[library])
    library.unlink()
    done = cli("pack", "prog", "-o", "x.tar")
    assert done.returncode == 3
    assert "build it with a SONAME" in done.stderr
    assert "-L DIR" not in done.stderr
