"""A hint, or a shell, is for who shows that it needs the thing, not for who could."""

import os

import pytest

from rootfs_builder import recipe
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.needs import collector, rules

RULES = rules.load()
ZONE = "times are UTC: -e TZ=Europe/Berlin adds that zone and sets it, --with tzdata adds all"


def collected(program):
    wanted = recipe.from_options(directory="/", executables=(str(program),))
    return collector.collect(wanted, Sources(DirectoryRoot()), rules=RULES)


def hints(program):
    """The hints of a program, without their evidence."""
    findings = collected(program).findings
    return {one.text.rpartition(" (")[0] for one in findings if one.level == "hint"}


def has_shell(program):
    return any(one.source == os.path.realpath("/bin/sh") for one in collected(program).trees)


def program(cc, source):
    heads = "#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>\n#include <unistd.h>\n"
    main = f"int main(int c, char **argv) {{ time_t now = c; return ({source}) == 0; }}"
    return cc(heads + main, args=["-w"])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('puts(ctime(&now)), localtime(&now), getenv("TZ")', {ZONE}),
        ("localtime(&now)", set()),
    ],
)
def test_a_hint_has_evidence_of_use(cc, source, expected):
    assert hints(program(cc, source)) & {ZONE} == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("system(argv[1])", True),
        ('popen("sort words", "r")', True),
        ('execl("/bin/sh", "sh", "-c", argv[1], (char *)0)', True),
        ("execvp(argv[1], argv + 1)", False),
        ('confstr(_CS_PATH, *argv, 9) + execv("%s/sh", argv)', True),
        ("confstr(_CS_PATH, *argv, 9) + execv(argv[1], argv)", False),
    ],
)
def test_who_asks_for_a_shell_gets_one(cc, source, expected):
    assert has_shell(program(cc, source)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('system("true | true");', True),
        pytest.param("print localtime;", False, marks=pytest.mark.long),
    ],
)
def test_what_an_interpreter_can_do_is_no_evidence_but_for_its_script(tmp_path, text, expected):
    script = tmp_path / "script"
    script.write_text(f"#!/usr/bin/perl\n{text}\n")
    script.chmod(0o755)
    assert has_shell(script) is expected
    assert ZONE not in hints(script)


def test_an_interpreter_alone_has_no_shell():
    assert not has_shell("/usr/bin/perl")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="reads the code of x86-64")
def test_a_name_that_a_program_in_rust_counts_is_a_hint(cc):
    """Its texts have no ends: `gcc` may be the beginning of any other."""
    source = """
    #include <unistd.h>
    const char texts[] = "/library/core/src/gccotherwise";
    int main(int count, char **argv)
    {
        __asm__("lea 18+texts(%%rip), %%rdi; mov $%c0, %%esi" : : "i"(LENGTH) : "rdi", "rsi");
        return execvp(argv[1], argv + 1);
    }
    """
    for length, expected in ((3, True), (4, False)):
        built = cc(source, name=f"rust{length}", args=[f"-DLENGTH={length}", "-fPIE", "-pie"])
        left_out = collected(built).supply.left_out
        assert any(one.endswith("/gcc") for one in left_out) is expected
