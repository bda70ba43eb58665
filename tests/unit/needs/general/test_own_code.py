"""What the user's own program spells out: libraries for dlopen, and files of the machine."""

import pytest

from rootfs_builder.elf.go_commands import GoCommands
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs.rules import read
from tests.rule_bench import LIB, PROGRAM, libc, library, program, rule

OWN = rule('when = { libc = ["glibc", "musl", "static"] }\nfinder = "own-code"', "own-code")
DPKG = """Package: tool
Status: install ok installed
Architecture: amd64
Version: 1
"""


def naming(*texts, symbols=("dlopen",), **options):
    each = "".join(f'"\\0{text}"' for text in texts)
    return program(*symbols, source=f"const char texts[] = {each};", **options)


def filled(bench, *texts, files=(), **options):
    bench.fill({PROGRAM: naming(*texts, **options), **dict(files)})
    return bench.plan(OWN)


def test_a_library_that_is_spelt_out_is_opened(bench):
    result = filled(bench, "libx.so.1", files={f"{LIB}/libx.so.1": library("libx.so.1")}.items())
    assert f"{LIB}/libx.so.1" in result.paths
    assert result.applied == {"own-code": "prog opens libx.so.1 by its name"}


def test_a_library_that_is_spelt_out_and_missing_is_said(bench):
    result = filled(bench, "libx.so.1")
    (said,) = result.said("warning")
    assert "libx.so.1 was not found" in said


def test_of_several_versions_one_is_enough(bench):
    bench.fill({f"{LIB}/libx.so.2": library("libx.so.2")})
    result = filled(bench, "libx.so.1", "libx.so.2", "libx.so")
    assert f"{LIB}/libx.so.2" in result.paths
    assert result.said("warning") == []


def test_a_soname_among_texts_without_an_end(bench):
    """As Rust lays them, of a fontconfig that is not linked; others may not be there."""
    files = {f"{LIB}/libx.so.1": library("libx.so.1")}.items()
    rust = "x/library/core/src/valuelibx.so.1Missingliby.so.2Symbol"
    result = filled(bench, rust, files=files)
    assert f"{LIB}/libx.so.1" in result.paths
    assert result.said("warning") == []


def test_who_does_not_import_dlopen_opens_none(bench):
    files = {f"{LIB}/libx.so.1": library("libx.so.1")}.items()
    result = filled(bench, "libx.so.1", files=files, symbols=("open",))
    assert f"{LIB}/libx.so.1" not in result.paths


def test_files_and_directories_of_the_system_go_in(bench):
    files = {"/etc/my.conf": "a", "/usr/share/my/a/b": "b", "/usr/share/other": "c"}
    result = filled(bench, "/etc/my.conf", "/usr/share/my/", files=files.items())
    assert result.tree.keys() >= {"/etc/my.conf", "/usr/share/my/a/b"}
    assert "/usr/share/other" not in result.tree
    assert result.said("warning") == []


@pytest.mark.parametrize("path", ["/etc/hosts", "/usr/bin/tool", "/usr/share/my.c", "/usr/share"])
def test_what_others_look_after_does_not(bench, path):
    bench.fill({PROGRAM: naming("/usr/share/zzz", path), "/usr/share/other": "c"})
    if path != "/usr/share":
        bench.fill({path: "x"})
        (bench.root / path[1:]).chmod(0o755 if "bin" in path else 0o644)
    result = bench.plan(OWN)
    assert "own-code" not in result.applied
    assert result.said("warning") == []


def test_a_configuration_of_the_users_brings_the_files_that_it_names(bench):
    module = "/opt/my/mod.so"
    lines = f"load {module}\n# /etc/other\nread /etc/my.conf /etc/shadow /etc/none\n"
    bench.fill({PROGRAM: program(), module: library("mod.so"), "/home/c": lines})
    bench.fill({"/etc/my.conf": "", "/etc/shadow": "", "/etc/other": ""})
    result = bench.plan(OWN, add=(f"{bench.root}/home/c:/srv/c",))
    assert {module, "/etc/my.conf"} <= result.paths
    assert result.paths.isdisjoint({"/etc/shadow", "/etc/other"})
    assert result.applied == {"own-code": "c names /etc/my.conf"}
    directory = bench.plan(OWN, add=(f"{bench.root}/home:/srv",))
    assert module not in directory.paths


