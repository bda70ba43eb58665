"""What a script for Node.js brings: one tiny case for each way of importing."""

import os
from pathlib import Path

import pytest

from rootfs_builder.needs.importers import node
from tests.loader.oracle import GLIBC
from tests.rule_bench import LIB, Bench, libc, program, rule

NODE = "/usr/bin/node"
RULE = rule('when = { text = ["NODE_OPTIONS"] }\nfinder = "node"', "node-imports")
SCRIPT = "/app/bin/script"

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")


@pytest.fixture
def bench(linker, tmp_path):
    """A root with a Node.js that looks for packages in a directory of its own."""
    bench = Bench(tmp_path / "root", linker)
    source = 'const char *name = "NODE_OPTIONS", *place = "/usr/share/nodejs";'
    bench.fill({f"{LIB}/libc.so.6": libc("frob"), NODE: program("frob", source=source)})
    return bench


def packed(bench, text, files, script=SCRIPT):
    bench.fill({script: f"#!/usr/bin/node\n{text}\n", **files})
    Path(f"{bench.root}{script}").chmod(0o755)
    return bench.plan(RULE, script)


def brought(result):
    own = (LIB, "/lib64", NODE, SCRIPT)
    return {path for path in result.paths if not path.startswith(own)}


BESIDE = {"/app/bin/part.js": "", "/app/bin/other.js": ""}


@pytest.mark.parametrize(
    "text",
    [
        "require('./part')",
        'import x from "./part.js"',
        "import './part.js'",
        "export * from './part.js'",
        "await import('./part.js')",
        "require.resolve('./part')",
        "const r = createRequire(import.meta.url); r('./part')",
        "try { require('./part') } catch {}",
        "fs.readFileSync(path.join(__dirname, 'part.js'))",
        "fs.readFileSync(__dirname + '/part.js')",
        "fs.readFileSync(`${__dirname}/part.js`)",
        "new Worker(new URL('./part.js', import.meta.url))",
        "child_process.fork('./part.js')",
    ],
)
def test_a_file_beside(bench, text):
    assert brought(packed(bench, text, BESIDE)) == {"/app/bin/part.js"}


@pytest.mark.parametrize(
    "text",
    [
        "// require('./part')",
        "'require(\"./part\")'",
        "required('./part')",
        "require(x + './part')",
    ],
)
def test_what_is_no_import(bench, text):
    assert brought(packed(bench, text, BESIDE)) == set()


@pytest.mark.parametrize(
    "text",
    ["require('./parts/' + name)", "require(`./parts/${name}.js`)", "import('./parts/' + n)"],
)
def test_of_a_module_that_is_chosen_when_it_runs_all_of_its_directory_come(bench, text):
    """As node-gyp's commands."""
    parts = {"/app/bin/parts/a.js": "require('../b')", "/app/bin/parts/c.txt": ""}
    files = parts | {"/app/bin/b.js": "", "/app/bin/d.js": ""}
    assert brought(packed(bench, text, files)) == {"/app/bin/parts/a.js", "/app/bin/b.js"}


def test_a_star_in_a_command_is_none_of_a_module(bench):
    bench.fill({"/usr/bin/tar": program("x"), "/bin/sh": program("x")})
    text = "const {exec} = require('child_process'); exec('tar cf x.tar build/*')"
    assert {"/usr/bin/tar", "/bin/sh"} <= brought(packed(bench, text, {}))


def test_a_script_for_another_interpreter_comes_with_that(bench):
    """As node-gyp's gyp_main.py, which it gives to Python."""
    bench.fill({"/usr/bin/other": program("x"), "/app/bin/part": "#!/usr/bin/other\n"})
    found = packed(bench, "spawn(find(), [path.resolve(__dirname, 'part')])", {})
    assert brought(found) == {"/app/bin/part", "/usr/bin/other"}


def test_modules_lead_to_others(bench):
    files = {
        "/app/lib/index.js": "require('./data'); require('./tool')",
        "/app/lib/data.json": "{}",
        "/app/lib/tool/package.json": '{"main": "go.js"}',
        "/app/lib/tool/go.js": "require('../../addon.node')",
        "/app/addon.node": "",
        "/app/package.json": '{"type": "commonjs"}',
        "/app/unused.js": "",
    }
    assert brought(packed(bench, "require('../lib')", files)) == files.keys() - {"/app/unused.js"}


def test_imports_of_the_package_itself(bench):
    package = '{"name": "app", "imports": {"#part": {"node": "./lib/part.js"}}}'
    files = {"/app/package.json": package, "/app/lib/part.js": ""}
    result = packed(bench, "import '#part'; import 'app/x'", files)
    assert brought(result) == files.keys()
    assert result.said("warning") == []


