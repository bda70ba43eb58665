"""`--with packages=NAME`, and the hint about packages that a program's own requires in vain."""

import os

import pytest

from rootfs_builder.errors import NotFoundError
from rootfs_builder.needs.general import packages, standards
from tests.loader.oracle import GLIBC
from tests.packaged import ANY, OWN, TOOL, Machine, spelling
from tests.rule_bench import LIB, Bench, Elf, libc, library, program, rule

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")

ASKED = rule('finder = "packages"', "packages")
MAKE = packages.make
REQUIRED = rule(ANY + 'finder = "required"', "required-packages")
MODULE = "/usr/lib/back/Bundles/cairo.bundle/cairo"


@pytest.fixture
def machine(linker, tmp_path):
    found = Machine(Bench(tmp_path / "root", linker))
    found.tool()
    return found


def hints(machine):
    return [one for one in machine.result.said("hint") if "--with packages" in one]


def test_a_package_that_is_asked_for_comes_whole(machine):
    machine.package("tool", {}, files=(TOOL,))
    tree = {"/usr/share/more/data": "d", "/usr/share/more/README": "", "/usr/share/doc/more/x": ""}
    machine.bench.fill({"/usr/bin/more-helper": program("frob"), **tree})
    machine.package("more", tree, needs="Depends: far\n", files=("/usr/bin/more-helper",))
    machine.package("far", {"/usr/share/far/data": "d"})
    assert machine.brought(ASKED) == set()
    assert machine.brought(ASKED, with_=("packages=more",)) == {
        "/usr/bin/more-helper",
        "/usr/share/more/data",
    }


def test_they_are_looked_for_once_however_many_programs_come(machine, monkeypatch):
    made = []
    monkeypatch.setattr(packages, "make", lambda context: made.append(1) or MAKE(context))
    programs = tuple(f"/usr/bin/more-{one}" for one in "abc")
    machine.bench.fill({one: program("frob") for one in programs})
    machine.package("more", {}, files=programs)
    assert machine.brought(ASKED, with_=("packages=more",)) == {*programs}
    assert len(made) == 1


def test_one_that_only_stands_for_others_brings_those(machine):
    machine.package("tool", {}, files=(TOOL,))
    machine.package("all", {"/usr/share/doc/all/copyright": ""}, needs="Depends: one, all\n")
    machine.package("one", {"/usr/share/one/data": "d"})
    assert machine.brought(ASKED, with_=("packages=all",)) == {"/usr/share/one/data"}


def test_one_that_is_not_installed_is_an_error(machine):
    machine.package("tool", {}, files=(TOOL,))
    with pytest.raises(NotFoundError, match="packages=none: no package of that name is installed"):
        machine.brought(ASKED, with_=("packages=none",))


def test_packages_that_are_required_in_vain_are_a_hint(machine):
    """What a library, an installer, an interpreter or every system is for is known."""
    needs = "Depends: data, empty, libx, installer, usual, perl, mate\n"
    machine.package("tool", {}, needs=needs, files=(TOOL,))
    machine.package("data", {"/usr/share/data/a": ""})
    machine.package("empty", {"/usr/share/doc/empty/copyright": ""}, needs="Depends: far\n")
    machine.package("far", {"/usr/share/far/a": ""})
    machine.package("libx", {f"{LIB}/libx.so.1": "", "/usr/share/libx/a": ""})
    machine.package("installer", {"/usr/bin/add-one": ""})
    machine.package("usual", {"/usr/bin/usual": ""}, needs="Priority: important\n")
    machine.package("perl", {"/usr/bin/perl": ""})
    machine.package("mate", {"/usr/share/mate/a": ""}, source="tool")
    machine.bench.fill({"/var/lib/dpkg/info/tool.postinst": "#!/bin/sh\nadd-one x\n"})
    machine.brought(OWN)
    (hint,) = hints(machine)
    assert hint == (
        "the image has no file of some packages that tool requires: data far mate; "
        "if the program needs one: --with packages=NAME"
    )
    machine.brought(OWN + ASKED, with_=("packages=data,far,mate",))
    assert hints(machine) == []
    assert machine.brought(OWN + REQUIRED) == {
        f"/usr/share/{one}/a" for one in ("data", "far", "mate")
    }
    assert hints(machine) == []


