"""What a packaged program gets of its own packages, in small roots with dpkg's database."""

import hashlib
import os

import pytest

from rootfs_builder.needs import undeclared
from rootfs_builder.needs.general import called, own_directories, own_modules, standards
from rootfs_builder.packages import Owners
from rootfs_builder.packages.database import unreadable
from tests.loader import objects
from tests.loader.oracle import GLIBC
from tests.packaged import ANY, BOTH, COPYING, OWN, TOOL, Machine, install, spelling
from tests.rule_bench import LIB, Bench, libc, library, program, rule

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")


@pytest.fixture
def machine(linker, tmp_path):
    return Machine(Bench(tmp_path / "root", linker))


@pytest.fixture(autouse=True)
def only_what_is_spelt_out(monkeypatch):
    monkeypatch.setattr(own_directories, "_SMALL", -1)


def test_a_file_of_its_own_package_goes_in(machine):
    machine.tool("/usr/share/tool/data", "/usr/share/tool/none", "/usr/share/other/data")
    machine.package(
        "tool", {"/usr/share/tool/data": "d", "/usr/share/tool/more": ""}, files=(TOOL,)
    )
    machine.package("other", {"/usr/share/other/data": "o"})
    assert machine.brought() == {"/usr/share/tool/data"}
    assert machine.result.applied == {"own-package": "/usr/bin/tool names /usr/share/tool/data"}


def test_without_a_database_nothing_goes_in(machine):
    machine.tool("/usr/share/tool/data")
    machine.bench.fill({"/usr/share/tool/data": "d"})
    assert machine.brought() == set()


def test_a_program_of_the_users_has_no_package(machine):
    machine.tool("/usr/share/tool/data", path="/app/prog")
    machine.package("tool", {"/usr/share/tool/data": "d"}, files=("/app/prog",))
    assert machine.brought(program="/app/prog") == {"/app/prog"}


def test_packages_of_its_source_and_those_that_it_needs_are_its_own(machine):
    machine.tool("/usr/share/tool-data/a", "/usr/share/need/a", "/usr/share/far/a", "/etc/virtual")
    needs = "Depends: libc6 (>= 2), nothing | need:any (<< 9)\nRecommends: mail-agent\n"
    machine.package("tool", {}, "tools", needs, files=(TOOL,))
    machine.package("tool-data", {"/usr/share/tool-data/a": ""}, "tools (1:1)")
    machine.package("need", {"/usr/share/need/a": ""}, needs="Depends: far\n")
    machine.package("far", {"/usr/share/far/a": ""})
    machine.package("mta", {"/etc/virtual": ""}, needs="Provides: x, mail-agent (= 1)\n")
    assert machine.brought() == {
        "/usr/share/tool-data/a",
        "/usr/share/need/a",
        "/usr/share/far/a",
        "/etc/virtual",
    }


def test_of_a_package_that_is_needed_from_afar_only_a_data_file_that_is_spelt_out_goes_in(machine):
    machine.tool("/usr/share/far", "/usr/lib/far/a", "/usr/share/farther/a", "/usr/share/other/a")
    machine.package("tool", {}, needs="Depends: need\n", files=(TOOL,))
    machine.package("need", {"/usr/share/need/a": ""}, needs="Depends: far\n")
    far = {"/usr/share/far/a": "", "/usr/lib/far/a": ""}
    machine.package("far", far, needs="Depends: farther\n")
    machine.package("farther", {"/usr/share/farther/a": ""}, needs="Depends: tool\n")
    machine.package("other", {"/usr/share/other/a": ""})
    assert machine.brought() == {"/usr/share/farther/a"}


def test_a_directory_brings_what_its_packages_have_there_and_no_documentation(machine):
    machine.tool("/usr/share/tool/%s.dat", "/usr/lib/tool")
    own = ("a.dat", "sub/b", "sub/c", "README.txt", "lang/de.mo", "man/x.1", "lib.a")
    own += ("cmake/x.cmake", "syntax/cmake/y")
    tree = {f"/usr/share/tool/{one}": "" for one in own} | {"/usr/lib/tool/x.h": ""}
    machine.package("tool", tree, files=(TOOL,))
    machine.package("plugin", {"/usr/share/tool/sub/foreign": ""})
    machine.bench.fill({"/usr/share/tool/made": ""})
    names = {path.removeprefix("/usr/share/tool/") for path in machine.brought()}
    assert names == {"a.dat", "made", "sub/b", "sub/c", "syntax/cmake/y"}


def test_source_code_is_data_where_it_is_the_same_on_machines_of_all_kinds(machine):
    """As the skeletons of a parser generator."""
    machine.tool("/usr/share/tool", "/usr/lib/tool")
    tree = {f"/usr/{top}/tool/{one}": "" for top in ("share", "lib") for one in ("a.cc", "b.hh")}
    machine.package("tool", tree, files=(TOOL,))
    assert machine.brought() == {"/usr/share/tool/a.cc", "/usr/share/tool/b.hh"}
    more = {"/usr/lib/tool/m/a.pike": "", "/usr/lib/tool/m/a.h": "", "/usr/lib/tool/h/b.h": ""}
    machine.package("tool", tree | more, files=(TOOL,))
    assert {*more} & machine.brought() == {*more} - {"/usr/lib/tool/h/b.h"}


def test_a_path_that_starts_above_the_program_may_be_its_packages(machine):
    joined = "x../share/fivefive/y"  # as C++ lays two strings end to end
    machine.tool("/share/one/x", "share/two", "%s/../lib/three/%s", "%sshare/four", joined)
    comes = {"/usr/lib/three/x", *(f"/usr/share/{one}/x" for one in ("five", "one", "two"))}
    machine.package("tool", dict.fromkeys([*comes, "/usr/share/four/x"], ""), files=(TOOL,))
    assert machine.brought() == comes


def test_a_shared_directory_brings_nothing(machine):
    machine.tool("/usr/share", "/usr/share/", "/etc", "/usr/share/icons/hicolor/%s")
    tree = {"/usr/share/tool/a": "", "/usr/share/icons/hicolor/tool.png": "", "/etc/thing": ""}
    machine.package("tool", tree, files=(TOOL,))
    assert machine.brought() == set()


def test_links_are_followed_to_what_belongs(machine):
    machine.tool("/usr/share/tool")
    tree = {"/usr/share/tool/web": "-> /etc/tool/web", "/etc/tool/web/i.html": ""}
    tree |= {"/usr/share/tool/all": "-> ..", "/usr/share/tool/one": "-> ../x"}
    machine.package("tool", tree, files=(TOOL,))
    machine.package("other", {"/etc/tool/web/foreign": "", "/usr/share/x": "", "/usr/share/y": ""})
    assert machine.brought() == {
        "/usr/share/tool/web",
        "/etc/tool/web/i.html",
        "/usr/share/tool/one",
        "/usr/share/x",
    }


def test_a_large_directory_is_a_hint_and_its_flag_brings_it(machine, monkeypatch):
    monkeypatch.setattr(standards, "MOST_OWN", 10)
    machine.tool("/usr/share/tool")
    machine.package("tool", {"/usr/share/tool/a": "x" * 11, "/usr/share/tool/b": ""}, files=(TOOL,))
    assert machine.brought() == set()
    (hint,) = machine.result.said("hint")
    assert hint == (
        "/usr/bin/tool names /usr/share/tool (2 files, 0 MB), which is left out: "
        "--with own-package=/usr/share/tool"
    )
    both = {"/usr/share/tool/a", "/usr/share/tool/b"}
    assert machine.brought(with_=("own-package=/usr/share/tool",)) == both
    assert machine.brought(with_=("own-package=all",)) == both


def test_more_of_its_own_comes_than_of_what_it_needs(machine, monkeypatch):
    monkeypatch.setattr(standards, "MOST_DATA", 10)
    machine.tool("/usr/share/own", "/usr/share/need")
    tree = {"/usr/share/own/data": "x" * 20, "/usr/share/own/more": ""}
    machine.package("tool", tree, needs="Depends: need\n", files=(TOOL,))
    machine.package("need", {"/usr/share/need/data": "x" * 20})
    assert machine.brought() == tree.keys()
    (line,) = machine.result.said("hint")
    assert "which is left out: --with own-package=/usr/share/need" in line


def test_what_it_requires_of_its_source_is_its_own(machine, monkeypatch):
    """A script's data may be in a package of their own, psql's neighbour is the server's."""
    monkeypatch.setattr(standards, "MOST_DATA", 10)
    script, data = "/usr/bin/script", "/usr/share/script/data"
    machine.bench.fill({f"{LIB}/libc.so.6": libc("frob"), "/usr/bin/sh": program("frob")})
    machine.package("script", {script: "#!/usr/bin/sh\n", "/usr/share/script/one": ""}, "s")
    machine.package("script-data", {data: "x" * 20}, "s")
    (machine.bench.root / script[1:]).chmod(0o755)
    assert data not in machine.brought(OWN, program=script)
    machine.packages[0] = (*machine.packages[0][:3], "Depends: script-data\n")
    install(machine.bench.root, machine.packages)
    assert data in machine.brought(OWN, program=script)


def test_programs_of_its_source_that_a_text_joins_to_a_directory_come(machine):
    """As condor's: `$(SBIN)/condor_procd` in its library. A name alone may be a word in a help."""
    machine.bench.fill({f"{LIB}/libc.so.6": libc("frob", "execv")})
    texts = ("$(BIN)/joined", "alone", "see %s/file", "%s%slinked")  # of a link, as prterun
    lib = library("libtool.so.1", source=spelling(*texts))
    machine.bench.fill({f"{LIB}/libtool.so.1": lib})
    machine.bench.fill({TOOL: program("frob", "execv", libraries=(lib,))})
    more = tuple(f"/usr/bin/more{at}" for at in range(40))
    own = {f"/usr/bin/{one}": program("frob") for one in ("joined", "alone", "file", "it")}
    own["/usr/bin/linked"] = "-> it"
    machine.package("tool", own | dict.fromkeys(more, ""), files=(TOOL, f"{LIB}/libtool.so.1"))
    comes = {f"/usr/bin/{one}" for one in ("joined", "file", "linked", "it")}
    assert machine.brought(OWN) == comes
    machine.packages.clear()
    machine.package("tool", {}, files=(TOOL, f"{LIB}/libtool.so.1"))
    machine.package("other", {}, files=tuple(own))
    assert machine.brought(OWN) == set()


def test_a_command_in_a_library_brings_a_program_that_its_package_requires(machine):
    """As libgnustep-base runs `dpkg-architecture --query`. Others are of those who ask for them."""
    machine.bench.fill({f"{LIB}/libc.so.6": libc("frob", "popen")})
    lib = library("libx.so.1", "popen", source=spelling("probe --now", "mount -o %s", "probe it"))
    programs = {one: program("frob") for one in ("/usr/bin/probe", "/usr/bin/mount", "/bin/sh")}
    machine.bench.fill({f"{LIB}/libx.so.1": lib} | programs)
    machine.bench.fill({TOOL: program("frob", libraries=(lib,), source=spelling("/etc/tool.d"))})
    machine.package("tool", {"/etc/tool.d/a": ""}, files=(TOOL,))
    machine.package("libx1", {}, files=(f"{LIB}/libx.so.1",), needs="Depends: probe\n")
    machine.package("probe", {}, files=("/usr/bin/probe",))
    machine.package("mount", {}, files=("/usr/bin/mount",))
    assert machine.brought(OWN) == {"/etc/tool.d/a", "/usr/bin/probe", "/bin/sh"}


