"""A rules file with a mistake: each is named at once, with its file, line, rule and key."""

import os
import re
import time
import tomllib
from pathlib import Path

import pytest

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import UsageError
from rootfs_builder.needs import rules
from rootfs_builder.needs.rules.schema import When
from rootfs_builder.recipe.toml_lines import Lines
from tests.test_bad_input import PROGRAM, UNREADABLE, ordinary, pack, refused

__all__ = ["pack", "refused"]  # fixtures

HEAD = """\
[one]
because = "b"
source = "s"
"""
NO_PATH = "not an absolute path"
NO_PATTERN = "not a valid regular expression"


def said(text):
    """What is said of a file, a line each."""
    with pytest.raises(UsageError) as caught:
        rules.read(text, "my.toml")
    return str(caught.value).splitlines()


def mistakes(text):
    """The mistakes as (line, rule, key, rest)."""
    found = []
    for line in said(text):
        place, _, rest = line.partition(": [")
        file, _, number = place.partition(":")
        assert file == "my.toml"
        name, _, rest = rest.partition("] ")
        key, colon, what = rest.partition(": ")
        found.append((int(number), name, key if colon else "", what or rest))
    return found


def places(text):
    return [(line, name, key) for line, name, key, _ in mistakes(text)]


def marked(body):
    """A rule with `body`, in which the line that is to be named ends in `# HERE`."""
    text = HEAD + body
    (line,) = [n for n, one in enumerate(text.splitlines(), 1) if one.endswith("# HERE")]
    return text, line


