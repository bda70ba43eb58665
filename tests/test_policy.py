"""`check`: a failing and a passing fixture of each rule, what is told of both, and policies."""

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from rootfs_builder.views import policy
from tests.pages import CHECKOUT
from tests.test_bad_images import image, tar

SARIF = Path(__file__).parent / "schemas/sarif-2.1.0.json"  # of npm's @microsoft/jest-sarif 1.0.0
HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }'
BUFFER = """\
#include <string.h>
int main(int c, char **v) { char b[64]; strcpy(b, v[0]); return b[c]; }
"""
DPKG = "Package: {0}\nStatus: install ok installed\nVersion: {1}\nArchitecture: all\n"


def packaged(name, version, licence):
    """The members of an image with a package of one file, and its copyright file."""
    return (
        (f"usr/bin/{name}", b"data", {"mode": 0o644}),
        ("var/lib/dpkg/status", DPKG.format(name, version).encode()),
        (f"var/lib/dpkg/info/{name}.list", f"/.\n/usr/bin/{name}\n".encode()),
        (f"usr/share/doc/{name}/copyright", licence.encode()),
    )


def copyright_of(licence):
    return f"Format: https://example.org/\n\nFiles: *\nLicense: {licence}\n text\n"


def directory(name, mode):
    return (name, b"", {"mode": mode, "type": b"5"})


PROSE = "On Debian systems see /usr/share/common-licenses/GPL-3.\n"
GREET = packaged("greet", "1.2-3", copyright_of("GPL-3+ with OpenSSL exception or MIT"))
FIXTURES = [  # the policy, the members of an image that breaks it with the words, of one that keeps
    (
        "no-shell = true",
        (("bin/dash", b"#!"), ("bin/sh", b"", {"type": b"2", "linkname": "dash"})),
        ["no-shell: /bin/dash: a file, executable", "no-shell: /bin/sh: a symlink to dash, "],
        (("bin/dash", b"#!", {"mode": 0o644}), ("bin/shell", b"")),
    ),
    (
        "no-setuid = true",
        (("a", b"", {"mode": 0o4755}), ("b", b"", {"mode": 0o2755})),
        ["no-setuid: /a: mode 4755", "no-setuid: /b: mode 2755"],
        (("a", b""), directory("d", 0o2775)),
    ),
    (
        'no-setuid = { except = ["/bin/*"] }',
        (("a", b"", {"mode": 0o4755}),),
        ["no-setuid: /a: mode 4755"],
        (("bin/a", b"", {"mode": 0o4755}),),
    ),
    (
        "no-world-writable = true",
        (directory("tmp", 0o777),),
        ["no-world-writable: /tmp: mode 0777"],
        (directory("tmp", 0o1777), ("file", b"", {"mode": 0o666})),
    ),
    (
        'max-size = "10 B"',
        (("a", b"x" * 11),),
        ["max-size: the files have 11 bytes, 1 B more than 10 B"],
        (("a", b"x" * 10),),
    ),
    (
        'forbidden-packages = ["greet", "other"]',
        GREET,
        ["forbidden-packages: /usr/bin/greet: package greet 1.2-3"],
        packaged("greeter", "1", ""),
    ),
    (
        'forbidden-packages = "greet=1.2-*"',
        GREET,
        ["forbidden-packages: /usr/bin/greet: package greet 1.2-3"],
        packaged("greet", "1.3-1", ""),
    ),
    (
        'allowed-packages = ["base*", "greeter"]',
        GREET,
        ["allowed-packages: /usr/bin/greet: package greet 1.2-3"],
        packaged("greeter", "1", ""),
    ),
    (
        'forbidden-licences = ["GPL-3*"]',
        GREET,
        ["forbidden-licences: /usr/bin/greet: package greet 1.2-3 is under GPL-3+"],
        packaged("greet", "1", copyright_of("LGPL-2.1+ and MIT")),
    ),
    (
        'forbidden-licences = ["GPL-3*"]',
        packaged("greet", "1", PROSE),
        ["package greet 1 is under GPL-3"],
        packaged("greet", "1", PROSE.replace("GPL-3", "LGPL-3")),
    ),
    (
        'forbidden-licences = ["GPL-3*"]',
        packaged("greet", "1", "do what you like"),
        ["package greet 1 has no licence that is known"],
        (("usr/local/bin/own", b""),),
    ),
    (
        'allowed-licences = ["MIT", "BSD*"]',
        GREET,
        ["allowed-licences: /usr/bin/greet: package greet 1.2-3 is under GPL-3+"],
        packaged("greet", "1", copyright_of("MIT or BSD-3-clause")),
    ),
    (
        'forbidden-packages = "x"',
        (("usr/lib/a", b""),),
        ["forbidden-packages: /usr/lib/a: it is not known which packages"],
        (("usr/local/lib/a", b""), ("opt/b", b"")),
    ),
    (
        '[no-python]\nbecause = "b"\nnames = ["python3*"]\nkinds = ["file"]',
        (("opt/python3.13", b""),),
        ["no-python: /opt/python3.13: a file"],
        (("opt/pypy3", b""), directory("opt/python3.13", 0o755)),
    ),
    (
        '[no-headers]\nbecause = "b"\npaths = ["/usr/include/*"]\nexecutable = false',
        (("usr/include/a/b.h", b"", {"mode": 0o644}),),
        ["no-headers: /usr/include/a/b.h: a file, not executable"],
        (("include/a/b.h", b"", {"mode": 0o644}), ("usr/include/x", b"")),
    ),
]


