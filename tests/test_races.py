"""What is swapped with a link to outside while it is read: no image has a byte of outside."""

import os

import pytest

from tests.faults.races import Race, exchange, swapping

CALLS = ("lstat", "open", "readlink", "listdir")
WINDOW = 100  # calls after the first that names what is swapped


class Late:
    """The calls of `os` that look at paths; before the one of number `at` two names are swapped."""

    def __init__(self, monkeypatch, race):
        self.race, self.calls, self.at, self.first = race, 0, -1, -1
        for name in CALLS:
            monkeypatch.setattr(os, name, self.counted(getattr(os, name)))

    def counted(self, call):
        def wrapped(path, *arguments, **options):
            if self.calls == self.at:
                exchange(self.race.swapped, self.race.link)
            name = "" if isinstance(path, int) else os.path.basename(os.fsdecode(path))
            if self.first < 0 and name == self.race.swapped.name:
                self.first = self.calls
            self.calls += 1
            return call(path, *arguments, **options)

        return wrapped

    def pack(self, at):
        """Pack while the swap comes before call `at`, and undo it."""
        self.calls, self.at = 0, at
        end = self.race.pack()
        if at in range(self.calls):
            self.at = -1
            exchange(self.race.swapped, self.race.link)
        return end


@pytest.mark.parametrize(
    "case", ["directory", "above", pytest.param("tree", marks=pytest.mark.long)]
)
def test_a_swap_before_any_call_leads_nowhere_outside(case, tmp_path, monkeypatch):
    race = Race(tmp_path, case)
    late = Late(monkeypatch, race)
    right = late.pack(-1)
    assert right.startswith("sha256:")
    ends = [late.pack(at) for at in range(late.first + 1, late.first + 1 + WINDOW)]
    assert "outside" not in ends
    assert "ChangedError" in ends
    assert late.pack(-1) == right


def test_a_root_that_changes_all_the_time_leads_nowhere_outside(tmp_path):
    ends = Race(tmp_path, "directory").run(packs=20)
    assert ends.total() == 20
    assert {*ends} <= {"right", "ChangedError", "NotFoundError"}


def test_what_is_swapped_is_as_before_in_the_end(tmp_path):
    (tmp_path / "one").write_text("1")
    (tmp_path / "other").write_text("2")
    with swapping(tmp_path / "one", tmp_path / "other"):
        pass
    assert (tmp_path / "one").read_text() == "1"