def test_packages_come_with_what_they_depend_on(bench):
    modules = "/app/node_modules"
    files = {
        f"{modules}/a/package.json": '{"dependencies": {"b": ""}, '
        '"optionalDependencies": {"c": ""}}',
        f"{modules}/a/lib/x.js": "",
        f"{modules}/a/node_modules/b/index.js": "",
        f"{modules}/b/index.js": "another",
        f"{modules}/c/package.json": '{"os": ["darwin"]}',
        f"{modules}/unused/index.js": "",
        f"{modules}/@of/d/index.js": "",
        "/usr/share/nodejs/e/index.js": "",
    }
    result = packed(bench, "require('a/lib/x'); require('@of/d'); require('e')", files)
    without = {f"{modules}/b/index.js", f"{modules}/c/package.json", f"{modules}/unused/index.js"}
    assert brought(result) == files.keys() - without


def test_packages_behind_links(bench):
    store = "/app/node_modules/.pnpm/a@1/node_modules"
    files = {
        f"{store}/a/package.json": '{"dependencies": {"b": "1"}}',
        f"{store}/b": "-> ../../b@1/node_modules/b",
        "/app/node_modules/.pnpm/b@1/node_modules/b/index.js": "",
        "/app/node_modules/a": "-> .pnpm/a@1/node_modules/a",
    }
    assert brought(packed(bench, "require('a')", files)) == files.keys()


def test_a_package_whose_files_are_links_to_those_of_another(bench):
    """As Debian's duplexer2 is: Node.js looks beside the real file for what that asks for."""
    modules = "/usr/share/nodejs"
    files = {
        f"{modules}/a/index.cjs": "-> ../b/index.cjs",
        f"{modules}/a/package.json": "{}",
        f"{modules}/b/index.cjs": "require('./bundle.cjs')",
        f"{modules}/b/bundle.cjs": "require('c')",
        f"{modules}/b/package.json": '{"dependencies": {"c": ""}}',
        f"{modules}/c/index.js": "",
    }
    assert brought(packed(bench, "require('a')", files)) == files.keys()


def test_a_command_of_a_package_brings_the_package(bench):
    modules = "/app/node_modules"
    files = {
        f"{modules}/tool/package.json": '{"dependencies": {"a": "1"}}',
        f"{modules}/tool/lib/all.js": "",
        f"{modules}/a/index.js": "",
        f"{modules}/.bin/tool": "-> ../tool/cli.js",
    }
    bench.fill(files)
    cli = f"{modules}/tool/cli.js"
    bench.fill({cli: "#!/usr/bin/node\n"})
    Path(f"{bench.root}{cli}").chmod(0o755)
    assert brought(bench.plan(RULE, f"{modules}/.bin/tool")) >= {*files, cli}


def test_an_argument_is_a_script(bench):
    bench.fill({"/usr/share/app/run.js": "require('./part')", "/usr/share/app/part.js": ""})
    result = bench.plan(RULE, NODE, command=("/usr/share/app/run.js",))
    assert brought(result) == {"/usr/share/app/run.js", "/usr/share/app/part.js"}


def test_an_argument_that_the_user_did_not_add_is_nobodys_word(bench):
    bench.fill({"/srv/run.js": "require('./part')", "/srv/part.js": ""})
    assert brought(bench.plan(RULE, NODE, command=("/srv/run.js",))) == set()


def test_what_is_nowhere_is_a_warning(bench):
    result = packed(bench, "const a = 1;\nrequire('nowhere/x')", {})
    assert result.said("warning") == [
        f"{SCRIPT}:3 imports nowhere/x, which is nowhere; install it with npm, or --add it"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "require('fs'); import 'node:test'; require('fs/promises')",
        "try { require('nowhere') } catch (error) {}",
    ],
)
def test_what_may_be_nowhere_is_no_warning(bench, text):
    assert packed(bench, text, {}).said("warning") == []


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        ("child_process.execSync(`cat ${file}`)", {"/usr/bin/cat"}),
        ("exec('cat a | cat', done)", {"/usr/bin/cat", "/bin/sh"}),
        ("spawn('cat', [file])", {"/usr/bin/cat"}),
        ("spawn(process.execPath, [file])", set()),
        ("utils.execute('cat', words)", {"/usr/bin/cat"}),  # a function of its own
        ("runCommand('cat', ['file'])", {"/usr/bin/cat"}),
        ("utils.execute('cat', 1); draw('cat', words); execute('cat')", set()),
        ("require('./part').exec(given)", set()),
        ("child_process.execSync(given, {shell: true})", {"/bin/sh"}),
        ("(0, child_process_1.exec)(given)", {"/bin/sh"}),
        ("(0, child_process_1.execSync)(`cat ${file}`)", {"/usr/bin/cat"}),
        ("exports.TOOL = '/usr/bin/cat'", {"/usr/bin/cat"}),
        ("exports.NOTE = 'see /usr/bin/cat'", set()),
        ("/a/.exec(given); expression.exec(given)", set()),
        ("require('child_process').exec(given)", {"/bin/sh"}),
        ("require('child_process'); tcp.exec(given)", set()),
        ("function exec(x) {}; exec(given)", set()),
    ],
)
def test_programs_that_a_script_cannot_do_without_come(bench, text, comes):
    bench.fill({"/usr/bin/cat": program("frob"), "/bin/sh": program("frob")})
    result = packed(bench, text, BESIDE)
    assert result.paths & {"/usr/bin/cat", "/bin/sh"} == comes


