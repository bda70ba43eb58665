"""Forty-five mistakes that people make with programs, options and files, and what is said of each.

Each file in golden/common_mistakes is one: the command line, the exit code, and stderr without the
times and sizes that differ from machine to machine. A mistake of several forms has several files,
01a, 01b. To add one, write its first line;
`UPDATE_GOLDEN=1 pytest tests/test_common_mistakes.py` writes the rest, to be read.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = sorted((Path(__file__).parent / "golden/common_mistakes").glob("*.txt"))
COUNT = 45
SOURCES = {  # programs and libraries, by their names: the source and gcc's arguments
    "hello": ("int main(void) { return 0; }", []),
    "hello.o": ("int part;", ["-c"]),
    "libgreet.so": ("void greet(void) {}", ["-shared", "-fPIC", "-Wl,-soname,libgreet.so"]),
    "libmissing.so.1": ("void f(void) {}", ["-shared", "-fPIC", "-Wl,-soname,libmissing.so.1"]),
    "packed-for-flatpak": (
        "void f(void); int main(void) { f(); }",
        ["libmissing.so.1", "-Wl,-rpath,/app/lib"],
    ),
    "snapped": (
        "int main(void) { return 0; }",
        ["-Wl,--dynamic-linker=/snap/core22/current/lib64/ld-linux-x86-64.so.2"],
    ),
    "machine": (
        '#include <fcntl.h>\nint main(void) { return open("/dev/kvm", O_RDWR) < 0; }',
        [],
    ),
    "host": (
        "#include <dlfcn.h>\nint main(int n, char **names) { return !dlopen(names[1], 2); }",
        [],
    ),
    "appimage": ("int main(void) { return 0; }", []),
}
USES = {"upx -": "upx", "go build": "go", "unprivileged": "setpriv"}  # what need not be here
UNPRIVILEGED = """\
#!/bin/sh
# As somebody whom the modes of files bind: root without what lets it pass over them.
[ "$(id -u)" = 0 ] || exec "$@"
exec setpriv --bounding-set=-dac_override,-dac_read_search "$@"
"""


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    """A folder with what the mistakes are made with; `rootfs-builder` is in PATH."""
    here = tmp_path_factory.mktemp("mistakes") / "folder"
    (here / "bin").mkdir(parents=True)
    for name, (source, arguments) in SOURCES.items():
        subprocess.run(
            ["gcc", "-x", "c", "-", "-x", "none", "-o", name, *arguments],
            cwd=here,
            input=source,
            text=True,
            check=True,
        )
    (here / "libmissing.so.1").unlink()
    with (here / "appimage").open("r+b") as stream:
        stream.seek(8)
        stream.write(b"AI\x02")
    (here / "site").mkdir()
    (here / "site/index.html").write_text("hello\n")
    program = f"#!/bin/sh\nexec '{sys.executable}' -m rootfs_builder \"$@\"\n"
    for name, text in (("rootfs-builder", program), ("unprivileged", UNPRIVILEGED)):
        (here / "bin" / name).write_text(text)
        (here / "bin" / name).chmod(0o755)
    return here


def said(command, folder):
    """The exit code and stderr, without what differs from machine to machine."""
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    text = done.stderr.replace(str(folder), "/folder")
    text = re.sub(r"\d+ files?, [\d.]+ \w?B", "FILES, SIZE", text)
    text = re.sub(r"\([\d.]+ \w?B\) in [\d.]+ s", "(SIZE) in TIME", text)
    text = re.sub(r"byte \d+, file", "byte N, file", text)
    text = re.sub(r"(?m)(^  not at .*\n)+", "  not at …\n", text)
    return f"exit {done.returncode}\n{text}"


def case(golden):
    builds = "go build" in golden.read_text()
    return pytest.param(golden, id=golden.stem, marks=pytest.mark.long if builds else ())


@pytest.mark.parametrize("golden", [*map(case, GOLDEN)])
def test_a_mistake_is_answered_with_what_is_wrong_and_what_to_type(golden, samples):
    command, _, wanted = golden.read_text().partition("\n")
    for used, tool in USES.items():
        if used in command and shutil.which(tool) is None:
            pytest.skip(f"no {tool}")
    found = said(command.removeprefix("$ "), samples)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(f"{command}\n{found}")
        return
    assert found == wanted


def test_each_of_them_is_there():
    assert sorted({int(path.name[:2]) for path in GOLDEN}) == [*range(1, COUNT + 1)]
