"""The PAM services of a program, with what they include and the modules that they name."""

import pytest

from rootfs_builder.needs import rules
from tests import package_roots
from tests.rule_bench import LIB, Elf, program, read_rules, rule

TOOL = "/usr/bin/tool"
PAM = tuple(one for one in rules.load() if one.name == "pam")
SERVICES = {
    "/etc/pam.d/tool": "#%PAM-1.0\nauth required pam_a.so\n@include common\n",
    "/etc/pam.d/common": "auth [success=1 default=ignore] pam_b.so x\n-auth required pam_no.so\n",
    "/etc/pam.d/other": "auth include deny\n",
    "/etc/pam.d/deny": "auth requisite pam_permit.so\nsession optional pam_none.so\n",
    "/etc/pam.d/login": "auth required pam_b.so\n",
}
STARTED = {f"/etc/pam.d/{one}" for one in ("tool", "common", "other", "deny")}


@pytest.fixture
def root(bench):
    def fill(text, *, owned=("/etc/pam.d/tool",), calls=True):
        libpam = Elf(soname="libpam.so.0", source="void pam_start(void) {}")
        modules = {f"{LIB}/security/pam_{one}.so": Elf() for one in ("a", "b", "permit")}
        source = f'const char *volatile said = "{text}";' + (
            "void pam_start(void); void go(void) { pam_start(); }" if calls else ""
        )
        tool = program("open", source=source, libraries=(libpam,))
        bench.fill({TOOL: tool, f"{LIB}/libpam.so.0": libpam, **modules, **SERVICES})
        package_roots.install(bench.root, package_roots.Package("tool", "1", (TOOL, *owned)))
        return bench

    return fill


def modules(result):
    return {one.rpartition("_")[2] for one in result.paths if "/security/" in one}


@pytest.mark.parametrize("text", ["tool", "conversation_of_tool"])
def test_a_service_of_its_own_package_comes(root, text):
    """With what it includes, and with `other`; a linker may have joined its name to a text."""
    result = root(text).plan_of(PAM, TOOL)
    assert {one for one in result.paths if "/pam.d/" in one} == STARTED
    assert modules(result) == {"a.so", "b.so", "permit.so"}
    assert not result.said("warning")
    assert not result.said("hint")


def test_a_module_where_those_without_multiarch_lie(root):
    bench = root("tool")
    (bench.root / f"{LIB[1:]}/security/pam_b.so").unlink()
    bench.fill({"/usr/lib/security/pam_b.so": Elf()})
    assert modules(bench.plan_of(PAM, TOOL)) == {"a.so", "b.so", "permit.so"}


@pytest.mark.parametrize(
    ("text", "owned", "calls"),
    [
        ("tools", ("/etc/pam.d/tool",), True),
        ("login", (), True),
        ("tool", ("/etc/pam.d/tool",), False),
    ],
)
def test_no_other_does(root, text, owned, calls):
    """Neither one of others nor one that is not named; a hint says so to who logs users in."""
    result = root(text, owned=owned, calls=calls).plan_of(PAM, TOOL)
    assert not any("pam.d" in one for one in result.paths)
    hint = (
        "the image has no PAM service, so nobody can log in; name them (pam=login,su): "
        "--with pam (tool calls pam_start)"
    )
    assert result.said("hint") == ([hint] if calls else [])


def test_the_user_names_services(root):
    result = root("", owned=()).plan_of(PAM, TOOL, with_=("pam=login,nix",))
    assert {one for one in result.paths if "/pam.d/" in one} == {
        "/etc/pam.d/login",
        "/etc/pam.d/other",
        "/etc/pam.d/deny",
    }
    assert modules(result) == {"b.so", "permit.so"}
    assert result.said("warning") == [
        "/etc/pam.d has no PAM service nix: --with pam=NAME names one"
    ]


def test_the_user_adds_one(root):
    bench = root("")
    bench.fill({"/mine": "auth required pam_a.so\nauth required pam_lost.so\n"})
    result = bench.plan_of(PAM, TOOL, add=(f"{bench.root}/mine:/etc/pam.d/mine",))
    assert "/etc/pam.d/mine" in result.paths
    assert modules(result) == {"a.so", "permit.so"}
    assert "pam_lost.so was not found" in result.said("warning")[0]


def test_every_account_has_a_line_without_a_password_in_shadow(root):
    """Or pam_unix lets root start nothing as another user."""
    root("tool").fill({"/etc/passwd": "", "/etc/shadow": "root:$y$secret:1:0:99999:7:::\n"})
    users = rule(
        'when = { libc = ["glibc"] }\nwrite = { "/etc/passwd" = "a:x:1:1::/:\\nb:*:2:2::/:\\nc" }'
    )
    both = (*PAM, *read_rules(users))
    result = root("tool").plan_of(both, TOOL)
    (entry,) = (one for one in result.plan.entries if one.path == "/etc/shadow")
    assert (result.tree["/etc/shadow"], entry.mode, entry.uid) == ("a:*:::::::\n", 0o600, 0)
    bench = root("tool")
    bench.fill({"/mine": "a:$y$hash:1:0:99999:7:::\n"})
    result = bench.plan_of(both, TOOL, add=(f"{bench.root}/mine:/etc/shadow",))
    assert "$y$hash" in result.tree["/etc/shadow"]