@pytest.mark.parametrize(("most", "comes"), [(1 << 20, {"/usr/bin/aid"}), (10, set())])
def test_what_no_package_declares_comes_unless_it_is_large(bench, monkeypatch, most, comes):
    monkeypatch.setattr("rootfs_builder.needs.undeclared._MOST", most)
    bench.fill({"/usr/bin/aid": program("frob")})
    result = packed(bench, "spawn('aid', [file])", BESIDE)
    assert result.paths & {"/usr/bin/aid"} == comes
    assert any("large programs" in one for one in result.said("warning")) is (not comes)
    assert not any("EXECUTABLEs" in one for one in result.said("hint"))


@pytest.mark.parametrize(
    ("package", "text", "comes"),
    [
        ("simple-git", "spawn(this.command)", {"/usr/bin/git"}),
        ("pages", "spawn('cat', [file])", set()),  # a hint
        ("pages", "spawn(this.command)", set()),
    ],
)
def test_a_package_brings_the_program_that_it_is_called_as(bench, package, text, comes):
    """simple-git has the name in one module and child_process in another."""
    top = f"/app/bin/node_modules/{package}"
    bench.fill({"/usr/bin/git": program("frob"), "/usr/bin/cat": program("frob")})
    files = {
        f"{top}/index.js": "require('./start'); exports.command = 'git'",
        f"{top}/start.js": f"require('child_process'); {text}",
    }
    result = packed(bench, f"require('{package}')", files)
    assert result.paths & {"/usr/bin/git", "/usr/bin/cat"} == comes
    assert any("/usr/bin/cat" in one for one in result.said("hint")) is ("cat" in text)


def test_what_the_script_behind_a_link_starts_comes(bench):
    """npm's commands are links to the scripts of packages."""
    bench.fill({"/usr/bin/aid": program("frob")})
    script = "/app/node_modules/mill/mill.js"
    bench.fill({script: "#!/usr/bin/node\nspawn('aid')\n", "/app/bin/mill": f"-> {script}"})
    Path(f"{bench.root}{script}").chmod(0o755)
    assert "/usr/bin/aid" in bench.plan(RULE, "/app/bin/mill").paths


@pytest.mark.parametrize(
    ("directory", "comes"), [("lib/commands", True), ("test", False), ("node_modules/other", False)]
)
def test_what_modules_of_a_commands_package_start_that_nothing_names_comes(bench, directory, comes):
    """As a framework loads commands from a directory that package.json names."""
    bench.fill({"/usr/bin/aid": program("frob")})
    top = "/app/node_modules/mill"
    bench.fill(
        {
            f"{top}/package.json": "{}",
            f"{top}/cli.js": "#!/usr/bin/node\nrequire(process.argv[2])\n",
            f"{top}/{directory}/grind.js": "require('child_process').spawn('aid', [])\n",
        }
    )
    Path(f"{bench.root}{top}/cli.js").chmod(0o755)
    result = bench.plan(RULE, f"{top}/cli.js")
    assert ("/usr/bin/aid" in result.paths) is comes


def test_a_text_that_is_too_large_to_be_read_is_a_hint(bench, monkeypatch):
    monkeypatch.setattr(node, "_MOST_BYTES", 40)
    result = packed(bench, "require('./part')", {"/app/bin/part.js": "x" * 41})
    assert brought(result) == {"/app/bin/part.js"}
    (said,) = result.said("hint")
    assert "/app/bin/part.js is too large to be searched" in said.replace(str(bench.root), "")


def test_a_program_is_no_text_that_is_too_large(bench, monkeypatch):
    monkeypatch.setattr(node, "_MOST_BYTES", 40)
    result = packed(bench, "require('./part')", {"/app/bin/part.js": "\x7fELF" + "x" * 41})
    assert not result.said("hint")


def test_a_started_script_that_is_too_large_to_be_read_is_a_warning(bench, monkeypatch):
    monkeypatch.setattr(node, "_MOST_BYTES", 40)
    (said,) = packed(bench, f"require('./part'){' ' * 41}", {}).said("warning")
    assert "too large to be read; what it starts may be missing" in said


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        ("run('aid rev-parse --is-inside')", True),
        ("run(`aid -C ${place} status`)", True),
        ("run('aid')", False),
        ("say('none --of these')", False),
    ],
)
def test_a_text_that_looks_like_a_command_brings_its_program_unless_it_is_one_of_many(
    bench, text, comes
):
    bench.fill({"/usr/bin/aid": program("frob")})
    starting = f"require('child_process'); {text}"
    assert brought(packed(bench, starting, {})) == ({"/usr/bin/aid"} if comes else set())
    assert brought(packed(bench, text, {})) == set()  # it starts nothing
    table = "".join(f"run('tool{one} --version');" for one in range(10))
    result = packed(bench, f"{starting}; {table}", {})
    assert brought(result) == set()
    assert any("/usr/bin/aid" in one for one in result.said("hint")) is comes