def test_packages_that_are_recommended_or_suggested_are_a_hint_of_their_own(machine):
    needs = "Depends: data\nRecommends: data, more, tool\nSuggests: style, none, tool-doc\n"
    machine.package("tool", {}, needs=needs, files=(TOOL,))
    for one in ("data", "more", "style"):
        machine.package(one, {f"/usr/share/{one}/a": ""})
    machine.package("tool-doc", {"/usr/share/doc/tool-doc/a": ""})
    assert machine.brought(OWN + REQUIRED) == {"/usr/share/data/a"}
    (hint,) = hints(machine)
    assert hint == (
        "the image has no file of some packages that tool recommends or suggests: more style; "
        "if the program needs one: --with packages=NAME"
    )
    machine.brought(OWN + REQUIRED + ASKED, with_=("packages=more", "packages=style"))
    assert hints(machine) == []


def test_what_a_package_of_many_commands_recommends_is_for_any_of_them(machine):
    machine.bench.fill({"/usr/bin/other": program("frob")})
    files = (TOOL, "/usr/bin/other")
    machine.package("kit", {}, needs="Recommends: more\n", files=files)
    machine.package("more", {"/usr/share/more/a": ""})
    machine.brought(OWN)
    assert hints(machine) == []


def test_only_some_names_of_many_packages_are_in_a_line(machine):
    names = [f"more-{one:02}" for one in range(14)]
    machine.package("tool", {}, needs=f"Suggests: {', '.join(names)}\n", files=(TOOL,))
    for one in names:
        machine.package(one, {f"/usr/share/{one}/a": ""})
    machine.brought(OWN)
    (hint,) = hints(machine)
    assert "suggests: more-00" in hint
    assert "more-11 and 2 more;" in hint


def test_of_two_packages_one_of_which_is_required_the_first_comes(machine):
    machine.package("tool", {}, needs="Depends: one | two\n", files=(TOOL,))
    machine.package("one", {"/usr/share/one/a": ""})
    machine.package("two", {"/usr/share/two/a": ""})
    assert machine.brought(REQUIRED) == {"/usr/share/one/a"}
    assert hints(machine) == []


def test_commands_of_a_required_package_come_where_a_file_names_them(machine):
    """Those that are named need their data, and show it; else the data may be what is needed."""
    machine.tool("rsh, helper, and so on")
    machine.package("tool", {}, needs="Depends: helper, lone\n", files=(TOOL,))
    machine.bench.fill({"/usr/bin/helper": program("frob"), "/usr/bin/lone": program("frob")})
    machine.bench.fill({"/usr/bin/help": program("frob")})
    commands = ("/usr/bin/help", "/usr/bin/helper")
    machine.package("helper", {"/usr/share/helper/a": ""}, files=commands)
    machine.package("lone", {"/usr/share/lone/a": ""}, files=("/usr/bin/lone",))
    assert machine.brought(REQUIRED) == {"/usr/bin/helper", "/usr/share/lone/a"}
    evidence = machine.result.applied["required-packages"]
    assert evidence == "/usr/bin/tool names helper, and tool requires helper"


def test_what_a_package_has_in_directories_of_its_own_comes_if_nothing_shows_what_it_is_for(
    machine,
):
    machine.tool("nothing")
    own = {"/usr/lib/odd-1.0/tool.boot": "", "/usr/lib/odd-1.0/README": ""}
    shared = {"/usr/share/applications/tool.desktop": "", "/etc/cron.d/tool": ""}
    machine.package("tool", own | shared, files=(TOOL,))
    assert machine.brought(OWN + REQUIRED) == {"/usr/lib/odd-1.0/tool.boot"}
    machine.package("tool", own | shared | {"/usr/share/tool/a": ""}, files=(TOOL,))
    machine.tool("/usr/share/tool/a")
    assert machine.brought(OWN + REQUIRED) == {"/usr/share/tool/a"}