def test_a_directory_is_left_out_with_one_line_however_often_it_is_named(machine, monkeypatch):
    monkeypatch.setattr(standards, "MOST_OWN", 3)
    machine.tool("/usr/share/tool", "/usr/share/tool/in", "/etc/tool.conf")
    conf = {"/etc/tool.conf": "/usr/share/tool/in /usr/share/tool"}
    machine.package(
        "tool", conf | {f"/usr/share/tool/{one}": "xxxx" for one in ("a", "in/b")}, files=(TOOL,)
    )
    monkeypatch.setattr(standards, "MOST_OWN", 34)
    assert machine.brought() == {"/etc/tool.conf"} | {f"/usr/share/tool/{x}" for x in ("a", "in/b")}
    monkeypatch.setattr(standards, "MOST_OWN", 3)
    assert machine.brought() == set()
    left_out = [one for one in machine.result.said("hint") if "/usr/share/tool" in one]
    assert [one.rpartition(": ")[2] for one in left_out] == ["--with own-package=/usr/share/tool"]


def test_of_a_large_directory_the_entries_go_in_that_are_named_beside_it(machine, monkeypatch):
    monkeypatch.setattr(standards, "MOST_OWN", 10)
    machine.tool("/usr/share/tool", "a/b", "c", "d")
    tree = {f"/usr/share/tool/{one}": "x" * 6 for one in ("a/b", "a/e", "c/f", "g")}
    machine.package("tool", tree, files=(TOOL,))
    assert machine.brought() == {"/usr/share/tool/a/b", "/usr/share/tool/c/f"}
    (hint,) = machine.result.said("hint")
    assert "of which it gets what it names: --with own-package=/usr/share/tool adds all" in hint


def test_where_a_rule_copies_the_rule_decides(machine):
    machine.tool("/usr/share/tool", "/usr/share/tool/two", "/etc/tool")
    tree = {f"/usr/share/tool/{one}": "" for one in ("one", "two", "three")}
    machine.package("tool", {**tree, "/etc/tool/x": ""}, files=(TOOL,))
    assert machine.brought(OWN, COPYING) == {
        "/usr/share/tool/one",
        "/usr/share/tool/two",
        "/etc/tool/x",
    }


def test_what_a_rule_leaves_out_stays_out(machine):
    machine.tool("/usr/share/tool", "/usr/share/tool/two")
    machine.package("tool", {f"/usr/share/tool/{one}": "" for one in ("one", "two")}, files=(TOOL,))
    copying = rule(ANY + "copy = ['/usr/share/tool']\nomit = ['two']", "copying")
    assert machine.brought(OWN, copying) == {"/usr/share/tool/one"}


def test_a_library_speaks_for_its_own_data_and_not_for_its_modules(machine):
    lib = library(
        "libx.so.1", source=spelling("/usr/share/x/d", "/usr/lib/x/m.so", "/usr/share/tool/d")
    )
    machine.bench.fill({f"{LIB}/libx.so.1": lib})
    machine.tool("nothing", libraries=(lib,))
    machine.package("tool", {"/usr/share/tool/d": ""}, files=(TOOL,))
    tree = {"/usr/share/x/d": "", "/usr/lib/x/m.so": ""}
    machine.package("libx1", tree, files=(f"{LIB}/libx.so.1",))
    assert machine.brought() == {"/usr/share/x/d"}


@pytest.mark.parametrize("code", ["", "/usr/lib/x/m.so", "/usr/lib/x/sub/helper"])
def test_a_library_speaks_for_a_directory_without_code_beside_it(machine, code):
    """As libespeak does for espeak-data, which it joins to where libraries are."""
    lib = library("libx.so.1", source=spelling("%s/x-data", "/usr/lib/x", "%s/y/"))
    machine.bench.fill({f"{LIB}/libx.so.1": lib})
    machine.tool("nothing", libraries=(lib,))
    machine.package("tool", {}, files=(TOOL,))
    tree = dict.fromkeys((f"{LIB}/x-data/voice", "/usr/lib/x/table", *filter(None, [code])), "")
    machine.package("libx1", tree, files=(f"{LIB}/libx.so.1",))
    if code:
        (machine.bench.root / code[1:]).chmod(0o755)
    machine.brought()
    found = {one for one in tree if one in machine.result.paths}
    assert found == (set(tree) if not code else {f"{LIB}/x-data/voice"})


@pytest.mark.parametrize(("texts", "comes"), [(("/etc", "specs"), True), (("specs",), False)])
def test_a_library_that_joins_a_path_in_etc_speaks_for_its_settings(machine, texts, comes):
    lib = library("libx.so.1", source=spelling(*texts))
    machine.bench.fill({f"{LIB}/libx.so.1": lib})
    machine.tool("nothing", libraries=(lib,))
    machine.package("tool", {}, files=(TOOL,))
    machine.package("libx1", {"/etc/specs": "", "/etc/other": ""}, files=(f"{LIB}/libx.so.1",))
    assert machine.brought() == ({"/etc/specs"} if comes else set())


@pytest.mark.parametrize("call", ["(load-extension (string-append at", '(display "load-extension"'])
def test_a_text_of_lisp_opens_libraries_by_their_names_without_an_ending(machine, call):
    machine.bench.fill({f"{LIB}/lib{one}.so": library(f"lib{one}.so") for one in ("x-1.2", "y")})
    text = f'; "liby"\n(define at "{LIB}/")\n{call} "libx-1.2") "init" "libnone")\n'
    machine.tool("/usr/share/tool")
    machine.package("tool", {"/usr/share/tool/a.scm": text}, files=(TOOL,))
    machine.brought()
    found = {path for path in machine.result.paths if path.startswith(f"{LIB}/lib")}
    opened = {f"{LIB}/libx-1.2.so"} if call.startswith("(load") else set()
    assert found - {f"{LIB}/libc.so.6"} == opened


def test_so_does_one_that_a_library_of_the_programs_source_is_linked_to(bench):
    """As nco's library is to udunits, whose units are a file."""
    machine = Machine(bench)
    bench.fill({f"{LIB}/libc.so.6": libc("frob")})
    far = library("libfar.so.1", "frob", source=spelling("/usr/share/far/data"))
    own = library("libown.so.1", "frob", links=[far])
    bench.fill({f"{LIB}/libfar.so.1": far, f"{LIB}/libown.so.1": own})
    bench.fill({TOOL: program("frob", libraries=(own,), source=spelling("/usr/share/tool"))})
    machine.package("tool", {"/usr/share/tool": ""}, files=(TOOL, f"{LIB}/libown.so.1"))
    machine.package("far", {"/usr/share/far/data": ""}, files=(f"{LIB}/libfar.so.1",))
    assert machine.brought(OWN) == {"/usr/share/far/data", "/usr/share/tool"}


def test_a_program_that_is_named_comes_with_its_interpreter_if_it_is_of_the_same_source(machine):
    machine.tool("/usr/libexec/tool/helper", "/usr/libexec/need/helper", "/usr/bin/other")
    tree = dict.fromkeys(("/usr/libexec/tool/helper", "/usr/bin/other"), "#!/usr/bin/sh2\n")
    machine.package("tool", tree, needs="Depends: need\n", files=(TOOL,))
    machine.package("need", {"/usr/libexec/need/helper": "#!/usr/bin/sh2\n"})
    machine.tool("x", path="/usr/bin/sh2")
    machine.tool("/usr/libexec/tool/helper", "/usr/libexec/need/helper", "/usr/bin/other")
    for path in (*tree, "/usr/libexec/need/helper"):
        (machine.bench.root / path[1:]).chmod(0o755)
    # The name of a program for people may stand in what the tool shows to them.
    assert machine.brought() == {"/usr/libexec/tool/helper", "/usr/bin/sh2"}
    source = spelling("/usr/libexec/tool/helper", "/usr/bin/other")
    machine.bench.fill({f"{LIB}/libc.so.6": libc("frob", "execv")})
    machine.bench.fill({TOOL: program("frob", "execv", source=source)})
    assert machine.brought() == {*tree, "/usr/bin/sh2"}


def test_the_directory_of_a_program_that_a_script_starts_comes(machine):
    """Who starts one file of a directory has not decided what of that is needed."""
    machine.tool("OPTIND", path="/usr/bin/sh2")
    tree = {"/usr/lib/tool/program": program("frob"), "/usr/lib/tool/beside": "b"}
    machine.package("tool", tree | {TOOL: "#!/usr/bin/sh2\nexec /usr/lib/tool/program\n"})
    for path in (TOOL, "/usr/lib/tool/program"):
        (machine.bench.root / path[1:]).chmod(0o755)
    shell = rule('when = { text = ["OPTIND"] }\nfinder = "shell"', "shell-commands")
    assert machine.brought(OWN, shell) == {"/usr/bin/sh2", *tree}


def test_a_script_that_nobody_starts_starts_no_other(machine):
    machine.tool("/usr/lib/tool")
    tree = {"/usr/lib/tool/idle": "#!/usr/bin/sh2\n/usr/lib/tool2/more /usr/share/tool/data\n"}
    tree |= {"/usr/lib/tool2/more": "#!/usr/bin/sh2\n", "/usr/share/tool/data": "d"}
    machine.package("tool", tree, files=(TOOL,))
    machine.bench.fill({"/usr/bin/sh2": program("frob")})
    for path in ("/usr/lib/tool/idle", "/usr/lib/tool2/more"):
        (machine.bench.root / path[1:]).chmod(0o755)
    assert machine.brought() == {"/usr/lib/tool/idle", "/usr/share/tool/data"}


def test_small_programs_that_settings_of_its_package_name_come_unless_they_are_a_list(machine):
    machine.tool("/etc/tool.conf")
    many = [f"/usr/bin/viewer{one}" for one in "abcdef"]
    machine.bench.fill({one: program("frob") for one in ("/usr/bin/viewer", *many)})
    tree = {"/etc/tool.conf": "viewer = /usr/bin/viewer\n"}
    machine.package("tool", tree, files=(TOOL,))
    machine.package("viewers", {}, files=("/usr/bin/viewer", *many))
    assert machine.brought() == {"/etc/tool.conf", "/usr/bin/viewer"}
    machine.bench.fill({"/etc/tool.conf": "\n".join(many)})
    assert machine.brought() == {"/etc/tool.conf"}
    (hint,) = machine.result.said("hint")
    assert all(one in hint for one in many)


def test_texts_that_come_in_are_read_in_their_turn(machine):
    machine.tool("/etc/tool.conf")
    tree = {
        "/etc/tool.conf": "include /etc/tool.d/*.conf\nsee /usr/share/tool/x.\n",
        "/etc/tool.d/a.conf": "data=/usr/share/tool/y\nother /usr/share/other/z",
        "/usr/share/tool/x": "",
        "/usr/share/tool/y": "",
    }
    machine.package("tool", tree, files=(TOOL,))
    machine.package("other", {"/usr/share/other/z": ""})
    assert machine.brought(OWN) == {"/etc/tool.conf"}
    assert machine.brought() == tree.keys()


def test_the_users_configuration_names_files_of_the_programs_packages(machine):
    machine.tool("nothing")
    machine.package("tool", {"/usr/share/tool/x": "", "/usr/share/tool/y": ""}, files=(TOOL,))
    machine.package("other", {"/usr/share/other/z": ""})
    machine.bench.fill({"/home/c": "/usr/share/tool/x /usr/share/other/z"})
    added = (f"{machine.bench.root}/home/c:/etc/tool.conf",)
    assert machine.brought(add=added) == {"/etc/tool.conf", "/usr/share/tool/x"}


def test_a_configuration_names_files_beside_it(machine):
    machine.tool("nothing")
    there = {f"/etc/tool/{one}": "" for one in ("map.xml", "more-2.xml", "other.xml", "x")}
    machine.package("tool", there, files=(TOOL,))
    machine.package("other", {"/etc/tool/foreign.xml": ""})
    text = """<a path="map.xml" b='more-2.xml'/> foreign.xml x /srv/other.xml ../other.xml"""
    machine.bench.fill({"/home/c": text})
    added = (f"{machine.bench.root}/home/c:/etc/tool/tool.xml",)
    comes = {"/etc/tool/tool.xml", "/etc/tool/map.xml", "/etc/tool/more-2.xml"}
    assert machine.brought(add=added) == comes