def told(cli, tmp_path, text, data, *words):
    (tmp_path / "policy.toml").write_text(f"{text}\n")
    (tmp_path / "x.tar").write_bytes(data)
    return cli("check", "x.tar", "--policy", "policy.toml", *words)


@pytest.mark.parametrize(
    ("text", "breaks", "words", "keeps"), FIXTURES, ids=[one[0].splitlines()[0] for one in FIXTURES]
)
def test_a_rule_of_files_is_broken_and_kept(cli, tmp_path, text, breaks, words, keeps):
    done = told(cli, tmp_path, text, image(tar(*breaks)))
    assert (done.returncode, done.stdout) == (5, ""), done
    assert len(done.stderr.splitlines()) == len(words) + 1
    for one in words:
        assert one in done.stderr
    done = told(cli, tmp_path, text, image(tar(*keeps)))
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout == "x.tar: keeps the rule of policy.toml\n"


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("", "no user is set, so it runs as root"),
        ("0", "the user 0 is root"),
        ("00:5", "the user 00:5 is root"),
        ("app", "the user 'app' is a name"),
        ("1000", None),
        ("1000:0", None),
    ],
)
def test_the_user_is_a_number_and_not_root(cli, tmp_path, user, words):
    done = told(cli, tmp_path, "non-root = true", image(config={"User": user}))
    assert done.returncode == (5 if words else 0), done
    assert (words or "") in done.stderr


GOOD = ("-O1", "-pie", "-fPIE", "-fstack-protector-all", "-Wl,-z,relro,-z,now")
BAD = {  # a rule → what a compiler has to be told so that a program breaks it; the words
    "relro": (("-Wl,-z,norelro",), "no RELRO"),
    "full-relro": (("-Wl,-z,lazy",), "only partial RELRO"),
    "pie": (("-no-pie", "-fno-pie"), "not position-independent"),
    "stack-protector": (("-fno-stack-protector",), "no stack protector"),
    "no-writable-code": (("-z", "execstack"), "it asks for an executable stack"),
}


@pytest.mark.parametrize("rule", BAD)
def test_a_rule_of_elf_files_is_broken_and_kept(cli, cc, tmp_path, rule):
    bad, words = BAD[rule]
    good = image(tar(("a", cc(BUFFER, args=GOOD).read_bytes()), ("text", b"text")))
    assert told(cli, tmp_path, f"{rule} = true", good).returncode == 0
    program = cc(BUFFER, args=(*GOOD, *bad)).read_bytes()
    done = told(cli, tmp_path, f"{rule} = true", image(tar(("a", program), ("text", b"text"))))
    assert done.returncode == 5, done
    assert f"  {rule}: /a: {words}" in done.stderr


def test_a_segment_that_is_writable_and_executable_is_told(cli, cc, tmp_path):
    alone = ("-static", "-nostdlib", "-ffreestanding", "-Wl,-N", "-Wl,--no-warn-rwx-segments")
    program = cc("void _start(void) { for (;;); }", args=alone).read_bytes()
    done = told(cli, tmp_path, "no-writable-code = true", image(tar(("a", program))))
    assert re.search("/a: a segment at 0x[0-9a-f]+ is writable and executable", done.stderr), done


