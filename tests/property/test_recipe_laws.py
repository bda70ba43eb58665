"""A recipe says what the command line says: the same keys, the same values, the same digest."""

import json
import re
import tomllib
from pathlib import Path
from random import Random

import pytest
from click import Option
from jsonschema import Draft202012Validator

from rootfs_builder import cli as room
from rootfs_builder.commands import pack, packing
from rootfs_builder.errors import UsageError
from rootfs_builder.recipe import file, keys
from tests import recipe_samples
from tests.recipe_samples import KEYS, SAMPLES

ROOT = Path(__file__).parent.parent.parent
RECIPES = sorted([*ROOT.glob("tests/golden/recipes/*.toml"), *ROOT.glob("recipes/*/rootfs.toml")])
OF_A_RUN = {
    "--dry-run",
    "--print-recipe",
    "--no-cache",
    "--json",
    "--schema",
    "--quiet",
    "--verbose",
    "--debug",
}


def read(text, **options):
    return file.read(text, "rootfs.toml", keys=list(KEYS.values()), **options)


def test_every_option_of_pack_is_a_key_or_about_the_run():
    options = {max(one.opts, key=len) for one in pack.command.params if isinstance(one, Option)}
    assert {f"--{name}" for name in KEYS} - {"--executables", "--command"} == options - OF_A_RUN


def test_every_key_has_samples():
    assert list(SAMPLES) == list(KEYS)


def as_tables(text):
    """The same recipe, with what can be said by a table said by one."""
    document = tomllib.loads(text)
    tables = []
    for name, value in document.items():
        if KEYS[name].kind == "pairs":
            pairs = dict(one.split("=", 1) for one in value)
            text = re.sub(rf"(?ms)^{name} = \[.*?\]\n", "", text)
            tables.append(f"[{name}]")
            tables += [f"{keys._quoted(key)} = {keys._quoted(one)}" for key, one in pairs.items()]
    return "\n".join([text, *tables]) + "\n"


@pytest.mark.parametrize("seed", range(100))
def test_what_is_printed_is_read_as_it_was(seed):
    said = recipe_samples.chosen(Random(seed))
    values = recipe_samples.values(said)
    text = keys.document(values, list(KEYS.values()))
    (image,) = read(text).images
    wanted = {key: one for key, one in values.items() if key in image.values}
    assert image.values == wanted
    try:
        recipe = packing.recipe(values, directory="/x")
    except UsageError:
        with pytest.raises(UsageError):
            packing.recipe(image.values, directory="/x")
        return
    assert packing.recipe(image.values, directory="/x") == recipe
    (image,) = read(as_tables(text)).images
    found = packing.recipe(image.values, directory="/x")
    assert dict(found.env) == dict(recipe.env)
    assert (found.labels, found.owners, found.modes) == (
        recipe.labels,
        recipe.owners,
        recipe.modes,
    )


def run(capsys, words, command=None):
    code = room.run(words, command)
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, said.out, said.err


@pytest.mark.long
@pytest.mark.parametrize("seed", range(24))
def test_a_recipe_reproduces_the_digest_both_ways_round(seed, cc, tmp_path, capsys, monkeypatch):
    folder = recipe_samples.folder(tmp_path / "here", cc("int main(void) { return 0; }"))
    monkeypatch.chdir(folder)
    said = recipe_samples.chosen(Random(1000 + seed), without=recipe_samples.RUNNING)
    typed, command = recipe_samples.words(said)
    code, packed, why = run(capsys, ["pack", *typed], command)
    printed_code, text, _ = run(capsys, ["pack", *typed, "--print-recipe"], command)
    if code:
        assert code in {2, 3}, why  # of samples that have no meaning together
        (folder / "rootfs.toml").write_text(
            text or keys.document(recipe_samples.values(said), list(KEYS.values()))
        )
        assert run(capsys, ["build"])[0] == code
        return
    assert printed_code == 0
    image = (folder / "image.tar").read_bytes()
    (folder / "image.tar").unlink()
    monkeypatch.chdir(tmp_path)  # a recipe's paths do not start where we are
    (folder / "rootfs.toml").write_text(text)
    code, built, why = run(capsys, ["build", "here"])
    assert (code, built) == (0, packed), why
    assert (folder / "image.tar").read_bytes() == image


def test_the_schema_for_editors_is_that_of_the_options(cli):
    schema = (ROOT / "docs/rootfs.schema.json").read_text()
    assert cli("build", "--schema", check=True).stdout == schema


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_schema_takes_what_is_right_and_refuses_what_is_not(path):
    validator = Draft202012Validator(json.loads((ROOT / "docs/rootfs.schema.json").read_text()))
    try:
        document = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError:
        return
    said = path.with_suffix(".txt")
    shape = ("Object ", "Expected ", "is none of", "a key of the image", "one of several tables")
    wrong = said.exists() and any(one in said.read_text() for one in shape)
    assert validator.is_valid(document) is not wrong


def test_a_template_says_what_every_key_takes():
    values = {"executables": ("./hello",), "output": "hello.tar"}
    text = keys.template(values, list(KEYS.values()))
    said = re.sub(r"(?m)^# (?=[a-z-]+ = |\[\[step\]\])", "", text)
    document = tomllib.loads(said)
    assert set(document) - {"step"} == set(KEYS)
    validator = Draft202012Validator(json.loads((ROOT / "docs/rootfs.schema.json").read_text()))
    assert list(validator.iter_errors(document)) == []