def test_a_text_names_what_is_beside_it_behind_a_variable(machine):
    """As SvxLink's for Tcl does."""
    machine.tool("/usr/share/tool/main.tcl")
    there = {f"/usr/share/tool/{one}": "" for one in ("parts/a.tcl", "more/b.tcl", "other/c.tcl")}
    text = 'source $dir/parts/a.tcl; glob "${dir}/more/*.tcl"; puts $other'
    machine.package("tool", {"/usr/share/tool/main.tcl": text, **there}, files=(TOOL,))
    comes = {f"/usr/share/tool/{one}" for one in ("main.tcl", "parts/a.tcl", "more/b.tcl")}
    assert machine.brought() == comes


def test_a_script_gets_the_directories_that_are_its_packages_alone(machine, monkeypatch):
    machine.tool("nothing", path="/usr/bin/sh2")
    machine.package("sh2", {}, files=("/usr/bin/sh2",))
    data = {"/usr/lib/tool/task_one": "", "/usr/share/tool/a": "", "/usr/share/perl5/Tool.pm": ""}
    data["/etc/tool.conf"] = ""
    unread = {"/usr/share/doc/tool/x": "", "/usr/share/man/man1/tool.1": ""}
    machine.package("tool", {TOOL: "#!/usr/bin/sh2\n", **data, **unread})
    machine.package("other", {"/usr/share/tool/foreign": "", "/usr/lib/other/a": ""})
    comes = {"/etc/tool.conf", "/usr/lib/tool/task_one", "/usr/share/tool/a", "/usr/bin/sh2"}
    assert machine.brought() == comes
    for one in ("MOST_BYTES", "MOST_DATA", "MOST_OWN"):
        monkeypatch.setattr(standards, one, -1)
    assert machine.brought() == {"/usr/bin/sh2"}
    assert [one.partition(" (")[0] for one in machine.result.said("hint")] == [
        "/usr/bin/tool names /etc/tool.conf",
        "/usr/bin/tool names /usr/lib/tool",
        "/usr/bin/tool names /usr/share/tool",
    ]


def test_a_script_of_a_package_speaks_for_its_package(machine):
    machine.tool("nothing", path="/usr/bin/sh2")
    machine.package("sh2", {}, files=("/usr/bin/sh2",))
    machine.package(
        "tool", {TOOL: "#!/usr/bin/sh2\n. /usr/share/tool/lib\n", "/usr/share/tool/lib": ""}
    )
    assert machine.brought() == {"/usr/share/tool/lib", "/usr/bin/sh2"}


def test_of_texts_without_an_end_the_longest_beginning_that_exists_counts(machine):
    go = "\\377 Go buildinf:"
    machine.tool(go, "x/etc/tool/confused by/usr/share/tool.xmlinvalid/usr/share/to/nothing")
    tree = {"/etc/tool/conf": "", "/etc/tool/c": "", "/usr/share/tool.xml": ""}
    machine.package("tool", tree, files=(TOOL,))
    assert machine.brought() == {"/etc/tool/conf", "/usr/share/tool.xml"}


def test_of_texts_without_an_end_any_part_may_call_a_file_of_its_source(machine):
    """As arduino-builder's, which works out the directory from its own place."""
    tree = {"/usr/share/tool/platform.txt": "", "/usr/share/tool/other.txt": ""}
    machine.package("tool", tree, files=(TOOL,))
    machine.tool("/usr/bin/x", "foundplatform.txtnot found")
    assert machine.brought() == set()
    machine.tool("\\377 Go buildinf:", "executable file not found in $PATH", "xplatform.txtx")
    assert machine.brought() == {"/usr/share/tool/platform.txt"}


@pytest.mark.parametrize("by_script", [True, False])
@pytest.mark.parametrize(
    ("line", "comes"),
    [
        ("cmd={path}/dep-tool", True),
        ('  cmd: "dep-tool"', True),
        ("tool = /usr/bin/dep", True),
        ("cmd=dep", True),
        ('"remoteShell": "dep",', True),
        ("mode=dep", False),  # a word of every day
        ("# cmd=dep-tool", False),
        ("cmd=dep-tool -x", False),
        ("cmd=other-tool", False),  # nothing says that it is needed
    ],
)
def test_a_program_that_a_setting_of_its_package_is(machine, by_script, line, comes):
    """As the ctags of arduino-builder's platform.txt, and the python of escript's buildvars."""
    programs = ("/usr/bin/dep", "/usr/bin/dep-tool", "/usr/bin/other-tool")
    machine.bench.fill({one: program("frob") for one in programs})
    machine.package("dep", {}, files=programs[:2])
    machine.package("other", {}, files=programs[2:])
    tree = {"/usr/share/tool/settings": f"a=1\n{line}\n"}
    if by_script:
        machine.tool("nothing", path="/usr/bin/sh2")
        machine.package("sh2", {}, files=("/usr/bin/sh2",))
        machine.package("tool", tree | {TOOL: "#!/usr/bin/sh2\n"}, needs="Depends: dep\n")
        (machine.bench.root / TOOL[1:]).chmod(0o755)
    else:
        machine.tool("/usr/share/tool/settings")
        machine.package("tool", tree, needs="Depends: dep\n", files=(TOOL,))
    assert bool(machine.brought() & {*programs}) == comes


def test_what_a_makefile_sets_is_for_building(machine):
    """As the Perl of PostgreSQL's Makefile.global."""
    machine.bench.fill({"/usr/bin/dep-tool": program("frob")})
    machine.package("dep", {}, files=("/usr/bin/dep-tool",))
    machine.tool("/usr/share/tool/Makefile.global")
    tree = {"/usr/share/tool/Makefile.global": "tool = dep-tool\n"}
    machine.package("tool", tree, needs="Depends: dep\n", files=(TOOL,))
    assert machine.brought() == {*tree}


@pytest.mark.parametrize(
    ("line", "starts", "comes"),
    [
        ("remoteshell = dep", True, True),
        ("remoteshell = dep", False, False),
        ("mode = dep", True, False),
        ("remoteshell = dep -x", True, False),
    ],
)
def test_a_program_that_a_setting_of_the_users_is(machine, line, starts, comes):
    """As the ssh of dsh.conf, which no package declares."""
    machine.bench.fill({f"{LIB}/libc.so.6": libc("frob", "execvp")})
    machine.bench.fill({TOOL: program("frob", *(["execvp"] if starts else []))})
    machine.bench.fill({"/usr/bin/dep": program("frob"), "/home/tool.conf": f"{line}\n"})
    machine.package("tool", {}, files=(TOOL,))
    machine.package("dep", {}, files=("/usr/bin/dep",))
    added = (f"{machine.bench.root}/home/tool.conf:/etc/tool.conf",)
    assert ("/usr/bin/dep" in machine.brought(add=added)) == comes


def test_a_database_that_cannot_be_read_is_one_warning(machine, monkeypatch):
    machine.tool("/usr/share/tool/data")
    machine.package("tool", {"/usr/share/tool/data": "/usr/share/tool/data"}, files=(TOOL,))

    def denied(*_):
        raise unreadable("/var/lib/dpkg/info", "Permission denied")

    monkeypatch.setattr(Owners, "of_all", denied)
    assert machine.brought() == set()
    assert len(machine.result.said("warning")) == 1
    assert "own packages is not looked for" in machine.result.said("warning")[0]


def test_files_of_a_directory_that_not_everybody_may_read_are_one_warning(machine):
    machine.tool("/etc/tool")
    machine.package("tool", {f"/etc/tool/{one}": "" for one in "abc"}, files=(TOOL,))
    for one in "ab":
        (machine.bench.root / f"etc/tool/{one}").chmod(0o640)
    assert machine.brought() == {"/etc/tool/c"}
    (said,) = machine.result.said("warning")
    assert said.startswith("/usr/bin/tool names /etc/tool: 2 files in it, not readable")
    assert said.endswith("--add /etc/tool:/etc/tool")


PUBLIC = {f"/etc/tool/{one}": one for one in ("kept", "changed", "made", "open", "roots", "run")}


def published(machine, **options):
    """What comes of settings that their package has published, by their modes here."""
    machine.tool("/etc/tool")
    sums = {
        path: hashlib.md5(text.encode(), usedforsecurity=False) for path, text in PUBLIC.items()
    }
    lines = "".join(
        f" {path} {digest.hexdigest()}\n"
        for path, digest in sums.items()
        if not path.endswith("/made")
    )
    machine.package("tool", PUBLIC, files=(TOOL,), needs=f"Conffiles:\n{lines}")
    machine.bench.fill({"/etc/tool/changed": "password"})
    own = {"open": 0o644, "roots": 0o600, "run": 0o750}
    for one in (machine.bench.root / "etc/tool").iterdir():
        one.chmod(own.get(one.name, 0o640))
    found = machine.brought(**options)
    return {path.rpartition("/")[2] for path in found}


def md5(text):
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def said_of_published(machine):
    return [one for one in machine.result.said("hint") if "unchanged since" in one]


def test_what_a_package_has_published_everyone_may_read_in_the_image(machine):
    """Not what has been changed, was made here, or only some may start. What is root's stays so."""
    assert published(machine) == {"kept", "open", "roots"}
    comes = {"kept": 0o644, "open": 0o644, "roots": 0o600, "tool": 0o755}
    assert modes(machine) == comes
    (said,) = said_of_published(machine)
    assert said.endswith(" installed: /etc/tool/kept; --mode /etc/tool/kept=0600 changes that")
    (warned,) = machine.result.said("warning")
    assert "3 files in it, not readable" in warned
    (machine.bench.root / "etc/tool").chmod(0o750)
    assert machine.brought() >= {"/etc/tool/kept", "/etc/tool/open"}
    assert modes(machine) == comes
    (machine.bench.root / "etc/tool").chmod(0o700)
    machine.brought()
    assert modes(machine)["tool"] == 0o700  # root's
    assert not said_of_published(machine)


def test_an_image_of_another_user_has_what_is_roots_readable_too(machine):
    assert published(machine, user="1000") == {"kept", "open", "roots"}
    assert modes(machine)["roots"] == 0o644
    (said,) = said_of_published(machine)
    assert "/etc/tool/kept, /etc/tool/roots" in said


def test_a_directory_that_the_user_adds_is_not_widened(machine):
    machine.bench.fill({"/home/conf/mine": "x"})
    (machine.bench.root / "home/conf").chmod(0o700)
    add = (f"{machine.bench.root}/home/conf:/etc/tool",)
    assert published(machine, add=add) == {"kept", "open", "roots", "mine"}
    assert modes(machine)["tool"] == 0o700
    assert not said_of_published(machine)


def test_what_no_package_has_is_not_published(machine):
    assert published(machine) == {"kept", "open", "roots"}
    install(machine.bench.root, [("other", (), "", "")])
    result = machine.bench.plan(rule(ANY + "copy = ['/etc/tool']"), TOOL)
    assert {one for one in result.paths if "/etc/" in one} == {"/etc/tool/open"}


def modes(machine):
    """The modes of what is in /etc/tool, by its name, and of that itself."""
    found = {one.path.removeprefix("/etc/"): one.mode for one in machine.result.plan.entries}
    return {path.removeprefix("tool/"): found[path] for path in found if path.startswith("tool")}


