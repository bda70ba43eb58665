"""What a shell script brings: one tiny case for each thing that a shell does."""

import os
from pathlib import Path

import pytest

from rootfs_builder import recipe
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.needs import rules, undeclared
from rootfs_builder.pipeline import planning
from tests import package_roots
from tests.loader.oracle import GLIBC
from tests.rule_bench import LIB, Bench, libc, program, rule
from tests.timing import is_linear

SH = "/usr/bin/dash"
RULE = rule('when = { text = ["OPTIND"] }\nfinder = "shell"', "shell-commands")
SCRIPT = "/app/bin/script"
LEFT_OUT = (
    "programs that are named in it are left out; name those you need as further EXECUTABLEs: "
)

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")


@pytest.fixture
def bench(linker, tmp_path):
    """A root with a shell and some commands."""
    bench = Bench(tmp_path / "root", linker)
    shell = program("frob", source='const char *name = "OPTIND";')
    bench.fill({f"{LIB}/libc.so.6": libc("frob"), SH: shell, "/bin": "-> usr/bin"})
    bench.fill({f"/usr/bin/{one}": program("frob") for one in ("ls", "sed", "cat", "dirname")})
    return bench


def packed(bench, text, files=None, *, script=SCRIPT, line="#!/usr/bin/dash"):
    """The result of a script that is packed, and of files beside it."""
    bench.fill({script: f"{line}\n{text}\n", **(files or {})})
    Path(f"{bench.root}{script}").chmod(0o755)
    return bench.plan(RULE, script)


@pytest.mark.parametrize("name", ["checker-of", "word"])
def test_a_program_that_is_an_argument_is_a_hint_if_it_is_no_word(bench, name):
    """As `pospell -p hunspell` starts hunspell."""
    bench.fill({f"/usr/bin/{name}": program("frob")})
    hints = packed(bench, f"ls -p {name} x").said("hint")
    assert hints == ([f"{LEFT_OUT}{bench.root}/usr/bin/{name}"] if "-" in name else [])


def test_what_the_grammar_does_not_understand_spoils_one_function_alone(bench):
    """As jigdo-lite's, whose backquotes hold quotes that backslashes keep."""
    odd = r"""menu() {
  case $l in
    a) b="`echo $l | sed -e 's%[['\\''\"$\\\`|&/]%%g'`";;
  esac
}
"""
    result = packed(bench, f"{odd}\nshow() {{\n  ls\n}}\nshow")
    assert "/usr/bin/ls" in brought(result)


def brought(result):
    own = (LIB, "/lib64", "/usr/lib")
    return {path for path in result.paths if not path.startswith(own)} - {SH, SCRIPT, "/bin"}


@pytest.mark.parametrize(
    "text",
    [
        "ls",
        "x=1 ls -l",
        "cat() { :; }; cat | ls",
        "exec ls",
        "echo $(ls)",
        'echo "`ls`"',
        "if ls; then :; fi",
        "X=ls; $X -l",
        "${X:-ls} -l",
        "f() { ls; }; f",
        "f() { $1; }; f ls",
        "for one in ls; do $one; done",
        "X='ls -l'; $X",
        "eval 'ls -l'",
        "trap 'ls' EXIT",
        'set -- ls -l; exec "$@"',
        'set -e -- ls; "$1"',
        'X="ls -l $1"; exec $X',
        'X=; [ -n "$1" ] && X=none; $X ls',
        "X=; Y=; [ $1 ] && X=none; [ $2 ] && Y='none -f'; exec $X $Y ls",
        'X="ls  $1"; $X',
        'X="ls -n 0 $@"; case $(uname) in Linux) exec $X;; esac',
        "set -euo pipefail; while [ $# -gt 0 ]; do ls; shift; done",
        'set -eu -o pipefail +x; X=; [ "$1" = -x ] && X=1; if [ "$X" ]; then ls; fi',
        "command -v zork >/dev/null || ls",
        "case $(uname) in Linux) ls ;; *) sed ;; esac",
        "X=no; if [ $X = yes ]; then sed; else ls; fi",
        "case $1 in *.txt) ls ;; esac",
        "cat=/usr/bin; $cat/ls",
        "cd /usr/bin; ./ls",
        "cat <<END\n$(ls)\nEND\ncat() { :; }",
        "cat <<-END\nUsage: `ls /` x\n\tEND\ncat() { :; }",
        "put() { cat; }; put x <<'END'\n#!/bin/sh\nexec ls $1\nEND\n",
        "put() { cat; }\nall() {\nput <<'END' || return 1\nx\nEND\nls\n}\nall",
        "put() { cat; }; put x <<END && ls\nx\nEND\n",
        "x=$((1 << bits))\necho '`' \"'\"; now=`ls`",
    ],
)
def test_a_command_that_is_run_goes_in(bench, text):
    assert brought(packed(bench, text)) - {"/usr/bin/cat"} == {"/usr/bin/ls"}


