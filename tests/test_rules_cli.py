"""Rules at the command line: what is listed, what is said of them, and which words are refused."""

import json
import os
import re
import tarfile

import msgspec
import pytest

from rootfs_builder.needs import rules
from rootfs_builder.needs.rules import Rule
from rootfs_builder.needs.rules.schema import Find, When
from tests.pages import CHECKOUT
from tests.test_bad_input import pack, refused

__all__ = ["pack", "refused"]  # fixtures

NAMES = """
#include <pwd.h>
#include <stdio.h>
int main(void) { struct passwd *p = getpwuid(0); return puts(p ? p->pw_name : "nobody") < 0; }
"""
PLUGGED = """
#include <dlfcn.h>
int main(void) { return dlopen("libplug.so", RTLD_NOW) == 0; }
"""
MINE = """\
[greeting]
because = "it greets"
source = "hello(1)"
when = { own-imports = ["getpwuid"] }
write = { "/etc/greeting" = "good morning" }
environment = { GREETING = "/etc/greeting" }

[manners]
because = "it is polite"
source = "hello(1)"
when = { own-imports = ["getpwuid"] }
hint = "its manners are left out"
values = ["good"]
copy = ["/etc/manners/{value}"]
missing = "learn them"

[speech]
because = "it speaks"
source = "hello(1)"
copy = ["/etc/speech/{value}"]
missing = "install a voice"
"""
GREETS = "it greets (names calls getpwuid)"
WHY = " (-v says why)"
SUMMARY = (
    r"names for linux/\w+: \d+ files, [\d.]+ [kM]?B, packed to x\.tar \([\d.]+ [kM]?B\) in [\d.]+ s"
)


@pytest.fixture
def names(cc, tmp_path):
    """A program that asks for a user's name, and rules for it."""
    (tmp_path / "my.toml").write_text(MINE)
    return cc(NAMES, name="names")


@pytest.fixture
def static(cc, tmp_path):
    """A static program, and a root that has nothing."""
    (tmp_path / "bare").mkdir()
    (tmp_path / "my.toml").write_text(MINE)
    return cc("int main(void) { return 0; }", name="static", args=["-static"])


def config(path):
    """The config of the image in an archive."""
    with tarfile.open(path) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json"))
        return json.load(archive.extractfile(manifest["Config"]))["config"]


def files(cli, *args):
    """The paths of what stage writes."""
    done = cli("stage", *args, "-o", "out", "--json", check=True)
    return {one["path"] for one in json.loads(done.stdout)["entries"] if one["kind"] != "dir"}


# --- rules ---


def test_rules_lists_each_rule_with_when_it_acts_and_why(cli):
    lines = cli("rules", check=True).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [rule.name for rule in rules.load()]
    for line, rule in zip(lines, rules.load(), strict=True):
        _, how, because = line.split(maxsplit=2)
        assert because == rule.because
        assert how == ("asked" if not rule.evidence else "hinted" if rule.hint else "found")


def test_the_page_names_each_rule_and_each_key():
    text = (CHECKOUT / "docs/rules.md").read_text()
    names = {rule.name for rule in rules.load()}
    keys = {field for table in (Rule, When, Find) for field in table.__struct_fields__}
    keys = {key.replace("_", "-") for key in keys - {"name"}}
    assert {name for name in names | keys if f"`{name}`" not in text} == set()
    tables = text.split("## Rules of your own")[0]
    named = set(re.findall(r"`([a-z0-9-]+)`", "".join(re.findall(r"\| ([^|\n]*) \|\n", tables))))
    assert named - {"rules"} == names


def test_rules_of_ones_own_are_listed_among_them(cli, names):
    del names
    lines = cli("rules", "--rules", "my.toml", check=True).stdout.splitlines()
    assert [line.split() for line in lines if "greeting" in line or "speech" in line] == [
        ["greeting", "found", "it", "greets"],
        ["speech", "asked", "it", "speaks"],
    ]
    assert lines == sorted(lines)
    assert any(line.startswith("users ") for line in lines)


def test_rules_as_json_are_the_rules(cli):
    done = cli("rules", "--json", check=True)
    found = json.loads(done.stdout)
    assert tuple(msgspec.convert(found, list[Rule])) == rules.load()
    assert {"name", "because", "source", "when"} <= found[0].keys()
    assert all(isinstance(one["when"], list | dict) for one in found)