def test_a_file_of_its_source_that_only_its_name_calls_comes(machine, monkeypatch):
    """As shibd's settings, whose directory a method returns."""
    tree = {
        "/etc/tool/tool-main.xml": "include /etc/tool/tool-more.xml",
        "/etc/tool/tool-more.xml": "",
        "/usr/share/tool/words.table": "",
        "/usr/share/tool/idle.table": "",
        "/usr/share/tool/a/twice.table": "",
        "/usr/share/tool/b/twice.table": "",
        "/usr/share/doc/tool/manual.html": "",
        "/usr/lib/tool/plain": "",
    }
    spelt = ("tool-main.xml", "%s/words.table", "twice.table", "manual.html", "plain", "other.xml")
    machine.tool("/etc/it", *spelt)
    machine.package("tool", {"/etc/it": ""}, files=(TOOL,), source="source")
    machine.package("tool-data", tree, source="source")
    machine.package("other", {"/etc/other/other.xml": ""})
    words = "/usr/share/tool/words.table"
    comes = {"/etc/it", "/etc/tool/tool-main.xml", "/etc/tool/tool-more.xml", words}
    assert machine.brought() == comes
    monkeypatch.setattr(called, "_MOST", 1)
    assert machine.brought() == {"/etc/it"}  # there are too many


def test_a_directory_of_settings_brings_links_and_what_no_package_has(machine):
    machine.tool("/etc/tool")
    tree = {"/etc/tool/all/a": "", "/etc/tool/on": None, "/etc/tool/none": None}
    machine.package("tool", tree, files=(TOOL,))
    machine.bench.fill({"/etc/tool/on/a": "-> ../all/a", "/etc/tool/on/mine": ""})
    machine.bench.fill({"/etc/tool/all/a.dpkg-old": "", "/etc/tool/all/a.ucf-dist": ""})
    machine.package("other", {"/etc/tool/on/others": ""})
    assert machine.brought() == {"/etc/tool/all/a", "/etc/tool/on/a", "/etc/tool/on/mine"}
    assert "/etc/tool/none" in machine.result.directories


def test_what_else_an_administrator_keeps_beside_settings_is_nobodys(machine):
    machine.tool("/etc/tool")
    tree = {"/etc/tool/tool.conf": "", "/usr/share/tool/copied": "", "/etc/tool/on": None}
    machine.package("tool", tree, files=(TOOL,))
    mine = ("copied", "backup", "on/sasl_passwd", "on/site", "on/site.bak", "on/my.key")
    machine.bench.fill({f"/etc/tool/{one}": "" for one in mine})
    assert machine.brought() == {f"/etc/tool/{one}" for one in ("tool.conf", "copied", "on/site")}
    (text,) = (one for one in machine.result.said("warning") if "passwords" in one)
    assert "/etc/tool: 2 files in it, named for passwords or keys, were not included" in text


def test_names_that_are_no_utf8(machine):
    machine.tool("/etc/tool", "x")
    odd = os.fsdecode(b"/etc/caf\xe9.conf")
    machine.package("tool", {odd: ""}, files=(TOOL,))
    assert machine.brought() == set()


def test_what_is_made_in_a_directory_of_its_source_alone_is_its_own(machine):
    """As an index that a package's scripts make when it is installed."""
    machine.tool("/usr/share/tool", "/usr/share/need")
    machine.package("tool", {"/usr/share/tool/a": ""}, needs="Depends: need\n", files=(TOOL,))
    machine.package("need", {"/usr/share/need/a": ""})
    machine.bench.fill({"/usr/share/tool/index": "", "/usr/share/need/index": ""})
    brought = {"/usr/share/tool/a", "/usr/share/tool/index", "/usr/share/need/a"}
    assert machine.brought() == brought


@pytest.mark.parametrize(
    ("postinst", "brought"),
    [
        ("ucf /usr/share/tool/x.conf /etc/x.conf\n", {"/etc/x.conf", "/etc/a.conf"}),
        ("cat >/etc/tool.conf <<END\n", {"/etc/tool.conf", "/etc/a.conf"}),
        ("for f in a.conf; do ucf /usr/share/tool/$f /etc/$f; done", {"/etc/a.conf"}),
        ("echo done\n", set()),
    ],
)
def test_settings_that_its_package_makes_when_it_is_installed(machine, postinst, brought):
    machine.tool("/etc/x.conf", "a.conf", "/usr/share/none")  # and one that is called as it is
    machine.package("tool", {"/usr/share/tool/a.conf": ""}, files=(TOOL,))
    machine.bench.fill({f"/etc/{one}": "" for one in ("a.conf", "tool.conf", "x.conf")})
    machine.bench.fill({"/var/lib/dpkg/info/tool.postinst": postinst})
    machine.package("other", {"/etc/others.conf": ""})
    assert machine.brought(OWN) == brought


def test_a_configuration_joins_paths_by_its_variables(machine):
    text = "prefix = /usr\nlib = ${prefix}/lib/tool\nplugin = $lib/x\nhome = $(other)/y\n"
    machine.tool("/etc/tool")
    tree = {"/etc/tool/tool.conf": text, "/usr/lib/tool/x": "", "/usr/lib/tool/y": ""}
    machine.package("tool", tree, files=(TOOL,))
    assert machine.brought() == {"/etc/tool/tool.conf", "/usr/lib/tool/x", "/usr/lib/tool/y"}


def test_commands_that_it_spells_out(bench):
    machine = Machine(bench)
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "system")})
    texts = (
        "mate -x %s",
        "friend of %s",
        "dep -q",
        "rec -q",
        "sure -x %s",
        "ddlog -t '%s' >> %s",
        "other words",
        "more -x",
    )
    bench.fill({TOOL: program("frob", "system", source=spelling(*texts))})
    names = ("dep", "rec", "sure", "ddlog", "other", "more")
    bench.fill({f"/usr/bin/{one}": program() for one in ("mate", "friend", *names)})
    bench.fill({"/bin/sh": program()})
    own = (TOOL, "/usr/bin/mate", "/usr/bin/friend")
    machine.package("tool", {}, needs="Depends: dep\nRecommends: rec\n", files=own)
    machine.package("dep", {}, files=("/usr/bin/dep", "/usr/bin/sure"))
    machine.package("rec", {}, files=("/usr/bin/rec",))
    # Its own, certain whoever declares it, or required.
    comes = {"/usr/bin/ddlog", "/usr/bin/sure", "/usr/bin/dep", "/bin/sh", "/usr/bin/mate"}
    assert machine.brought(OWN) == comes
    (hint,) = (one for one in machine.result.said("hint") if "EXECUTABLEs" in one)
    assert hint.endswith(f"EXECUTABLEs: {bench.root}/usr/bin/friend {bench.root}/usr/bin/rec")


def test_the_texts_of_a_box_of_tools_are_about_them(bench):
    """As the help of env has `split --`: no program of coreutils runs another one."""
    machine = Machine(bench)
    tools = {f"/usr/bin/tool{at}": "" for at in range(31)}
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "system"), "/usr/bin/split": program()})
    bench.fill({TOOL: program("frob", "system", source=spelling("split -x %s"))})
    machine.package("tool", {}, files=(TOOL, "/usr/bin/split"))
    assert machine.brought(OWN) == {"/usr/bin/split"}
    machine.package("tool", tools, files=(TOOL, "/usr/bin/split"))
    assert machine.brought(OWN) == set()


def test_what_a_box_of_tools_shares_speaks_for_the_tool_that_the_user_names(bench):
    """libsystemd-shared names all that systemd starts, and sshd needs systemd-ssh-proxy alone."""
    machine = Machine(bench)
    tools = {f"/usr/bin/tool{at}": "" for at in range(31)}
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "execv")})
    bench.fill(
        {f"{LIB}/libbox.so.1": library("libbox.so.1", source=spelling("/usr/lib/tool/start"))}
    )
    bench.fill({"/usr/lib/tool/start": program()})
    bench.fill({TOOL: program("frob", "execv", needed=["libbox.so.1"])})
    bench.fill({"/usr/bin/user": program("frob", "execv", source=spelling(TOOL))})
    machine.package("user", {}, needs="Depends: tool\n", files=("/usr/bin/user",))
    machine.package("tool", tools, files=(TOOL, f"{LIB}/libbox.so.1", "/usr/lib/tool/start"))
    machine.brought(OWN)
    assert "/usr/lib/tool/start" in machine.result.paths
    machine.brought(OWN, program="/usr/bin/user")
    assert TOOL in machine.result.paths
    assert "/usr/lib/tool/start" not in machine.result.paths


def test_a_large_program_that_no_package_declares_is_a_hint(bench, monkeypatch):
    machine = Machine(bench)
    monkeypatch.setattr("rootfs_builder.needs.undeclared._MOST", 100)
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "system")})
    bench.fill({TOOL: program("frob", "system", source=spelling("pan -o '%s' '%s'"))})
    bench.fill({"/usr/bin/pan": program()})
    machine.package("tool", {}, files=(TOOL,))
    assert machine.brought(OWN) == set()
    (hint,) = (one for one in machine.result.said("hint") if "EXECUTABLEs" in one)
    assert hint.endswith(f"EXECUTABLEs: {bench.root}/usr/bin/pan")


def test_programs_of_packages_that_it_requires_by_their_paths(bench, monkeypatch):
    """As pptpd's pppd; Perl may be for a part of it that nobody uses."""
    monkeypatch.setattr("rootfs_builder.needs.undeclared._MOST", -1)
    machine = Machine(bench)
    paths = ("/usr/sbin/pppd", "/usr/bin/perl", "/usr/bin/other")
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "execv")})
    bench.fill({TOOL: program("frob", "execv", source=spelling(*paths))})
    bench.fill(dict.fromkeys(paths, program()))
    machine.package("tool", {}, needs="Depends: ppp\n", files=(TOOL,))
    machine.package("ppp", {}, files=paths[:2])
    machine.package("other", {}, files=paths[2:])
    assert machine.brought(OWN) == {"/usr/sbin/pppd"}


def test_a_utility_that_it_has_a_shell_start(bench):
    """As varnishd runs `rm -rf`, renum `mv`: no package declares what every system has."""
    machine = Machine(bench)
    texts = ("rm -rf %s", "sort of %s", "test -x %s", "cp %s", "other -x")
    names = ("cp", "other", "rm", "sort", "test")
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "system")})
    bench.fill({TOOL: program("frob", "system", source=spelling(*texts))})
    bench.fill({f"/usr/bin/{one}": program() for one in names})
    bench.fill({"/bin/sh": program()})
    machine.package("tool", {}, files=(TOOL,))
    assert machine.brought(OWN) == {"/usr/bin/cp", "/usr/bin/rm", "/bin/sh"}


def test_who_starts_the_scripts_in_its_directories_is_a_hint(bench):
    """As w3m's for Perl: who asks for no such page needs no Perl."""
    machine = Machine(bench)
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "execl")})
    bench.fill({TOOL: program("frob", "execl", source=spelling("/usr/lib/tool/cgi"))})
    names = ("env", "perl", "ruby")
    bench.fill({f"/usr/bin/{one}": program() for one in names})
    machine.package("other", {"/usr/lib/tool/cgi/other": "#!/usr/bin/none\n"})
    scripts = {"one": "#!/usr/bin/perl -w\n", "two": "#!/usr/bin/env ruby\n", "text": "words\n"}
    machine.package(
        "tool", {f"/usr/lib/tool/cgi/{n}": t for n, t in scripts.items()}, files=(TOOL,)
    )
    for one in ("one", "two", "other", "text"):
        (bench.root / f"usr/lib/tool/cgi/{one}").chmod(0o755)
    assert machine.brought(OWN) == {f"/usr/lib/tool/cgi/{one}" for one in scripts}
    (hint,) = (one for one in machine.result.said("hint") if "EXECUTABLEs" in one)
    each = " ".join(f"{bench.root}/usr/bin/{one}" for one in names)
    assert hint.endswith(f"EXECUTABLEs: {each}")


