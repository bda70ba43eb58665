"""What a user gives by mistake, or as other tools make it, is recognised by its bytes.

Where a command is advised, it is run as it was printed.
"""

import gzip
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from rootfs_builder.loader import kinds

LONG = pytest.mark.long
ELF = b"\x7fELF\2\1\1"
COOKIE = b"MEI\014\013\012\013\016" + bytes(80)  # PyInstaller, CArchive; before section headers


def jar(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
        file.writestr("Main.class", b"\xca\xfe\xba\xbe\0\0\0\x34")


def zipped(path, name="hello.txt"):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, "hello\n")


def tarred(path, mode="w"):
    with tarfile.open(path, mode) as file:
        file.addfile(tarfile.TarInfo("hello"))


def bytecode(path):
    source = path.with_suffix(".txt")
    source.write_text("print('hello')\n")
    py_compile.compile(str(source), str(path))
    source.unlink()


MADE = {  # what makes it, and the words that it is answered with
    "app.jar": (jar, ["a jar", "$(command -v java)", "-- -jar /app.jar"]),
    "app": (jar, ["a jar", "--add ./app:/app -o app.tar -- -jar /app"]),
    "app.war": (zipped, ["a jar"]),
    "app.whl": (zipped, ["wheel", "virtual environment"]),
    "app.zip": (zipped, ["zip archive", "unzip ./app.zip"]),
    "app.pyz": (lambda path: zipped(path, "__main__.py"), ["zipapp", "-- /app.pyz"]),
    "app.tar": (tarred, ["tar archive", "tar -xf ./app.tar"]),
    "app.tar.gz": (lambda path: tarred(path, "w:gz"), ["compressed tar", "tar -xf ./app.tar.gz"]),
    "app.tgz": (lambda path: tarred(path, "w:gz"), ["compressed tar"]),
    "app.tar.xz": (lambda path: tarred(path, "w:xz"), ["compressed tar"]),
    "app.gz": (lambda path: path.write_bytes(gzip.compress(b"x")), ["gzip -d ./app.gz"]),
    "app.pyc": (bytecode, ["bytecode", "$(command -v python3)"]),
}


def kind_of(path):
    data = path.read_bytes()
    sample = kinds.Sample(f"./{path.name}", data[:4096], data[-8192:])
    return sample.kind(lambda beside: (path.parent / beside).exists())


@pytest.mark.parametrize("name", MADE)
def test_a_real_one(tmp_path, name):
    make, words = MADE[name]
    make(tmp_path / name)
    kind = kind_of(tmp_path / name)
    assert not kind.starts
    for word in words:
        assert word in kind.sentence(f"./{name}")