def test_what_was_installed_with_the_program_and_is_called_as_it(bench):
    each = ("etc/tool/a.conf", "share/tool/data/b", "share/other/c", "lib/tool/large")
    bench.fill({"/opt/x/bin/tool": program(), **{f"/opt/x/{one}": "x" for one in each}})
    bench.fill({"/var/lib/dpkg/status": DPKG})
    (bench.root / "opt/x/lib/tool/large").write_bytes(bytes(5 << 20))
    result = bench.plan(OWN, "/opt/x/bin/tool")
    assert result.tree.keys() == {"/opt/x/etc/tool/a.conf", "/opt/x/share/tool/data/b"}
    (said,) = result.said("warning")
    assert said.endswith("--add /opt/x/lib/tool:/opt/x/lib/tool")


def test_what_was_installed_with_a_script_and_the_interpreters_of_that(bench):
    bench.fill({"/var/lib/dpkg/status": DPKG, "/bin/sh": program(), "/bin/awk": program()})
    bench.fill({"/usr/local/bin/tool": "#!/bin/sh\n", "/usr/local/share/tool/one": "#!/bin/awk\n"})
    for one in ("bin/tool", "share/tool/one"):
        (bench.root / "usr/local" / one).chmod(0o755)
    result = bench.plan(OWN, "/usr/local/bin/tool")
    assert {"/usr/local/share/tool/one", "/bin/awk"} <= result.paths


def test_a_file_outside_the_system_is_a_warning_with_the_flag(bench):
    result = filled(bench, "/srv/data/my.db", files={"/srv/data/my.db": "x"}.items())
    assert "/srv/data/my.db" not in result.paths
    (said,) = result.said("warning")
    assert "--add /srv/data/my.db:/srv/data/my.db" in said


def test_a_large_file_is_a_warning_with_the_flag(bench):
    result = filled(bench, "/usr/share/big", files={"/usr/share/big": b"x" * (5 << 20)}.items())
    assert "/usr/share/big" not in result.paths
    assert "--add /usr/share/big:/usr/share/big" in result.said("warning")[0]


def test_where_the_sources_lie_is_not_where_the_data_is(bench):
    files = {"/usr/src/my/one.c": "x", "/usr/share/build/two.go": "x"}
    result = filled(bench, "/usr/share/build", "/usr/share/build/two.go", files=files.items())
    assert "own-code" not in result.applied


@pytest.mark.parametrize(
    "options",
    [
        {"command": ("--config=/etc/my.conf", "/usr/share/my")},
        {"env": ("MY_PATH=/usr/share/my:/etc/my.conf",)},
    ],
)
def test_files_of_the_system_that_arguments_and_variables_name_go_in(bench, options):
    files = {"/etc/my.conf": "a", "/usr/share/my/a": "b", "/usr/share/other": "c"}
    bench.fill({PROGRAM: naming("none"), "/srv/x": "d", **files})
    more = {"command": ("/srv/x", "/usr/share", "/etc/none", "%/etc/x"), "env": ("X=/srv/x",)}
    both = {key: (*options.get(key, ()), *value) for key, value in more.items()}
    result = bench.plan(OWN, **both)
    assert result.tree.keys() >= {"/etc/my.conf", "/usr/share/my/a"}
    assert not result.tree.keys() & {"/usr/share/other", "/srv/x"}
    assert result.said("warning") == []