def test_match_tells_which_rules_act_and_on_what_evidence(cli, names):
    done = cli("rules", "--match", names, "--rules", "my.toml", check=True)
    found = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert found["greeting"] == "names calls getpwuid"
    assert found["users"] == "names calls getpwuid"
    assert "manners" not in found
    assert "hint: its manners are left out: --with manners (names calls getpwuid)" in done.stderr


def test_match_tells_nothing_of_a_program_without_evidence(cli, static):
    done = cli("rules", "--match", static, "--sysroot", "bare", "--rules", "my.toml", check=True)
    assert "greeting" not in done.stdout
    assert "manners" not in done.stderr


def test_match_writes_nothing(cli, names, tmp_path):
    before = sorted(os.listdir(tmp_path))
    cli("rules", "--match", names, "--rules", "my.toml", check=True)
    assert sorted(os.listdir(tmp_path)) == before


def test_match_as_json(cli, names):
    done = cli("rules", "--match", names, "--rules", "my.toml", "--json", check=True)
    found = json.loads(done.stdout)
    assert found.keys() == {"rules", "findings"}
    assert {
        "name": "greeting",
        "because": "it greets",
        "evidence": "names calls getpwuid",
    } in found["rules"]
    assert {"level": "added", "code": "rule-added", "text": f"greeting: {GREETS}"} in found[
        "findings"
    ]
    assert "hint" in {one["level"] for one in found["findings"]}


def test_match_takes_the_words_that_pack_takes(cli, names):
    args = ("rules", "--match", names, "--rules", "my.toml")
    assert "greeting" not in cli(*args, "--without", "greeting", check=True).stdout
    done = cli(*args, "--with", "nsswitch", "--json", check=True)
    evidence = {one["name"]: one["evidence"] for one in json.loads(done.stdout)["rules"]}
    assert evidence["nsswitch"] == "--with nsswitch"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--match", "./nowhere"], 3, ["./nowhere: no such file"]),
        (["--match", "my.toml"], 1, ["my.toml"]),
        (["--", "word"], 2, ["rules", "after --"]),
        (["word"], 2, ["word: unexpected"]),
    ],
    ids=str,
)
def test_rules_is_refused(refused, names, args, code, words):
    del names
    refused("rules", *args, code=code, words=words)


# --- rules --explain ---

FINDS = """\
[plug]
because = "it has plugins"
source = "s"
when = [
    { own-imports = ["dlopen"], text = ["PLUGINS_OF_MINE"] },
    { libc = ["musl"], before = "2.0" },
]
find = { text = ['\\x00(?P<plugins>/[\\w/.-]+/plug-ins)(?=\\x00)'], words = ['(?P<kind>k[a-z]+)'] }
landmarks = { settings = ["{plugins}/settings.conf"] }
copy = ["{plugins}/*.so", "{settings}", "/etc/{kind}", "/etc/absent"]
follow = [{ file = "{plugins}/settings.conf", text = 'kind (?P<kind>\\w+)' }]
load = ["{plugins}/{kind}.so"]
accounts = ["{kind}"]
missing = "install plugins"
"""
NAMES_PLUGINS = """
#include <dlfcn.h>
const char *variable = "PLUGINS_OF_MINE", *place = "%s";
int main(int c, char **v) { return dlopen(v[c - 1], RTLD_NOW) == 0; }
"""


@pytest.fixture
def plugged(cc, tmp_path):
    """A rule in a file, and what makes a program of its plugins' directory."""
    (tmp_path / "my.toml").write_text(FINDS)

    def make(place, *args):
        return cc(NAMES_PLUGINS % place, name="plugged", args=args)

    return make


@pytest.fixture
def explain(cli):
    def run(*args, check=True):
        return json.loads(cli("rules", "--json", "--rules", "my.toml", *args, check=check).stdout)

    return run


def outcomes(found):
    return {(one["key"], one["path"] or one["template"]): one["outcome"] for one in found["tried"]}