@pytest.mark.parametrize(
    ("body", "key", "words"),
    [
        pytest.param('lod = ["x"]  # HERE', "lod", "unknown field `lod`", id="unknown key"),
        pytest.param('Load = ["x"]  # HERE', "Load", "unknown field", id="key in capitals"),
        pytest.param('own_imports = ["x"]  # HERE', "own_imports", "unknown field", id="_ for -"),
        pytest.param(
            'load = ["x"]\nname = "two"  # HERE', "name", "header is the rule's name", id="name"
        ),
        pytest.param('load = "x"  # HERE', "load", "Expected `array`, got `str`", id="a text"),
        pytest.param("load = 5  # HERE", "load", "Expected `array`, got `int`", id="number"),
        pytest.param('load = ["x",\n  5]  # HERE', "load", "got `int`", id="number in an array"),
        pytest.param('optional = "yes"  # HERE', "optional", "Expected `bool`", id="no bool"),
        pytest.param(
            'generates = "hosts"  # HERE', "generates", "not one of", id="generates: what?"
        ),
        pytest.param('like = "two"  # HERE', "like", "not a rule of this file", id="like: none"),
        pytest.param('load = ["x"]\nwhen = "x"  # HERE', "when", "got `str`", id="when is text"),
        pytest.param(
            'load = ["x"]\nwhen = { import = ["x"] }  # HERE',
            "when.import",
            "unknown field `import`",
            id="unknown key in when",
        ),
        pytest.param(
            'load = ["x"]\nwhen = { imports = "x" }  # HERE',
            "when.imports",
            "got `str`",
            id="wrong type in when",
        ),
        pytest.param(
            'load = ["x"]\nwhen = [\n  { imports = ["x"] },\n  { imports = [\n    "y",\n'
            "    5,  # HERE\n  ] },\n]",
            "when.imports",
            "got `int`",
            id="wrong type deep in the second of when",
        ),
        pytest.param(
            'load = ["x"]\nwhen = [\n  { libc = ["glibc"] },\n  { libc = ["uclibc"] },  # HERE\n]',
            "when.libc",
            "'uclibc' is not one of glibc, musl, static",
            id="unknown libc in the second of when",
        ),
        pytest.param(
            'load = ["x"]\n[[one.when]]\nlibc = ["musl"]\n[[one.when]]\nlibc = ["Musl"]  # HERE',
            "when.libc",
            "'Musl' is not one of",
            id="unknown libc in an array of tables",
        ),
        pytest.param(
            'load = ["x"]\nwhen = { before = "2" }  # HERE',
            "when.before",
            "'2' is not a version of glibc",
            id="version of one number",
        ),
        pytest.param(
            'load = ["x"]\nwhen = { before = "2.34-1" }  # HERE',
            "when.before",
            "'2.34-1' is not a version of glibc",
            id="version of a package",
        ),
        pytest.param(
            'load = ["x"]\nwhen = { before = 2.34 }  # HERE',
            "when.before",
            "Expected `str`, got `float`",
            id="version as a number",
        ),
        pytest.param('load = ["x"]\nwhen = {}  # HERE', "when", "empty table", id="empty when"),
        pytest.param(
            'load = ["x"]\nwhen = [{ libc = ["musl"] },\n  {},  # HERE\n]',
            "when",
            "empty table",
            id="empty table among when",
        ),
        pytest.param('load = ["x"]\nwhen = []  # HERE', "when", "no table in it", id="no when"),
        pytest.param(
            'load = ["x"]\nwhen = { libc = ["musl"], imports = [] }  # HERE',
            "when.imports",
            "empty, so it holds for no program",
            id="empty list in when",
        ),
        pytest.param(
            'load = ["x"]\nwhen = { text = ["x",\n  ""] }  # HERE',
            "when.text",
            "is in every program",
            id="empty text in when",
        ),
        pytest.param(
            'copy = ["/x"]\nfind = { text = "x" }  # HERE', "find.text", "got `str`", id="find text"
        ),
        pytest.param(
            'copy = ["/x"]\nfind = { text = [] }  # HERE',
            "find",
            "neither soname nor text nor words",
            id="find without anything",
        ),
        pytest.param(
            "copy = [\"/x\"]\nfind = { text = ['a'], program = true }  # HERE",
            "find.program",
            "without `soname` the program alone",
            id="find in the program too: in what else?",
        ),
        pytest.param(
            "copy = [\"/x\"]\nfind = { text = ['a',\n  '(?P<x>'] }  # HERE",
            "find.text",
            NO_PATTERN,
            id="find: bad pattern",
        ),
        pytest.param(
            "copy = [\"/x\"]\nfind = { text = ['a'], words = ['a',\n  '(?P<x>'] }  # HERE",
            "find.words",
            NO_PATTERN,
            id="find: bad pattern for words",
        ),
        pytest.param(
            "copy = [\"/x\"]\nfind = { text = ['a{99999999999999999999}'] }  # HERE",
            "find.text",
            NO_PATTERN,
            id="find: pattern with a number that is too large",
        ),
        pytest.param(
            'copy = ["/x"]\nfind = { text = [\'' + 5000 * "(" + 5000 * ")" + "'] }  # HERE",
            "find.text",
            NO_PATTERN,
            id="find: pattern that nests too deep",
        ),
        pytest.param('copy = ["/x",\n  5]  # HERE', "copy", "Expected `str`", id="copy: 5"),
        pytest.param(
            'copy = ["/x"]\nfollow = { file = "/x", text = "x" }  # HERE',
            "follow",
            "Expected `array`",
            id="one follow for many",
        ),
        pytest.param(
            'copy = ["/x"]\nfollow = [\n  { file = "/x" },  # HERE\n]',
            "follow",
            "neither text nor settings",
            id="follow without text",
        ),
        pytest.param(
            "copy = [\"/x\"]\nfollow = [\n  { file = '/x', text = 'a' },\n"
            "  { file = '/y', text = '[' },  # HERE\n]",
            "follow.text",
            NO_PATTERN,
            id="follow: bad pattern",
        ),
        pytest.param(
            "copy = [\"/x\"]\nfollow = [{ file = 'x', text = 'a' }]  # HERE",
            "follow.file",
            NO_PATH,
            id="follow: relative path",
        ),
        pytest.param('copy = ["/{x}"]  # HERE', "copy", "{x} is bound by no", id="unbound in copy"),
        pytest.param('load = ["{x}.so"]  # HERE', "load", "{x} is bound by no", id="load unbound"),
        pytest.param('locale = ["{x}"]  # HERE', "locale", "{x} is bound", id="unbound in locale"),
        pytest.param(
            'environment = { A = "{x}" }  # HERE', "environment", "{x} is bound", id="in env"
        ),
        pytest.param(
            'directories = { "/{x}" = "0755" }  # HERE',
            "directories",
            "{x} is bound",
            id="unbound in directories",
        ),
        pytest.param(
            '[one.write]\n"/a" = "a"\n"/{x}" = "x"  # HERE', "write", "{x} is bound", id="in write"
        ),
        pytest.param(
            "find = { text = ['(?P<x>a)'] }\ncopy = [\n  '/{x}',\n  '/{y}',  # HERE\n]",
            "copy",
            "{y} is bound by no",
            id="bound by another name",
        ),
        pytest.param(
            "copy = [\"/x\"]\n[[one.find]]\ntext = ['a']\n[[one.find]]\ntext = ['(']  # HERE",
            "find.text",
            NO_PATTERN,
            id="second find: bad pattern",
        ),
        pytest.param(
            'copy = ["{x}"]\n[one.landmarks]\nx = ["/x"]\ny = ["/a",\n  "b"]  # HERE',
            "landmarks",
            NO_PATH,
            id="landmark: relative",
        ),
        pytest.param(
            'copy = ["/x"]\n[one.landmarks]\nvalue = ["/x"]  # HERE',
            "landmarks",
            "{value} stands for something else",
            id="landmark with a name that is taken",
        ),
        pytest.param(
            'copy = ["/x"]\nomit = ["a",\n  "/b"]  # HERE',
            "omit",
            "'/b' is not a name, nor a path within",
            id="omit: absolute",
        ),
        pytest.param(
            'copy = ["/x"]\nomit = [""]  # HERE', "omit", "is not a name", id="omit: no text"
        ),
        pytest.param('copy = ["etc/x"]  # HERE', "copy", NO_PATH, id="relative"),
        pytest.param('copy = ["/a/../x"]  # HERE', "copy", NO_PATH, id="with .."),
        pytest.param('copy = [""]  # HERE', "copy", NO_PATH, id="no text"),
        pytest.param(
            '[one.write]\n"/a" = "a"\n"b" = "b"  # HERE', "write", NO_PATH, id="write: relative"
        ),
        pytest.param(
            '[one.write]\n"/a" = "a"\n"/b" = 5  # HERE', "write", "got `int`", id="write: a number"
        ),
        pytest.param(
            'write = { "/a//b" = "x" }  # HERE', "write", NO_PATH, id="write: an empty part"
        ),
        pytest.param('write = { "/a\\u0000b" = "x" }  # HERE', "write", NO_PATH, id="write: a NUL"),
        pytest.param('write = { "/" = "x" }  # HERE', "write", NO_PATH, id="write: the root"),
        pytest.param(
            'write = { "/proc/x" = "x" }  # HERE', "write", "mounts /proc", id="write: /proc"
        ),
        pytest.param(
            'directories = { "/tmp/" = "1777" }  # HERE',
            "directories",
            NO_PATH,
            id="directories: trailing slash",
        ),
        pytest.param(
            'directories = { "/x" = "rwx" }  # HERE',
            "directories",
            "'rwx' is not a valid mode",
            id="mode",
        ),
        pytest.param(
            'directories = { "/x" = "888" }  # HERE',
            "directories",
            "not a valid mode",
            id="mode of eights",
        ),
        pytest.param(
            'directories = { "/x" = "4755" }  # HERE',
            "directories",
            "not a valid mode",
            id="set-user-id",
        ),
        pytest.param(
            'directories = { "/x" = 1777 }  # HERE', "directories", "got `int`", id="mode 1777"
        ),
        pytest.param(
            'environment = { "A=B" = "x" }  # HERE',
            "environment",
            "not a variable",
            id="name with =",
        ),
        pytest.param(
            'environment = { A = "\\u0000" }  # HERE', "environment", "not a variable", id="NUL"
        ),
        pytest.param(
            'load = ["x"]\nhint = "x"  # HERE', "hint", "would never be shown", id="no when"
        ),
        pytest.param(
            'load = ["{value}"]\nvalues = ["x"]\nmore = "x"  # HERE',
            "more",
            "would never be shown",
            id="more: no when",
        ),
        pytest.param(
            'load = ["x"]\nwhen = { imports = ["x"] }\nmore = "x"  # HERE',
            "more",
            "`values` of its own",
            id="more: no values",
        ),
        pytest.param(
            'copy = ["/{value}"]\nnamed = { all = ["*"], none = "x" }  # HERE',
            "named",
            "Expected `array`",
            id="named: text",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line_rule_and_key(body, key, words):
    text, line = marked(body)
    ((number, name, at, what),) = mistakes(text)
    assert (number, name, at) == (line, "one", key)
    assert words in what


def test_a_rule_that_does_not_say_why_it_exists_or_where_that_is_written():
    assert places('\n[one]\nload = ["x"]\n') == [(2, "one", "because"), (2, "one", "source")]
    text = '[one]\nload = ["x"]\nsource = " "\nbecause = ""\n'
    assert places(text) == [(4, "one", "because"), (3, "one", "source")]


def test_a_rule_that_adds_nothing():
    ((line, name, key, what),) = mistakes("\n" + HEAD + 'when = { imports = ["x"] }\n')
    assert (line, name, key) == (2, "one", "it adds nothing")
    assert what.startswith("load, copy, write")


def test_a_hint_alone_is_enough():
    (rule,) = rules.read(HEAD + 'hint = "h"\nwhen = { imports = ["x"] }\n', "my.toml")
    assert not rule.acts


@pytest.mark.parametrize("name", ["One", "one_two", "-one", "'one two'", "'one.two'", "'é'", "''"])
def test_a_name_is_lower_case_letters_digits_and_dashes(name):
    text = HEAD.replace("[one]", f"[{name}]") + 'load = ["x"]'
    assert mistakes(text) == [
        (1, name.strip("'"), "", "a rule's name is lower case letters, digits and dashes")
    ]


@pytest.mark.parametrize("text", ["one = 5", "one = []", "[[one]]", "[[one]]\nbecause = 'b'"])
def test_a_rule_is_a_table(text):
    ((line, name, key, what),) = mistakes(f"# a comment\n{text}")
    assert (line, name, key) == (2, "one", "")
    assert what.startswith("Expected `object`")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[one]\nbecause = "x\n', 2),
        ("[one]\n\n[one]\n", 3),
        ("[one]\na = 1\n\na = 2\n", 4),
        ("[one]\nload = [\n", 3),
        ("[one]\nwhen = { a = 1,\n  b 2 }\n", 3),
        ("[one\n", 1),
        ("= 1", 1),
        ("[one]\nwhen = 2024-13-01\n", 2),
    ],
)
def test_what_is_no_toml_is_named_with_its_line(text, line):
    (sentence,) = said(text)
    assert sentence.startswith(f"my.toml:{line}: ")


@pytest.mark.parametrize("value", [5000 * "1", 20_000 * "["])
def test_toml_that_no_reader_takes_is_a_sentence(value):
    (sentence,) = said(f"[one]\nload = {value}\n")
    assert sentence.startswith("my.toml:")


def test_every_mistake_of_a_file_is_named_at_once():
    text = """\
[one]
because = "b"
load = "x"
sorce = "s"
when = { libc = [5] }

[two]
because = "b"
source = "s"
copy = ["x", "/y", "/../z"]
directories = { "/d" = "x" }
when = { libc = ["a", "b"], before = "c" }

[Three]
because = "b"
source = ""
load = ["x"]
"""
    assert sorted(places(text)) == [
        (1, "one", "source"),
        (3, "one", "load"),
        (4, "one", "sorce"),
        (5, "one", "when.libc"),
        (10, "two", "copy"),
        (10, "two", "copy"),
        (11, "two", "directories"),
        (12, "two", "when.before"),
        (12, "two", "when.libc"),
        (12, "two", "when.libc"),
        (14, "Three", ""),
        (16, "Three", "source"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            HEAD + 'load = [\n  "a",  # [other]\n  "b",\n]\ncopy = ["x"]  # HERE\n',
            id="an array of several lines",
        ),
        pytest.param(
            HEAD + 'load = [\n[\n"a"]]\ncopy = ["x"]  # HERE\n'.replace('[\n"a"]', '"[a]"'),
            id="an element that looks like a header",
        ),
        pytest.param(
            HEAD + 'write = { "/a" = """\n[other]\ncopy = 1\n""" }\ncopy = ["x"]  # HERE\n',
            id="a text that looks like a table",
        ),
        pytest.param(
            HEAD + 'write = { "/a" = \'\'\'\n[other]\n"""\n\'\'\' }\ncopy = ["x"]  # HERE\n',
            id="a literal text that looks like a table",
        ),
        pytest.param(
            HEAD + 'write."/a" = """ "" \\""" [b]\n"""\ncopy = ["x"]  # HERE\n',
            id="quotes in a text",
        ),
        pytest.param(
            HEAD + 'write."/a" = """a\n"""""\ncopy = ["x"]  # HERE\n',
            id="a text that ends in quotes",
        ),
        pytest.param(
            HEAD.replace("[one]", "[ 'one' ]") + "\"co\\u0070y\" = ['x']  # HERE\n",
            id="quoted keys",
        ),
        pytest.param(
            'one.because = "copy"\none.source = "s"\n"one".copy = ["x"]  # HERE\n',
            id="dotted keys",
        ),
        pytest.param(
            'two = { because = "b", source = "s", load = ["x"] }\n'
            'one = { because = "b", source = "s", copy = ["x"] }  # HERE\n',
            id="inline tables",
        ),
        pytest.param(
            '[two]\nbecause = "b"\nsource = "s"\ncopy = ["/x"]\n' + HEAD + 'copy = ["x"]  # HERE\n',
            id="the same key of another rule",
        ),
        pytest.param(
            HEAD + 'load-copy = 5\ncopy = ["x"]  # HERE\n'.replace("load-copy = 5\n", ""),
            id="nothing between",
        ),
        pytest.param(
            HEAD.replace("\n", "\r\n") + 'load = [\r\n"a"]\r\ncopy = ["x"]  # HERE\r\n',
            id="lines that end as on Windows",
        ),
        pytest.param(
            HEAD.replace('"b"', '"a\u2028b\x85c"') + 'copy = ["x"]  # HERE\n',
            id="characters that end a line for Python alone",
        ),
    ],
)
def test_the_line_is_that_of_the_key_however_the_file_is_written(text):
    lines = text.replace("\r", "").split("\n")
    (line,) = [n for n, one in enumerate(lines, 1) if one.endswith("# HERE")]
    ((number, name, key, _),) = mistakes(text)
    assert (number, name) == (line, "one")
    assert key in ("copy", "copy.first")


