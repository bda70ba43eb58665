"""What a program names in its text is not the user's word: no file of the machine comes by it.

Each case is a way in which a program, a script, a configuration or an argument names a file that
the user has not named; each also shows that it is one, by what comes when nothing stops it.
"""

import os
import re
from contextlib import suppress

import pytest

import rootfs_builder
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.needs import rules
from rootfs_builder.needs.rules.reach import PLACES, Reach, anchor
from rootfs_builder.needs.rules.schema import expand

KEPT = "hunter2"
INTERPRETER = """
#include <dlfcn.h>
const char texts[] = "\\0Py_BytesMain\\0NODE_OPTIONS\\0PERL5LIB\\0/usr/share/perl5\\0"
    ".cpython-311-x86_64-linux-gnu.so\\0";
int main(void) { return dlopen(texts, 0) != 0; }
"""


def program(*texts):
    each = "".join(f'"\\0{text}"' for text in texts)
    return f"const char texts[] = {each}; int main(void) {{ return *texts; }}"


NGINX = program("--prefix={away}", "--conf-path={away}/key", "--http-client-body-temp-path=/x/y")
NGINX_HERE = program("--prefix=/usr", "--conf-path=/etc/nginx/nginx.conf")
APACHE = program('-D HTTPD_ROOT=\\"/etc/x\\"', '-D SERVER_CONFIG_FILE=\\"{away}/key\\"')
APACHE_HERE = program('-D HTTPD_ROOT=\\"/etc/x\\"', '-D SERVER_CONFIG_FILE=\\"none\\"')
SQUID = program("err_page_stylesheet /x", "mime_table {away}/key", "")
LUA = program("LUA_INIT", "{away}/?.lua")

PROGRAMS = {  # the source of a program, and options
    "nginx, compiled in": (NGINX, {}),
    "Apache, compiled in": (APACHE, {}),
    "squid, compiled in": (SQUID, {}),
    "a directory of Lua": (LUA, {}),
    "Apache, an argument": (APACHE_HERE, {"command": ["-f", "{away}/key"]}),
    "nginx, an added configuration": (NGINX_HERE, {"add": ["nginx.conf:/etc/nginx/nginx.conf"]}),
    "a time zone": (program("x"), {"env": {"TZ": "{away}/key"}}),
}
SCRIPTS = {  # of the interpreter above; they lie two directories below what has the secret's
    "Python's path": 'import sys\nsys.path.insert(0, "/usr/..{away}")\n',
    "a module that is a link": "import linked\n",
    "Perl's path": 'use lib "/opt/../{away}";\n',
    "a module of Node.js": 'require("../../away/key")\n',
    "a shell's dirname": '. "$(dirname "$0")/../../away/key"\n',
    "a shell's dirname, kept": 'here=$(dirname "$0"); cat "$here/../../away/key"\n',
    "Ruby's require_relative": "require_relative '../../away/key'\n",
    "PHP's __DIR__": "<?php include __DIR__ . '/../../away/key';\n",
    "Perl's FindBin": 'use FindBin; do "$FindBin::Bin/../../away/key";\n',
    "a hidden name beside": 'require("./.away/key")\n',
}


@pytest.fixture
def away(tmp_path):
    """A directory of the machine that only its owner may enter."""
    away = tmp_path / "away"
    away.mkdir()
    (away / "key").write_text(KEPT)
    return away


def brought(recipe, where):
    """The paths of the image that have the secret, and the plan's warnings."""
    plan = rootfs_builder.stage(recipe, str(where))
    paths = [
        path
        for path in where.rglob("*")
        if path.is_file() and not path.is_symlink() and KEPT.encode() in path.read_bytes()
    ]
    return paths, [one for one in plan.findings if one.level == "warning"]


def proved(recipe, tmp_path, monkeypatch, *, named):
    paths, warnings = brought(recipe, tmp_path / "staged")
    assert paths == []
    assert any(named in one.text and "--add" in one.text for one in warnings), warnings
    for question in ("allows", "leads"):
        monkeypatch.setattr(Reach, question, lambda *_: True)
    paths, _ = brought(recipe, tmp_path / "without")
    assert paths, "the case names nothing"


