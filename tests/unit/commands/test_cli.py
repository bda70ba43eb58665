"""How a command line ends: a defect of ours, and click's errors by their class."""

import tarfile

import pytest

from rootfs_builder import cli as room
from rootfs_builder.commands import packing
from rootfs_builder.image.archives import oci


@pytest.fixture
def broken(monkeypatch):
    """A defect in what `pack` calls."""

    def pack(*_, **__):
        raise KeyError("x")

    monkeypatch.setattr(packing, "pack", pack)


@pytest.mark.usefixtures("broken")
def test_a_defect_is_an_internal_error_with_how_to_report_it(capsys):
    assert room.run(["pack", "a", "-o", "a.tar"], None) == 1
    assert capsys.readouterr().err == (
        "rootfs-builder: internal error: KeyError: 'x'; this is a defect of rootfs-builder: "
        "please report it with the output of the same command with --debug\n"
    )


@pytest.mark.usefixtures("broken")
def test_debug_shows_where_a_defect_is():
    with pytest.raises(KeyError):
        room.run(["pack", "a", "-o", "a.tar", "--debug"], None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pack", "a", "--strip=yes"], "--strip: takes no value; remove the = and what follows it"),
        (["pack", "a", "--help=yes"], "--help: takes no value; remove the = and what follows it"),
        (["--version=1"], "--version: takes no value; remove the = and what follows it"),
        (["pack", "a", "-t"], "-t: its value is missing; put one after it"),
        (["pack", "a", "--tag"], "--tag: its value is missing; put one after it"),
        (["verify", "a", "b", "c"], "b c: unexpected; verify takes IMAGE|DIR"),
        (["completion", "tcsh"], "bash|zsh|fish: 'tcsh' is not one of 'bash', 'zsh', 'fish'"),
    ],
    ids=str,
)
def test_an_error_of_click_is_told_by_its_class(words, message, capsys):
    assert room.run(words, None) == 2
    assert capsys.readouterr().err.splitlines()[0] == f"rootfs-builder: {message}"


@pytest.fixture
def archive(monkeypatch, tmp_path):
    """An archive, and a defect in what reads it."""

    def defect(error):
        def read(_):
            raise error

        monkeypatch.setattr(oci, "read", read)
        with tarfile.open(tmp_path / "a.tar", "w") as file:
            file.addfile(tarfile.TarInfo("index.json"))
        return str(tmp_path / "a.tar")

    return defect


DEFECTS = [KeyError("x"), TypeError("x"), AttributeError("x"), ValueError("x"), IndexError("x")]


@pytest.mark.parametrize("error", DEFECTS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("verb", ["verify", "inspect"])
def test_a_defect_in_a_reader_is_no_damage_of_the_archive(archive, verb, error, capsys):
    path = archive(error)
    assert room.run([verb, path], None) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"rootfs-builder: internal error: {type(error).__name__}: ")
    assert "damaged" not in said
    with pytest.raises(type(error)):
        room.run([verb, path, "--debug"], None)
