"""`verify` against the real loaders: whatever breaks a program, it says so, and nothing else.

Each image of the integration tests is laid out, and every ELF file in it is deleted
in turn, then altered in one dynamic entry at a time. The real loader, in a chroot, tells whether
the programs still start.
"""

import contextlib
import gzip
import os
import shutil
import struct
import tarfile
from pathlib import Path

import pytest
import zstandard
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from rootfs_builder import recipe
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.pipeline import planning
from rootfs_builder.plan import stage, verify
from tests.integration.programs import PROGRAMS
from tests.loader import oracle

PATH = ("/usr/local/bin", "/usr/bin")
STRINGS = ("DT_NEEDED", "DT_SONAME", "DT_RPATH", "DT_RUNPATH")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the oracle is a chroot: needs root")


class Tree:
    """A staged image, and what starts in it."""

    def __init__(self, words, folder):
        options = {"executables": [], "add": [], "library_path": [], "include_lib": []}
        known = {"--add": "add", "-L": "library_path", "--include-lib": "include_lib"}
        words = iter(words)
        for word in words:
            options[known.get(word, "executables")].append(next(words) if word in known else word)
        given = {key: tuple(map(str, value)) for key, value in options.items()}
        _, plan, _ = planning.plan(
            recipe.from_options(directory=str(folder), **given),
            Sources(DirectoryRoot()),
            rules=(),
        )
        self.top = folder / "tree"
        self.top.mkdir()
        stage.write(plan, str(self.top))
        self.start = plan.programs[0]
        self.files = [e.path for e in plan.entries if e.kind == "file"]

    def path(self, inside):
        return Path(f"{self.top}{inside}")

    def elf_files(self):
        return [one for one in self.files if self.path(one).read_bytes()[:4] == b"\x7fELF"]

    def problems(self):
        return verify.check(DirectoryRoot(str(self.top)), start=self.start, path=PATH).problems

    def is_broken(self):
        """Whether the program of the container, or any other here, does not start."""
        if not self.path(self.start).exists():
            return True
        return any(self._refuses(one) for one in self.files if self.path(one).exists())

    def _refuses(self, inside):
        data = self.path(inside).read_bytes()
        if data[:2] == b"#!":
            interpreter, *words = data[2:].partition(b"\n")[0].decode().split()
            walker = Walker(DirectoryRoot(str(self.top)))
            places = [f"{directory}/{words[0]}" for directory in PATH] if words else [interpreter]
            missing = [walker.walk(place).node is None for place in (interpreter, *places)]
            return missing[0] or all(missing[1:])  # the words are those of env
        if data[:4] != b"\x7fELF":
            return False
        interpreter = interpreter_of(self.path(inside))
        if interpreter is None:
            return False
        musl = "musl" in interpreter
        try:
            done = oracle.in_root(
                self.top,
                [interpreter, "--list", inside] if musl else [interpreter, inside],
                env=None if musl else {"LD_TRACE_LOADED_OBJECTS": 1},
                cwd="/usr",  # a relative path finds nothing there
            )
        except OSError:
            return True
        return done.returncode != 0 or "not found" in done.stdout + done.stderr


def interpreter_of(path):
    with path.open("rb") as file, contextlib.suppress(ELFError):
        for segment in ELFFile(file).iter_segments("PT_INTERP"):
            return segment.get_interp_name()
    return None