@pytest.mark.parametrize("case", PROGRAMS)
def test_a_program_brings_no_file_of_the_machine(cc, tmp_path, away, monkeypatch, case):
    source, options = PROGRAMS[case]
    (tmp_path / "nginx.conf").write_text(f"include {away}/key;\n")
    cc(source.replace("{away}", str(away)))

    def filled(value):
        if isinstance(value, str):
            return value.replace("{away}", str(away))
        if isinstance(value, dict):
            return {name: filled(one) for name, one in value.items()}
        return [filled(one) for one in value]

    recipe = rootfs_builder.Recipe.of("hello", directory=str(tmp_path), **filled(options))
    proved(recipe, tmp_path, monkeypatch, named=str(away))


@pytest.mark.parametrize("case", SCRIPTS)
def test_a_script_brings_what_lies_beside_it_alone(cc, tmp_path, away, monkeypatch, case):
    interpreter = cc(INTERPRETER, name="interpreter")
    script = tmp_path / "work/job/script"
    script.parent.mkdir(parents=True)
    (script.parent / ".away").mkdir()
    (script.parent / ".away/key").write_text(KEPT)
    (script.parent / "linked.py").symlink_to("../../away/key")
    (script.parent / "beside").write_text("beside")
    text = SCRIPTS[case].replace("{away}", str(away))
    script.write_text(f'#!{interpreter}\n{text}. "$(dirname "$0")/beside"\n')
    script.chmod(0o755)
    recipe = rootfs_builder.Recipe.of(str(script))
    proved(recipe, tmp_path, monkeypatch, named="away/key" if "link" in case else "away")
    found = [one.name for one in (tmp_path / "staged").rglob("beside")]
    assert found == ["beside"]


def test_an_interpreter_that_is_no_program_is_refused(tmp_path, away):
    script = tmp_path / "script"
    script.write_text(f"#!{away}/key\n")
    script.chmod(0o755)
    with pytest.raises(rootfs_builder.RootfsError):
        rootfs_builder.make_plan(rootfs_builder.Recipe.of(str(script)))


def _spelt(rule):
    """The rule's templates of paths that it reads."""
    read_from = [one for one in rule.paths if one not in rule.write and one not in rule.directories]
    return dict.fromkeys(read_from)


def test_no_rule_has_a_path_that_leads_out(tmp_path, away):
    """Each variable that a text binds has each way out."""
    job = tmp_path / "work/job"
    (job / "x").mkdir(parents=True)
    walker = Walker(Sources(DirectoryRoot("/")))
    door, tried = Reach(walker, ()), 0
    for rule in rules.load():
        places = dict.fromkeys((*PLACES, *rule.landmarks), str(job))
        for template in _spelt(rule):
            for text in (
                f"{away}",
                f"/usr/..{away}",
                "../../away",
                "/../../away",
                "x/../../../away",
            ):
                variables = Everything(text, places)
                path = expand_with(template, variables)
                make(os.path.realpath(path), away)
                if not os.path.realpath(path).startswith(str(away)) or not os.path.exists(path):
                    continue
                tried += 1
                start = anchor(template, variables, rule.landmarks)
                assert not door.allows(path, start, template), (rule.name, template, path)
    assert tried > 300


class Everything(dict):
    """Each variable has a value."""

    def __init__(self, text, places):
        super().__init__(places)
        self._text = text

    def __contains__(self, _):
        return True

    def __missing__(self, _):
        return self._text


def expand_with(template, variables):
    return expand(template, variables).replace("*", "x").replace("[", "x").replace("]", "x")


def make(path, away):
    if path.startswith(f"{away}/") and not os.path.exists(path):
        with suppress(NotADirectoryError, FileExistsError):  # an earlier path ended there
            os.makedirs(os.path.dirname(path), exist_ok=True)
            open(path, "a").close()


@pytest.mark.parametrize("rule", rules.load(), ids=lambda rule: rule.name)
def test_no_text_binds_a_place(rule):
    patterns = [one for find in rule.finds for one in (*find.text, *find.words)]
    patterns += [one.text for one in rule.follow]
    bound = {name for one in patterns for name in re.compile(one.encode()).groupindex}
    assert bound.isdisjoint(PLACES | set(rule.landmarks))