@pytest.mark.parametrize("options", [{"command": ("/usr/bin/aid",)}, {"env": ("X=/usr/bin/aid",)}])
def test_so_do_programs(bench, options):
    """As NODE_GYP_FORCE_PYTHON=/usr/bin/python3."""
    bench.fill({PROGRAM: naming("none"), "/usr/bin/aid": program("frob")})
    result = bench.plan(OWN, **options)
    assert "/usr/bin/aid" in result.paths


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LD_PRELOAD", "/usr/lib/libaid.so.1"),
        ("SHELL", "/usr/bin/aid"),
        ("NOTE", "see /usr/bin/aid"),
        ("X", "/usr/bin/big"),
    ],
)
def test_but_no_libraries_prose_or_large_programs(bench, monkeypatch, name, value):
    monkeypatch.setattr("rootfs_builder.needs.undeclared._MOST", 1 << 16)
    bench.fill({PROGRAM: naming("none"), "/usr/bin/aid": program("frob")})
    bench.fill({"/usr/lib/libaid.so.1": library("libaid.so.1"), "/usr/bin/big": b"x" * (1 << 17)})
    for one in ("usr/lib/libaid.so.1", "usr/bin/big"):
        (bench.root / one).chmod(0o755)
    result = bench.plan(OWN, env=(f"{name}={value}",))
    assert "own-code" not in result.applied
    large = value == "/usr/bin/big"
    assert any("EXECUTABLEs" in one for one in result.said("warning")) is large


def test_a_large_directory_that_a_variable_names_is_a_warning_with_the_flag(bench, monkeypatch):
    monkeypatch.setattr("rootfs_builder.needs.general.own_code._MOST_BYTES", 1)
    bench.fill({PROGRAM: naming("none"), "/usr/share/my/a": "bb"})
    result = bench.plan(OWN, env=("MY_PATH=/usr/share/my",))
    (said,) = result.said("warning")
    assert "--add /usr/share/my:/usr/share/my" in said.replace(str(bench.root), "")


def test_settings_that_the_program_names_name_files_by_their_own_variables(bench, monkeypatch):
    """Of directories the innermost, as the others are what it is put together from."""
    files = {
        "/opt/app/etc/app-conf": "prefix /opt/app\nshare ${prefix}/share\nDICT ${share}/dict\n",
        "/opt/app/share/dict/a": "bb",
        "/opt/app/include/app.h": "",
        "/var/lib/dpkg/status": DPKG,
    }
    bench.fill({"/opt/app/bin/app": naming("/opt/app/etc/app-conf"), **files})
    paths = bench.plan(OWN, "/opt/app/bin/app").paths
    assert {"/opt/app/etc/app-conf", "/opt/app/share/dict/a"} <= {*paths}
    assert "/opt/app/include/app.h" not in paths
    monkeypatch.setattr("rootfs_builder.needs.general.own_code._MOST_BYTES", 80)
    bench.fill({"/opt/app/share/dict/a": "b" * 100})
    (said,) = bench.plan(OWN, "/opt/app/bin/app").said("warning")
    assert said.endswith("not included: --add /opt/app/share/dict:/opt/app/share/dict")


def test_a_script_of_the_user_s_brings_files_and_programs_that_it_finds_by_variables(bench):
    text = '#!/usr/bin/run\nmy $HOME_DIR = "/opt/app";\nuse("$HOME_DIR/aid", "$HOME_DIR/data");\n'
    bench.fill({"/opt/app/app": text, "/opt/app/data": "x", "/opt/app/other": "x"})
    bench.fill({"/var/lib/dpkg/status": DPKG})
    bench.fill({"/usr/bin/run": program("frob"), "/opt/app/aid": program("frob")})
    for one in ("app", "aid"):
        (bench.root / f"opt/app/{one}").chmod(0o755)
    paths = bench.plan(OWN, "/opt/app/app").paths
    assert {"/opt/app/aid", "/opt/app/data"} <= {*paths}
    assert "/opt/app/other" not in paths