def walked(value, path=()):
    """Every key and element of a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from walked(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from walked(inner, (*path, index))


@pytest.mark.parametrize(
    "name", [one for one in os.listdir(os.path.dirname(rules.__file__)) if one.endswith(".toml")]
)
def test_every_key_of_the_rules_here_stands_on_the_line_that_is_told(name):
    with open(os.path.join(os.path.dirname(rules.__file__), name), encoding="utf-8") as file:
        text = file.read()
    lines = Lines(text)
    for path in walked(tomllib.loads(text)):
        assert path[-1] in text.split("\n")[lines.of(path) - 1]


def test_a_file_without_rules_is_none():
    assert rules.read("# nothing yet\n", "my.toml") == ()


def test_a_rule_as_it_is_read():
    text = HEAD + 'when = [{ own-imports = ["f"] }, { user = true }]\nload = ["x"]\n'
    (rule,) = rules.read(text, "my.toml")
    assert rule.evidence == (When(own_imports=("f",)), When(user=True))
    assert (rule.name, rule.because, rule.source, rule.load) == ("one", "b", "s", ("x",))


def test_the_rules_here_have_no_mistake_and_are_in_order():
    names = [rule.name for rule in rules.load()]
    assert names == sorted(set(names))


def test_rules_that_are_remembered_are_those_that_were_read(monkeypatch):
    facts = FileFacts()
    read = rules.load(facts=facts)
    saved = facts.serialize(time.time_ns() + 10**11)
    monkeypatch.setattr(rules, "read", None)  # nothing is read again
    assert rules.load(facts=FileFacts(saved)) == read == rules.load(facts=facts)


def test_a_name_that_is_taken_is_refused_with_the_way_out():
    both = HEAD.replace("[one]", "[users]") + 'load = ["x"]\n'
    both += HEAD.replace("[one]", "\n[hosts]") + 'load = ["x"]\n'
    with pytest.raises(UsageError) as caught:
        rules.load((("a.toml", both),))
    first, second = str(caught.value).splitlines()
    assert first.startswith("a.toml:1: [users] is a rule of names.toml already")
    assert second.startswith("a.toml:6: [hosts] is a rule of names.toml already")
    assert "--without users" in first


def test_a_name_that_two_files_of_the_user_have_is_refused():
    mine = HEAD + 'load = ["x"]\n'
    with pytest.raises(UsageError, match=r"b\.toml:1: \[one\] is a rule of a\.toml already"):
        rules.load((("a.toml", mine), ("b.toml", mine)))


# --- through the command line: nothing is written, and what was there stays ---


def test_a_rules_file_with_mistakes_stops_it(pack, tmp_path):
    (tmp_path / "my.toml").write_text(HEAD + 'lod = ["x"]\n[two]\n')
    words = ["rootfs-builder: my.toml:4: [one] lod: ", "my.toml:5: [two] because: "]
    pack(PROGRAM, "--rules", "my.toml", code=2, words=words)


def test_a_rules_file_that_is_no_toml_stops_it(pack, tmp_path):
    (tmp_path / "my.toml").write_text("[one\n")
    pack(PROGRAM, "--rules", "my.toml", code=2, words=["my.toml:1: "])


def test_a_rules_file_that_is_not_there_stops_it(pack):
    pack(PROGRAM, "--rules", "my.toml", code=3, words=["--rules my.toml: no such file"])


def test_a_directory_of_rules_stops_it(pack, tmp_path):
    (tmp_path / "dir").mkdir()
    pack(PROGRAM, "--rules", "dir", code=1, words=["--rules dir: Is a directory"])


def test_a_rules_file_that_is_no_text_stops_it(pack, tmp_path):
    (tmp_path / "my.toml").write_bytes(b'[one]\nbecause = "\xff"\n')
    pack(PROGRAM, "--rules", "my.toml", code=1, words=["--rules my.toml: not UTF-8"])


def test_a_rules_file_that_must_not_be_read_stops_it(pack, tmp_path):
    (tmp_path / "my.toml").touch(mode=0o200)
    words = ["--rules my.toml", UNREADABLE[0]]
    pack(PROGRAM, "--rules", "my.toml", code=1, words=words, run=ordinary, cwd=tmp_path)


@pytest.mark.parametrize("verb", ["stage", "tree", "why", "rules"])
def test_other_verbs_refuse_it_as_pack_does(refused, tmp_path, verb):
    (tmp_path / "my.toml").write_text("[one]\n")
    rest = {"stage": (PROGRAM, "-o", "out"), "why": (PROGRAM, "libc.so.6"), "rules": ()}
    args = rest.get(verb, (PROGRAM,))
    refused(verb, *args, "--rules", "my.toml", code=2, words=["my.toml:1: [one] because: "])


@pytest.mark.parametrize("content", [b"", b"\n# none\n"])
def test_an_empty_rules_file_changes_nothing(cli, tmp_path, content):
    (tmp_path / "my.toml").write_bytes(content)
    without = cli("pack", PROGRAM, "-o", "x.tar", check=True)
    done = cli("pack", PROGRAM, "-o", "x.tar", "--rules", "my.toml", check=True)
    assert done.stdout == without.stdout
    seconds = re.compile(r" in \d+\.\d s$", re.MULTILINE)
    assert seconds.sub("", done.stderr) == seconds.sub("", without.stderr)


@pytest.mark.parametrize("file", sorted(Path(rules.__file__).parent.glob("*.toml")), ids=str)
def test_our_own_rules_have_no_mistake(file):
    assert rules.read(file.read_text(), file.name)