def test_scripts_in_scripts_end_somewhere(bench):
    count = 300
    begins = "".join(f"cat <<'E{one}'\n#!/bin/sh\n" for one in range(count))
    ends = "".join(f"\nE{one}" for one in reversed(range(count)))
    assert "/usr/bin/ls" not in brought(packed(bench, f"cat() {{ :; }}\n{begins}ls{ends}\n"))


@pytest.mark.parametrize(
    "text",
    [
        "exec kill 1",
        "exec env kill 1",
        "find / -exec kill {} +",
        "xargs nice kill",
        "kill() { :; }; xargs kill",
    ],
)
def test_a_program_is_started_even_where_the_shell_has_such_a_command(bench, text):
    others = ("env", "find", "xargs", "nice")
    bench.fill({f"/usr/bin/{one}": program("frob") for one in ("kill", *others)})
    assert "/usr/bin/kill" in brought(packed(bench, text))


@pytest.mark.parametrize(
    "text", ["kill 1", "time kill 1", "xargs sh -c 'kill 1'", "command kill 1"]
)
def test_a_command_of_the_shell_is_no_program(bench, text):
    bench.fill({f"/usr/bin/{one}": program("frob") for one in ("kill", "xargs", "time")})
    assert "/usr/bin/kill" not in brought(packed(bench, text))


@pytest.mark.parametrize("text", ["xargs", "xargs -n 1 -d ,"])
def test_xargs_starts_echo_where_no_command_follows(bench, text):
    bench.fill({"/usr/bin/xargs": program("frob"), "/usr/bin/echo": program("frob")})
    assert brought(packed(bench, text)) == {"/usr/bin/xargs", "/usr/bin/echo"}
    assert brought(packed(bench, f"{text} ls")) == {"/usr/bin/xargs", "/usr/bin/ls"}


@pytest.mark.parametrize(
    "text",
    [
        "# ls",
        "echo ls",
        "ls() { :; }; ls",
        "cat() { cat <<END\nls\nEND\n}",
        "cat() { cat <<'END'\n`ls`\nEND\n}",
        "cat() { cat <<END\n\\`ls\\`\nEND\n}",
        "exit 0; ls",
        "X=no; [ $X = yes ] && ls",
        'X="ls$1"; $X',
        'X=; [ $1 ] && X=none; exec $X "$2" ls',
        'X="ls $1"; read X; $X',
    ],
)
def test_what_is_no_command_stays_away(bench, text):
    assert "/usr/bin/ls" not in brought(packed(bench, text))


@pytest.mark.parametrize(
    "text",
    [
        "if command -v tool; then tool; fi",
        "[ -x /usr/bin/tool ] && /usr/bin/tool",
        "tool || true",
        "case $1 in --list) tool ;; esac",
        "[ -f /x ] || { tool; exit 1; }",
        "usage() { tool; exit 2; }; [ $# = 1 ] || usage",
    ],
)
def test_what_is_run_sometimes_is_a_hint_unless_it_is_small(bench, text, monkeypatch):
    bench.fill({"/usr/bin/tool": program("frob")})
    guarded = "-v" in text or "-x" in text  # the script goes on without
    assert brought(packed(bench, text)) == (set() if guarded else {"/usr/bin/tool"})
    monkeypatch.setattr(undeclared, "_MOST", 0)
    result = packed(bench, text)
    assert brought(result) == set()
    assert result.said("hint") == [f"{LEFT_OUT}{bench.root}/usr/bin/tool"]
    assert brought(packed(bench, text.replace("tool", "ls"))) == {"/usr/bin/ls"}  # all have it