def test_the_version_of_glibc_is_compared(cli, cc, tmp_path):
    cc(HELLO)
    cli("pack", "hello", "-o", "x.tar", check=True)
    data = (tmp_path / "x.tar").read_bytes()
    for bound, code in ((">=2.17", 0), (">=2.17, <3", 0), ("<2.17", 5), (">= 9.1", 5)):
        done = told(cli, tmp_path, f'glibc = "{bound}"', data)
        assert done.returncode == code, done
        assert code == 0 or re.search(r"/libc\.so\.6: glibc 2\.\d+, not ", done.stderr)
    (tmp_path / "x.tar").write_bytes(image(tar(("lib/libc.so.6", b"\x7fELFdamaged"))))
    done = told(cli, tmp_path, 'glibc = ">=2"', (tmp_path / "x.tar").read_bytes())
    assert (done.returncode, "not checked: /lib/libc.so.6" in done.stderr) == (0, True)


def test_licences_of_our_images_are_those_of_the_machine(cli, tmp_path):
    if shutil.which("dpkg-query") is None:
        pytest.skip("no dpkg-query")
    cli("pack", "/usr/bin/bash", "-o", "x.tar", check=True)
    data = (tmp_path / "x.tar").read_bytes()
    done = told(cli, tmp_path, 'forbidden-licences = ["GPL-3*"]', data)
    assert re.search(r": package bash \S+ is under GPL-3\+", done.stderr), done
    cli("pack", "/usr/bin/bash", "-o", "x.tar", "--layers", "single", check=True)
    single = told(cli, tmp_path, 'forbidden-packages = ["bash"]', (tmp_path / "x.tar").read_bytes())
    assert (single.returncode, "it is not known" in single.stderr) == (5, True), single


def test_json_sarif_and_junit_say_the_same(cli, tmp_path):
    members = (("bin/sh", b"#!"), ("a b#\N{SNOWMAN}", b"", {"mode": 0o4755}))
    text = '[odd]\nbecause = "\\u0001 <b>"\nnames = ["none"]\n'
    text = f'no-shell = true\nno-setuid = true\nnon-root = true\nmax-size = "1GB"\n{text}'
    more = ("--json", "--sarif", "x.sarif", "--junit", "x.xml")
    done = told(cli, tmp_path, text, image(tar(*members)), *more)
    assert done.returncode == 5, done
    found = json.loads(done.stdout)
    jsonschema.validate(found, json.loads(cli("check", "--schema", check=True).stdout))
    broken = [(one["rule"], one.get("path", "")) for one in found["violations"]]
    assert broken == [
        ("no-shell", "/bin/sh"),
        ("no-setuid", "/a b#\N{SNOWMAN}"),
        ("non-root", ""),
    ]
    log = json.loads((tmp_path / "x.sarif").read_text())
    jsonschema.Draft4Validator(json.loads(SARIF.read_text())).validate(log)
    (run,) = log["runs"]
    places = [one["locations"][0]["physicalLocation"]["artifactLocation"] for one in run["results"]]
    assert [one["uri"] for one in places] == ["bin/sh", "a%20b%23%E2%98%83", "x.tar"]
    rules = [one["id"] for one in run["tool"]["driver"]["rules"]]
    assert [rules[one["ruleIndex"]] for one in run["results"]] == [one for one, _ in broken]
    suite = ET.fromstring((tmp_path / "x.xml").read_text())  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures")) == ("5", "3")
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert failed == ["no-shell", "no-setuid", "non-root"]


