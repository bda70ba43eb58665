"""Every pattern of every rule takes time in proportion to what it searches, whatever that is."""

import base64
import os
import random
import re
import time

import pytest

from rootfs_builder.needs import rules
from rootfs_builder.needs.general import accounts, charsets, directories, own_code, strings
from rootfs_builder.needs.rules import directives

ALL = "ROOTFS_BUILDER_ALL_CASES" in os.environ
SIZE = 4 << 20 if ALL else 1 << 16  # bytes; what is quadratic takes seconds for the smaller one
MOST = 2.0  # seconds of CPU
UNITS = {
    "a name": b"a",
    "a path": b"/a",
    "a path of long names": b"/usr/share/nodejs",
    "slashes": b"/",
    "NULs": b"\0",
    "empty paths": b"\0/",
    "spaces": b" ",
    "lines": b"\n",
    "quotes": b"\"'",
    "assignments": b"; a=",
}


def patterns():
    """Each pattern, with the rules that have it."""
    found = {}
    for rule in rules.load():
        texts = [one for find in rule.finds for one in (*find.text, *find.words)]
        for text in (*texts, *(one.text for one in rule.follow if one.text)):
            found.setdefault(text, set()).add(rule.name)
        for one in (*rule.finds, *rule.follow):
            for names in one.settings.values():
                found.setdefault(directives.pattern(names).pattern.decode(), set()).add(rule.name)
    general = (accounts.TOLD, charsets.NAMED, charsets.IN_TEXT, directories.NAMED)
    for pattern in (
        *general,
        strings.COMMANDS,
        strings.LIBRARIES,
        strings.TEMPLATES,
        own_code.PATHS,
    ):
        found[pattern.decode()] = {"general evidence"}
    return found


def filled(unit):
    return (unit * (SIZE // len(unit) + 1))[:SIZE]


INPUTS = {
    **{name: filled(unit) for name, unit in UNITS.items()},
    "base64": base64.b64encode(random.Random(0).randbytes(SIZE))[:SIZE],
    "a path behind a NUL": b"\0/" + filled(b"/a") + b"!",
    "a name behind a NUL": b"\0" + filled(b"a") + b"!",
}


@pytest.mark.parametrize("data", INPUTS.values(), ids=INPUTS)
def test_no_pattern_looks_at_the_same_bytes_again_and_again(data):
    slow = {}
    for pattern, names in patterns().items():
        compiled = re.compile(pattern.encode())
        started = time.process_time()
        for _ in compiled.finditer(data):
            pass
        if time.process_time() - started > MOST:
            slow[pattern] = names
            break  # each would take minutes
    assert not slow


OWN = {
    "a directive again and again": (r"load_module", b"\n", b"load_module "),
    "a list without an end": (r"load_module", b"\nload_module ", b"a,"),
    "a list of assignments": (r"load_module", b"\nload_module ", b"a=b;"),
    "words that are not a list": (r"load_module", b"\nload_module ", b"a;{0}"),
    "'guile' again and again": (r"guile", b"\0/", b"guile"),
    "'ghostscript' again and again": (r"/ghostscript/", b"/", b"/ghostscript/"),
    "a user and spaces": (r"setuid", b"\nuser", b" "),
    "a prefix without an end": (r"qt_prfxpath", b"", b"qt_prfxpath=/"),
}


@pytest.mark.parametrize(("part", "start", "unit"), OWN.values(), ids=OWN)
def test_nor_where_its_own_words_stand_again_and_again(part, start, unit):
    data = start + filled(unit)[: 1 << 16] + b"! extra"
    of_it = [one for one in patterns() if part in one]
    assert of_it
    started = time.process_time()
    for pattern in of_it:
        for _ in re.finditer(pattern.encode(), data):
            pass
    assert time.process_time() - started < MOST
