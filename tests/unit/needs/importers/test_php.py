"""What the importer of PHP needs for a small tree, one case a thing that the language does."""

from types import SimpleNamespace

import pytest

from rootfs_builder.findings import Finding
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs.closure import Tree
from rootfs_builder.needs.finder import Context, File, Text, TextKind
from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.needs.importers import php
from rootfs_builder.plan import PlanRoot
from tests import trees

APP = "/home/me/app"
SCRIPT = f"{APP}/bin/run"
SHARED = "/usr/share/php"


def needs(files, *, script=SCRIPT, added=(), arguments=()):
    """What is needed where a script is started, or the interpreter itself with arguments."""
    tree = {path: f"file 0644 {text}" for path, text in files.items()} | {"/srv/": "dir 0755"}
    root = PlanRoot(trees.plan(tree))
    elf_files = ElfFiles(root)
    context = Context(
        program=SimpleNamespace(opened="/usr/bin/php", real="/usr/bin/php8.4"),
        objects=(),
        variables={"includes": SHARED},
        values=(),
        arguments=tuple(arguments),
        entry="",
        is_named=script is None,
        chosen=frozenset(),
        environment={},
        search_path=("/usr/bin",),
        directory="/srv",
        user="",
        files=ImageFiles(elf_files, [Tree(one, one, ((one, root.lstat(one)),)) for one in added]),
        elf_files=elf_files,
        packages=None,
    )
    finder = php.make(context)
    found = [*finder.process()]
    if script is not None:
        found += finder.text(Text(script, TextKind.STARTED))
    for path in added:
        found += finder.text(Text(path, TextKind.ADDED))
    return found


def files(found):
    return {one.path: one for one in found if isinstance(one, File)}


def warnings(found):
    return [one.text for one in found if isinstance(one, Finding)]


def started(text, more=None):
    return needs({SCRIPT: f"#!/usr/bin/env php\n<?php\n{text}", **(more or {})})


def test_a_script_is_php_by_its_first_line_or_its_suffix():
    for script in (SCRIPT, f"{SCRIPT}.php"):
        tree = {script: "#!/usr/bin/php\n<?php require 'a.inc';", f"{APP}/bin/a.inc": "<?php"}
        assert [*files(needs(tree, script=script))] == [f"{APP}/bin/a.inc"]


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        ("require __DIR__ . '/../lib/a.php';", ["/lib/a.php"], ["/lib/a.php"]),
        ("include_once(dirname(__FILE__, 2) . '/a.php');", ["/a.php"], ["/a.php"]),
        ("define('R', __DIR__);\nrequire R . '/a.php';", ["/bin/a.php"], ["/bin/a.php"]),
        ("const R = __DIR__ . '/..';\nrequire R . '/a.php';", ["/a.php"], ["/a.php"]),
        ('$r = dirname(__DIR__);\nrequire "$r/a.php";', ["/a.php"], ["/a.php"]),
        ('$r = dirname(__DIR__);\nrequire "{$r}/a.php";', ["/a.php"], ["/a.php"]),
        ("require 'a.php';", ["/bin/a.php"], ["/bin/a.php"]),
        ("function f() { return fopen(__DIR__ . '/d.txt'); }", ["/bin/d.txt"], ["/bin/d.txt"]),
        ("include __DIR__ . '/p/' . $n . '.php';", ["/bin/p/x.php"], ["/bin/p"]),
        ("echo __DIR__;", ["/bin/a.php"], []),
        ("include __DIR__ . '/' . $n . '.php';", ["/bin/x.php"], []),
        ("require $n;", ["/bin/x.php"], []),
    ],
)
def test_what_is_included_comes(text, more, expected):
    found = started(text, {APP + path: "" for path in more})
    assert list(files(found)) == [APP + one for one in expected]
    assert warnings(found) == []


def test_an_included_file_is_read_in_its_turn():
    more = {f"{APP}/a.php": "<?php require __DIR__ . '/b.php';", f"{APP}/b.php": "<?php"}
    found = files(started("require __DIR__ . '/../a.php';", more))
    assert set(found) == set(more)
    assert {one.script for one in found.values()} == {SCRIPT}


def test_a_library_of_the_include_path_comes_with_what_its_autoloader_may_load():
    loader = "<?php spl_autoload_register(function ($n) { require __DIR__ . '/' . $n . '.php'; });"
    more = {f"{SHARED}/A/autoload.php": loader, f"{SHARED}/A/B.php": ""}
    found = files(started("require_once 'A/autoload.php';", more))
    assert set(found) == {f"{SHARED}/A/autoload.php", f"{SHARED}/A"}
    assert {one.script for one in found.values()} == {None}  # it stays where it is


def test_composers_directory_comes_with_the_projects_own_classes():
    more = {
        f"{APP}/vendor/autoload.php": "<?php",
        f"{APP}/vendor/composer/autoload_real.php": "<?php",
        f"{APP}/composer.json": '{"autoload": {"psr-4": {"A\\\\": ["src/"]}, "classmap": ["lib"]}}',
        f"{APP}/src/A.php": "",
        f"{APP}/lib/b.php": "",
    }
    found = files(started("require __DIR__ . '/../vendor/autoload.php';", more))
    expected = ("vendor/autoload.php", "vendor", "src", "lib")
    assert set(found) == {f"{APP}/{one}" for one in expected}


def test_what_is_required_and_nowhere_is_a_warning_with_its_line():
    (text,) = warnings(started("\nrequire 'a.php';"))
    assert text.startswith(f"{SCRIPT}:4: a.php is required and was not found")


@pytest.mark.parametrize(
    "text",
    [
        "include 'a.php';",
        "@include 'a.php';",
        "if ($x) { require 'a.php'; }",
        "function f() { require 'a.php'; }",
        "try { require 'a.php'; } catch (Error $e) {}",
    ],
)
def test_no_warning_where_a_script_goes_on_without(text):
    assert warnings(started(text)) == []


@pytest.mark.parametrize(
    "arguments",
    [("page.php",), ("-d", "x=1", "-f", "page.php"), ("-r", "require 'lib.php';")],
)
def test_arguments_of_the_interpreter(arguments):
    tree = {"/srv/page.php": "<?php require 'lib.php';", f"{SHARED}/lib.php": "<?php"}
    assert set(files(needs(tree, script=None, arguments=arguments))) == {f"{SHARED}/lib.php"}


def test_added_files_find_each_other_without_being_copied():
    tree = {"/app/a.php": "<?php require __DIR__ . '/b.php';", "/app/b.php": "<?php"}
    assert needs(tree, script=None, added=list(tree)) == []


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        ("$x = `cat $file`;", {"/usr/bin/cat", "/bin/sh"}),
        ('exec("cat $file", $out);', {"/usr/bin/cat", "/bin/sh"}),
        ('\\shell_exec("cat " . $file . " | cat");', {"/usr/bin/cat", "/bin/sh"}),
        ("system($given);", {"/bin/sh"}),
    ],
)
def test_programs_that_a_script_cannot_do_without_come(text, comes):
    assert set(files(started(text, {"/usr/bin/cat": "x", "/bin/sh": "x"}))) == comes
