"""Directories that systemd makes for a program, as the units of its package say."""

import pytest

from tests import package_roots
from tests.rule_bench import program, rule

TOOL = "/usr/bin/tool"
UNIT = "/usr/lib/systemd/system/tool.service"
TMPFILES = "/usr/lib/tmpfiles.d/tool.conf"
MADE = rule('when = { libc = ["glibc"] }\nfinder = "units"', "service-unit")


def made(bench, unit, *, start=TOOL, owned=(TOOL, UNIT, TMPFILES), more=None):
    bench.fill({TOOL: program("open"), UNIT: unit, **(more or {})})
    package_roots.install(bench.root, package_roots.Package("tool", "1", owned))
    result = bench.plan(MADE, start)
    found = {path for path in result.directories if path.startswith(("/var", "/run"))}
    return {path for path in found if not any(one.startswith(f"{path}/") for one in found)}, result


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("RuntimeDirectory=tool lock/tool", {"/run/tool", "/run/lock/tool"}),
        ("StateDirectory=tool", {"/var/lib/tool"}),
        ("CacheDirectory=tool:link\nLogsDirectory=tool", {"/var/cache/tool", "/var/log/tool"}),
        ("RuntimeDirectory=tool-%i", set()),
        ("RuntimeDirectory=../tool /tool", set()),
        ("#RuntimeDirectory=tool", set()),
        ("ConfigurationDirectory=tool", set()),
        ("RuntimeDirectoryMode=0750", set()),
    ],
)
def test_which_directories(bench, lines, expected):
    assert made(bench, f"[Service]\nExecStart={TOOL} -f\n{lines}\n")[0] == expected


@pytest.mark.parametrize(
    ("command", "is_named"),
    [
        (f"ExecStart=-{TOOL}", True),
        ("ExecStart=/bin/tool", True),
        (f'ExecStart=/bin/sh -c "exec {TOOL}"', True),
        (f"ExecStart=/usr/bin/env \\\n  {TOOL}", True),
        (f"ExecStartPre={TOOL} --check", True),
        ("ExecStart=/usr/bin/tool2", False),
        (f"ExecReload={TOOL}", False),
    ],
)
def test_which_units(bench, command, is_named):
    bench.fill({"/bin": "-> usr/bin", "/usr/bin/tool2": program("open")})
    found = made(bench, f"[Service]\n{command}\nRuntimeDirectory=tool\n")[0]
    assert found == ({"/run/tool"} if is_named else set())


def test_the_unit_of_another_package_is_none_of_its_own(bench):
    unit = f"[Service]\nExecStart={TOOL}\nRuntimeDirectory=tool\n"
    assert made(bench, unit, owned=(TOOL,))[0] == set()


def test_what_is_below_run_has_its_other_name(bench):
    """As kea's libraries call it."""
    bench.fill({"/var/run": "-> ../run", "/run/other": ""})
    unit = f"[Service]\nExecStart={TOOL}\nRuntimeDirectory=tool\n"
    found, result = made(bench, unit)
    assert found == {"/run/tool", "/var"}
    assert result.tree["/var/run"] == "-> ../run"


def test_tmpfiles_of_who_has_a_unit(bench):
    lines = "d /run/tool 0755 tool tool -\nf /run/tool/file\nd! /var/spool/tool\t-\nd /run/%u -\n"
    found, result = made(bench, f"[Service]\nExecStart={TOOL}\n", more={TMPFILES: lines})
    assert found == {"/run/tool", "/var/spool/tool"}
    assert result.applied == {"service-unit": "tool.conf has systemd make /run/tool"}


def test_settings_that_the_unit_names_as_arguments_come(bench):
    """As nrpe's: it has no path of a configuration compiled in."""
    conf = {"/etc/tool/main.cfg": "", "/etc/tool/other.cfg": "", "/etc/else.cfg": ""}
    unit = f"[Service]\nExecStart={TOOL} -c /etc/tool/main.cfg --else=/etc/else.cfg $OPTIONS\n"
    unit += f"ExecStart={TOOL} -c /etc/tool/%i.cfg\nExecStartPre=/bin/x /etc/tool/other.cfg\n"
    owned = (TOOL, UNIT, "/etc/tool/main.cfg", "/etc/tool/other.cfg")
    result = made(bench, unit, owned=owned, more=conf)[1]
    assert {one for one in result.paths if one in conf} == {"/etc/tool/main.cfg"}
    assert result.applied == {"service-unit": f"{UNIT} names /etc/tool/main.cfg"}


def test_a_script_has_those_of_its_own_package(bench):
    bench.fill({"/usr/bin/sh": program("open"), "/usr/bin/run": "#!/usr/bin/sh\n"})
    (bench.root / "usr/bin/run").chmod(0o755)
    unit = "[Service]\nExecStart=/usr/bin/run\nRuntimeDirectory=run\n"
    assert made(bench, unit, start="/usr/bin/run", owned=("/usr/bin/run", UNIT))[0] == {"/run/run"}


@pytest.mark.parametrize(
    ("unit", "passed"),
    [
        (f"ExecStart=-{TOOL} -f \\\n  -c '/etc/a b' $OPTIONS", "-f -c '/etc/a b'"),
        (f"ExecStartPre={TOOL} --check\nExecStart={TOOL}", None),
        (f"ExecStart={TOOL} -f\nType=forking", None),
        (f"ExecStart={TOOL} $OPTIONS", None),
        (f"ExecStart={TOOL} -f --pid %t/tool.pid", None),  # an option alone would be wrong
        (f"ExecStart={TOOL} -f -u ${{USER}}", None),
        (f"ExecStart={TOOL} 'a\x1b[2Jb'", None),
        (f"ExecStart={TOOL} 'one", None),
        (f"ExecStart={TOOL} one\nExecStart={TOOL} two", None),
        (f"ExecStart=/bin/sh -c '{TOOL} -f'", None),
    ],
)
def test_arguments_that_only_the_unit_passes_are_a_hint(bench, unit, passed):
    said = made(bench, f"[Service]\n{unit}\n")[1].said("hint")
    expected = f"tool.service starts {TOOL} with arguments that the image does not pass; to "
    assert said == ([f"{expected}pass them, end the command with -- {passed}"] if passed else [])