def test_explain_tells_each_key_of_evidence_and_what_was_found(explain, plugged):
    (seen,) = explain("--explain", "plug", plugged("/usr/share/plug-ins"))["seen"]
    keys = [[(one["key"], one["wants"], one["found"]) for one in table] for table in seen["when"]]
    assert keys == [
        [
            ("own-imports", ["dlopen"], "plugged calls dlopen"),
            ("text", ["PLUGINS_OF_MINE"], "plugged names PLUGINS_OF_MINE"),
        ],
        [("libc", ["musl"], ""), ("before", ["2.0"], "")],
    ]
    assert seen["patterns"][0]["matches"] == []  # the user's words, which are none
    assert seen["patterns"][1]["matches"] == [{"plugins": "/usr/share/plug-ins"}]
    assert seen["holds"] == "plugged calls dlopen, plugged names PLUGINS_OF_MINE"


def test_explain_tells_each_path_that_was_tried_and_what_became_of_it(explain, plugged, cc):
    own = plugged("/usr/share/plug-ins").parent / "plug-ins"
    cc("int f(void) { return 1; }", name="plug-ins/kiosk.so", args=["-shared", "-fPIC"])
    (own / "settings.conf").write_text("kind kettle\n")
    program = plugged(own)
    found = explain("--explain", "plug", program, "--", "kiosk")
    # What only a program's text names is not followed out of the system's directories.
    assert outcomes(found)["copy", f"{own}/kiosk.so"] == "refused"
    assert outcomes(found)["landmarks", f"{own}/settings.conf"] == "refused"
    assert outcomes(found)["copy", "{settings}"] == "not bound"
    assert outcomes(found)["copy", "/etc/kiosk"] == "not there"
    assert outcomes(found)["load", f"{own}/kiosk.so"] == "refused"
    assert outcomes(found)["accounts", "kiosk"] == "not there"
    (lacks,) = {tuple(one["lacks"]) for one in found["tried"] if one["template"] == "{settings}"}
    assert lacks == ("settings",)
    assert any("was not included" in one for one in found["findings"])
    assert found["acts"] is False


def test_explain_follows_what_files_say_and_tells_what_was_added(explain, plugged, tmp_path):
    place = tmp_path / "root/usr/share/plug-ins"
    place.mkdir(parents=True)
    (place / "settings.conf").write_text("kind kettle\n")
    (place / "a.so").write_text("no library")
    (tmp_path / "root/etc").mkdir()
    for name in ("kiosk", "kettle"):
        (tmp_path / "root/etc" / name).touch()
    static = plugged("/usr/share/plug-ins", "-static", "-w")
    args = ("--explain", "plug", static, "--sysroot", "root", "--with", "plug", "--", "kiosk")
    found = explain(*args)
    assert {one.get("kind") for one in found["variables"]} == {None, "kiosk", "kettle"}
    assert outcomes(found)["copy", "/etc/kettle"] == "taken"
    assert outcomes(found)["copy", "/usr/share/plug-ins/a.so"] == "taken"
    assert outcomes(found)["copy", "/usr/share/plug-ins"] == "taken"
    assert found["acts"] is True
    assert {"/etc/kettle", "/etc/kiosk", "/usr/share/plug-ins"} <= found["added"]["trees"].keys()


def test_explain_for_a_person_ends_with_whether_the_rule_acts(cli, names):
    args = ("rules", "--rules", "my.toml", "--explain")
    lines = cli(*args, "greeting", names, check=True).stdout.splitlines()
    assert lines[0] == "greeting: it greets (hello(1))"
    assert "  + own-imports  'getpwuid': names calls getpwuid" in lines
    assert lines[-1] == "it acts: lines of /etc/greeting; sets GREETING=/etc/greeting"
    said = cli(*args, "manners", names, check=True).stdout.splitlines()[-1]
    assert said == "it gives its hint alone: its manners are left out: --with manners"
    said = cli(*args, "greeting", "/usr/bin/env", check=True).stdout.splitlines()[-1]
    assert said == "it does not act: its evidence is not found"
    said = cli(*args, "speech", names, check=True).stdout.splitlines()
    assert said[1] == "it has no `when`, so it acts on --with speech alone"
    asked = cli(*args, "greeting", names, "--without", "greeting", check=True).stdout
    assert "it holds" not in asked


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--explain", "greting", "names"], "--explain greting: no rule of that name; is it greet"),
        (["--explain", "greeting"], "--explain greeting: for which program? name EXECUTABLE"),
        (["--explain", "greeting", "x", "--match", "y"], "--match and --explain: one of them"),
    ],
    ids=str,
)
def test_explain_is_refused(refused, names, args, words):
    del names
    refused("rules", "--rules", "my.toml", *args, code=2, words=[words])


