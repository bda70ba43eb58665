"""A hint is for who shows that it needs the thing, not for who could."""

import pytest

from rootfs_builder import recipe
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.needs import collector, rules

RULES = rules.load()
SHELL = "it may run commands through /bin/sh, which is left out: --with shell"
ZONE = "times are UTC: -e TZ=Europe/Berlin adds that zone and sets it, --with tzdata adds all"


def hints(program):
    """The hints of a program, without their evidence."""
    wanted = recipe.from_options(directory="/", executables=(str(program),))
    closure = collector.collect(wanted, Sources(DirectoryRoot()), rules=RULES)
    return {one.text.rpartition(" (")[0] for one in closure.findings if one.level == "hint"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('system("rm -rf /var/cache/it")', {SHELL}),
        ('popen("sort words 2>&1", "r")', set()),  # which is enough to include it
        ('execl("/bin/sh", "sh", "-c", argv[1], (char *)0)', set()),  # so is this
        ("system(argv[1])", {SHELL}),
        ('puts(ctime(&now)), localtime(&now), getenv("TZ")', {ZONE}),
        ("localtime(&now)", set()),
    ],
)
def test_a_hint_has_evidence_of_use(cc, source, expected):
    heads = "#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>\n#include <unistd.h>\n"
    main = f"int main(int c, char **argv) {{ time_t now = c; return ({source}) == 0; }}"
    assert hints(cc(heads + main, args=["-w"])) & {SHELL, ZONE} == expected


@pytest.mark.parametrize(
    ("text", "expected"), [('system("true");', {SHELL}), ("print localtime;", set())]
)
def test_what_an_interpreter_can_do_is_no_evidence_but_for_its_script(tmp_path, text, expected):
    script = tmp_path / "script"
    script.write_text(f"#!/usr/bin/perl\n{text}\n")
    script.chmod(0o755)
    assert hints(script) & {SHELL, ZONE} == expected
    assert not hints("/usr/bin/perl") & {SHELL, ZONE}