def test_what_is_packaged_is_not_the_user_s_own(bench):
    bench.fill(
        {
            "/usr/bin/tool": naming("/etc/my.conf"),
            "/etc/my.conf": "x",
            "/var/lib/dpkg/status": DPKG,
            "/var/lib/dpkg/info/tool.list": "/.\n/usr\n/usr/bin\n/usr/bin/tool\n",
        }
    )
    assert "/etc/my.conf" not in bench.plan(OWN, "/usr/bin/tool").paths


def test_a_finder_that_is_none_is_a_mistake():
    from rootfs_builder.errors import UsageError

    with pytest.raises(UsageError, match=r"finder: 'x' is not one of "):
        read(rule('when = { user = true }\nfinder = "x"'), "my.toml")


def test_a_script_that_is_added_by_itself_brings_its_interpreter(bench):
    bench.fill({PROGRAM: program(), "/bin/sh": program("dlopen"), "/home/s": "#!/bin/sh\n"})
    result = bench.plan(OWN, add=(f"{bench.root}/home/s:/srv/hook",))
    assert "/bin/sh" not in result.paths  # nobody may execute it
    (bench.root / "home/s").chmod(0o755)
    result = bench.plan(OWN, add=(f"{bench.root}/home/s:/srv/hook",))
    assert {"/bin/sh", "/srv/hook"} <= result.paths
    assert result.applied == {"own-code": "hook may be executed"}
    result = bench.plan(OWN, add=(f"{bench.root}/home:/srv",))
    assert "/bin/sh" not in result.paths
    (hint,) = result.said("hint")
    assert hint.endswith(f"EXECUTABLEs: {bench.root}/bin/sh")


def test_the_directories_of_a_runpath_are_no_files_of_the_host(bench):
    used = library("libused.so.1")
    bench.fill({"/opt/mill/lib/libused.so.1": used, "/opt/mill/lib/more": "x" * (5 << 20)})
    bench.fill({PROGRAM: program(libraries=(used,), runpath="/opt/mill/lib")})
    assert bench.plan(OWN).said("warning") == []


@pytest.mark.parametrize("place", ["/usr/local/bin", "/srv/node_modules/.bin"])
def test_scripts_that_are_added_to_a_directory_of_path_bring_their_interpreters(bench, place):
    bench.fill(
        {PROGRAM: program(), "/usr/bin/env": program(), "/usr/bin/node": program()}
        | {"/home/tool": "#!/usr/bin/env node\n", "/home/plain": "#!/bin/none\n"}
    )
    (bench.root / "home/tool").chmod(0o755)
    added = {"add": (f"{bench.root}/home:{place}",)}
    assert "/usr/bin/node" not in bench.plan(OWN, **added, env=("PATH=/usr/bin",)).paths
    result = bench.plan(OWN, **added, env=(f"PATH=/usr/bin:{place}",))
    assert {"/usr/bin/env", "/usr/bin/node"} <= result.paths
    assert result.applied == {"own-code": "tool is in PATH"}


@pytest.mark.parametrize(
    ("options", "comes"),
    [
        ({"env": ("ASK=/srv/bin/ask",)}, True),
        ({"command": ("--ask=/srv/bin/ask",)}, True),
        ({"env": ("ASK=/srv/bin/data",)}, False),
        ({"env": ("ASK=/srv/bin/none",)}, False),
    ],
)
def test_scripts_of_an_added_directory_that_variables_and_arguments_name(bench, options, comes):
    bench.fill({PROGRAM: program(), "/bin/sh": program()})
    bench.fill({"/home/bin/ask": "#!/bin/sh\n", "/home/bin/data": "#!/bin/sh\n"})
    (bench.root / "home/bin/ask").chmod(0o755)
    result = bench.plan(OWN, add=(f"{bench.root}/home/bin:/srv/bin",), **options)
    assert ("/bin/sh" in result.paths) is comes