# --- what pack says ---


def test_the_summary_names_what_was_added_and_has_a_line_for_each_hint(cli, names):
    args = ("pack", names, "-o", "x.tar", "--rules", "my.toml")
    done = cli(*args, check=True)
    first, *lines = done.stderr.splitlines()
    (added,) = [line for line in lines if line.startswith("rules added ")]
    assert "greeting" in added.removesuffix(WHY).removeprefix("rules added ").split(", ")
    assert added.endswith(WHY)
    assert "hint: its manners are left out: --with manners (names calls getpwuid)" in lines
    assert re.fullmatch(SUMMARY, first), first
    assert lines[-1] == "next: docker load -i x.tar && docker run --rm names"
    assert done.stdout.startswith("docker.io/library/names:latest@sha256:")
    assert "GREETING=/etc/greeting" in config(names.parent / "x.tar")["Env"]


def test_v_says_why_and_has_a_table(cli, names):
    args = ("pack", names, "-o", "x.tar", "--rules", "my.toml", "-v")
    lines = cli(*args, check=True).stderr.splitlines()
    assert f"added greeting: {GREETS}" in lines
    (row,) = [line for line in lines if line.startswith("what rules add")]
    assert int(row.split()[3]) >= 1


def test_where_nothing_is_added_nothing_is_said_of_rules(cli, static):
    left_out = [word for rule in rules.load() for word in ("--without", rule.name)]
    done = cli("pack", static, "-o", "x.tar", "--sysroot", "bare", *left_out, check=True)
    assert "added" not in done.stderr
    assert "hint: " not in done.stderr
    assert WHY not in done.stderr


def test_q_says_nothing(cli, names):
    args = ("pack", names, "-o", "x.tar", "--rules", "my.toml", "-q")
    assert cli(*args, check=True).stderr == ""
    assert cli(*args, "--json", check=True).stderr == ""


def test_the_facts_have_what_was_added_and_each_hint(cli, names):
    done = cli("pack", names, "-o", "x.tar", "--rules", "my.toml", "--json", "-q", check=True)
    findings = json.loads(done.stdout)["findings"]
    assert all(one.keys() == {"level", "code", "text"} for one in findings)
    assert {"level": "added", "code": "rule-added", "text": f"greeting: {GREETS}"} in findings
    hints = [one["text"] for one in findings if one["level"] == "hint"]
    assert "its manners are left out: --with manners (names calls getpwuid)" in hints


def test_without_leaves_the_rule_and_what_it_sets_out(cli, names):
    args = (names, "--rules", "my.toml", "--without", "greeting")
    done = cli("pack", *args, "-o", "x.tar", check=True)
    assert "greet" not in done.stderr
    assert not any("GREETING" in one for one in config(names.parent / "x.tar")["Env"])
    assert "/etc/greeting" not in files(cli, *args)


def test_the_users_variable_counts(cli, names):
    cli("pack", names, "-o", "x.tar", "--rules", "my.toml", "-e", "GREETING=hi", check=True)
    found = config(names.parent / "x.tar")["Env"]
    assert [one for one in found if "GREETING" in one] == ["GREETING=hi"]


def test_what_is_asked_for_is_there(cli, static, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "bare/etc/speech").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"bare/etc/speech/{name}").touch()
    args = (static, "--sysroot", "bare", "--rules", "my.toml", "--with", "speech=a,b")
    assert {"/etc/speech/a", "/etc/speech/b"} <= files(cli, *args)


def test_why_leads_from_what_a_rule_adds_to_the_program(cli, names):
    args = ("why", names, "/etc/greeting", "--rules", "my.toml")
    first, second = cli(*args, check=True).stdout.splitlines()
    assert first == f"/etc/greeting: rule greeting of /usr/local/bin/names ({GREETS})"
    assert second.strip().startswith("/usr/local/bin/names: executable")
    chain = json.loads(cli(*args, "--json", check=True).stdout)["chain"]
    assert [(one["path"], one["kind"], one["asked"]) for one in chain] == [
        ("/etc/greeting", "rule", "greeting"),
        ("/usr/local/bin/names", "executable", "names"),
    ]


