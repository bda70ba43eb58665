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
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs import rules
from rootfs_builder.needs.closure import Program, ProgramKind
from rootfs_builder.needs.rules.places import Places
from rootfs_builder.needs.rules.reach import PLACES, Reach, anchor
from rootfs_builder.needs.rules.schema import Follow, expand
from rootfs_builder.paths import OpenedPath, SourcePath

KEPT = "hunter2"
INTERPRETER = """
#include <dlfcn.h>
const char texts[] = "\\0Py_BytesMain\\0NODE_OPTIONS\\0OPTIND\\0PERL5LIB\\0RUBYLIB\\0"
    "PHP_INI_SCAN_DIR\\0.:/usr/share/php\\0/etc/perl\\0.cpython-311-x86_64-linux-gnu.so\\0";
int main(void) { return dlopen(texts, 0) != 0; }
"""


def program(*texts):
    each = "".join(f'"\\0{text}"' for text in texts)
    return f"const char texts[] = {each}; int main(void) {{ return *texts; }}"


NGINX = program("--prefix={away}", "--conf-path={away}/key", "--http-client-body-temp-path=/x/y")
NGINX_HERE = program("--prefix=/usr", "--conf-path=/etc/nginx/nginx.conf")
APACHE = program('-D HTTPD_ROOT=\\"/etc/x\\"', '-D SERVER_CONFIG_FILE=\\"{away}/key\\"')
APACHE_HERE = program('-D HTTPD_ROOT=\\"/etc/x\\"', '-D SERVER_CONFIG_FILE=\\"none\\"')
LUA = program("LUA_INIT", "{away}/?.lua")