def test_libraries_that_one_of_its_own_opens_by_a_name_with_something_filled_in(bench):
    """As tpm2-abrmd's tctildr does."""
    machine = Machine(bench)
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "dlopen")})
    opens = library("libopen.so.1", "dlopen", source=spelling("libway-%s.so.0", "lib%s.so"))
    ways = {f"{LIB}/libway-{one}.so.0": library(f"libway-{one}.so.0") for one in ("air", "sea")}
    bench.fill({f"{LIB}/libopen.so.1": opens, **ways, f"{LIB}/libway-x.so.2": library("libx.so")})
    bench.fill({TOOL: program("frob", "dlopen", libraries=(opens,))})
    machine.package("tool", {}, files=(TOOL,))
    machine.brought(OWN)
    (hint,) = (one for one in machine.result.said("hint") if "include-lib" in one)
    begin = "libopen.so.1 opens libraries as libway-%s.so.0, and these are left out: "
    assert hint == f"{begin}--include-lib libway-air.so.0 --include-lib libway-sea.so.0"
    machine.brought(OWN, command=("--way=sea:host",))
    assert f"{LIB}/libway-sea.so.0" in machine.result.paths
    assert not any("include-lib" in one for one in machine.result.said("hint"))


def test_libraries_that_it_opens_by_name(bench):
    machine = Machine(bench)
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "dlopen")})
    bench.fill({f"{LIB}/lib{one}.so.1": library(f"lib{one}.so.1") for one in ("dep", "other")})
    texts = ("libdep.so.1", "libother.so.1", "libnone.so.1")
    source = spelling(*(f"\\0{one}" for one in texts))
    bench.fill({TOOL: program("frob", "dlopen", source=source)})
    machine.package("tool", {}, needs="Depends: libdep\n", files=(TOOL,))
    machine.package("libdep", {}, files=(f"{LIB}/libdep.so.1",))
    machine.brought(OWN)
    assert f"{LIB}/libdep.so.1" in machine.result.paths
    assert f"{LIB}/libother.so.1" not in machine.result.paths
    (hint,) = machine.result.said("hint")
    assert "--include-lib libother.so.1" in hint
    assert machine.result.said("warning") == []


def test_programs_of_its_source_whose_names_are_whole_strings_of_it(bench, monkeypatch):
    """As minicom starts runscript: execvp(3), and no path."""
    machine = Machine(bench)
    names = ("helper", "mate", "dep", "dep2", "dep-tool", "help", "other", "serve")
    texts = [f"\\0{one}" for one in (*names, "not mate") if one != "mate"]
    bench.fill({f"/usr/bin/{one}": program() for one in names})
    needs = "Depends: dep, tool-bin\nRecommends: help\n"
    machine.package("tool", {}, "s", needs, files=(TOOL, "/usr/bin/mate"))
    machine.package("tool-bin", {}, "s", files=("/usr/bin/helper",))
    machine.package("tool-server", {}, "s", files=("/usr/bin/serve",))
    for one in ("dep", "help", "other"):
        # dep2 is a word of people, as free and top are
        also = {"dep": ("/usr/bin/dep2", "/usr/bin/dep-tool")}.get(one, ())
        machine.package(one, {}, files=(f"/usr/bin/{one}", *also))
    machine.tool(*texts)
    assert machine.brought(OWN) == set()  # it starts nothing
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "execvp")})
    bench.fill({TOOL: program("frob", "execvp", source=spelling(*texts))})
    comes = {f"/usr/bin/{one}" for one in ("helper", "dep", "dep-tool", "help")}
    assert machine.brought(OWN) == comes
    (hint,) = (one for one in machine.result.said("hint") if "EXECUTABLEs" in one)
    left = f"{bench.root}/usr/bin/serve"  # as psql names postgres
    assert hint.endswith(f"EXECUTABLEs: {left}")
    monkeypatch.setattr("rootfs_builder.needs.undeclared._MOST", -1)
    assert machine.brought(OWN) == comes - {"/usr/bin/help"}


def test_the_name_of_a_function_that_it_calls_is_no_program(bench):
    """As pam_getenv(3), a script of whose name libpam's package has."""
    machine = Machine(bench)
    names = ("getenv_of", "setenv_of")
    bench.fill({f"/usr/bin/{one}": program() for one in names})
    machine.package("tool", {}, "s", files=(TOOL, *(f"/usr/bin/{one}" for one in names)))
    machine.tool()
    symbols = ("execvp", "getenv_of")
    bench.fill({f"{LIB}/libc.so.6": libc("frob", *symbols)})
    bench.fill({TOOL: program("frob", *symbols, source=spelling("\\0setenv_of"))})
    assert machine.brought(OWN) == {"/usr/bin/setenv_of"}


def test_the_settings_of_a_script_are_for_what_runs_it(machine):
    """As SpamAssassin's for Perl, though a program in Python starts it."""
    script, shell, data = "/usr/bin/aid", "/usr/bin/sh2", "/usr/lib/sh2/fast.conf"
    machine.bench.fill({f"{LIB}/libc.so.6": libc("frob", "system"), "/bin/sh": program("frob")})
    machine.bench.fill({TOOL: program("frob", "system", source=spelling("aid -x %s"))})
    machine.bench.fill({shell: program("frob")})
    machine.package("sh2", {data: ""}, files=(shell,))
    tree = {script: f"#!{shell}\n# /etc/aid.conf\n", "/etc/aid.conf": f"use {data}\n"}
    machine.package("aid", tree)
    machine.package("tool", {}, needs="Depends: aid\n", files=(TOOL,))
    (machine.bench.root / script[1:]).chmod(0o755)
    assert {script, "/etc/aid.conf", data} <= machine.brought()


@pytest.mark.parametrize("by_script", [True, False])
def test_programs_that_the_settings_of_its_package_name(machine, by_script, monkeypatch):
    """As psad's psCmd: /bin/ps, which no package declares. Utilities, and others if small."""
    both = {one: program("frob") for one in ("/usr/bin/ps", "/usr/bin/other")}
    machine.bench.fill(both)
    machine.package("others", {}, files=tuple(both))
    tree = {"/etc/tool.conf": "ps /usr/bin/ps;\nother /usr/bin/other;\n"}
    if by_script:
        machine.tool("nothing", path="/usr/bin/sh2")
        machine.package("sh2", {}, files=("/usr/bin/sh2",))
        machine.package("tool", tree | {TOOL: "#!/usr/bin/sh2\n"})
        (machine.bench.root / TOOL[1:]).chmod(0o755)
    else:
        machine.tool("/etc/tool.conf")
        machine.package("tool", tree, files=(TOOL,))
    comes = {"/etc/tool.conf", "/usr/bin/ps"}
    assert machine.brought() - {"/usr/bin/sh2"} == comes | {"/usr/bin/other"}
    monkeypatch.setattr(undeclared, "_MOST", -1)
    assert machine.brought() - {"/usr/bin/sh2"} == comes
    (hint,) = machine.result.said("hint")
    assert "/usr/bin/other" in hint


def test_data_of_which_a_rule_decides_come_where_a_modules_package_requires_them(machine):
    """As tzinfo's for Ruby does tzdata's."""
    machine.tool("nothing", path="/usr/bin/sh2")
    machine.package("sh2", {}, files=("/usr/bin/sh2",))
    zones = {"/usr/share/zones/utc": "", "/usr/share/zones/other": ""}
    machine.package("zones", zones)
    own = {TOOL: "#!/usr/bin/sh2\n", "/usr/share/tool/mod.py": "x = '/usr/share/zones'\n"}
    machine.package("tool", own, needs="Recommends: zones\n")
    (machine.bench.root / TOOL[1:]).chmod(0o755)
    copying = rule(ANY + "copy = ['/usr/share/zones/utc']", "copying")
    comes = {"/usr/bin/sh2", "/usr/share/tool/mod.py", "/usr/share/zones/utc"}
    assert machine.brought(BOTH, copying) == comes
    machine.packages.pop()
    machine.package("tool", own, needs="Depends: zones\n")
    (machine.bench.root / TOOL[1:]).chmod(0o755)
    assert machine.brought(BOTH, copying) == comes | {*zones}


def test_programs_beside_it_that_it_names(bench):
    """As initdb starts postgres, in a directory that is not in PATH."""
    machine = Machine(bench)
    tool = "/usr/lib/tool/bin/tool"
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "execvp")})
    texts = ("\\0mate", "/usr/lib/tool/bin/whole", "\\0data")
    bench.fill({tool: program("frob", "execvp", source=spelling(*texts))})
    paths = [f"/usr/lib/tool/bin/{one}" for one in ("mate", "whole", "other")]
    bench.fill({one: program() for one in paths})
    machine.package("tool", {"/usr/lib/tool/bin/data": ""}, files=(tool, *paths))
    assert machine.brought(OWN, program=tool) == {tool, *paths[:2]}


def test_a_program_that_a_script_spells_out_comes_if_its_package_needs_that(machine):
    machine.tool("nothing", path="/usr/bin/sh2")
    machine.bench.fill({f"/usr/bin/{one}": program("frob") for one in ("dep", "other")})
    text = "#!/usr/bin/sh2\nrun = '/usr/bin/dep'; other = '/usr/bin/other'\n"
    machine.package("tool", {TOOL: text}, needs="Depends: dep\n")
    for one in ("dep", "other", "sh2"):
        machine.package(one, {}, files=(f"/usr/bin/{one}",))
    (machine.bench.root / TOOL[1:]).chmod(0o755)
    assert machine.brought() == {"/usr/bin/sh2", "/usr/bin/dep"}


def test_a_program_that_the_configuration_of_a_scripts_package_spells_out_comes(machine):
    machine.tool("nothing", path="/usr/bin/sh2")
    machine.bench.fill({f"/usr/bin/{one}": program("frob") for one in ("dep", "other")})
    tree = {TOOL: "#!/usr/bin/sh2\n", "/etc/tool.conf": "x /usr/bin/dep:/usr/bin/other\n"}
    machine.package("tool", tree, needs="Depends: dep\n")
    for one in ("dep", "other", "sh2"):
        machine.package(one, {}, files=(f"/usr/bin/{one}",))
    (machine.bench.root / TOOL[1:]).chmod(0o755)
    comes = {"/usr/bin/sh2", "/usr/bin/dep", "/usr/bin/other", "/etc/tool.conf"}
    assert machine.brought() == comes


def test_programs_that_the_users_configuration_names(bench):
    """As knockd runs the commands of its configuration through the shell."""
    machine = Machine(bench)
    machine.tool("nothing")
    machine.package("tool", {}, files=(TOOL,))
    bench.fill({f"/usr/bin/{one}": program() for one in ("other", "listed")})
    bench.fill({"/bin/sh": program(), "/home/c": "run = /usr/bin/other -x\n# /usr/bin/listed"})
    added = (f"{bench.root}/home/c:/etc/tool.conf",)
    assert machine.brought(add=added) == {"/etc/tool.conf", "/usr/bin/other"}
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "system")})
    bench.fill({TOOL: program("frob", "system")})
    assert machine.brought(add=added) == {"/etc/tool.conf", "/usr/bin/other", "/bin/sh"}