def test_tree_has_what_a_rule_loads(cli, cc, tmp_path):
    cc("int f(void) { return 1; }", name="lib/libplug.so", args=["-shared", "-fPIC"])
    program = cc(PLUGGED, name="plugged")
    rule = '[plug]\nbecause = "b"\nsource = "s"\nwhen = { own-imports = ["dlopen"] }\n'
    (tmp_path / "my.toml").write_text(rule + 'load = ["libplug.so"]\n')
    done = cli(
        *("tree", program, "-L", "lib", "--rules", "my.toml", "--without", "own-code"), check=True
    )
    lines = done.stdout.splitlines()
    (call,) = [number for number, line in enumerate(lines) if "calls dlopen" in line]
    assert "libplug.so" in lines[call + 1]
    assert done.stderr == ""


# --- words that are refused ---


@pytest.mark.parametrize(
    ("options", "sentences"),
    [
        (["--with", "usrs"], ["--with usrs: no rule of that name; is it users?"]),
        (["--with", "qqqq"], ["--with qqqq: no rule of that name; `rootfs-builder rules` lists"]),
        (["--without", "usrs"], ["--without usrs: no rule of that name; is it users?"]),
        (["--without", "qqqq"], ["--without qqqq: no rule of that name; `rootfs-builder rules`"]),
        (["--with", "gretings"], ["--with gretings: no rule of that name; is it greeting?"]),
        (["--with", "speech"], ["--with speech: say what: --with speech=VALUE"]),
        (["--with", "zone"], ["--with zone: say what: --with zone=VALUE"]),
        (["--with", "greeting=x,y"], ["--with greeting=x,y: the rule greeting takes no value"]),
        (["--with", "=x"], ["'=x' is not NAME or NAME=VALUE"]),
        (["--with", "speech="], ["'speech=' is not NAME or NAME=VALUE"]),
        (["--with", ""], ["'' is not NAME or NAME=VALUE"]),
        (["--with", "greeting", "--without", "greeting"], ["--without greeting says the opposite"]),
        (["--nss", "files", "--without", "nsswitch"], ["--without nsswitch says the opposite"]),
        (["--nss", "a b"], ["--nss", "'a b' is none of"]),
        (["--nss", ""], ["--nss", "'' is none of"]),
        (["--nss", "keep,ldap"], ["--nss", "'keep,ldap'", "nothing else"]),
        (
            ["--with", "usrs", "--with", "speech", "--with", "greeting=x"],
            ["--with usrs: no rule", "--with speech: say what", "--with greeting=x: the rule"],
        ),
        (["--without", "a", "--without", "b"], ["--without a: no rule", "--without b: no rule"]),
        (["--dlopen", "all"], ["--dlopen", "all"]),
    ],
    ids=str,
)
def test_words_without_a_meaning_are_refused(pack, names, options, sentences):
    pack(names, "--rules", "my.toml", *options, code=2, words=sentences)


@pytest.mark.parametrize("verb", ["stage", "tree", "why", "rules"])
def test_other_verbs_refuse_them_too(refused, names, verb):
    rest = {"stage": (names, "-o", "out"), "why": (names, "libc.so.6"), "rules": ("--match", names)}
    words = ["--with usrs: no rule of that name; is it users?"]
    refused(verb, *rest.get(verb, (names,)), "--with", "usrs", code=2, words=words)


@pytest.mark.parametrize(
    ("options", "sentences"),
    [
        (["--with", "tzdata"], ["--with tzdata: not on this machine; ", "tzdata"]),
        (["--with", "zone=Europe/Berlin"], ["--with zone=Europe/Berlin: not on this", "tzdata"]),
        (["--with", "speech=a"], ["--with speech=a: not on this machine; install a voice"]),
        (["--with", "speech=a,b"], ["--with speech=a: not on", "--with speech=b: not on"]),
        (["--with", "manners"], ["--with manners: not on this machine; learn them"]),
    ],
    ids=str,
)
def test_what_is_asked_for_and_not_here_stops_it_with_the_way_out(pack, static, options, sentences):
    args = (static, "--sysroot", "bare", "--rules", "my.toml", *options)
    pack(*args, code=3, words=sentences)
