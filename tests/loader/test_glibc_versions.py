"""Symbol versions: what a library wants of another, and what that defines."""

import pytest

from tests.loader.objects import flawed, library, program

V2 = "V1 { global: f; }; V2 { global: g; } V1;"
V1 = "V1 { global: f; };"
BOTH = "void f(void) {} void g(void) {}"
USES_G = "void g(void); void h(void) { g(); }"
NEW = library(soname="libv.so.1", source=BOTH, script=V2)
OLD = library(soname="libv.so.1", source=BOTH, script=V1)
PLAIN = library(soname="libv.so.1", source=BOTH)
WANTS_V2 = library(soname="libu.so", source=USES_G, links=(NEW,))
HASH_OF_V2 = b"\x92\x05\0\0"
WANTS_WEAK = flawed(WANTS_V2, (HASH_OF_V2 + b"\0\0", HASH_OF_V2 + b"\2\0"))
PROGRAM = program("libu.so")


def test_version_that_is_defined(glibc):
    glibc.agrees({"/app/prog": PROGRAM, "/usr/lib/libu.so": WANTS_V2, "/usr/lib/libv.so.1": NEW})


def test_version_that_is_not_defined(glibc):
    theirs = glibc.agrees(
        {"/app/prog": PROGRAM, "/usr/lib/libu.so": WANTS_V2, "/usr/lib/libv.so.1": OLD}
    )
    assert glibc.ours().error == theirs.error


def test_version_that_the_program_wants(glibc):
    wants = program(source=USES_G + "void _start(void) { h(); }", links=(NEW,))
    theirs = glibc.agrees({"/app/prog": wants, "/usr/lib/libv.so.1": OLD})
    assert glibc.ours().error == theirs.error


def test_version_of_a_library_without_versions(glibc):
    """Real ld.so only warns, of the symbol."""
    glibc.fill({"/app/prog": PROGRAM, "/usr/lib/libu.so": WANTS_V2, "/usr/lib/libv.so.1": PLAIN})
    assert "no version information available" in glibc.trace().error
    assert glibc.ours().error == ""
    assert glibc.ours().found == glibc.trace().found


def test_weak_version_that_is_not_defined(glibc):
    tree = {"/app/prog": PROGRAM, "/usr/lib/libu.so": WANTS_WEAK, "/usr/lib/libv.so.1": OLD}
    glibc.fill(tree)
    assert glibc.trace().error.startswith("/usr/lib/libv.so.1: weak version `V2' not found")
    assert glibc.ours().error == ""
    assert glibc.ours().found == glibc.trace().found


WRONG = b"\x93\x05\0\0"
WANTS_WRONG = flawed(WANTS_V2, (HASH_OF_V2 + b"\0\0", WRONG + b"\0\0"))
NEW_WRONG = flawed(NEW, (b"\x03\0\x02\0" + HASH_OF_V2, b"\x03\0\x02\0" + WRONG))


@pytest.mark.parametrize(
    ("wants", "has", "found"),
    [
        (WANTS_WRONG, NEW, False),
        (WANTS_V2, NEW_WRONG, False),
        (WANTS_WRONG, NEW_WRONG, True),
        (WANTS_V2, NEW, True),
    ],
)
def test_version_is_known_by_its_hash_and_its_name(glibc, wants, has, found):
    tree = {"/app/prog": PROGRAM, "/usr/lib/libu.so": wants, "/usr/lib/libv.so.1": has}
    theirs = glibc.agrees(tree)
    assert glibc.ours().error == theirs.error
    assert bool(theirs.error) is not found


def verdef(number, names):
    """The beginning of the `number`-th definition: its version, flags, own number, names."""
    return b"\1\0" + bytes([number == 1, 0, number, 0, names, 0])


# The base definition names the library; V1 and V2 follow. V2 has its parent's name too.
FIRST, SECOND, THIRD = verdef(1, 1), verdef(2, 1), verdef(3, 2)


@pytest.mark.parametrize("wants", [WANTS_V2, WANTS_WEAK])
@pytest.mark.parametrize("changed", [FIRST, SECOND, THIRD])
def test_definition_of_an_unknown_version_ends_the_process(glibc, wants, changed):
    """Whoever looks for a weak version, or for one behind it, comes to it."""
    unknown = flawed(NEW, (changed, b"\7"))
    theirs = glibc.agrees(
        {"/app/prog": PROGRAM, "/usr/lib/libu.so": wants, "/usr/lib/libv.so.1": unknown}
    )
    assert theirs.error == glibc.ours().error
    assert theirs.error.endswith("unsupported version 7 of Verdef record")


def test_definition_of_an_unknown_version_behind_the_wanted_one_is_not_met(glibc):
    unknown = flawed(NEW, (THIRD, b"\7"))
    uses_f = USES_G.replace("g()", "f()")
    wants = library(soname="libu.so", source=f"void f(void); {uses_f}", links=(NEW,))
    tree = {"/app/prog": PROGRAM, "/usr/lib/libu.so": wants, "/usr/lib/libv.so.1": unknown}
    assert glibc.agrees(tree).error == ""


def test_segment_hides_what_others_have_in_its_pages(glibc, linker):
    """Its first page, at address 0, is not that of the ELF header and the tables any more."""
    data = linker.make(NEW).read_bytes()
    at = [one for one in range(64, 64 + 56 * data[56], 56) if data[one] == 1][2]
    hides = flawed(NEW, (at + 16, bytes(8)))
    assert data[at + 8 : at + 10] == b"\0\x20"  # it begins with a page
    glibc.fill({"/app/prog": PROGRAM, "/usr/lib/libu.so": WANTS_V2, "/usr/lib/libv.so.1": hides})
    assert "unsupported version 0 of Verdef record" in glibc.trace().error
    assert "unsupported version 0 of Verdef record" in glibc.ours().error


def test_version_of_a_library_that_is_missing(glibc):
    glibc.agrees({"/app/prog": PROGRAM, "/usr/lib/libu.so": WANTS_V2})


def test_version_is_that_of_the_library_found_first(glibc):
    theirs = glibc.agrees(
        {
            "/app/prog": program("libu.so", runpath="/old"),
            "/usr/lib/libu.so": WANTS_V2,
            "/old/libu.so": WANTS_V2,
            "/old/libv.so.1": OLD,
            "/usr/lib/libv.so.1": NEW,
        },
        library_path="/old",
    )
    assert theirs.error


@pytest.mark.parametrize("many", [2, 40])
def test_each_version_that_is_missing_is_named(glibc, many):
    names = [f"f{i}" for i in range(many)]
    script = "".join(f"V{i} {{ global: {name}; }};" for i, name in enumerate(names))
    full = library(
        soname="libv.so.1", source="".join(f"void {n}(void) {{}}" for n in names), script=script
    )
    uses = "".join(f"void {n}(void);" for n in names)
    uses += f"void h(void) {{ {''.join(f'{n}();' for n in names)} }}"
    wants = library(soname="libu.so", source=uses, links=(full,))
    tree = {"/app/prog": PROGRAM, "/usr/lib/libu.so": wants, "/usr/lib/libv.so.1": OLD}
    theirs = glibc.agrees(tree)
    lines = [line.partition("/usr")[2] for line in theirs.error.splitlines()]
    assert sorted(lines) == sorted(
        line.partition("/usr")[2] for line in glibc.ours().error.splitlines()
    )
    assert len(lines) == many - 1  # V1 is there, as it happens