def test_what_is_run_sometimes_comes_if_every_system_has_it(bench, monkeypatch):
    """As netconsole-setup's getent, on whose package no other can depend."""
    monkeypatch.setattr(undeclared, "_MOST", 0)
    bench.fill({"/usr/bin/tool": program("frob"), "/usr/bin/other": program("frob")})
    every = package_roots.Package("every", "1", ("/usr/bin/tool",))
    own = package_roots.Package("own", "1", ("/usr/bin/run",))
    package_roots.install(bench.root, own, every)
    status = bench.root / "var/lib/dpkg/status"
    text = status.read_text().replace("Package: every\n", "Package: every\nEssential: yes\n")
    status.write_text(text)
    text = "case $1 in --list) tool; other ;; esac"
    assert brought(packed(bench, text, script="/usr/bin/run")) == {"/usr/bin/tool", "/usr/bin/run"}


def test_a_function_that_hands_its_arguments_on_is_followed_for_each(bench):
    """As ltsp's `re` and `rw`, through which all commands go."""
    calls = "".join(f"re true {number}\n" for number in range(50))
    text = f're() {{ inner "$@" || exit; }}\ninner() {{ "$@"; }}\n{calls}re ls\n'
    assert "/usr/bin/ls" in brought(packed(bench, text))


@pytest.mark.parametrize("line", ["systemctl start me", "xdg-open http://localhost"])
def test_who_talks_to_the_init_system_or_a_desktop_is_a_hint(bench, line):
    """A container has none; systemctl comes with a whole one, xdg-open with Perl at times."""
    path = f"/usr/bin/{line.split()[0]}"
    bench.fill({path: program("frob")})
    result = packed(bench, f"{line}\nls")
    assert brought(result) == {"/usr/bin/ls"}
    assert result.said("hint") == [f"{LEFT_OUT}{bench.root}{path}"]


def test_commands_between_files_become_programs(bench):
    files = {"/usr/bin/again": "#!/usr/bin/dash\nsed\n", "/usr/bin/list": "-> ls"}
    bench.fill(files)
    (bench.root / "usr/bin/again").chmod(0o755)
    found = brought(packed(bench, "again | list"))
    assert found == {"/usr/bin/again", "/usr/bin/list", "/usr/bin/ls", "/usr/bin/sed"}


@pytest.mark.parametrize(
    "here",
    [
        '$(dirname "$0")',
        "${0%/*}",
        "`dirname $0`",
        '$(cd "$(dirname "$0")" && pwd)',
        '$(dirname "$(readlink -f "$0")")',
        "`cd \\`dirname $0\\` && pwd`",
    ],
)
def test_files_by_the_place_of_the_script(bench, here):
    text = f'HERE={here}\n. "$HERE/part.sh"\n"$HERE/../lib/step" <"$HERE/data" --dir="$HERE/../etc"'
    files = {
        "/app/bin/part.sh": 'sed -f "$HERE/more"',
        "/app/bin/more": "",
        "/app/bin/data": "",
        "/app/lib/step": '#!/usr/bin/dash\n. "${0%/*}/inner.sh"\n',
        "/app/lib/inner.sh": "ls",
        "/app/etc/settings": "",
        "/app/other": "",
    }
    bench.fill(files)
    (bench.root / "app/lib/step").chmod(0o755)
    found = {path for path in brought(packed(bench, text)) if path.startswith("/app")}
    inside = ("bin/part.sh", "bin/more", "bin/data", "lib/step", "lib/inner.sh", "etc/settings")
    assert found == {f"/app/{one}" for one in inside}


