"""What the README shows is what was measured, and what is measured today."""

import json
import subprocess
import sys

import pytest

from tests.integration import corpus
from tests.pages import CHECKOUT


def script(name, *words):
    done = subprocess.run(
        [sys.executable, CHECKOUT / "scripts" / name, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_tables_are_those_of_the_data():
    script("tables", "--check")


@pytest.mark.parametrize("name", ["picture", "article"])
def test_what_is_shown_is_what_happens_as_far_as_it_goes_without_engines(name):
    script(name, "--check")


def test_the_corpus_that_was_measured_is_the_corpus():
    cases = json.loads((CHECKOUT / "docs/corpus.json").read_text())["cases"]
    assert set(cases) == {case.name for case in corpus.load()}
