"""What a packaged script gets in whose language nobody reads what it imports."""

import os

import pytest

from rootfs_builder.needs.general import standards
from tests.loader.oracle import GLIBC
from tests.packaged import ANY, Machine
from tests.rule_bench import Bench, rule

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")

UNREAD = rule(ANY + 'finder = "unread"', "unread")
SCRIPT = "/usr/bin/script"
OWN = "/usr/share/scheme/own/main.scm"
MODULE = "/usr/share/scheme/module.scm"


@pytest.fixture
def machine(linker, tmp_path):
    """A script for an interpreter, in a package that requires a module for it, and another one."""

    def make(interpreter):
        machine = Machine(Bench(tmp_path / "root", linker))
        path = f"/usr/bin/{interpreter}"
        machine.tool("nothing", path=path)
        machine.package("scheme", {"/usr/share/scheme/core.scm": ""}, files=(path,))
        tree = {SCRIPT: f"#!{path}\n(use-modules (own))\n", OWN: "own", "/usr/share/doc/x": "d"}
        machine.package("script", tree, needs="Depends: module, other\n")
        (machine.bench.root / SCRIPT[1:]).chmod(0o755)
        machine.package("module", {MODULE: "m", "/usr/bin/more": ""}, needs="Depends: scheme\n")
        machine.package("other", {"/usr/share/other/data": ""})
        return machine

    return make


@pytest.mark.parametrize(("interpreter", "read"), [("scheme", False), ("perl5.40", True)])
def test_its_package_comes_and_the_modules_that_it_requires(machine, interpreter, read):
    brought = machine(interpreter).brought(UNREAD, program=SCRIPT)
    expected = set() if read else {OWN, MODULE}
    assert brought & {OWN, MODULE, "/usr/share/other/data", "/usr/bin/more"} == expected
    assert "/usr/share/doc/x" not in brought


def test_a_large_package_is_a_hint(machine, monkeypatch):
    monkeypatch.setattr(standards, "MOST_DATA", 2)
    there = machine("scheme")
    assert there.brought(UNREAD, program=SCRIPT) & {OWN, MODULE} == {MODULE}
    (said,) = [one.text for one in there.result.closure.findings if "--with packages" in one.text]
    assert "not read, and script (" in said
    assert said.endswith("--with packages=script")


def test_a_script_of_nobodys_brings_nothing(machine):
    there = machine("scheme")
    there.bench.fill({"/srv/script": "#!/usr/bin/scheme\n"})
    (there.bench.root / "srv/script").chmod(0o755)
    assert there.brought(UNREAD, program="/srv/script") & {OWN, MODULE} == set()