def test_a_link_by_which_it_is_started_is_its_place(bench):
    bench.fill({"/app/tool/run": '#!/usr/bin/dash\n. "$(dirname "$0")/beside"\n'})
    bench.fill({SCRIPT: "-> ../tool/run", "/app/bin/beside": "ls", "/app/tool/beside": "sed"})
    (bench.root / "app/tool/run").chmod(0o755)
    result = bench.plan(RULE, SCRIPT)
    assert result.tree["/app/bin/beside"] == "ls"
    assert "/usr/bin/ls" in result.paths
    assert "/usr/bin/sed" not in result.paths


LOOP = """\
PRG="$0"
while [ -h "$PRG" ]; do
    l=`ls -ld "$PRG"`
    PRG=`expr "$l" : '.*-> \\(.*\\)$'`
done
. "`dirname "$PRG"`/beside"
"""
FUNCTION = """\
go() {
    cd "$(dirname "$1")"
    n=$(basename "$1")
    if [ -h "$n" ]; then go "$(readlink "$n")"; else echo "$PWD/$n"; fi
}
X=$(go "$0")
. "${X%/*}/beside"
"""


@pytest.mark.parametrize(
    "text",
    [
        LOOP,
        '. "$(dirname "$(readlink -f "$0")")/beside"',
        FUNCTION,
    ],
)
def test_a_script_that_follows_its_link_is_where_that_leads(bench, text):
    bench.fill({"/app/tool/run": f"#!/usr/bin/dash\n{text}\n"})
    bench.fill({SCRIPT: "-> ../tool/run", "/app/tool/beside": "sed"})
    (bench.root / "app/tool/run").chmod(0o755)
    assert "/usr/bin/sed" in bench.plan(RULE, SCRIPT).paths


def test_a_command_that_is_nowhere_is_a_warning(bench):
    result = packed(bench, "cat\nzork --now")
    assert result.said("warning") == [
        "script:3 starts zork, which is not in the image's PATH; install it, or give it with --add"
    ]


@pytest.mark.parametrize(
    "text", ["zork || ls", "if type zork; then zork; fi", "pushd x", ". $1; zork"]
)
def test_a_command_that_may_be_nowhere_is_none(bench, text):
    bench.fill({"/usr/bin/pushd": program("frob")})
    assert packed(bench, text).said("warning") == []


def test_a_command_that_a_condition_leads_to_is_a_hint(bench):
    result = packed(bench, "if [ -f /x ]; then zork; quux; fi")
    assert [one for one in result.said("hint") if "zork (line 2)" in one and "quux" in one]


def test_a_launcher_brings_the_program_below_a_directory_of_its_own(bench):
    bench.fill({"/usr/lib/tool/main": program("frob"), "/usr/share/tool/main.jar": "classes"})
    text = 'BASE=/usr/lib/tool\nSHARE=/usr/share/tool\nexec $BASE/main -jar $SHARE/main.jar "$@"'
    found = packed(bench, text, script="/usr/bin/tool").paths
    assert {"/usr/lib/tool/main", "/usr/share/tool/main.jar"} <= found


def test_an_argument_is_a_script_and_a_text_after_c_is_one(bench):
    bench.fill(
        {"/usr/share/app/run": "#!/usr/bin/dash\nls\n", "/srv/run": "#!/usr/bin/dash\nsed\n"}
    )
    assert "/usr/bin/ls" in bench.plan(RULE, SH, command=("/usr/share/app/run",)).paths
    assert "/usr/bin/ls" in bench.plan(RULE, SH, command=("-c", "ls -l")).paths
    assert "/usr/bin/sed" not in bench.plan(RULE, SH, command=("/srv/run",)).paths


@pytest.mark.parametrize("place", ["scripts", "tests", "node_modules/x"])
@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_scripts_of_a_directory_bring_their_utilities_if_the_shell_is_there(bench, place, mode):
    bench.fill({f"/home/{place}/hook": "#!/bin/sh\nsed -e x | tool\n", "/bin/sh": "-> dash"})
    bench.fill({"/usr/bin/tool": program("frob")})
    Path(f"{bench.root}/home/{place}/hook").chmod(mode)
    result = packed(bench, "ls")
    assert "/usr/bin/sed" not in result.paths
    result = bench.plan(RULE, SCRIPT, add=(f"{bench.root}/home:/srv",))
    comes = (place, mode) == ("scripts", 0o755)
    assert ("/usr/bin/sed" in result.paths) is comes
    assert "/usr/bin/tool" not in result.paths
    assert any(one.endswith("/usr/bin/tool") for one in result.said("hint")) is comes


