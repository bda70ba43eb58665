"""Tables → structs: where a document that is not TOML is wrong, and values of another type."""

from typing import Literal

import pytest

from rootfs_builder.errors import UsageError
from rootfs_builder.recipe import toml_tables
from rootfs_builder.recipe.toml_tables import Table


class Inner(Table, frozen=True):
    """A table in a table."""

    name: str


class Outer(Table, frozen=True):
    """A field of each sort."""

    word: Literal["a", "b"] = "a"
    text: str = ""
    number: int = 0
    texts: tuple[str, ...] = ()
    either: str | tuple[str | Inner, ...] = ""
    table: Inner | None = None
    pairs: dict[str, str] | tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("a = 1\nb = \nc = 1", "x:2: Invalid value"),
        ("a = 1\nb = [1,\n2\n", "x:4: Unclosed array"),
        ("a = " + "9" * 5000, "x: Exceeds the limit"),
        ("a = " + "[" * 50_000, "x: TOML inline arrays/tables are nested more"),
        (".".join("a" * 50_000) + " = 1", "x: TOML key has more than"),
    ],
)
def test_a_text_that_is_not_toml_is_refused_with_its_line(text, start):
    with pytest.raises(UsageError) as caught:
        toml_tables.parse(text, "x")
    assert str(caught.value).startswith(start)


@pytest.mark.parametrize(
    ("table", "path", "what"),
    [
        ({"word": 1}, ("word",), "Expected `str`, got `int`; write it in quotes"),
        ({"word": "c"}, ("word",), "'c' is none of a, b"),
        ({"text": 1.5}, ("text",), "Expected `str`, got `float`; write it in quotes"),
        ({"text": True}, ("text",), "Expected `str`, got `bool`"),
        ({"number": True}, ("number",), "Expected `int`, got `bool`"),
        ({"texts": "a"}, ("texts",), "Expected `array`, got `str`"),
        ({"texts": ["a", []]}, ("texts", 1), "Expected `str`, got `array`"),
        ({"either": {}}, ("either",), "Expected `str | array`, got `object`"),
        ({"either": [{"name": []}]}, ("either", 0, "name"), "Expected `str`, got `array`"),
        ({"either": [False]}, ("either", 0), "Expected `str | object`, got `bool`"),
        ({"pairs": {"a": []}}, ("pairs", "a"), "Expected `str`, got `array`"),
        ({"pairs": "a"}, ("pairs",), "Expected `object | array`, got `str`"),
    ],
    ids=str,
)
def test_a_value_of_another_type_is_named_with_its_place(table, path, what):
    found, mistakes = toml_tables.convert({"number": 3} | table, Outer)
    assert mistakes == [(path, what)]
    assert found.number == (0 if "number" in table else 3)


def test_a_value_that_is_not_a_table_is_a_mistake_without_a_place():
    assert toml_tables.convert(1, Outer) == (None, [((), "Expected `object`, got `int`")])
    assert toml_tables.convert({"number": 3}, Outer) == (Outer(number=3), [])
