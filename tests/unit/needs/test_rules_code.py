"""The names that source code uses, in languages that no importer reads."""

import re

import pytest

from rootfs_builder.needs import rules
from rootfs_builder.needs.rules import code
from rootfs_builder.needs.rules.schema import Follow

TEXTS = {
    "c": """
#include <a/b.h>
 # include_next "c-d.h"
#include <vector>
//#include <e.h>
/*
#include <f.h>
*/ char x[] = "/*";
#include <g.h>
#include NAME
int include;
""",
    "erlang": """
ssl:start(), X:y(), io:format("%s ~p"), crypto:x. % asn1:f()
public_key:der(Y)
""",
    "lisp": """
(require :asdf) ;(require :sb-a)
(REQUIRE 'sb-posix) (require "sb-bsd-sockets") (acquire x)
""",
    "postgresql": """
create extension if not exists "uuid-ossp"; -- create extension no;
CREATE
 EXTENSION hstore; /* load 'no' */ LOAD '$libdir/auto_explain'; select '--', 'x';
""",
    "r": """
library(ggplot2) # library(no)
if (require('x.y')) zz::f(a)
'# not one'; requireNamespace( "bb" )
""",
    "script": "#! /usr/bin/bash -e\n#!/bin/no\n",
    "sqlite": """
.load /usr/lib/csv.so
select load_extension('./math'); -- load_extension('no')
.loads x
""",
}
NAMES = {
    "c": ["a/b", "c-d", "g"],
    "erlang": ["ssl", "io", "public_key"],
    "lisp": ["asdf", "sb-posix", "sb-bsd-sockets"],
    "postgresql": ["uuid-ossp", "hstore", "auto_explain"],
    "r": ["ggplot2", "x.y", "zz", "bb"],
    "script": ["/usr/bin/bash"],
    "sqlite": ["/usr/lib/csv", "./math"],
}


@pytest.mark.parametrize("language", TEXTS)
def test_what_a_text_uses(language):
    found = code.found(TEXTS[language].encode(), {"name": language})
    assert [one["name"].decode() for one in found] == NAMES[language]


def test_every_language_is_tested():
    assert {*code.NAMES} == TEXTS.keys()


def test_an_argument_of_sqlite3_loads_one():
    (found,) = code.found(b"\0-cmd\0.load csvtable\0x.db\0", {"one": "sqlite"})
    assert found == {"one": b"csvtable"}


def test_no_rule_has_an_expression_over_source_code_that_a_language_stands_for():
    used = {one for rule in rules.load() for find in rule.finds for one in find.code.values()}
    used |= {one for rule in rules.load() for follow in rule.follow for one in follow.code.values()}
    assert used == {*code.NAMES}
    assert Follow.__struct_fields__[-1] == "code"


def test_an_r_package_brings_what_it_imports_and_not_what_it_suggests():
    """Jsonlite suggests five packages, which suggest others: all 700 of one machine."""
    (follow,) = next(one for one in rules.load() if one.name == "r-imports").follow
    description = b"""Package: one
Authors@R: c(person("A", "B"),
      person("C", "D"))
Description: This, that, and more: all of it,
        others too.
Depends: R (>= 4.0), methods
Imports: cli, glue (>= 1.1),
        lifecycle (> 1.0.1), MASS
Suggests: covr, dplyr,
        knitr
Config/Needs/website: ggtext, tidyr
"""
    found = re.finditer(follow.text.encode(), description)
    packages = [hit["package"].decode() for hit in found if hit["package"]]
    assert packages == ["methods", "cli", "glue", "lifecycle", "MASS"]