def test_what_the_user_adds_is_there(bench):
    text = '"${0%/*}/step"; . "${0%/*}/part"'
    bench.fill({"/srv/run": f"#!/usr/bin/dash\n{text}\n", "/srv/step": "#!/usr/bin/dash\nls\n"})
    bench.fill({"/srv/part": "sed", "/home/part": "cat"})
    for one in ("run", "step"):
        (bench.root / "srv" / one).chmod(0o755)
    result = bench.plan(RULE, "/srv/run", add=(f"{bench.root}/srv:/home",))
    assert {"/usr/bin/ls", "/usr/bin/sed"} <= result.paths
    assert "/usr/bin/cat" not in result.paths


@pytest.mark.parametrize(
    "unit", ["cat <<A{}\n", "; a=", "a=-do ", '\\"', "a=` ", "{a=${", "<<EOF\n", "$(", "a && ", "("]
)
def test_a_script_is_read_in_time_in_proportion_to_its_size(bench, unit):
    def script(size):
        text = "".join(unit.replace("{}", str(number)) for number in range(size // len(unit)))
        return lambda: packed(bench, text)

    assert is_linear(script, 1 << 15)


@pytest.mark.parametrize("line", ["#!/usr/bin/dash", "#!/usr/bin/env dash"])
def test_a_script_that_sources_what_it_works_out_has_sourced_the_texts_of_its_source(bench, line):
    """As fireqos does, by a function with a loop; another package's text is none of them."""
    bench.fill({"/usr/bin/env": program("frob")})
    own = {
        "/usr/lib/tool/functions": "need() { CMD=$(which $1); }\nLS=ls\n",
        "/usr/lib/tool/words": "cat and sed: that's all\ncat",
        "/usr/lib/tool/perl": "#!/usr/bin/perl\nsed\n",
    }
    files = ("/usr/bin/tool", *own, "/usr/bin/ls", "/usr/bin/dirname")
    package_roots.install(bench.root, package_roots.Package("tool", "1", files))
    text = 'while read one; do . "$one"; done\nneed dirname\n$CMD\n$LS'
    bench.fill(own | {"/usr/bin/tool": f"{line}\n{text}\n"})
    Path(f"{bench.root}/usr/bin/tool").chmod(0o755)
    general = rule('when = { libc = ["glibc"] }\nfinder = "own-package"', "own-package")
    found = brought(bench.plan(RULE + general, "/usr/bin/tool"))
    assert {one for one in found if one.startswith("/usr/bin")} - {"/usr/bin/env"} == {
        "/usr/bin/dirname",
        "/usr/bin/ls",
        "/usr/bin/tool",
    }


def test_a_program_of_its_package_outside_path_is_what_it_starts(bench):
    """As plasmidID's wrapper has put the directory of its parts into PATH."""
    part = "/usr/share/tool/bin/part.sh"
    files = ("/usr/bin/tool", part)
    package_roots.install(bench.root, package_roots.Package("tool", "1", files))
    bench.fill({"/usr/bin/tool": "#!/usr/bin/dash\nif $1; then part.sh; fi\n"})
    bench.fill({part: "#!/usr/bin/dash\nsed\n"})
    for one in files:
        Path(f"{bench.root}{one}").chmod(0o755)
    found = bench.plan(RULE, "/usr/bin/tool")
    assert brought(found) == {"/usr/bin/tool", part, "/usr/bin/sed"}
    assert not found.said("hint")


def test_run_parts_starts_all_that_is_in_a_directory(bench):
    files = {
        "/usr/bin/run-parts": program("frob"),
        "/usr/share/parts/10-first": "#!/usr/bin/dash\nsed p\n",
        "/usr/share/parts/20-second": "#!/usr/bin/dash\nls\n",
    }
    found = brought(packed(bench, "P=/usr/share/parts\nrun-parts -v -a start $P", files))
    assert found >= {*files, "/usr/bin/ls", "/usr/bin/sed"}


@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="needs a Python")
@pytest.mark.parametrize("first", ["#!/usr/bin/env none\n", ""])
def test_a_script_that_it_gives_to_its_interpreter_is_read_in_that_language(tmp_path, first):
    """Whatever the first line of it says, which is not asked."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/main").write_text(f"{first}import helper\n")
    (tmp_path / "lib/helper.py").write_text("")
    (tmp_path / "lib/data").write_text("import other\n")
    (tmp_path / "lib/other.py").write_text("")
    script = tmp_path / "run"
    line = 'exec python3 -W ignore "$here/lib/main" "$here/lib/data" "$@"'
    script.write_text(f'#!/bin/sh\nhere=$(dirname "$0")\n{line}\n')
    script.chmod(0o755)
    wanted = recipe.from_options(directory="/", executables=(str(script),))
    plan = planning.plan(wanted, Sources(DirectoryRoot()), rules=rules.load()).plan
    there = {entry.path.rpartition("/")[2] for entry in plan.entries}
    assert {"main", "helper.py"} <= there
    assert "other.py" not in there
    assert not [one for one in plan.findings if "none" in one.text]


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        ("which jade-open && RUN=jade-open; $RUN -t x", {"jade-open"}),
        ("command -v tool && RUN=tool", {"tool"}),
        ("type none tool far", {"tool"}),
        ("hash zork far-off", {"far-off"}),
        ("which other; command -V lasting", set()),
        ("RUN=$(type -p greadlink readlink | head -1); $RUN x", {"readlink"}),  # as rbenv does
    ],
)
def test_programs_that_a_script_looks_for_come_if_its_package_needs_them(bench, text, comes):
    """As docbook-utils' jw does openjade, which it then runs by a variable."""
    owned = {
        "tool": ("tool", "jade-open"),
        "far": ("far", "far-off"),
        "other": ("other", "lasting", "readlink"),
    }
    files = {one: tuple(f"/usr/bin/{name}" for name in names) for one, names in owned.items()}
    bench.fill({path: program("frob") for paths in files.values() for path in paths})
    each = [package_roots.Package(one, "1", paths) for one, paths in files.items()]
    package_roots.install(bench.root, package_roots.Package("own", "1", ("/usr/bin/run",)), *each)
    status = bench.root / "var/lib/dpkg/status"
    made = status.read_text().replace("Package: own\n", "Package: own\nDepends: tool\n")
    status.write_text(made.replace("Package: tool\n", "Package: tool\nDepends: far\n"))
    result = packed(bench, text, script="/usr/bin/run")
    asked = {"/usr/bin/which", "/usr/bin/run"}
    assert brought(result) - asked == {f"/usr/bin/{one}" for one in comes}


def test_an_option_behind_a_variable_that_is_not_known_is_no_command(bench):
    result = packed(bench, '$1 && RUN=\n[ -n "$2" ] && RUN=ls\n$RUN -t x')
    assert not [one for one in result.said("warning") + result.said("hint") if " -t" in one]


@pytest.mark.parametrize(
    "text",
    [
        "export PERL5LIB=/opt/lib; exec perl ${0%/*}/own.pl",
        "HERE=/opt; PERL5LIB=$HERE/lib:$PERL5LIB; export PERL5LIB; perl ${0%/*}/own.pl",
    ],
)
def test_what_starts_another_program_says_where_that_looks_for_modules(bench, text):
    perl = program("frob", source='const char *name = "PERL5OPT";')
    more = {"/opt/lib/Mine.pm": "package Mine;\n1;\n", "/app/bin/own.pl": "use Mine;\n"}
    rules = RULE + rule('when = { text = ["PERL5OPT"] }\nfinder = "perl"', "perl-imports")
    bench.fill({SCRIPT: f"#!/usr/bin/dash\n{text}\n", "/usr/bin/perl": perl, **more})
    Path(f"{bench.root}{SCRIPT}").chmod(0o755)
    assert "/opt/lib/Mine.pm" in bench.plan(rules, SCRIPT).paths
