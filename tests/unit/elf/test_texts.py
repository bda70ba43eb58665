"""Texts in data: whole strings give what all the data give, and in linear time."""

import random
import re

import pytest

from rootfs_builder.elf import texts
from rootfs_builder.needs import rules
from tests.timing import is_linear

DATA = b"x\0/bin/sh\0/var/lib/nats\0\xff/uucp\0half /dev/fb0\0gunzip\0\0gunzip\0unxz end"
STRINGS = texts.whole_strings(DATA)


def test_whole_strings_are_each_once_between_two_nuls():
    assert STRINGS == b"\0/bin/sh\0/var/lib/nats\0half /dev/fb0\0gunzip\0"


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        (b"\0/bin/sh\0", True),
        (b"\0bin/sh\0", False),
        (b"\0nats\0", False),
        (b"/nats\0", True),
        (b"/fb0\0", True),
        (b"/dev/fb0\0", True),
        (b"/dev/fb1\0", False),
        (b"\0unxz\0", False),
        (b"unxz", True),
        (b"half /dev", True),
        (b"half/dev", False),
        (b"\xff/uucp", True),
    ],
)
def test_texts_are_found_as_they_stand(text, stands):
    assert (text in set(texts.contained(DATA, STRINGS, frozenset((text, b"other"))))) == stands


def test_patterns_of_whole_strings_match_the_same_in_all_the_data():
    each = [
        pattern.encode()
        for rule in rules.load()
        for find in rule.finds
        for pattern in find.text
        if texts.is_of_whole_strings(pattern.encode())
    ]
    assert len(each) > 10
    pieces = [*b"/ . - _ + 3 20 a z lib so usr perl en_US Europe/Rome conf.d".split(), b"\0", b"\0"]
    data = b"".join(random.Random(1).choices(pieces, k=200_000)) + b"\0"
    strings = texts.whole_strings(data)
    for pattern in each:
        found = [{hit.groups() for hit in re.finditer(pattern, one)} for one in (data, strings)]
        assert found[0] == found[1], pattern


@pytest.mark.parametrize("pattern", [r"\x00a", r"a(?=\x00)", r"\x00[^\x00]+(?=\x00)"])
def test_other_patterns_are_asked_of_all_the_data(pattern):
    assert not texts.is_of_whole_strings(pattern.encode())


@pytest.mark.parametrize("unit", [b"a", b"\0", b"\0ab", b"/", b"\0 "])
def test_time_is_linear(unit):
    assert is_linear(lambda size: lambda data=unit * size: texts.whole_strings(data), 100_000)
