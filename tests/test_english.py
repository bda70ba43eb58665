"""The habits in habits.toml are found nowhere that people read, and each would be found."""

import re
import tomllib

import pytest

from tests import prose
from tests.pages import CHECKOUT

HABITS = tomllib.loads((CHECKOUT / "tests/habits.toml").read_text())


def found(text):
    """The habits that a paragraph has, with what was matched."""
    return {
        name: match[0]
        for name, habit in HABITS.items()
        if (match := re.search(habit["pattern"], text))
    }


@pytest.mark.parametrize("name", HABITS)
def test_a_habit_is_found_in_its_bad_sentence_and_not_in_its_good_one(name):
    assert name in found(HABITS[name]["bad"])
    assert name not in found(HABITS[name]["good"])


@pytest.mark.parametrize("source", prose.SOURCES)
def test_no_habit_is_left(source):
    paragraphs = [*prose.SOURCES[source]()]
    assert len(paragraphs) > 50
    left = [
        f"{paragraph.place}: {match!r}; better: {HABITS[name]['instead']}: {paragraph.text}"
        for paragraph in paragraphs
        for name, match in found(paragraph.text).items()
    ]
    assert not left, "\n".join(left)