def test_scripts_of_an_added_directory_that_a_configuration_names(bench):
    """As Apache's does those that ask for passwords."""
    bench.fill({PROGRAM: program(), "/bin/sh": program(), "/home/auth/ask": "#!/bin/sh\n"})
    bench.fill({"/home/conf": 'Auth members "/srv/auth/ask /srv/auth/list"\n'})
    (bench.root / "home/auth/ask").chmod(0o755)
    directory = f"{bench.root}/home/auth:/srv/auth"
    assert "/bin/sh" not in bench.plan(OWN, add=(directory,)).paths
    result = bench.plan(OWN, add=(directory, f"{bench.root}/home/conf:/srv/conf"))
    assert "/bin/sh" in result.paths
    assert result.applied == {"own-code": "conf names /srv/auth/ask"}


@pytest.fixture
def starting(bench):
    """A plan for a program with texts that imports functions which start programs."""

    def plan(*texts, symbols=("execlp", "system"), **options):
        bench.fill({f"{LIB}/libc.so.6": libc(*symbols), "/bin/sh": program()})
        bench.fill(
            {f"/usr/bin/{one}": program() for one in ("diff", "jq", "rsync", "sort", "system")}
        )
        return filled(bench, *texts, symbols=symbols, **options)

    return plan


def test_commands_that_are_spelt_out_bring_their_programs(starting):
    result = starting("rsync -a %s x", "sort -u", "jq of many")
    assert {"/usr/bin/rsync", "/usr/bin/sort", "/bin/sh"} <= result.paths
    assert "/usr/bin/jq" not in result.paths
    assert starting("rsync -a %s x", symbols=("open",)).paths.isdisjoint({"/usr/bin/rsync"})


def test_programs_whose_paths_are_whole_strings_come(starting, bench, monkeypatch):
    bench.fill({"/etc/x/up": "#!/bin/sh\n", "/srv/x/up": "#!/bin/sh\n"})
    for one in ("etc/x/up", "srv/x/up"):
        (bench.root / one).chmod(0o755)
    texts = ("/etc/x/up", "/srv/x/up", "/usr/bin/jq", "/usr/bin/sort of")
    result = starting(*texts)
    assert {"/etc/x/up", "/bin/sh", "/usr/bin/jq"} <= result.paths
    assert result.paths.isdisjoint({"/srv/x/up", "/usr/bin/sort"})
    assert "/etc/x/up" not in starting(*texts, symbols=("open",)).paths
    monkeypatch.setattr("rootfs_builder.needs.undeclared._MOST", 1)
    result = starting("/usr/bin/jq")
    assert "/usr/bin/jq" not in result.paths
    assert any(one.endswith("/usr/bin/jq") for one in result.said("warning"))


def test_what_a_program_in_go_calls_comes_or_is_a_hint(starting, monkeypatch):
    monkeypatch.setattr("rootfs_builder.needs.undeclared._MOST", 1 << 20)
    calls = GoCommands(calls=True, names=("/bin/sh", "CC", "jq", "nowhere", "xdg-open"))
    monkeypatch.setattr(ElfFiles, "go_commands", lambda *_: calls)
    result = starting("executable file not found in $PATH", "sort", symbols=())
    assert {"/usr/bin/jq", "/bin/sh"} <= result.paths
    assert "/usr/bin/sort" not in result.paths
    (hint,) = result.said("hint")
    assert hint.endswith(
        "may start what is not in the image's PATH: nowhere; install what it is to do"
    )


def test_a_program_that_is_named_is_a_hint(starting):
    """A utility of every system comes, unless it is a word of every day or a function."""
    result = starting("diff", "jq", "sort", "system", "rsync of many")
    assert "/usr/bin/diff" in result.paths
    assert result.paths.isdisjoint({"/usr/bin/jq", "/usr/bin/sort", "/usr/bin/rsync"})
    (hint,) = result.said("hint")
    assert hint.endswith("/usr/bin/jq")
    assert starting("jq", symbols=("open",)).said("hint") == []
