"""Where an image is written: every spelling of -o, and what is refused."""

import pytest

from rootfs_builder.choices import FORMATS
from rootfs_builder.errors import UsageError
from rootfs_builder.image import archives
from rootfs_builder.recipe.destination import Destination, DestinationKind, check_spelling


@pytest.mark.parametrize(
    ("text", "kind", "path", "target"),
    [
        ("hello.tar", DestinationKind.ARCHIVE, "hello.tar", "hello.tar"),
        ("./a:b.tar", DestinationKind.ARCHIVE, "./a:b.tar", "./a:b.tar"),
        ("", DestinationKind.ARCHIVE, "", ""),
        ("-", DestinationKind.STDOUT, "", ""),
        ("oci:out/", DestinationKind.LAYOUT, "out/", "out/index.json"),
        ("oci:", DestinationKind.LAYOUT, "", "/index.json"),
    ],
)
def test_each_kind(text, kind, path, target):
    found = Destination.parse(text)
    assert (found.kind, found.path, found.target, str(found)) == (kind, path, target, text)
    assert (found.is_stdout, found.is_layout) == (
        kind is DestinationKind.STDOUT,
        kind is DestinationKind.LAYOUT,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("oci:out:1.0", "-o oci:out -t NAME:1.0"),
        ("oci-archive:x.tar", "-o x.tar --format oci"),
        ("docker-archive:x.tar", "-o x.tar --format docker"),
        ("docker-daemon:x", "skopeo copy oci-archive:x.tar docker-daemon:x"),
        ("type=oci,dest=x.tar", "-o x.tar"),
    ],
)
def test_other_spellings_are_refused_with_ours(text, words):
    with pytest.raises(UsageError, match=r"\A-o ") as caught:
        Destination.parse(text)
    assert words in str(caught.value)


def test_a_directory_of_plain_files_has_no_prefix():
    check_spelling("out")
    with pytest.raises(UsageError, match=r"pack … -o oci:out"):
        check_spelling("oci:out")


@pytest.mark.parametrize(
    ("text", "found"),
    [("x.tar", "/f/x.tar"), ("/x.tar", "/x.tar"), ("oci:x", "oci:/f/x"), ("-", "-")],
)
def test_a_relative_path_is_taken_from_a_directory(text, found):
    assert str(Destination.parse(text).under("/f")) == found


def test_the_format_of_a_file_is_free():
    file = Destination.parse("x.tar")
    assert [file.format(one) for one in (None, "oci", "docker")] == ["hybrid", "oci", "docker"]
    assert Destination.parse("-").format() == "hybrid"


def test_a_directory_is_an_oci_layout():
    layout = Destination.parse("oci:x")
    assert [layout.format(one) for one in (None, "oci")] == ["oci", "oci"]
    with pytest.raises(UsageError, match=r"-o oci:x: .* --format docker needs a FILE"):
        layout.format("docker")


def test_every_format_is_written():
    assert set(FORMATS) <= set(archives.WRITTEN)
