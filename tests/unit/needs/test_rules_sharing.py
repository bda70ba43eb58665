"""What a rule takes from others of its file by `like`."""

import pytest

from rootfs_builder.errors import UsageError
from rootfs_builder.needs import rules
from rootfs_builder.needs.rules.schema import When

OTHER = """
[other]
because = "b"
source = "s"
when = [{ imports = ["f"] }, { text = ["t"], libc = ["musl"] }]
find = { soname = "libo.so", paths = { data = ["*/o"] } }
copy = ["{data}"]
omit = ["*.a"]
"""
ONE = """
[one]
because = "b"
source = "s"
copy = ["/x"]
"""


def read(text):
    return {one.name: one for one in rules.read(OTHER + ONE + text, "my.toml")}


def said(text):
    with pytest.raises(UsageError) as caught:
        read(text)
    return str(caught.value)


def test_a_rule_takes_the_keys_that_it_does_not_have():
    found = read('like = "other"\nomit = []')
    one, other = found["one"], found["other"]
    assert (one.when, one.find) == (other.when, other.find)
    assert (one.copy, one.omit) == (("/x",), ())


def test_keys_of_find_one_by_one():
    find = read('like = "other"\nfind.words = ["w"]')["one"].find
    assert (find.soname, find.words, [*find.paths]) == ("libo.so", ("w",), ["data"])


def test_evidence_like_that_of_others_with_further_keys():
    when = read('when = [{ like = ["other"], libc = ["glibc"] }, { user = true }]')["one"].when
    assert when == (
        When(imports=("f",), libc=("glibc",)),
        When(text=("t",), libc=("glibc",)),  # its own key counts
        When(user=True),
    )
    assert read('when = { like = ["other"] }')["one"].when == read("")["other"].when


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('like = "third"', "like"),
        ('like = "one"', "like"),
        ('when = { like = ["other", "third"] }', "when.like"),
        ('when = { like = ["one"] }', "when.like"),  # no circle, and no chain
    ],
)
def test_what_is_not_there_or_takes_from_a_third_is_a_mistake(text, key):
    assert f"[one] {key}: " in said(text)
    assert said(text).endswith("is not a rule of this file with keys of its own")


def test_one_without_evidence_has_none_to_take():
    text = '[bare]\nbecause = "b"\nsource = "s"\ncopy = ["/y"]\n'
    with pytest.raises(UsageError, match=r"when\.like: 'bare' has no evidence to take"):
        rules.read(text + ONE + 'when = { like = ["bare"] }', "my.toml")


@pytest.mark.parametrize("like", ['"other"', "[5]"])
def test_another_type_is_a_mistake(like):
    assert "[one] when.like: Expected" in said(f"when = {{ like = {like} }}")
