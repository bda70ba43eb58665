"""Arguments of Python: the same recipe as from options, and a wrong type is a UsageError."""

import types
from pathlib import Path

import pytest

from rootfs_builder.errors import UsageError
from rootfs_builder.recipe import Recipe, from_options


def mistakes(*executables, **arguments):
    with pytest.raises(UsageError) as caught:
        Recipe.of(*executables or ("hello",), **arguments)
    return [str(one) for one in caught.value.mistakes]


@pytest.mark.parametrize(
    ("argument", "value", "given"),
    [
        ("tag", "a:1", ("a:1",)),
        ("tag", ["a:1", "b"], ("a:1", "b")),
        ("add", ["a", "b:/c"], ("a", "b:/c")),
        ("add", ("a",), ("a",)),
        ("command", [], ()),
        ("env", {"A": "1=2", "B": ""}, ("A=1=2", "B=")),
        ("env", types.MappingProxyType({"A": "1"}), ("A=1",)),
        ("env", ["A=1"], ("A=1",)),
        ("mode", {"hello": "4755"}, ("hello=4755",)),
        ("entrypoint", ["hello", "a b"], '["hello", "a b"]'),
        ("entrypoint", "hello 'a b'", '["hello", "a b"]'),
        ("nss", "files", "files"),
        ("nss", ["files", "sss"], "files,sss"),
        ("max_size", 1000, "1kB"),
        ("max_size", "1kB", "1000"),
        ("compression_level", 9, 9),
        ("strip", True, True),
        ("strip", False, None),
        ("shape", "docker", "docker"),
        ("user", None, None),
    ],
)
def test_an_argument_is_an_option(argument, value, given):
    options = from_options(directory="/d", executables=("hello",), **{argument: given})
    assert Recipe.of("hello", directory="/d", **{argument: value}) == options


@pytest.mark.parametrize("retries", [3, "3"])
def test_retries_are_a_number_too(retries):
    health = Recipe.of("hello", health_cmd=["hello"], health_retries=retries).health
    assert (health.command, health.retries) == (("hello",), 3)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"add": "ab"}, "add: 'ab' is not a list of strings"),
        ({"add": [b"a"]}, "add: [b'a'] is not a list of strings"),
        ({"add": {"a"}}, "add: {'a'} is not a list of strings"),
        ({"command": "a b"}, "command: 'a b' is not a list of strings"),
        ({"with_": {"a": "b"}}, "with_: {'a': 'b'} is not a list of strings"),
        ({"env": "A=1"}, "env: 'A=1' is not a dict of strings or a list of strings"),
        ({"env": {"A": 1}}, "env: {'A': 1} is not a dict of strings or a list of strings"),
        ({"env": {1: "A"}}, "env: {1: 'A'} is not a dict of strings or a list of strings"),
        ({"mode": {"a": 0o644}}, "mode: {'a': 420} is not a dict of strings or a list of strings"),
        ({"env": {"A=B": "1"}}, "env: 'A=B': a name with = in it"),
        ({"entrypoint": 3}, "entrypoint: 3 is not a string or a list of strings"),
        ({"nss": 3}, "nss: 3 is not a string or a list of strings"),
        ({"tag": 3}, "tag: 3 is not a string or a list of strings"),
        ({"at": Path("/a")}, "at: PosixPath('/a') is not a string"),
        ({"shape": 3}, "shape: 3 is not a string"),
        ({"strip": "no"}, "strip: 'no' is not True or False"),
        ({"compression_level": "9"}, "compression_level: '9' is not an integer"),
        ({"compression_level": True}, "compression_level: True is not an integer"),
        ({"health_retries": 3.0}, "health_retries: 3.0 is not a string or an integer"),
    ],
    ids=str,
)
def test_a_wrong_type_is_a_mistake_that_names_the_argument(arguments, text):
    assert mistakes(**arguments) == [text]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"compression": "lzma"}, "--compression: 'lzma' is none of: gzip, zstd, none"),
        (
            {"compression": "lzma", "compression_level": 3},
            "--compression: 'lzma' is none of: gzip, zstd, none",
        ),
        (
            {"dlopen": "foo"},
            "--dlopen: 'foo' is none of: required, recommended, suggested, none",
        ),
        ({"hwcaps": "foo"}, "--hwcaps: 'foo' is none of: all, baseline"),
        ({"shape": "nonsense"}, "--format: 'nonsense' is none of: hybrid, oci, docker"),
        ({"entrypoint": ["\udce9"]}, "--entrypoint: '%E9' is not UTF-8, which an image must be"),
        ({"health_cmd": ["a"], "health_retries": 0}, "--health-retries: '0' is not a number from"),
    ],
    ids=str,
)
def test_a_value_without_a_meaning_is_one_of_its_option(arguments, text):
    (said,) = mistakes(**arguments)
    assert said.startswith(text)


def test_all_mistakes_are_reported_at_once():
    assert mistakes(3, add="ab", strip=1, shape="nonsense") == [
        "executables: (3,) is not a list of strings",
        "add: 'ab' is not a list of strings",
        "strip: 1 is not True or False",
    ]
    assert len(mistakes(user="", shape="nonsense", dlopen="foo")) == 3


@pytest.mark.parametrize("name", ["colour", "output", "no_plan"])
def test_an_argument_that_does_not_exist_is_a_type_error(name):
    with pytest.raises(TypeError, match=f"no such argument: {name}"):
        Recipe.of("hello", **{name: "x"})