def test_utilities_in_the_command_lines_of_the_users_configuration(bench):
    """As a monitoring agent runs the pipelines of its modules."""
    machine = Machine(bench)
    machine.package("tool", {}, files=(TOOL,))
    names = ("sort", "tr", "sed", "cut", "date", "tail")
    bench.fill({f"/usr/bin/{one}": program() for one in names})
    lines = "run = sort x | tr a-z A-Z\nsay `sed -n p x`\n# x | tail\ndate | other\ncut"
    bench.fill({"/bin/sh": program(), "/home/c": lines})
    added = (f"{bench.root}/home/c:/etc/tool.conf",)
    machine.tool("nothing")
    assert machine.brought(add=added) == {"/etc/tool.conf"}  # it starts nothing
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "execv")})
    bench.fill({TOOL: program("frob", "execv")})
    found = {"/bin/sh", *(f"/usr/bin/{one}" for one in ("sed", "sort", "tr"))}
    assert machine.brought(add=added) == {"/etc/tool.conf"} | found


def test_programs_that_a_script_quotes(machine):
    machine.tool("nothing", path="/usr/bin/sh2")
    names = ("mate", "dep", "tcl", "sought", "more", "other", "date", "probe1", "probe2")
    machine.bench.fill({f"/usr/bin/{one}": program("frob") for one in names})
    text = """#!/usr/bin/sh2\nA => find_it('mate'), "dep", which("more", "sought"), "other", 'no'
        all(qw(probe1 date)); one(["probe2", "other", "no"]); two("date", "other")
        open "|tcl -w $x"; exec other -x\n"""
    own = ("/usr/bin/mate", "/usr/bin/tcl")
    machine.package("tool", {TOOL: text}, needs="Depends: dep\n", files=own)
    machine.package("dep", {}, files=("/usr/bin/dep",))
    machine.package("sh2", {}, files=("/usr/bin/sh2",))
    (machine.bench.root / TOOL[1:]).chmod(0o755)
    assert machine.brought(OWN) == {"/usr/bin/sh2", "/usr/bin/dep", *own}
    (hint,) = machine.result.said("hint")
    assert hint.split("EXECUTABLEs: ")[1].split() == [
        f"{machine.bench.root}/usr/bin/{one}"
        for one in ("date", "more", "other", "probe1", "sought")
    ]


def test_utilities_that_a_script_quotes_and_no_other_word_is_called(machine):
    """As unp asks for gzip; `test` is a word."""
    machine.tool("nothing", path="/usr/bin/sh2")
    names = ("gzip", "test")
    machine.bench.fill({f"/usr/bin/{one}": program("frob") for one in names})
    machine.package("tool", {TOOL: f"#!/usr/bin/sh2\nfor x in {names!r}\n"})
    machine.package("other", {}, files=("/usr/bin/sh2", "/usr/bin/gzip", "/usr/bin/test"))
    (machine.bench.root / TOOL[1:]).chmod(0o755)
    assert machine.brought(OWN) == {"/usr/bin/sh2", "/usr/bin/gzip"}


def test_programs_that_a_module_of_its_package_quotes(machine):
    """As jigsaw-generate's does pdflatex, which its package needs through two others.

    A word of every day is one if the package itself requires what is called so: ruby-graphviz, dot.
    """
    machine.tool("nothing", path="/usr/bin/sh2")
    names = ("pdfmaker", "own-part", "dep", "far", "truncate", "elsewhere")
    machine.bench.fill({f"/usr/bin/{one}": program("frob") for one in names})
    own = {TOOL: "#!/usr/bin/sh2\n", "/usr/share/tool/mod.py": f"x = {names!r}\n"}
    machine.package("tool", own, needs="Depends: dep\n", files=("/usr/bin/own-part",))
    machine.package("dep", {}, needs="Depends: deep\n", files=("/usr/bin/dep",))
    machine.package("deep", {}, files=("/usr/bin/pdfmaker", "/usr/bin/far", "/usr/bin/truncate"))
    machine.package("other", {}, files=("/usr/bin/elsewhere",))
    machine.package("sh2", {}, files=("/usr/bin/sh2",))
    (machine.bench.root / TOOL[1:]).chmod(0o755)
    brought = machine.brought(OWN)
    programs = {"/usr/bin/sh2", "/usr/bin/pdfmaker", "/usr/bin/dep", "/usr/bin/own-part"}
    assert brought == {"/usr/share/tool/mod.py", *programs}


def test_what_one_of_hundreds_of_modules_quotes_comes_if_it_is_required(machine):
    """As ansible-core's for debconf quotes debconf-show: each of its modules has its own trade."""
    machine.tool("nothing", path="/usr/bin/sh2")
    machine.bench.fill({f"/usr/bin/{one}": program("frob") for one in ("pdfmaker", "depmaker")})
    modules = {f"/usr/share/tool/{one}.py": "" for one in range(200)}
    quotes = {"/usr/share/tool/mod.py": "'pdfmaker', 'depmaker'\n"}
    machine.package("tool", {TOOL: "#!/usr/bin/sh2\n", **modules, **quotes}, needs="Depends: dep\n")
    machine.package("dep", {}, needs="Depends: deep\n", files=("/usr/bin/depmaker",))
    machine.package("deep", {}, files=("/usr/bin/pdfmaker",))
    machine.package("sh2", {}, files=("/usr/bin/sh2",))
    (machine.bench.root / TOOL[1:]).chmod(0o755)
    programs = {one for one in machine.brought(OWN) if one.startswith("/usr/bin/")}
    assert programs == {"/usr/bin/sh2", "/usr/bin/depmaker"}


MODULES = {
    f"/usr/lib/x/{one}": library(one)
    for one in ("libx-file.so.1", "libx-net.so.1", "libx-test.so.1", "libx-usb.so.1")
}


def module_host(machine):
    """`tool`, linked to a library that loads modules by the names in a configuration."""
    lib = library("libx.so.1", source=spelling("/usr/lib/x"))
    machine.bench.fill({f"{LIB}/libx.so.1": lib})
    machine.tool("nothing", libraries=(lib,))
    machine.package("libx1", MODULES, files=(f"{LIB}/libx.so.1",))
    machine.package("tool", {}, files=(TOOL,))


def test_modules_of_a_library_that_a_configuration_or_the_arguments_choose(machine):
    module_host(machine)
    assert machine.brought(OWN) == set()
    machine.bench.fill({"/home/c": "# net\nload test\n"})
    added = (f"{machine.bench.root}/home/c:/etc/x.conf",)
    assert machine.brought(OWN, add=added) == {"/etc/x.conf", "/usr/lib/x/libx-test.so.1"}
    assert machine.result.applied == {"own-package": "x.conf names test"}
    chosen = machine.brought(OWN, command=("--use=net", "file.txt"))
    assert chosen == {"/usr/lib/x/libx-net.so.1"}
    assert machine.brought(OWN, env=("X_MODULE=usb",)) == {"/usr/lib/x/libx-usb.so.1"}


def test_modules_that_a_library_has_in_its_own_package_come_if_they_need_no_other(
    machine, monkeypatch
):
    """As gensio's kinds of streams, and plplot's drivers with what describes them.

    And ldb's, which share a library of their package.
    """
    machine.bench.fill({f"{LIB}/libc.so.6": libc("frob", "dlopen")})
    lib = library("libx.so.1", "dlopen", source=spelling("/usr/lib/x"))
    machine.bench.fill({f"{LIB}/libx.so.1": lib, f"{LIB}/libsound.so.1": library("libsound.so.1")})
    machine.bench.fill({TOOL: program("frob", libraries=(lib,))})
    tree = {f"/usr/lib/x/{one}.so": library(f"{one}.so") for one in ("net", "file")}
    tree |= {
        "/usr/lib/x/net.driver_info": "x",
        "/usr/lib/x/libnet.a": "",
        "/usr/lib/x/sound.so": objects.library("libsound.so.1"),
        "/usr/lib/x/tied.so": objects.library("libown.so.1"),
        "/usr/lib/x/near.so": objects.library("libnear.so.1", runpath="/usr/lib/tool"),
        "/usr/lib/tool/libnear.so.1": library("libnear.so.1"),
    }
    machine.bench.fill({f"{LIB}/libown.so.1": library("libown.so.1")})
    other = objects.library("libsound.so.1")
    machine.bench.fill({f"/usr/lib/{one}/libown.so.1": other for one in ("debug", "zz")})
    own = (f"{one}/libown.so.1" for one in (LIB, "/usr/lib/debug", "/usr/lib/zz"))
    machine.package("libx1", tree, files=(f"{LIB}/libx.so.1", *own))
    machine.package("tool", {}, files=(TOOL,))
    others = {"/usr/lib/x/sound.so", "/usr/lib/x/libnet.a"}
    assert machine.brought(OWN) == {*tree} - others
    assert machine.result.said("hint") == []
    monkeypatch.setattr(own_modules, "_MUCH", 1)
    machine.brought(OWN)
    (line,) = machine.result.said("hint")
    assert "it gets those that need no other library: --with own-package=/usr/lib/x" in line
    whole = machine.brought(OWN, with_=("own-package=/usr/lib/x",))
    assert whole == {*tree} - {"/usr/lib/x/libnet.a"}


@pytest.mark.parametrize("most", [1 << 20, 1])
def test_small_libraries_that_its_package_requires_are_no_reason_to_leave_a_module_out(
    machine, monkeypatch, most
):
    """As libtdb for libldb's tdb.so; and sssd has a module of its own there."""
    monkeypatch.setattr(own_modules, "_MUCH", most)
    machine.bench.fill({f"{LIB}/libc.so.6": libc("frob", "dlopen")})
    lib = library("libx.so.1", "dlopen", source=spelling("/usr/lib/x"))
    machine.bench.fill({f"{LIB}/libx.so.1": lib, TOOL: program("frob", libraries=(lib,))})
    machine.bench.fill({f"{LIB}/libdb.so.1": library("libdb.so.1")})
    tree = {"/usr/lib/x/db.so": objects.library("libdb.so.1")}
    machine.package("libx1", tree, files=(f"{LIB}/libx.so.1",), needs="Depends: libdb1\n")
    machine.package("libdb1", {}, files=(f"{LIB}/libdb.so.1",))
    machine.package("tool", {"/usr/lib/x/tool.so": library("tool.so")}, files=(TOOL,))
    machine.package("other", {"/usr/lib/x/other.so": library("other.so")})
    found = machine.brought(OWN)
    assert ("/usr/lib/x/db.so" in found) is (most > 1)
    assert "/usr/lib/x/tool.so" in found
    assert "/usr/lib/x/other.so" not in found


def test_modules_of_a_directory_that_is_too_large_to_come_whole(machine, monkeypatch):
    monkeypatch.setattr(standards, "MOST_OWN", 10)
    machine.tool("/usr/lib/tool")
    names = ("tool_a.so", "tool_b.so", "tool_c.so")
    tree = {f"/usr/lib/tool/{one}": library(one) for one in names}
    machine.package("tool", tree, files=(TOOL,))
    assert machine.brought(OWN, command=("b",)) == set()  # a letter is no name
    assert machine.brought(OWN, command=("tool_b",)) == {"/usr/lib/tool/tool_b.so"}


def linked_to_more(machine, *names):
    """Modules, each of which needs a library of its own."""
    more = {f"{LIB}/lib{one}.so.1": library(f"lib{one}.so.1") for one in names}
    machine.bench.fill(more)
    return {f"/usr/lib/tool/tool_{one}.so": objects.library(f"lib{one}.so.1") for one in names}


@pytest.mark.parametrize("opened", [True, False])
def test_a_library_that_is_opened_by_its_name_has_its_data_and_modules(machine, opened):
    """As udunits2's tables for who opens it by ctypes, and the devices of pocl."""
    machine.tool("nothing")
    lib = library("libunits.so.2", source=spelling("/usr/share/xml/units/all.xml"))
    machine.bench.fill({f"{LIB}/libunits.so.2": lib})
    tree = {
        "/usr/share/xml/units/all.xml": "",
        "/usr/share/units/more": "",
        f"{LIB}/units/dozen.so": library("dozen.so"),
    }
    machine.package("libunits2", tree, files=(f"{LIB}/libunits.so.2",))
    load = "libunits.so.2" if opened else "libother.so.1"
    machine.bench.fill({f"{LIB}/libother.so.1": library("libother.so.1")})
    machine.brought(OWN, rule(f"when = {{ imports = ['frob'] }}\nload = ['{load}']", "loading"))
    assert machine.result.paths & tree.keys() == (tree.keys() if opened else set())