BYTES = {
    "x.AppImage": (
        ELF[:8].ljust(8, b"\0") + b"AI\x02" + bytes(99),
        ["an AppImage", "./x.AppImage --appimage-extract"],
    ),
    "freebsd": (ELF + b"\x09" + bytes(99), ["FreeBSD", "compiled for Linux"]),
    "x.deb": (b"!<arch>\ndebian-binary   ", ["Debian package", "dpkg-deb -x ./x.deb x"]),
    "x.a": (b"!<arch>\nx.o/   ", ["static library", "link it"]),
    "x.rpm": (b"\xed\xab\xee\xdb\3\0", ["RPM", "rpm2cpio ./x.rpm | cpio -idm"]),
    "x.wasm": (b"\0asm\1\0\0\0", ["WebAssembly", "$(command -v wasmtime)", "-- /x.wasm"]),
    "Hi.class": (b"\xca\xfe\xba\xbe\0\0\0\x41" + bytes(9), ["a Java class", "-- -cp / Hi"]),
    "fat": (b"\xca\xfe\xba\xbe\0\0\0\2" + bytes(9), ["a macOS program"]),
    "x.dll": (b"MZ" + bytes(99), [".NET", "without .dll"]),
    "x.luac": (b"\x1bLua" + bytes(9), ["Lua's bytecode", "$(command -v lua)"]),
    "x.bc": (b"BC\xc0\xde" + bytes(9), ["clang ./x.bc -o x"]),
    "x.7z": (b"7z\xbc\xaf\x27\x1c" + bytes(9), ["7z x ./x.7z"]),
    "x.snap": (b"hsqs" + bytes(9), ["unsquashfs ./x.snap"]),
    "x.bz2": (b"BZh91AY&SY" + bytes(9), ["bzip2 -d"]),
    "x.zst": (b"\x28\xb5\x2f\xfd" + bytes(9), ["zstd -d"]),
    "bom": (b"\xef\xbb\xbf#!/bin/sh\necho\n", ["byte order mark", "sed -i"]),
    "utf16": ("#!/bin/sh\n".encode("utf-16"), ["UTF-16"]),
    "Dockerfile": (b"# syntax=1\nARG A\nFROM debian\n", ["a Dockerfile"]),
    "x.c": (b"int main(void) {}\n", ["if it is source"]),
    "FROM": (b"FROMAGE\n", ["if it is source"]),
    "two": (b"ab\r\ncd\r\n", ["not a script"]),
    "x.py": (b"print()\n", ["Python without", "$(command -v python3) --add ./x.py:/x.py"]),
    "x.mjs": (b"1\n", ["JavaScript", "$(command -v node)"]),
    "x.rb": (b"1\n", ["Ruby", "$(command -v ruby)"]),
    "x.pl": (b"1\n", ["Perl", "$(command -v perl)"]),
    "x.php": (b"<?php\n", ["PHP", "$(command -v php)"]),
    "x.sh": (b"echo\n", ["a script without", "$(command -v sh)", "-o x.tar -- /x.sh"]),
    "x.awk": (b"{}\n", ["$(command -v awk)", "-- -f /x.awk"]),
    "with space.py": (b"1\n", ["--add './with space.py':/'with space.py'"]),
}


@pytest.mark.parametrize("name", BYTES)
def test_one_by_its_first_bytes(tmp_path, name):
    data, words = BYTES[name]
    (tmp_path / name).write_bytes(data)
    kind = kind_of(tmp_path / name)
    assert not kind.starts
    for word in words:
        assert word in kind.sentence(f"./{name}")


@pytest.mark.parametrize("name", ["x.AppImage", "x.deb", "x.wasm"])
def test_it_is_an_error_of_the_program_that_was_named(cli, tmp_path, name):
    (tmp_path / name).write_bytes(BYTES[name][0])
    done = cli("pack", name, "-o", "o.tar")
    assert done.returncode == 1
    assert done.stderr.startswith(f"rootfs-builder: {name}: a")
    assert not (tmp_path / "o.tar").exists()


@pytest.mark.parametrize(
    ("name", "text", "tool"),
    [
        ("app.sh", "echo hello\n", "sh"),
        ("app.py", "print('hello')\n", "python3"),
        pytest.param("app.pl", 'print "hello\\n";\n', "perl", marks=LONG),
        ("with space.sh", "echo hello\n", "sh"),
    ],
)
def test_the_advised_command_works(cli, tmp_path, name, text, tool):
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool}")
    (tmp_path / name).write_text(text)
    said = cli("pack", name, "-o", "o.tar").stderr
    command = re.search(r"rootfs-builder (pack .*)", said)[1]
    program = f"'{sys.executable}' -m rootfs_builder {command}"
    path = {**os.environ, "PATH": f"/usr/bin:{os.environ['PATH']}"}  # a python with a library
    done = subprocess.run(["sh", "-c", program], cwd=tmp_path, env=path, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"{name.partition('.')[0]}.tar").exists()


# --- what the kernel starts all the same: a warning ---

HELLO = "#include <stdio.h>\nint main(void) { return puts(pad) < 0; }\n"


def padded():
    """C of a program that is large enough to be compressed."""
    pad = "".join(f"{number * 7919 % 9973:x}" for number in range(40000))
    lines = "\n".join(f'"{pad[at : at + 1000]}"' for at in range(0, len(pad), 1000))
    return f"static const char pad[] = {lines};\n{HELLO}"


