"""What the importer of Lua makes of each thing that a script can say."""

import pytest

from rootfs_builder.needs.importers import lua
from tests import importing

SHARE, LIB = "/usr/share/lua/5.4", "/usr/lib/lua/5.4"
TEMPLATES = (f"{SHARE}/?.lua", f"{SHARE}/?/init.lua", f"{LIB}/?.so")
SCRIPT = "/home/u/script"
TREE = {
    f"{SHARE}/a.lua": "local core = require('a.core')",
    f"{SHARE}/d/init.lua": "",
    f"{LIB}/a/core.so": "",
    f"{LIB}/c.so": "",
}


def run(text, tree=None, **options):
    root = TREE | {SCRIPT: f"#!/usr/bin/lua\n{text}"} | (tree or {})
    options = {"given": (SCRIPT,)} | options
    made = importing.finder(lua, root, compiled={"template": TEMPLATES}, **options)
    return importing.started(made, SCRIPT)


@pytest.mark.parametrize(
    "text", ["local a = require('a')", 'require "a"', "pcall(require, 'a')", "require [[a]]"]
)
def test_a_module_comes_with_those_that_it_requires(text):
    assert run(text) == ({f"{SHARE}/a.lua", f"{LIB}/a/core.so"}, [])


def test_directories_and_all_in_one_libraries_are_found():
    assert run("require 'd'")[0] == {f"{SHARE}/d/init.lua"}
    assert run("require 'c.part'")[0] == {f"{LIB}/c.so"}
    assert run("require('a.' .. x)")[0] == {f"{LIB}/a/core.so"}


def test_a_module_that_is_nowhere_is_a_warning_unless_the_script_goes_on():
    said = run("\nrequire 'nowhere'")[1]
    assert len(said) == 1
    assert f"{SCRIPT}, line 3: the Lua module nowhere was not found" in said[0]
    for text in (
        "pcall(require, 'nowhere')",
        "if x then require 'nowhere' end",
        "require 'string'",
    ):
        assert run(text)[1] == []


def test_templates_of_the_script_and_of_variables_count():
    tree = {"/home/u/lib/my.lua": "", "/x/y.lua": "", "/home/u/conf.lua": ""}
    text = """
package.path = here .. 'lib/?.lua;' .. package.path
require 'my' require 'y' dofile('conf.lua')
"""
    assert run(text, tree, environment={"LUA_PATH": "/x/?.lua;;"}) == (set(tree), [])


def test_templates_that_begin_with_what_a_name_stands_for():
    text = "DIR = '/opt/my'\npackage.path = clean(DIR .. '/?.lua;' .. package.path)\nrequire 'z'"
    assert run(text, {"/opt/my/z.lua": ""}) == ({"/opt/my/z.lua"}, [])


def test_functions_that_are_called_as_if_they_may_require():
    for text in ("deps.softreq 'c'", "prequire_softreq('c')", "try_require 'c'"):
        assert run(text)[0] == {f"{LIB}/c.so"}
    assert run("softreq 'nowhere'; required 'c'") == (set(), [])


def test_without_a_script_there_is_a_hint_alone():
    found, said = run("", given=())
    assert found == set()
    assert len(said) == 1
    assert "--with lua=NAME" in said[0]
    assert run("", given=(), values=("c",)) == ({f"{LIB}/c.so"}, [])
    assert run("", given=(), values=("all",)) == ({SHARE, LIB}, [])
    assert run("", given=(), arguments=("-l", "c")) == ({f"{LIB}/c.so"}, [])


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        ("os.execute('cat ' .. file)", {"/usr/bin/cat", "/bin/sh"}),
        ("io.popen('cat a | cat')", {"/usr/bin/cat", "/bin/sh"}),
        ("os.execute(given)", {"/bin/sh"}),
    ],
)
def test_programs_that_a_script_cannot_do_without_come(text, comes):
    assert run(text, {"/usr/bin/cat": "x", "/bin/sh": "x"})[0] == comes