def alterations(path):
    """(what, file offset, word size) of each dynamic entry whose value is a string."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        size = elf.elfclass // 8
        for segment in elf.iter_segments("PT_DYNAMIC"):
            for number, tag in enumerate(segment.iter_tags()):
                if tag.entry.d_tag in STRINGS:
                    offset = segment["p_offset"] + (2 * number + 1) * size
                    yield f"{tag.entry.d_tag} {number}", offset


@pytest.mark.long
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_what_breaks_a_program_is_found(program, cc, tmp_path):
    tree = Tree(program.words(cc, tmp_path), tmp_path)
    assert not tree.is_broken()
    assert tree.problems() == ()
    wrong = []
    for file in tree.elf_files():
        path = tree.path(file)
        aside = path.with_name(path.name + ".aside")
        path.rename(aside)
        if bool(tree.problems()) != tree.is_broken():
            wrong.append(f"{file} deleted: {tree.problems()}")
        aside.rename(path)
        for what, offset in alterations(path):
            with path.open("r+b") as stream:
                stream.seek(offset)
                value = stream.read(8)
                stream.seek(offset)
                stream.write(struct.pack("<Q", struct.unpack("<Q", value)[0] + 1))
            if bool(tree.problems()) != tree.is_broken():
                wrong.append(f"{file}, {what} altered: {tree.problems()}")
            with path.open("r+b") as stream:
                stream.seek(offset)
                stream.write(value)
    assert wrong == []


def test_every_form_of_an_image_is_read(cli, cc, tmp_path):
    cc("int main(void) { return 0; }", name="prog")
    cli("pack", "prog", "-o", "x.tar", "-q", check=True)
    data = (tmp_path / "x.tar").read_bytes()
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(data))
    (tmp_path / "x.tar.zst").write_bytes(zstandard.compress(data))
    with tarfile.open(tmp_path / "x.tar") as tar:
        tar.extractall(tmp_path / "layout", filter="data")
    cli("stage", "prog", "-o", "tree", "-q", check=True)
    with tarfile.open(tmp_path / "tree.tar", "w") as tar:  # as docker export writes it
        tar.add(tmp_path / "tree", ".")
    said = "1 dynamic programs find their linked libraries, in 3 files"
    for one in ("x.tar", "x.tar.gz", "x.tar.zst", "layout", "tree", "tree.tar"):
        assert cli("verify", one, check=True).stdout == f"{one}: {said}\n"
    done = cli("verify", "-", input=data, text=False, check=True)
    assert done.stdout.decode() == f"-: {said}\n"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "no program is in it"),
        (lambda path: path.write_bytes(b""), "no tar archive"),
        (lambda path: path.write_text("text " * 500), "no tar archive"),
        (lambda path: path.write_bytes(gzip.compress(b"x" * 5000)[:-9]), "corrupt compressed data"),
        (lambda path: path.write_bytes(b"BZh91AY&SY"), "compressed by bzip2"),
    ],
    ids=["empty directory", "empty", "text", "cut", "bzip2"],
)
def test_what_is_no_image_is_refused(cli, tmp_path, make, words):
    make(tmp_path / "x")
    done = cli("verify", "x")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("rootfs-builder: x: ")
    assert words in done.stderr


OPENS = '#include <stdio.h>\nint main(void) { return fopen("/etc/os-release", "r") ? 0 : 7; }'


def test_a_command_is_run_in_the_image_and_what_it_missed_is_named(cli, cc):
    cc(OPENS, name="opens")
    cli("pack", "./opens", "-o", "without.tar", "--without", "all", check=True)
    done = cli("verify", "without.tar", "--", "opens")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("rootfs-builder: opens: exit code 7\n")
    if shutil.which("strace"):
        assert "\n/etc/os-release: not in the image, and here\n" in done.stderr
    cli("pack", "./opens", "-o", "with.tar", "--add", "/etc/os-release", check=True)
    assert "find their linked libraries" in cli("verify", "with.tar", "--", "opens").stdout


@pytest.mark.parametrize(
    "words", [["--network", "host"], ["--timeout", "5s"], ["--"], ["--timeout", "x", "--", "true"]]
)
def test_what_is_about_a_command_needs_one(cli, tmp_path, words):
    (tmp_path / "root").mkdir()
    assert cli("verify", "root", *words).returncode == 2


def test_a_command_is_run_in_a_directory_which_stays_as_it_is(cli, cc, tmp_path):
    cc('#include <stdio.h>\nint main(void) { return !fopen("/made", "w"); }', name="makes")
    cli("stage", "./makes", "-o", "root", check=True)
    done = cli("verify", "root", "--", "/usr/local/bin/makes")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "root/made").exists()
