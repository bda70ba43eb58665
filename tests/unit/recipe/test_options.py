"""The table of options: each is declared once for click and once here, and both agree."""

import re

import click
import pytest

from rootfs_builder import recipe
from rootfs_builder.commands import packing
from rootfs_builder.errors import Mistake, UsageError
from rootfs_builder.recipe.options import BY_PARAMETER, OPTIONS, Mistakes

CLICK = {
    one.name: one
    for one in click.command()(packing.table(lambda: None)).params
    if isinstance(one, click.Option)
}


def test_every_option_is_in_the_table_once():
    assert len(BY_PARAMETER) == len(OPTIONS)
    assert BY_PARAMETER.keys() - {"command"} == CLICK.keys()


@pytest.mark.parametrize(
    "option", [one for one in OPTIONS if one.parameter in CLICK], ids=lambda one: one.parameter
)
def test_click_takes_what_the_table_says(option):
    param = CLICK[option.parameter]
    assert option.name in param.opts
    assert option.takes_many == param.multiple
    assert (option.kind == "flag") == param.is_flag
    assert (option.kind == "choice") == isinstance(param.type, click.Choice)
    assert option.choices == tuple(getattr(param.type, "choices", ()))
    assert (option.kind == "number") == (param.type is click.INT)
    metavar = param.metavar or ""
    is_path = re.fullmatch(r"FILE|DIR|IMAGE|DIR\|IMAGE", metavar) is not None
    assert option.is_path == (is_path and option.parameter != "output")
    assert (option.kind == "files") == metavar.startswith("SRC")
    assert (option.kind == "pairs") == (re.match("[A-Z]+=[A-Z]", metavar) is not None)


def test_every_field_is_one_of_the_recipe():
    fields = [option.field for option in OPTIONS if option.field]
    assert len(set(fields)) == len(fields)
    assert set(fields) <= set(recipe.Recipe.__struct_fields__)


def test_an_option_that_does_not_exist_is_a_defect_of_the_caller():
    with pytest.raises(TypeError, match="no such option: colour"):
        recipe.from_options(directory="/", executables=("a",), colour="red")


def test_mistakes_are_values_with_their_option_and_position():
    with pytest.raises(UsageError) as caught:
        recipe.from_options(directory="/", executables=(), env=("A=1", "B"), user="")
    found = [(one.option, one.position) for one in caught.value.mistakes]
    assert found == [("EXECUTABLE", None), ("--env", 1), ("--user", None)]


def test_without_a_mistake_nothing_is_raised():
    Mistakes().report()


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        (Mistake("--env", "wrong"), "--env: wrong"),
        (Mistake("--add", "wrong", "a\n"), "--add a%0A: wrong"),
        (Mistake("EXECUTABLE", "wrong"), "EXECUTABLE: wrong"),
        (Mistake("EXECUTABLE", "wrong", "./a"), "./a: wrong"),
        (Mistake("", "wrong"), "wrong"),
    ],
)
def test_a_mistake_is_printed_with_what_it_is_about(mistake, text):
    assert str(mistake) == text
    assert str(UsageError(mistake, "more")) == f"{text}\nmore"


@pytest.mark.parametrize(
    "option", [one for one in OPTIONS if one.kind == "choice"], ids=lambda one: one.parameter
)
def test_a_choice_is_one_of_its_words(option):
    def given(value):
        return recipe.from_options(
            directory="/",
            executables=("a",),
            exercise=("./a",),
            compression_level=None,
            **{option.parameter: value},
        )

    assert option.default in {None, *option.choices}
    for word in option.choices:
        given(word)
    with pytest.raises(UsageError) as caught:
        given("foo")
    text = f"'foo' is none of: {', '.join(option.choices)}"
    assert caught.value.mistakes == (Mistake(option.name, text),)