@pytest.mark.skipif(shutil.which("upx") is None, reason="no upx")
@pytest.mark.parametrize("args", [[], ["-no-pie"], ["-static"]], ids=["pie", "no-pie", "static"])
def test_upx(cli, cc, tmp_path, args):
    cc(padded(), name="big", args=args)
    assert not warned(cli("pack", "big", "-o", "o.tar"))
    subprocess.run(["upx", "-q", "-o", "small", "big"], cwd=tmp_path, check=True,
                   capture_output=True)  # fmt: skip
    (line,) = warned(cli("pack", "small", "-o", "o.tar"))
    assert line.startswith("warning: small: compressed by UPX")
    assert line.endswith("upx -d small")
    verified = cli("verify", "o.tar")
    assert verified.returncode == 0
    assert "warning: not checked: /usr/local/bin/small: compressed by UPX" in verified.stderr
    (line,) = warned(cli("pack", "big", "-o", "o.tar", "--add", "small:/opt/small"))
    assert "small: compressed by UPX" in line
    subprocess.run(["upx", "-q", "-d", "small"], cwd=tmp_path, check=True, capture_output=True)
    assert not warned(cli("pack", "small", "-o", "o.tar"))


def warned(done):
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("warning: ")]


@pytest.fixture
def frozen(cc, tmp_path):
    """A program with the end that PyInstaller gives it."""
    path = tmp_path / "dist" / "app"
    path.parent.mkdir()
    shutil.copy(cc(padded(), name="big"), path)
    path.write_bytes(path.read_bytes() + COOKIE + bytes(2000))
    return path


@pytest.mark.usefixtures("frozen")
def test_pyinstaller_in_one_file(cli):
    (line,) = warned(cli("pack", "dist/app", "-o", "o.tar"))
    assert "dist/app: made by PyInstaller in one file" in line
    assert line.endswith("--include-lib libm.so.6")
    assert not warned(cli("pack", "dist/app", "-o", "o.tar", "--include-lib", "libm.so.6"))
    assert "not checked: /usr/local/bin/app: made by PyInstaller" in cli("verify", "o.tar").stderr


def test_pyinstaller_in_a_folder(cli, frozen):
    (frozen.parent / "_internal").mkdir()
    (line,) = warned(cli("pack", "dist/app", "-o", "o.tar"))
    assert "in _internal next to it" in line
    advised = line.partition("add the whole folder: ")[2]
    assert advised == "--add dist:/opt/app --at /opt/app/app"
    assert not warned(cli("pack", "dist/app", "-o", "o.tar", *advised.split()))
    added = ("--add", "dist/_internal:/usr/local/bin/_internal")
    assert not warned(cli("pack", "dist/app", "-o", "o.tar", *added))


def test_no_program_of_this_machine_is_taken_for_another_kind(request):
    each = 1 if request.config.getoption("engines") else 8
    wrong = []
    for path in sorted(Path("/usr/bin").iterdir())[::each]:
        if not path.is_file() or path.stat().st_size < 4:
            continue
        with path.open("rb") as file:
            head = file.read(4096)
            file.seek(max(0, path.stat().st_size - 8192))
            sample = kinds.Sample(str(path), head, file.read())
        if head.startswith((b"\x7fELF", b"#!")) and sample.kind(lambda _: False):
            wrong.append(path)
    assert wrong == []


SCRIPTS = {  # in Latin-1, as many old ones are
    "sh": '#!/bin/sh\nls "caf\xe9"\necho "caf\xe9 x"\n',
    "perl": '#!/usr/bin/perl\nsystem("caf\xe9 -x"); require "caf\xe9.pl"; my $x = "ls -caf\xe9";\n',
    "python3": "#!/usr/bin/python3\n# -*- coding: latin-1 -*-\nrun = ['ls', '-caf\xe9']\n",
}


@pytest.mark.parametrize(
    "name", ["sh", *(pytest.param(one, marks=LONG) for one in ("perl", "python3"))]
)
def test_a_script_in_another_encoding_than_utf_8_is_packed(cli, tmp_path, name):
    if shutil.which(name, path="/bin:/usr/bin") is None:
        pytest.skip(f"no {name} here")
    (tmp_path / "run").write_bytes(SCRIPTS[name].encode("latin-1"))
    (tmp_path / "run").chmod(0o755)
    for _ in range(2):  # also with what was remembered
        cli("pack", "./run", "-o", "run.tar", check=True)
    cli("why", "run.tar", "/usr/local/bin/run", check=True)
