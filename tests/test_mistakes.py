"""What a newcomer types wrong, and what is said: read as a new user, word for word.

Each file in golden/mistakes is one mistake: the command line, the exit code, and stderr. To add
one, write its first line;
`UPDATE_GOLDEN=1 pytest tests/test_mistakes.py` writes the rest, to be read.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GOLDEN = sorted((ROOT / "tests/golden/mistakes").glob("*.txt"))
GREETER = "void greet(void); int main(void) { greet(); return 0; }"
DOCKER = """\
#!/bin/sh
echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.' >&2
exit 1
"""


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def folder(tmp_path, cc):
    """A newcomer's folder; `rootfs-builder` is in PATH, and a docker that does not run."""
    here = tmp_path / "folder with hello"
    for name in ("folder", "bin"):
        (here / name).mkdir(parents=True)
    cc("int main(void) { return 0; }", where=here)
    cc("int part;", name="hello.o", where=here, args=["-c"])
    arguments = ["-shared", "-fPIC", "-Wl,-soname,libgreet.so"]
    library = cc("void greet(void) {}", name="libgreet.so", where=here, args=arguments)
    hidden = here / "folder/libgreet.so"
    shutil.copy(library, hidden)
    cc(GREETER, name="greeter", where=here, args=[library])
    (here / "hello.c").write_text("int main(void) { return 0; }\n")
    (here / "hello.exe").write_bytes(b"MZ\x90\0" * 99)
    script(here / "greet", "#!/bin/sh\r\necho hello\r\n")
    subprocess.run(["tar", "-cf", "old.tar", "hello.c"], cwd=here, check=True)
    (here / "scripts").symlink_to(ROOT / "scripts")
    script(here / "bin/docker", DOCKER)
    script(
        here / "bin/rootfs-builder",
        f"#!/bin/sh\nexec '{sys.executable}' -m rootfs_builder \"$@\"\n",
    )
    return here


def said(command, folder):
    """The exit code and stderr, without what differs from machine to machine."""
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert not done.stdout
    text = done.stderr.replace(str(folder), "/folder")
    text = re.sub(r"(?m)(^  not at /(?!folder).*\n)+", "  not at …\n", text)
    return f"exit {done.returncode}\n{text}"


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_a_mistake_is_answered_with_the_thing_and_the_way_out(golden, folder):
    command, _, wanted = golden.read_text().partition("\n")
    found = said(command.removeprefix("$ "), folder)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(f"{command}\n{found}")
        return
    assert found == wanted


def test_a_mistake_of_each_number_is_there_once():
    assert [path.name[:2] for path in GOLDEN] == [f"{n:02}" for n in range(1, len(GOLDEN) + 1)]
