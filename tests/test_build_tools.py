"""make, ninja and CMake build an image again when, and only when, something that decided changed.

The tools are real, and the folder's name has a space, a dollar and more that they must be told of.
A stand-in for the command keeps a list of its runs and of how they ended.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import conformance

ARGS = "--sysroot root --add data:/data"
NOT_FOUND = 3

MAKE = f"""\
include rootfs.mk
hello.tar: ROOTFS_FLAGS = {ARGS}
"""
MAKE_BY_HAND = f"""\
hello.tar: hello
	rootfs-builder pack ./hello -o $@ --depfile $@.d {ARGS}
-include hello.tar.d
"""
NINJA = f"""\
rule image
  command = rootfs-builder pack ./$in -o $out --depfile $out.d {ARGS}
  depfile = $out.d
  restat = 1
build hello.tar: image hello
"""
CMAKE = """\
cmake_minimum_required(VERSION 3.20)
project(images NONE)
include(RootfsImage.cmake)
add_executable(hello IMPORTED)
set_property(TARGET hello PROPERTY IMPORTED_LOCATION "${CMAKE_SOURCE_DIR}/hello")
rootfs_image(hello ARGS --sysroot "${CMAKE_SOURCE_DIR}/root" --add "${CMAKE_SOURCE_DIR}/data:/data")
"""


class Project:
    """A program with a library and a file, and the build tool that makes an image of it."""

    def __init__(self, tmp_path, cc, cli, tool):
        self.tool = tool
        # CMake itself does not know how to tell its tools of the other characters
        self.folder = tmp_path / ("a b$c" if "cmake" in tool else "a b$c% #1:2'&[x]")
        self.log = tmp_path / "runs"
        self.log.touch()
        self.env = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
        self.env.pop("MAKEFLAGS", None)
        self.env.pop("MAKELEVEL", None)
        stub = tmp_path / "bin/rootfs-builder"
        stub.parent.mkdir()
        stub.write_text(
            f"#!/bin/sh\n'{sys.executable}' -m rootfs_builder \"$@\"\ncode=$?\n"
            f"echo $code >>'{self.log}'\nexit $code\n"
        )
        stub.chmod(0o755)
        self.env["PYTHONPATH"] = str(Path(__file__).parent.parent)
        for name in ("first", "second"):
            (self.folder / name).mkdir(parents=True)
        self.library("second", "1")
        cc(
            "int dep(void); int main(void) { return dep(); }",
            where=self.folder,
            args=(f"-L{self.folder}/second", "-ldep", "-Wl,-rpath,$ORIGIN/first:$ORIGIN/second"),
        )
        (self.folder / "data").write_text("data\n")
        self.root()
        self.write(cli)

    def root(self):
        """A system of its own: nobody installs a package in it while the test runs."""
        for path in ("/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"):
            copy = self.folder / f"root{path}"
            copy.parent.mkdir(parents=True)
            shutil.copy(path, copy)

    def library(self, name, value):
        """libdep.so in a folder; it comes there by a rename, with the time of long ago."""
        folder = self.folder / name
        source = f"int dep(void) {{ return {value}; }}"
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", self.folder.parent / "new"],
            input=source,
            text=True,
            check=True,
        )
        os.utime(self.folder.parent / "new", (1e9, 1e9))
        (self.folder.parent / "new").rename(folder / "libdep.so")

    def write(self, cli):
        """The tool's own files."""
        self.output = self.folder / "hello.tar"
        if self.tool in {"make", "make by hand"}:
            text = MAKE if self.tool == "make" else MAKE_BY_HAND
            (self.folder / "Makefile").write_text(text)
            (self.folder / "rootfs.mk").write_text(cli("makefile", check=True).stdout)
            self.command = ["make", "hello.tar"]
        elif self.tool == "ninja":
            (self.folder / "build.ninja").write_text(NINJA)
            self.command = ["ninja", "-d", "explain"]
        else:
            generator = self.tool.removeprefix("cmake, ")
            (self.folder / "CMakeLists.txt").write_text(CMAKE)
            module = cli("makefile", "--cmake", check=True).stdout
            (self.folder / "RootfsImage.cmake").write_text(module)
            self.output = self.folder / "build/hello.tar"
            self.command = ["cmake", "--build", "build"]
            self.start("cmake", "-G", generator, "-B", "build", check=True)

    def start(self, *words, check=False):
        return subprocess.run(
            words,
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=check,
        )

    def build(self):
        """The exit codes of our runs, and what the tool said."""
        before = len(self.log.read_text().split())
        done = self.start(*self.command)
        return [int(code) for code in self.log.read_text().split()[before:]], done

    def built(self):
        """One build that is expected to run us and succeed, and another that has nothing to do."""
        codes, done = self.build()
        assert codes == [0], done.stdout
        assert done.returncode == 0
        assert conformance.problems(self.output, "hybrid") == []
        self.rests()

    def rests(self):
        codes, done = self.build()
        assert codes == [], done.stdout
        assert done.returncode == 0


TOOLS = ("make", "make by hand", "ninja", "cmake, Ninja", "cmake, Unix Makefiles")


@pytest.fixture(params=TOOLS)
def project(request, tmp_path, cc, cli):
    needed = {"make", *re.findall("cmake|ninja", request.param.lower())}
    for name in needed:
        if shutil.which(name) is None:
            pytest.skip(f"no {name}")
    found = Project(tmp_path, cc, cli, request.param)
    found.built()
    return found


def test_the_second_run_does_nothing_and_says_so(project):
    _, done = project.build()
    said = {
        "make": "'hello.tar' is up to date",
        "make by hand": "'hello.tar' is up to date",
        "ninja": "ninja: no work to do.",
        "cmake, Ninja": "ninja: no work to do.",
        "cmake, Unix Makefiles": "Built target hello_image",
    }
    assert said[project.tool] in done.stdout
    assert "explain" not in done.stdout


@pytest.mark.long
@pytest.mark.parametrize("name", ["hello", "second/libdep.so", "data"])
def test_a_touch_builds_again_and_an_output_with_the_same_bytes_is_kept(project, name):
    before = project.output.stat()
    (project.folder / name).touch()
    project.built()
    # ninja prunes what depends on it; make would run us for ever if it stayed as old as it was
    kept = project.output.stat().st_mtime_ns == before.st_mtime_ns
    assert kept is ("ninja" in project.tool.lower())


def test_another_content_gets_into_the_image(project):
    before = project.output.read_bytes()
    (project.folder / "data").write_text("others\n")
    project.built()
    assert project.output.read_bytes() != before


@pytest.mark.long
def test_a_library_that_appears_earlier_in_the_search_path_builds_again(project):
    before = project.output.read_bytes()
    project.library("first", "2")
    project.built()
    assert project.output.read_bytes() != before
    (project.folder / "first/libdep.so").unlink()
    project.built()
    assert project.output.read_bytes() == before


@pytest.mark.long
@pytest.mark.parametrize("name", ["second/libdep.so", "hello", "data"])
def test_what_is_removed_is_missed_and_the_old_image_is_kept(project, name):
    before = project.output.read_bytes()
    path = project.folder / name
    content, mode = path.read_bytes(), path.stat().st_mode
    path.unlink()
    for _ in range(2):
        codes, done = project.build()
        if name != "hello" or project.tool.startswith(
            "make"
        ):  # of that ninja and CMake know themselves
            assert codes == [NOT_FOUND], done.stdout
        assert done.returncode
        assert project.output.read_bytes() == before
    path.write_bytes(content)
    path.chmod(mode)
    project.built()
    assert project.output.read_bytes() == before