def test_code_in_a_directory_of_which_nothing_came_is_loaded_by_what_its_package_is_about(machine):
    """As the filters of Paje are, by a library that puts their paths together."""
    machine.tool("/usr/share/tool/a")
    code = {"/usr/lib/odd/Tool/x.bundle/x": library("libx.so"), "/usr/lib/odd/Tool/x.bundle/i": ""}
    idle = {"/usr/share/odd/a": "", "/usr/lib/odd/Tool/x.bundle/Headers": "-> /usr/share/odd"}
    machine.package("tool-4", code | idle | {"/usr/share/tool/a": ""}, files=(TOOL,))
    assert machine.brought(OWN + REQUIRED) == {*code, "/usr/share/tool/a"}
    machine.bench.fill({"/usr/bin/other": program()})
    files = ("/usr/share/tool/a", TOOL, "/usr/bin/other", *code, *idle)
    machine.package("tool-4", {}, files=files)
    assert machine.brought(OWN + REQUIRED) == {"/usr/share/tool/a"}


def test_a_large_package_that_is_required_is_a_hint(machine, monkeypatch):
    monkeypatch.setattr(standards, "MOST_DATA", 3)
    machine.package("tool", {}, needs="Depends: data\n", files=(TOOL,))
    machine.package("data", {"/usr/share/data/a": "aaaa"})
    assert machine.brought(REQUIRED) == set()
    assert hints(machine) == [
        "tool requires data, and data (1 files, 0 MB) is left out: --with packages=data"
    ]


def test_what_a_script_of_the_user_requires_comes(machine):
    machine.bench.fill({"/bin/sh": program("frob"), "/usr/bin/script": "#!/bin/sh\nx=$(helper)\n"})
    machine.package("tool", {}, needs="Depends: helper, data\n", files=("/usr/bin/script",))
    machine.bench.fill({"/usr/bin/helper": program("frob")})
    machine.package("helper", {}, files=("/usr/bin/helper",))
    machine.package("data", {"/usr/share/data/a": ""})
    (machine.bench.root / "usr/bin/script").chmod(0o755)
    found = machine.brought(REQUIRED, program="/usr/bin/script")
    assert {"/usr/bin/helper", "/usr/share/data/a"} <= found


def test_modules_of_a_package_that_has_nothing_else_come_if_it_is_required(bench):
    """As GNUstep's back ends, through a package that is empty."""
    machine = Machine(bench)
    machine.bench.fill({f"{LIB}/libc.so.6": libc("frob", "dlopen")})
    machine.bench.fill({TOOL: program("frob", "dlopen", source=spelling("x"))})
    machine.bench.fill({MODULE: Elf()})
    machine.package("tool", {}, needs="Depends: back, tools, python\n", files=(TOOL,))
    machine.package("back", {}, needs="Depends: back-cairo\n")
    machine.package("back-cairo", {"/usr/lib/back/Bundles/other": ""}, "backs", files=(MODULE,))
    machine.bench.fill({"/usr/lib/back/gl/gl.so": Elf(), "/usr/lib/t/a.so": Elf()})
    machine.package("back-gl", {}, "backs", files=("/usr/lib/back/gl/gl.so",))
    machine.package("tools", {"/usr/bin/t": ""}, files=("/usr/lib/t/a.so",))
    module = "/usr/lib/python3/dist-packages/a/a.so"
    machine.bench.fill({module: Elf()})
    machine.package("python", {}, files=(module,))
    assert machine.brought(OWN) == {"/usr/lib/back/Bundles/other", MODULE}