def test_modules_of_its_source_among_those_of_others_come(machine):
    """As owncloud's in Qt's directory: no text spells out their paths."""
    machine.bench.fill({f"{LIB}/libc.so.6": libc("frob", "dlopen")})
    machine.bench.fill({TOOL: program("frob", "dlopen")})
    own, others = (f"/usr/lib/qt/plugins/{one}.so" for one in ("own", "others"))
    machine.package("tool", {own: library("own.so")}, files=(TOOL,))
    machine.package("other", {others: library("others.so")})
    assert machine.brought(OWN) == {own}
    platform = "/usr/lib/qt/plugins/platforms/xcb.so"
    machine.package("qt", {platform: library("xcb.so")})
    copying = rule(ANY + f"copy = ['{platform}']", "copying")
    assert machine.brought(OWN, copying) == {own, platform}


def test_data_that_is_called_as_a_program_which_looks_where_xdg_says(machine):
    """As fastfetch's presets, whose path it puts together."""
    data = {"/usr/share/tool/presets/one": ""}
    machine.tool("XDG_DATA_DIRS")
    machine.package("tool", data, files=(TOOL,))
    assert machine.brought(OWN) == {*data}
    machine.tool("nothing")
    assert machine.brought(OWN) == set()


@pytest.mark.parametrize(
    ("most", "called", "comes"), [(9, "tool", True), (1, "tool", False), (9, "t2", False)]
)
@pytest.mark.parametrize("spelt", ["/etc/tool.d", "nothing"])
def test_a_small_directory_of_data_that_is_called_as_the_program(
    machine, monkeypatch, most, called, comes, spelt
):
    """As eggdrop's help, which only its settings name; those come when it runs.

    Makebootfat's sectors are named by the user's arguments alone, when it runs.
    """
    monkeypatch.setattr(own_directories, "_SMALL", most)
    machine.tool(spelt)
    data = {f"/usr/share/{called}/help/one": "text"}
    machine.package("tool", {"/etc/tool.d/a": ""}, files=(TOOL,), needs="Depends: tool-data\n")
    machine.package("tool-data", data, "tool")
    brought = {*(("/etc/tool.d/a",) if spelt.startswith("/") else ()), *(data if comes else ())}
    assert machine.brought(OWN) == brought


def test_a_package_may_have_a_longer_name_than_its_program(machine, monkeypatch):
    """As transtermhp, the program of which is transterm."""
    monkeypatch.setattr(own_directories, "_SMALL", 9)
    machine.tool("nothing")
    machine.package("toolhp", {"/usr/share/toolhp/one": "text"}, files=(TOOL,))
    assert machine.brought(OWN) == {"/usr/share/toolhp/one"}


@pytest.mark.parametrize(("most", "comes"), [(9, True), (1, False)])
def test_what_was_installed_beside_the_files_of_its_source(machine, monkeypatch, most, comes):
    """As an extension that was built for PostgreSQL; shared directories have files of anybody."""
    monkeypatch.setattr(standards, "MOST_DATA", most)
    machine.tool("nothing")
    files = {"/usr/lib/tool/17/lib/own.so": "", "/usr/share/aclocal/own": ""}
    machine.package("tool-17", files, files=(TOOL,), source="tool-17")
    machine.bench.fill({"/usr/lib/tool/17/lib/x/more": "1", "/usr/share/aclocal/other": "1"})
    machine.bench.fill({"/usr/lib/tool/17/lib/__pycache__/x.pyc": "1"})
    machine.bench.fill({"/usr/lib/tool/17/lib/more": "1"})
    new = {"/usr/lib/tool/17/lib/more", "/usr/lib/tool/17/lib/x/more"}
    assert machine.brought(OWN) == (new if comes else set())
    said = machine.result.said("hint")
    assert [one for one in said if "--with own-package=/usr/lib/tool/17/lib" in one] == (
        [] if comes else said
    )


def test_of_a_large_directory_come_the_files_of_packages_that_its_own_requires(
    machine, monkeypatch
):
    """As libreoffice's, to which packages of its source that are for others add theirs."""
    monkeypatch.setattr(standards, "MOST_DATA", 10)
    machine.tool("/usr/share/tool")
    each = {one: f"/usr/share/tool/{one}" for one in ("core", "other", "tool")}
    machine.package("tool", {each["tool"]: "x"}, "all", "Depends: core\n", files=(TOOL,))
    machine.package("core", {each["core"]: "y"}, "all")
    machine.package("other", {each["other"]: "z" * 20}, "all")
    assert machine.brought(OWN) == {each["tool"], each["core"]}
    (line,) = machine.result.said("hint")
    assert "of which it gets what its package requires: --with own-package=/usr/share/tool" in line


def test_of_modules_that_the_user_chooses_no_others_come(machine):
    """The whole directory is for those who choose none."""
    machine.tool("/usr/lib/tool")
    tree = linked_to_more(machine, "net", "usb")
    small = {f"/usr/lib/tool/tool_{one}.so": library(f"{one}.so") for one in ("cpu", "own")}
    tree |= small | {"/usr/lib/tool/data": "d"}
    machine.package("tool", tree, files=(TOOL,))
    everything, chosen = set(tree), {"/usr/lib/tool/data", *small}
    assert machine.brought() == everything
    assert machine.brought(command=("cpu",)) == chosen
    (line,) = machine.result.said("hint")
    assert "of which it gets what you choose: --with own-package=/usr/lib/tool adds all" in line
    assert machine.brought(with_=("own-package=/usr/lib/tool",)) == everything
    for text, expected in {
        "cpu\n": everything,  # a word is no choice
        "LoadPlugin cpu\n": chosen,
        "#LoadPlugin net\nmodule { name = cpu }\n": chosen,
        "noload = cpu\n": everything,
        "autoload = yes\nload = cpu\n": everything,
        "load = cpu\ndriver = usb\n": chosen | {"/usr/lib/tool/tool_usb.so"},
    }.items():
        machine.bench.fill({"/home/c": text})
        brought = machine.brought(add=(f"{machine.bench.root}/home/c:/etc/x.conf",))
        assert brought - {"/etc/x.conf"} == expected, text


def test_modules_that_the_program_or_a_chosen_one_names_come_too(machine):
    machine.tool("/usr/lib/tool", "net")
    tree = linked_to_more(machine, "net", "sub", "usb")
    tree["/usr/lib/tool/tool_cpu.so"] = library("cpu.so", source=spelling("sub"))
    machine.package("tool", tree, files=(TOOL,))
    assert machine.brought(command=("cpu",)) == tree.keys() - {"/usr/lib/tool/tool_usb.so"}


def test_a_module_that_is_chosen_by_its_libtool_file(machine):
    """As slapd's are: `moduleload back_mdb.la`."""
    machine.tool("/usr/lib/tool")
    tree = linked_to_more(machine, "net", "usb")
    tree["/usr/lib/tool/tool_net.la"] = "dlname='tool_net.so'\n"
    machine.package("tool", tree, files=(TOOL,))
    machine.bench.fill({"/home/c": "moduleload tool_net.la\n"})
    brought = machine.brought(add=(f"{machine.bench.root}/home/c:/etc/x.conf",))
    assert brought == {"/etc/x.conf", *tree} - {"/usr/lib/tool/tool_usb.so"}


def test_modules_by_the_suffix_of_its_own(machine, bench):
    """As Emacs' `.eln`, which its dumped memory names."""
    bench.fill({TOOL: program("dlopen", source=spelling("x"))})
    tree = {f"/usr/lib/tool/native/{one}.mod": library(one) for one in ("one", "two")}
    machine.package("tool", tree | {"/usr/lib/tool-data/a.txt": "t"}, files=(TOOL,))
    assert machine.brought(OWN) == tree.keys()


def test_modules_of_its_package_that_no_text_spells_out(machine, bench):
    """A compiler puts a short path into the code in pieces."""
    bench.fill({TOOL: program("dlopen", source=spelling("x"))})
    tree = {"/usr/lib/tool/modules/one.so": library("one.so"), "/usr/lib/tool/conf": "c"}
    machine.package("tool", tree | {"/usr/lib/other/two": "t"}, files=(TOOL,))
    machine.package("more", {"/usr/lib/more/one.so": library("one.so")}, source="tool")
    assert machine.brought(OWN) == tree.keys()
    (clue,) = machine.result.applied.values()
    assert clue == "/usr/bin/tool calls dlopen, and its package has modules in /usr/lib/tool"
    machine.tool("x")
    assert machine.brought(OWN) == set()
    bench.fill({TOOL: program("dlopen", source=spelling("/usr/lib/tool/conf"))})
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "dlopen")})
    assert machine.brought(OWN) == {"/usr/lib/tool/conf"}


def test_modules_in_a_directory_that_a_library_of_its_source_names_from_a_shared_one_on(bench):
    """As gwyddion's: `gwyddion/modules` and the directory of libraries are two texts."""
    machine = Machine(bench)
    loads = library("libloads.so.1", "frob", "dlopen")
    names = library("libnames.so.1", source=spelling(LIB, "x/tool/modules", "other/modules"))
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "dlopen")})
    bench.fill({f"{LIB}/libloads.so.1": loads, f"{LIB}/libnames.so.1": names})
    data = spelling("/usr/share/tool/d")
    bench.fill({TOOL: program("frob", libraries=(loads, names), source=data)})
    libraries = (f"{LIB}/libloads.so.1", f"{LIB}/libnames.so.1")
    machine.package("libtool", {}, "s", files=libraries)
    places = [f"{LIB}/{one}/m.so" for one in ("x/tool/modules/a", "x/tool/else", "other/modules")]
    tree = dict.fromkeys(places[:2], library("m.so"))
    machine.package("tool", {"/usr/share/tool/d": "", **tree}, "s", files=(TOOL,))
    machine.package("other", {places[2]: library("m.so")})
    machine.brought(OWN)
    found = {one for one in machine.result.paths if one.endswith("/m.so")}
    assert found == {places[0]}


@pytest.mark.parametrize("ends", [True, False])
def test_a_program_of_every_system_in_a_text_without_an_end(machine, ends):
    """As safe-rm's, which is in Rust: the next text follows at once."""
    rust = "" if ends else "/library/core/src/"
    machine.package("core", {"/bin/del": program("frob"), "/bin/d": program("frob")})
    status = machine.bench.root / "var/lib/dpkg/status"
    machine.bench.fill({f"{LIB}/libc.so.6": libc("frob", "execvp")})
    source = spelling("failed: /bin/deltool: cannot", rust)
    machine.package("tool", {}, files=(TOOL,))
    status.write_text(
        status.read_text().replace("Package: core\n", "Package: core\nEssential: yes\n")
    )
    machine.bench.fill({TOOL: program("frob", "execvp", source=source)})
    assert machine.brought(OWN) == (set() if ends else {"/bin/del"})


def test_a_program_in_go_starts_what_its_package_requires(machine):
    """Its texts have no ends, so whole strings cannot be told."""
    go = "executable file not found in $PATH"
    machine.bench.fill({f"{LIB}/libc.so.6": libc("frob")})
    machine.bench.fill({f"/usr/bin/{one}": program("frob") for one in ("dep", "other")})
    machine.package("tool", {}, needs="Depends: dep\nRecommends: other\n", files=(TOOL,))
    for one in ("dep", "other"):
        machine.package(one, {}, files=(f"/usr/bin/{one}",))
    machine.tool(f"xdepother{go}")
    assert machine.brought() == {"/usr/bin/dep"}
    machine.tool("xdepother")
    assert machine.brought() == set()
    machine.bench.fill({f"{LIB}/libc.so.6": libc("frob", "execvp")})
    rust = spelling("xdepother/library/core/src/")  # as tailspin's `less`
    machine.bench.fill({TOOL: program("frob", "execvp", source=rust)})
    assert machine.brought() == {"/usr/bin/dep"}


