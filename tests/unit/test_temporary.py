"""Temporary files lie where Python's tempfile would put them; nothing is written to find out."""

import os
import tempfile

import pytest

from rootfs_builder import temporary
from rootfs_builder.errors import OutputError


@pytest.mark.parametrize("variable", ["TMPDIR", "TEMP", "TMP"])
@pytest.mark.parametrize("folder", ["here", "file", "none", ""])
def test_the_place_is_that_of_tempfile(variable, folder, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "file").write_text("")
    for one in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(one, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / folder) if folder else "")
    monkeypatch.setattr(tempfile, "tempdir", None)
    with temporary.directory("a test") as made:
        assert os.path.dirname(made) == tempfile.gettempdir()
    assert sorted(os.listdir(tmp_path)) == ["file", "here"]
    assert os.listdir(tmp_path / "here") == []


def test_where_no_place_can_be_written(monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="set TMPDIR to one"), temporary.directory("a test"):
        pass