PROGRAMS = {  # the source of a program, and options
    "nginx, compiled in": (NGINX, {}),
    "Apache, compiled in": (APACHE, {}),
    "a directory of Lua": (LUA, {"with_": ["lua=all"]}),
    "Apache, an argument": (APACHE_HERE, {"command": ["-f", "{away}/key"]}),
    "nginx, an added configuration": (NGINX_HERE, {"add": ["nginx.conf:/etc/nginx/nginx.conf"]}),
    "a time zone": (program("x"), {"env": {"TZ": "{away}/key"}}),
}
BESIDE = {  # how a script of a language reads a file beside it; others as a shell does
    "Python": 'import os\nopen(os.path.join(os.path.dirname(__file__), "beside"))\n',
    "a module that is": 'import os\nopen(os.path.join(os.path.dirname(__file__), "beside"))\n',
    "PHP": "include __DIR__ . '/beside';\n",
}
SCRIPTS = {  # of the interpreter above; they lie two directories below what has the secret's
    "Python's path": 'import sys\nsys.path.insert(0, "/usr/..{away}")\n',
    "a module that is a link": "import linked\n",
    "Perl's path": 'use lib "/opt/../{away}"; do "key";\n',
    "a module of Node.js": 'require("../../away/key")\n',
    "a shell's dirname": '. "$(dirname "$0")/../../away/key"\n',
    "a shell's dirname, kept": 'here=$(dirname "$0"); cat "$here/../../away/key"\n',
    "Ruby's require_relative": "require_relative '../../away/key'\n__END__\n",
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


def brought(recipe, where, sysroot=None):
    """The paths of the image that have the secret, and the plan's warnings."""
    plan = rootfs_builder.stage(recipe, str(where), sysroot=sysroot)
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
    monkeypatch.setattr(Reach, "unreadable", lambda *_: {})
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


@pytest.mark.long
@pytest.mark.parametrize("case", SCRIPTS)
def test_a_script_brings_what_lies_beside_it_alone(cc, tmp_path, away, monkeypatch, case):
    interpreter = cc(INTERPRETER, name="php" if case.startswith("PHP") else "interpreter")
    script = tmp_path / "work/job/script"
    script.parent.mkdir(parents=True)
    (script.parent / ".away").mkdir()
    (script.parent / ".away/key").write_text(KEPT)
    (script.parent / "linked.py").symlink_to("../../away/key")
    (script.parent / "beside").write_text("beside")
    text = SCRIPTS[case].replace("{away}", str(away))
    own = [beside for language, beside in BESIDE.items() if case.startswith(language)]
    beside = own[0] if own else '. "$(dirname "$0")/beside"\n'
    script.write_text(f"#!{interpreter}\n{text}{beside}")
    script.chmod(0o755)
    recipe = rootfs_builder.Recipe.of(str(script))
    proved(recipe, tmp_path, monkeypatch, named="away/key" if "link" in case else "away")
    found = [one.name for one in (tmp_path / "staged").rglob("beside")]
    assert found == ["beside"]


HIDDEN = {  # what a script names of its own folder
    "a link to a hidden name": 'read(path.join(__dirname, "link"))\n',
    "a directory with a hidden name": 'read(path.join(__dirname, "open"))\n',
    "a package with a hidden name": "import package\n",
}


_LONG = {"a package with a hidden name": pytest.mark.long}  # it packs Python


@pytest.mark.parametrize("case", [pytest.param(one, marks=_LONG.get(one, ())) for one in HIDDEN])
def test_hidden_files_beside_a_script_stay(cc, tmp_path, monkeypatch, case):
    interpreter = cc(INTERPRETER, name="interpreter")
    job = tmp_path / "job"
    for directory in (job, job / "open", job / "package"):
        (directory / ".notes").mkdir(parents=True)
        (directory / ".notes/key").write_text(KEPT)
        (directory / "beside.py").write_text("beside")
        (directory / "__init__.py").write_text("")
    (job / "link").symlink_to(".notes")
    script = job / "script"
    script.write_text(f"#!{interpreter}\n{HIDDEN[case]}")
    script.chmod(0o755)
    recipe = rootfs_builder.Recipe.of(str(script))
    paths, warnings = brought(recipe, tmp_path / "staged")
    assert paths == []
    assert any("job" in one.text and "--add" in one.text for one in warnings), warnings
    monkeypatch.setattr(Reach, "allows", lambda *_: True)
    monkeypatch.setattr(Reach, "hidden", lambda *_: {})
    paths, _ = brought(recipe, tmp_path / "without")
    assert paths, "the case names nothing"


def test_what_packages_hide_comes_with_them(cc, tmp_path):
    interpreter = cc(INTERPRETER, name="interpreter")
    job = tmp_path / "job"
    store = job / "node_modules/.pnpm/x@1/node_modules/x"
    store.mkdir(parents=True)
    (store / ".libs").write_text(KEPT)
    (job / "node_modules/x").symlink_to(".pnpm/x@1/node_modules/x")
    script = job / "script"
    script.write_text(f'#!{interpreter}\nrequire("x")\n')
    script.chmod(0o755)
    paths, _ = brought(rootfs_builder.Recipe.of(str(script)), tmp_path / "staged")
    assert len(paths) == 1


def test_a_directory_that_others_may_not_enter_stays_closed(cc, tmp_path):
    interpreter = cc(INTERPRETER, name="interpreter")
    job = tmp_path / "job"
    (job / "private").mkdir(parents=True)
    (job / "private/key").write_text(KEPT)
    script = job / "script"
    script.write_text(f'#!{interpreter}\nls "$(dirname "$0")/private"\n')
    script.chmod(0o755)
    recipe = rootfs_builder.Recipe.of(str(script))
    assert len(brought(recipe, tmp_path / "open")[0]) == 1
    (job / "private").chmod(0o700)
    paths, warnings = brought(recipe, tmp_path / "closed")
    assert paths == []
    assert any("fewer users" in one.text for one in warnings)


def test_a_script_of_a_first_line_opens_no_folder(cc, tmp_path, monkeypatch):
    """In the folder of the script that names it, nothing is refused but what lies around."""
    interpreter = cc(INTERPRETER, name="interpreter")
    tool = tmp_path / "job/bin/tool"
    script = tmp_path / "job/script"
    for path, by in ((tool, interpreter), (script, tool)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!{by}\n. "$(dirname "$0")/notes"; . "$(dirname "$0")/../../notes"\n')
        path.chmod(0o755)
    (tmp_path / "notes").write_text(KEPT)
    proved(rootfs_builder.Recipe.of(str(script)), tmp_path, monkeypatch, named="notes")


def _program(walker, path):
    walk = walker.walk(OpenedPath(path))
    return Program(path, SourcePath(path), walk, None, ProgramKind.EXECUTABLE)


def test_the_root_directory_is_no_folder(tmp_path):
    """Nor is it where this machine lies beside a sysroot."""
    machine, sysroot = tmp_path / "machine", tmp_path / "sysroot"
    sysroot.mkdir()
    for path in ("script", "bin/script", "srv/key"):
        (machine / path).parent.mkdir(parents=True, exist_ok=True)
        (machine / path).write_text("")
    sources = Sources(DirectoryRoot(str(machine)), DirectoryRoot(str(sysroot)), str(sysroot))
    walker = Walker(sources)
    for path in ("/script", "/bin/script"):
        script = _program(walker, sources.locate(path))
        assert script.walk.node is not None
        door, key = Reach(walker, (script,)), sources.locate("/srv/key")
        assert not door.allows(key, None)
        assert not door.allows(key, sources.locate(""), "{script}/{file}")


@pytest.fixture
def homes(tmp_path):
    """A root whose user's home nobody else may enter, with links of the system into it."""
    for path in ("home/u/dev/key", "home/u/job/key", "home/u/venv/lib/key", "proc/1/mounts"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    for path in ("home/u/job/script", "usr/bin/python"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
        (tmp_path / path).chmod(0o755)
    (tmp_path / "home/u/venv/bin").mkdir()
    (tmp_path / "home/u/venv/bin/python").symlink_to("/usr/bin/python")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/conf").write_text("a word")
    for link, target in (("opt/dev", "/home/u/dev"), ("etc/mtab", "/proc/1/mounts")):
        (tmp_path / link).parent.mkdir(exist_ok=True)
        (tmp_path / link).symlink_to(target)
    (tmp_path / "home/u").chmod(0o700)
    return Walker(Sources(DirectoryRoot(str(tmp_path))))


def _closed(door, walker, path, owner, start=None):
    node = walker.walk(OpenedPath(path)).node
    return door.unreadable([(SourcePath(path), node)], SourcePath(owner), start)


def test_a_link_of_the_system_opens_no_home(homes):
    script = "/home/u/job/script"
    door = Reach(homes, (_program(homes, script),))
    assert door.allows("/opt/dev/key", None)
    assert _closed(door, homes, "/home/u/dev/key", script)
    assert not _closed(door, homes, "/home/u/job/key", script)
    assert not door.allows("/etc/mtab", None)


@pytest.mark.usefixtures("homes")
def test_a_closed_configuration_is_not_read(tmp_path):
    """Its words would be the names of files and directories of the image."""
    for mode, words in ((0o644, [{"word": b"word"}]), (0o600, [])):
        (tmp_path / "etc/conf").chmod(mode)
        sources = Sources(DirectoryRoot(str(tmp_path)))
        elf_files = ElfFiles(sources)
        places = Places(sources, elf_files, Reach(elf_files.walker, ()), {})
        assert (
            places.search(OpenedPath("/etc/conf"), Follow("/etc/conf", "a (?P<word>.*)")) == words
        )


def test_an_environment_in_a_closed_home_is_the_users(homes, tmp_path):
    """Its python is a link: that has no mode, but its directory has."""
    python = "/home/u/venv/bin/python"
    door = Reach(homes, (_program(homes, python),))
    where = (door, homes, "/home/u/venv/lib/key", python, "/home/u/venv")
    assert not _closed(*where)
    (tmp_path / "home/u/venv/lib").chmod(0o700)
    homes = Walker(Sources(DirectoryRoot(str(tmp_path))))
    assert _closed(Reach(homes, (_program(homes, python),)), homes, *where[2:])
    (tmp_path / "home/u/venv/bin").chmod(0o700)
    homes = Walker(Sources(DirectoryRoot(str(tmp_path))))
    assert not _closed(Reach(homes, (_program(homes, python),)), homes, *where[2:])


def test_a_sysroot_in_a_closed_directory_is_open(cc, tmp_path):
    """A sysroot is often a temporary directory, which its owner alone may enter."""
    (tmp_path / "x.conf").write_text("include /etc/open;\ninclude /etc/closed;\n")
    sysroot = tmp_path / "sysroot"
    (sysroot / "etc").mkdir(parents=True, mode=0o755)
    for name in ("open", "closed"):
        (sysroot / "etc" / name).write_text(KEPT)
    (sysroot / "etc/closed").chmod(0o600)
    sysroot.chmod(0o700)
    static = cc(program("include"), args=["-static"])
    recipe = rootfs_builder.Recipe.of(str(static), add=[f"{tmp_path}/x.conf:/etc/x.conf"])
    paths, warnings = brought(recipe, tmp_path / "staged", str(sysroot))
    assert [one.name for one in paths] == ["open"]
    assert any(f"--add {sysroot}/etc/closed:/etc/closed" in one.text for one in warnings), warnings


CALLER = "int q(void); int main(void) { return q(); }"
NOTE = """
static const struct { unsigned a, b, c; char owner[4], text[sizeof TEXT]; } note
    __attribute__((used, aligned(4), section(".note.dlopen"))) =
    { 4, sizeof TEXT, 0x407c0c0a, "FDO", TEXT };
"""
LOADED = {  # the source of a program that loads a library by its path, and its SQL
    "a dlopen note": (NOTE + CALLER, ""),
    "an extension of SQLite": (CALLER, ".load {away}/libkey\n"),
}


@pytest.mark.parametrize("case", LOADED)
def test_a_library_named_by_a_path_is_a_file_as_others(cc, tmp_path, away, monkeypatch, case):
    source, sql = LOADED[case]
    kept = f'const char kept[] = "{KEPT}";'
    key = cc(kept, name="libkey.so", where=away, args=["-shared", "-fPIC"])
    options = ["-shared", "-fPIC", "-Wl,-soname,libsqlite3.so.0"]
    sqlite = cc("int q(void) { return 0; }", name="libsqlite3.so.0", args=options)
    text = f'"[{{\\"soname\\":[\\"{key}\\"],\\"priority\\":\\"required\\"}}]"'
    user = cc(f"#define TEXT {text}\n{source}", args=[sqlite, "-Wl,-rpath,$ORIGIN"])
    (tmp_path / "sql").write_text(sql.replace("{away}", str(away)))
    recipe = rootfs_builder.Recipe.of(str(user), add=[f"{tmp_path}/sql:/sql"])
    proved(recipe, tmp_path, monkeypatch, named=str(key))


@pytest.mark.parametrize(
    ("library", "may"),
    [
        ("libx.so.1", True),
        ("/usr/$LIB/x.so", True),
        ("$ORIGIN/../../away/x.so", False),
        ("/$ORIGIN/../away/x.so", False),
        ("/usr/$LIB/../../away/x.so", False),
    ],
)
def test_what_a_loader_puts_into_a_path_leads_nowhere(library, may):
    sources = Sources(DirectoryRoot("/"))
    elf_files = ElfFiles(sources)
    places = Places(sources, elf_files, Reach(elf_files.walker, ()), {})
    assert places.may_load(library, "rule") is may


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


def test_a_script_that_only_a_first_line_names_is_refused(tmp_path):
    other = tmp_path / "other/run"
    script = tmp_path / "here/script"
    for path, text in ((other, "#!/bin/sh\n"), (script, f"#!{other}\n")):
        path.parent.mkdir()
        path.write_text(text)
        path.chmod(0o755)
    with pytest.raises(rootfs_builder.RootfsError, match="name it as another EXECUTABLE"):
        rootfs_builder.make_plan(rootfs_builder.Recipe.of(str(script)))
    plan = rootfs_builder.make_plan(rootfs_builder.Recipe.of(str(script), str(other)))
    assert len(plan.programs) == 2
    script.write_text("#!/usr/bin/env ../other/run\n")
    with pytest.raises(rootfs_builder.NotFoundError, match="relative to the working directory"):
        rootfs_builder.make_plan(rootfs_builder.Recipe.of(str(script)))


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
    assert tried > 200


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
