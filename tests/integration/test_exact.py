"""Exactly what a run opens is packed: strace watches a program in what `stage` wrote.

The kernel itself opens a program's interpreter, and every link on the way to a file is opened with
it. What is not opened in this run, and packed all the same, stands in UNOPENED with the reason.
"""

import json
import os
import re
import shutil
import subprocess
import tarfile

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

pytestmark = pytest.mark.engines

HELLO = '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }'
HELLO_CC = '#include <iostream>\nint main() { std::cout << "hello" << std::endl; }'
CANCEL = """
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *wait(void *unused) { for (;;) pause(); return unused; }
int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, 0, wait, 0) || pthread_cancel(thread)) return 1;
    return pthread_join(thread, 0) || puts("hello") < 0;
}
"""
UNOPENED = {  # a regular expression over what lies below the image's root
    "/usr/bin/true": (
        r"/usr/lib/locale/C\.utf8/.*",
        "it imports setlocale, and calls it for --help alone: no header says when",
    ),
}
CALLS = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)")
OPENS = re.compile(r'(?:AT_FDCWD, )?"(.*?)"')


def compiled(source, **options):
    return lambda cc: cc(source, **options)


PROGRAMS = {
    "C": (compiled(HELLO), ()),
    "C++": (compiled(HELLO_CC, compiler="g++"), ()),
    "static musl": (compiled(HELLO, compiler="musl-gcc", args=("-static",)), ()),
    "static glibc": (compiled(HELLO, args=("-static",)), ()),
    "dynamic musl": (compiled(HELLO, compiler="musl-gcc"), ()),
    "C that cancels a thread": (compiled(CANCEL), ()),
    "true": (lambda _: "/usr/bin/true", ()),
    "true --help": (lambda _: "/usr/bin/true", ("--help",)),
}


@pytest.mark.parametrize(("make", "args"), PROGRAMS.values(), ids=PROGRAMS)
def test_what_is_packed_is_what_a_run_opens(make, args, cli, cc, tmp_path):
    program = make(cc)
    cli("stage", program, "-o", "root", check=True)
    root = tmp_path / "root"
    cli("pack", program, "-o", "image.tar", check=True)
    config = image_config(tmp_path / "image.tar")
    said, opened = watched(root, [*config["Entrypoint"], *args], config["Env"], tmp_path / "log")
    assert said == subprocess.run([program, *args], capture_output=True, check=True).stdout
    pattern, _ = UNOPENED.get(str(program), ("", "")) if not args else ("", "")
    packed = {path for path in files(root) if not re.fullmatch(pattern, path)}
    assert packed == opened
    assert packed != set(files(root)) or not pattern, "the exception is none: take it out"


def image_config(path):
    with tarfile.open(path) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json"))
        return json.load(archive.extractfile(manifest["Config"]))["config"]


def files(root):
    """All that is no directory, as paths of the image."""
    for here, directories, names in os.walk(root):
        for name in names + directories:
            path = os.path.join(here, name)
            if os.path.islink(path) or not os.path.isdir(path):
                yield path.removeprefix(str(root))


def watched(root, words, environment, log):
    """What a program says in a root, and the files and links that it and the kernel opened."""
    if shutil.which("strace") is None:
        pytest.fail("strace is not installed: apt-get install strace", False)
    command = [shutil.which("strace"), "-f", "-s", "4096", "-e", "trace=%file", "-o", log]
    command += [shutil.which("chroot"), root, *words]
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        env=dict(one.split("=", 1) for one in environment),
    )
    assert (done.returncode, done.stderr) == (0, b"")
    # Before it is chroot(1) that opens files, after it the program.
    _, _, text = log.read_text().partition("chroot(")
    assert "unfinished" not in text
    opened = set()
    for line in text.splitlines()[1:]:
        call = CALLS.match(line)
        if call is None or int(call[3]) < 0 or call[1] not in ("open", "openat", "execve"):
            continue
        path = OPENS.match(call[2])[1]
        opened |= set(steps(root, path))
        if call[1] == "execve":
            opened |= set(steps(root, interpreter(f"{root}{path}")))
    return done.stdout, opened


def interpreter(path):
    """PT_INTERP; the program itself for one without."""
    with open(path, "rb") as stream:
        for segment in ELFFile(stream).iter_segments():
            if isinstance(segment, InterpSegment):
                return segment.get_interp_name()
    return ""


def steps(root, path):
    """Every link on the way to a file of the root, and the file."""
    here, rest = "", path.strip("/").split("/")
    while rest != [""] and rest:
        name = rest.pop(0)
        if name in ("", ".", ".."):
            here = os.path.dirname(here).rstrip("/") if name == ".." else here
            continue
        here = f"{here}/{name}"
        if os.path.islink(f"{root}{here}"):
            yield here
            target = os.readlink(f"{root}{here}")
            here = "" if target.startswith("/") else os.path.dirname(here).rstrip("/")
            rest = target.strip("/").split("/") + rest
        elif os.path.isfile(f"{root}{here}"):
            yield here
