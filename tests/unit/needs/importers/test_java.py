"""Jars: what their manifests name, in archives that the standard library writes."""

import io
import zipfile
from types import SimpleNamespace

import pytest

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.filesystem.content import BytesSource
from rootfs_builder.needs.finder import Text, TextKind
from rootfs_builder.needs.importers import java
from rootfs_builder.needs.importers.java import jars
from tests import importing

JARS = "/usr/share/java"


def jar(class_path, *, head="Manifest-Version: 1.0\r\n"):
    """A jar whose manifest has these entries, in lines of 72 bytes as the specification says."""
    line = f"Class-Path: {class_path}"
    lines = [line[:72], *(f" {line[at : at + 71]}" for at in range(72, len(line), 71))]
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("META-INF/MANIFEST.MF", head + "\r\n".join(lines) + "\r\n\r\n")
        file.writestr("A.class", b"x" * 5000)
    return data.getvalue()


def test_the_entries_of_a_manifest_in_lines_that_go_on():
    names = [f"directory/of/a/jar-with-a-long-name-{at}.jar" for at in range(20)]
    assert jars.class_path(BytesSource(jar(" ".join(names)))) == tuple(names)
    assert jars.class_path(BytesSource(jar("a.jar", head="class-path: b.jar a.jar b.jar\n"))) == (
        "b.jar",
        "a.jar",
    )


@pytest.mark.parametrize("cut", [0, 10, 100, -30, -1])
def test_what_is_no_jar_names_nothing(cut):
    assert jars.class_path(BytesSource(jar("a.jar")[:cut])) == ()


def test_a_jar_without_a_manifest_names_nothing():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("A.class", b"")
    assert jars.class_path(BytesSource(data.getvalue())) == ()


def needs(tree, jar_text=None, **context):
    """The paths that are needed for jars: `tree` has the bytes of each file of the root."""
    names = dict.fromkeys(tree, "x")
    made = importing.finder(java, names, compiled={}, **context)
    files = made._context.files
    files.is_closed = lambda _: False
    files.is_added = lambda path: path in files.added
    files.elf_files = SimpleNamespace(
        source=lambda real: BytesSource(tree[real]), facts=FileFacts()
    )
    found = [*made.process()]
    if jar_text:
        found += made.text(Text(jar_text, TextKind.BROUGHT))
    return importing.split(found)[0]


TREE = {
    f"{JARS}/a.jar": jar(
        f"b.jar ../other/c.jar file:{JARS}/d.jar {JARS}/e/ none.jar http://x/y.jar"
    ),
    f"{JARS}/b.jar": jar(""),
    "/usr/share/other/c.jar": b"",
    f"{JARS}/d.jar": b"",
    f"{JARS}/e/A.class": b"",
    "/home/me/f.jar": b"",
}


def test_a_jar_brings_those_that_it_names_from_its_own_place_on():
    expected = {f"{JARS}/b.jar", "/usr/share/other/c.jar", f"{JARS}/d.jar", f"{JARS}/e"}
    assert needs(TREE, f"{JARS}/a.jar") == expected
    assert needs(TREE, f"{JARS}/b.jar") == set()
    assert needs(TREE, f"{JARS}/e/A.class") == set()


@pytest.mark.parametrize(
    "context",
    [
        {"arguments": ("-cp", f"{JARS}/b.jar:{JARS}/d.jar:/none:/home/me/f.jar", "Main")},
        {"arguments": ("-jar", f"{JARS}/b.jar", "--class-path", f"{JARS}/d.jar")},
        {"arguments": (f"--module-path={JARS}/b.jar", "-p", "d.jar"), "directory": JARS},
        {"environment": {"CLASSPATH": f"{JARS}/b.jar::{JARS}/d.jar"}},
    ],
)
def test_jars_that_the_command_line_or_a_variable_names(context):
    assert needs(TREE, **context) == {f"{JARS}/b.jar", f"{JARS}/d.jar"}