def test_data_of_a_package_that_a_librarys_own_needs_by_names_in_a_directory(bench):
    """As libGeoIP looks for GeoIP.dat in /usr/share/GeoIP, which another package has."""
    machine = Machine(bench)
    texts = ("/usr/share/base", "words.dat", "/usr/share/base/more")
    bench.fill({f"{LIB}/libbase.so": library("libbase.so", source=spelling(*texts))})
    machine.tool(needed=("libbase.so",))
    tree = {f"/usr/share/base/{one}": "" for one in ("words.dat", "more", "other.dat")}
    machine.package("tool", {}, files=(TOOL,))
    machine.package("libbase", {}, "base", "Recommends: data\n", files=(f"{LIB}/libbase.so",))
    machine.package("data", tree)
    assert machine.brought(OWN) == {"/usr/share/base/words.dat", "/usr/share/base/more"}


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        ("PATH=/sbin:/bin probe %s up", {"/sbin/probe", "/bin/sh"}),
        ("LANG=C probe %s up", {"/usr/bin/probe", "/bin/sh"}),
        ("probe %s up", set()),
    ],
)
def test_a_command_for_which_a_variable_is_set_is_certain(bench, text, comes):
    """As iodined's ifconfig, in the directory in which its PATH finds it."""
    machine = Machine(bench)
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "system")})
    bench.fill({TOOL: program("frob", "system", source=spelling(f"\\0{text}"))})
    bench.fill({one: program() for one in ("/usr/bin/probe", "/sbin/probe", "/bin/sh")})
    machine.package("tool", {}, files=(TOOL,), needs="Depends: probe\n")
    machine.package("probe", {}, files=("/usr/bin/probe", "/sbin/probe"))
    assert machine.brought(OWN) == comes


def test_a_library_of_its_own_runs_commands_too(bench):
    machine = Machine(bench)
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "system")})
    line = "/usr/bin/mv -f %s %s"
    made = library("libtool.so", "system", source=spelling(line))
    bench.fill({f"{LIB}/libtool.so": made, "/usr/bin/mv": program(), "/bin/sh": program()})
    bench.fill({TOOL: program("frob", needed=("libtool.so",), source=spelling("/etc/tool"))})
    machine.package("tool", {"/etc/tool/x": ""}, files=(TOOL, f"{LIB}/libtool.so"))
    assert machine.brought(OWN) == {"/etc/tool/x", "/usr/bin/mv", "/bin/sh"}


def test_a_library_that_its_package_requires_and_nothing_is_linked_to(bench):
    """As libverto loads libverto-libev, by a name that it puts together."""
    machine = Machine(bench)
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "dlopen")})
    names = ("libbase.so.1", "liblinked.so.1", "libopened.so.1", "libother.so.1")
    bench.fill({f"{LIB}/{one}": library(one) for one in names[1:]})
    made = library("libbase.so.1", "dlopen", needed=("liblinked.so.1",))
    bench.fill({f"{LIB}/libbase.so.1": made})
    machine.tool("/etc/tool", needed=("libbase.so.1",))
    machine.package("tool", {"/etc/tool/x": ""}, files=(TOOL,))
    needs = "Depends: linked, opened, old\nRecommends: other\n"
    machine.package("base", {}, "base", needs, files=(f"{LIB}/libbase.so.1",))
    for one in ("linked", "opened", "other"):
        machine.package(one, {}, "base", files=(f"{LIB}/lib{one}.so.1",))
    bench.fill({f"{LIB}/libold.so.1": library("libold.so.1")})
    machine.package("old", {}, files=(f"{LIB}/libold.so.1",))
    machine.brought(OWN)
    assert f"{LIB}/libopened.so.1" in machine.result.paths
    assert not {f"{LIB}/libother.so.1", f"{LIB}/libold.so.1"} & set(machine.result.paths)


def test_a_program_that_a_librarys_package_is_about_by_its_name(bench):
    """As libgpgme starts gpg, of the package gpg; nobody requires `other`."""
    machine = Machine(bench)
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "execv")})
    made = library("libbase.so", "execv", source=spelling("\\0dep\\0", "\\0tool2\\0other\\0"))
    bench.fill({f"{LIB}/libbase.so": made})
    bench.fill({f"/usr/bin/{one}": program() for one in ("dep", "tool2", "other")})
    machine.tool(needed=("libbase.so",))
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "execv")})
    machine.package("tool", {}, files=(TOOL,))
    needs = "Depends: dep\nRecommends: other\n"
    machine.package("libbase", {}, needs=needs, files=(f"{LIB}/libbase.so",))
    machine.package("dep", {}, files=("/usr/bin/dep", "/usr/bin/tool2"))
    machine.package("other", {}, files=("/usr/bin/other",))
    assert machine.brought(OWN) == {"/usr/bin/dep"}


def test_a_program_of_a_librarys_source_that_the_programs_package_requires(bench):
    """As gdnc, which libgnustep-base names, of a package that applications of GNUstep require.

    PAM has a function and a program that are called pam_getenv.
    """
    machine = Machine(bench)
    texts = spelling("\\0helper\\0", "\\0other\\0", "\\0function\\0")
    made = library("libbase.so", source=f"{texts} void function(void) {{}}")
    bench.fill({f"{LIB}/libbase.so": made})
    bench.fill({f"/usr/bin/{one}": program() for one in ("function", "helper", "other")})
    machine.tool("/etc/tool.d", needed=("libbase.so",))
    needs = "Depends: base-runtime\n"
    machine.package("tool", {"/etc/tool.d/a": ""}, needs=needs, files=(TOOL,))
    machine.package("libbase", {}, "base", files=(f"{LIB}/libbase.so",))
    files = ("/usr/bin/function", "/usr/bin/helper")
    machine.package("base-runtime", {}, "base", files=files)
    machine.package("base-other", {}, "base", files=("/usr/bin/other",))
    assert machine.brought(OWN) == {"/etc/tool.d/a", "/usr/bin/helper"}


def test_helper_programs_of_a_library_that_starts_them(bench):
    """As libapt-pkg starts apt's methods, which its package recommends."""
    machine = Machine(bench)
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "execv")})
    made = library("libbase.so", "execv", source=spelling("/usr/lib/base/methods"))
    bench.fill({f"{LIB}/libbase.so": made})
    machine.tool(needed=("libbase.so",))
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "execv")})
    machine.package("tool", {}, files=(TOOL,))
    machine.package("libbase", {}, needs="Recommends: base\n", files=(f"{LIB}/libbase.so",))
    machine.package("base", {"/usr/lib/base/methods/copy": program(), "/usr/lib/base/other": ""})
    assert machine.brought(OWN) == {"/usr/lib/base/methods/copy"}


def test_data_of_a_package_that_every_system_has(machine):
    machine.tool("/usr/share/every/table", "/usr/share/other/table")
    machine.package("tool", {}, files=(TOOL,))
    machine.package("every", {"/usr/share/every/table": ""}, needs="Essential: yes\n")
    machine.package("other", {"/usr/share/other/table": ""})
    assert machine.brought(OWN) == {"/usr/share/every/table"}


@pytest.mark.parametrize("names", [("diff", "gzip"), ("ldiff",)])
def test_a_tool_of_every_system(machine, names):
    """As wdiff's `diff`, the end of another text; `gzip` is also what HTTP calls a format."""
    machine.bench.fill(dict.fromkeys(("/usr/bin/diff", "/usr/bin/gzip"), program()))
    machine.bench.fill({f"{LIB}/libc.so.6": libc("frob", "execvp")})
    used = 'const char *volatile each; void use(void) { each = "sdiff"; each = "diff"; }'
    source = spelling(*names) if "diff" in names else used
    machine.bench.fill({TOOL: program("frob", "execvp", source=source)})
    machine.package("tool", {}, files=(TOOL,))
    assert machine.brought(OWN) == {"/usr/bin/diff"}


def test_a_program_of_utilities_that_its_package_requires(bench):
    machine = Machine(bench)
    bench.fill({"/usr/bin/zz": program(), "/usr/bin/zznew": program()})
    machine.tool("zz", "zznew")
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "execvp")})
    bench.fill({TOOL: program("frob", "execvp", source=spelling("zz", "zznew"))})
    machine.package("tool", {}, needs="Depends: zz-utils\n", files=(TOOL,))
    machine.package("zz-utils", {}, files=("/usr/bin/zz", "/usr/bin/zznew"))
    assert machine.brought(OWN) == {"/usr/bin/zz"}


def test_a_utility_of_its_own_source_comes_as_any_other_program_of_it(bench):
    """As sdiff runs diff; one of a required package is only a word, as in all that Go has."""
    machine = Machine(bench)
    bench.fill({"/usr/bin/diff": program(), "/usr/bin/truncate": program()})
    machine.tool("diff", "truncate")
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "execvp")})
    bench.fill({TOOL: program("frob", "execvp", source=spelling("diff", "truncate"))})
    machine.package("tool", {}, needs="Depends: others\n", files=(TOOL, "/usr/bin/diff"))
    machine.package("others", {}, files=("/usr/bin/truncate",))
    assert machine.brought(OWN) == {"/usr/bin/diff"}


@pytest.mark.parametrize(
    ("most", "others"), [(-1, set()), (1 << 20, {"/usr/bin/other", "/usr/bin/handmade"})]
)
def test_a_program_of_every_system_by_its_path(bench, monkeypatch, most, others):
    """As memlockd runs /usr/bin/ldd, on which no package can depend.

    A small one of others comes, too: anu-pq's /usr/bin/gap.
    """
    monkeypatch.setattr("rootfs_builder.needs.undeclared._MOST", most)
    machine = Machine(bench)
    paths = ("/usr/bin/ldd", "/usr/bin/dash", "/usr/bin/other", "/usr/bin/handmade")
    bench.fill(dict.fromkeys(paths, program()))
    machine.tool()
    bench.fill({f"{LIB}/libc.so.6": libc("frob", "execv")})
    bench.fill({TOOL: program("frob", "execv", source=spelling(*paths))})
    machine.package("tool", {}, files=(TOOL,))
    machine.package("every", {}, needs="Essential: yes\n", files=paths[:2])
    machine.package("other", {}, files=paths[2:3])
    assert machine.brought(OWN) == {"/usr/bin/ldd", *others}


def test_what_lies_around_a_program_in_a_directory_of_its_own(machine):
    """As the Resources of what GNUstep starts, which are a link from there."""
    home, tool = "/usr/lib/GNU/Tool.app", "/usr/lib/GNU/Tool.app/Tool"
    machine.tool(path=tool)
    machine.bench.fill({f"{home}/Resources": "-> ../../../share/GNU/Tool.app"})
    shared = {"/usr/share/GNU/Tool.app/icon": "", "/usr/share/GNU/Other.app/icon": ""}
    machine.package("tool", {f"{home}/x": "", **shared}, files=(tool, f"{home}/Resources"))
    machine.package("other", {f"{home}/others": ""})
    brought = machine.brought(OWN, program=tool)
    assert brought >= {f"{home}/x", "/usr/share/GNU/Tool.app/icon"}
    assert not brought & {f"{home}/others", "/usr/share/GNU/Other.app/icon"}
    machine.package("helper", {f"{home}/helper": program()})
    assert machine.brought(OWN, program=tool) == {tool}
