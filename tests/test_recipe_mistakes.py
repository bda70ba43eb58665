"""What is said of a recipe with mistakes: read as its author, word for word.

Each `.toml` in golden/recipes is one; the `.txt` beside it has the exit code and stderr. To add
one, write the recipe; `UPDATE_GOLDEN=1 pytest tests/test_recipe_mistakes.py` writes the rest, to be
read.
"""

import os
import shutil
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "golden/recipes"
RECIPES = sorted(FOLDER.glob("*.toml"))


@pytest.fixture
def folder(tmp_path, cc):
    cc("int main(void) { return 0; }", where=tmp_path)
    cc("int main(void) { return 1; }", name="other", where=tmp_path)
    return tmp_path


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_mistake_is_named_with_its_line_and_key(recipe, cli, folder):
    shutil.copy(recipe, folder / "rootfs.toml")
    done = cli("build", env={"LC_ALL": "C"})
    assert (done.stdout, "Traceback" in done.stderr) == ("", False)
    said = f"exit {done.returncode}\n{done.stderr}".replace(str(folder), "/folder")
    golden = recipe.with_suffix(".txt")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(said)
    assert said == golden.read_text()
    assert not list(folder.glob("*.tar*"))


def test_there_are_twenty_and_each_answer_belongs_to_a_recipe():
    assert len(RECIPES) >= 20
    assert {path.stem for path in FOLDER.iterdir()} == {path.stem for path in RECIPES}