def test_a_kept_policy_has_reports_without_results(cli, tmp_path):
    done = told(
        cli, tmp_path, "no-setuid = true", image(), "-q", "--sarif", "x.sarif", "--junit", "x.xml"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    log = json.loads((tmp_path / "x.sarif").read_text())
    jsonschema.Draft4Validator(json.loads(SARIF.read_text())).validate(log)
    assert log["runs"][0]["results"] == []


def test_a_directory_has_no_user(cli, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "policy.toml").write_text("non-root = true\n")
    done = cli("check", "root", "--policy", "policy.toml", check=True)
    assert done.stderr == "warning: not checked: the user: a directory has no config\n"


def test_every_rule_of_ours_has_both_fixtures():
    text = "\n".join(one[0] for one in FIXTURES)
    shown = {name for name in policy.ours() if re.search(rf"(?m)^\[?{name}\b", text)}
    assert {*shown, *BAD, "non-root", "glibc"} == set(policy.ours())


# --- where it is used ---


def test_pack_and_build_write_nothing_that_breaks_the_policy(cli, cc, tmp_path):
    cc(HELLO)
    (tmp_path / "policy.toml").write_text("non-root = true\n")
    (tmp_path / "more.toml").write_text('max-size = "1 B"\n')
    words = ("pack", "hello", "-o", "x.tar", "--policy", "policy.toml")
    for more in ((), ("--dry-run",)):
        done = cli(*words, *more)
        assert done.returncode == 5, done
        assert "--policy: 1 violation:\n  non-root: no user is set" in done.stderr
    done = cli(*words, "-u", "1000", "--policy", "more.toml")
    assert (done.returncode, "max-size: the files have " in done.stderr) == (5, True)
    assert not (tmp_path / "x.tar").exists()
    cli(*words, "-u", "1000", "--depfile", "x.d", check=True)
    assert "policy.toml" in (tmp_path / "x.d").read_text()
    plain = cli("pack", "hello", "-o", "y.tar", "-u", "1000", check=True).stdout
    assert cli(*words, "-u", "1000", check=True).stdout == plain
    (tmp_path / "rootfs.toml").write_text(
        'executables = ["hello"]\noutput = "z.tar"\npolicy = "policy.toml"\n'
    )
    done = cli("build")
    assert (done.returncode, done.stdout) == (5, ""), done
    assert "rootfs.toml:3: policy: 1 violation:\n  non-root" in done.stderr
    cli("build", "--set", "user=1000", check=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "policy.toml:1: empty; a rule is a line"),
        ("no-shel = true", "policy.toml:1: no-shel: no such rule; is it no-shell?"),
        ("\nno-shell = 1", "policy.toml:2: no-shell: true, or a table"),
        ("max-size = true", "policy.toml:1: max-size: takes a value"),
        ('max-size = "much"', "policy.toml:1: max-size.max-size: 'much' is not a size"),
        ("max-size = 5", "policy.toml:1: max-size.max-size: Expected `str`, got `int`"),
        ('glibc = "new"', "policy.toml:1: glibc.glibc: 'new' is not a version"),
        ('[x]\nnames = ["a"]', "policy.toml:1: x.because: Object missing required"),
        ('[x]\nbecause = "b"', "policy.toml:1: x: no condition"),
        ('[x]\nbecause = "b"\nname = ["a"]', "policy.toml:3: x.name: Object contains unknown"),
        ('[x]\nbecause = "b"\nmode = "9"', "policy.toml:3: x.mode: '9' is not octal"),
        ('[x]\nbecause = "b"\nlacks = "nx"', "policy.toml:3: x.lacks: 'nx' is none of relro"),
        ('[x]\nbecause = "b"\ntakes = "names"', "policy.toml:3: x.takes: "),
        (
            '[x]\nbecause = "b"\nmode = "1"\nmax-size = "1B"',
            "x: user, max_size, glibc are about the image",
        ),
        ("a = [", "policy.toml:2: Invalid value"),
    ],
    ids=lambda one: one.splitlines()[-1] if one else "empty",
)
def test_a_mistake_in_a_policy_is_told_with_its_line(cli, tmp_path, text, words):
    done = told(cli, tmp_path, text, image())
    assert (done.returncode, done.stdout) == (2, ""), done
    assert words in done.stderr


def test_all_mistakes_of_a_policy_are_told_at_once(cli, tmp_path):
    done = told(cli, tmp_path, 'a = true\nb = true\n[c]\nbecause = ""', image())
    assert [one.count("policy.toml:") for one in done.stderr.splitlines()] == [1, 1, 1]


def test_exceptions_are_added_to_ours():
    text = 'stack-protector = { except = ["/usr/local/bin/*"] }'
    ((_, rule),) = policy.read(text, "policy.toml")
    assert rule.except_ == (*policy.ours()["stack-protector"]["except"], "/usr/local/bin/*")


def test_a_rule_may_be_switched_off(cli, tmp_path):
    done = told(cli, tmp_path, "no-shell = false\nno-setuid = true", image(tar(("sh", b""))))
    assert done.stdout == "x.tar: keeps the rule of policy.toml\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("x.tar",), 2, "--policy FILE: missing"),
        (("x.tar", "--policy", "absent"), 3, "--policy absent: no such file"),
        (("absent", "--policy", "policy.toml"), 3, "absent: no such file"),
        (("x.tar", "--policy", "policy.toml", "--sarif", "-"), 2, "--sarif: name a file"),
        (("x.tar", "--policy", "x.tar"), 1, "not UTF-8"),
    ],
    ids=str,
)
def test_what_cannot_be_checked(cli, tmp_path, words, code, said):
    (tmp_path / "x.tar").write_bytes(image() + b"\xff")
    (tmp_path / "policy.toml").write_text("no-shell = true\n")
    done = cli("check", *words)
    assert (done.returncode, done.stdout) == (code, ""), done
    assert said in done.stderr


def test_the_published_schema_is_the_one_that_is_printed(cli):
    assert cli("check", "--schema").stdout == (CHECKOUT / "docs/check.schema.json").read_text()
