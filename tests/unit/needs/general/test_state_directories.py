"""Directories in which a program writes are made, those of others are not."""

import pytest

from tests import package_roots
from tests.rule_bench import LIB, PROGRAM, libc, library, program, rule

MADE = rule('when = { own-imports = ["mkdir"] }\nfinder = "directories"', "state-directories")


def made(bench, *texts, directories=(), **options):
    each = "".join(f'"\\0{text}"' for text in texts)
    bench.fill({PROGRAM: program("mkdir", source=f"const char texts[] = {each};")})
    bench.fill(dict.fromkeys(directories))
    result = bench.plan(MADE, **options)
    found = {path for path in result.directories if path.startswith(("/var", "/run"))}
    return {path for path in found if not any(one.startswith(f"{path}/") for one in found)}, result


@pytest.mark.parametrize(
    ("text", "there", "expected"),
    [
        ("/var/log/my/access.log", (), {"/var/log/my"}),
        ("/var/lib/my", ("/var/lib/my",), {"/var/lib/my"}),
        ("/run/my/%s.sock", (), {"/run/my"}),
        ("/run/my-%d/a", (), {"/run"}),
        ("/var/cache/my/", (), {"/var/cache/my"}),
        ("--pid-path=/run/my.pid --log=/var/log/my.log", (), {"/run", "/var/log"}),
        ("/var/lib/my", (), set()),  # a file or a directory: its own is /var/lib
        ("/var/tmp", ("/var/tmp",), set()),  # noqa: S108
        ("/run", (), {"/run"}),  # as smcroute joins it to a name
        ("/var/run", ("/var/run",), {"/var/run"}),  # of incrond, which adds the name of a file
        ("/var/lock", ("/var/lock",), {"/var/lock"}),  # of the locks of serial lines
        ("/var/mail/%s", ("/var/mail",), set()),
        ("/run/systemd/notify", (), set()),
        ("/var/run/dbus/system_bus_socket", (), set()),
        ("x/var/lib/my/a", (), set()),
    ],
)
def test_which_directories(bench, text, there, expected):
    assert made(bench, text, directories=there)[0] == expected


@pytest.mark.parametrize(
    ("line", "user", "mode"),
    [
        ("d /run/my/empty 0755 root root -", None, 0o755),
        ("d /var/run/my/empty 755 root", None, 0o755),
        ("d /run/my/empty 0775 root root -", None, 0o1777),
        ("d /run/my/empty 0755 my my -", None, 0o1777),
        ("d /run/my/empty", None, 0o1777),
        ("d /run/my/empty 0755 root root -", "1000:1000", 0o755),
    ],
)
def test_one_that_systemd_would_make_for_root_alone(bench, line, user, mode):
    """As vsftpd's, which refuses to run where its empty root is writable."""
    bench.fill({"/usr/lib/tmpfiles.d/my.conf": f"{line}\n", "/run": None, "/var/run": "-> /run"})
    result = made(bench, "/var/run/my/empty/", user=user)[1]
    entry = result.directories["/run/my/empty"]
    assert (entry.mode, entry.uid) == (mode, 1000 if user else 0)


@pytest.mark.parametrize(
    ("calls", "text", "expected"),
    [
        (("connect",), "unix:path=/var/run/dbus/socket", {"/var/run"}),
        ((), "unix:path=/var/run/dbus/socket", set()),
        (("connect",), "unix:path=/run/dbus/socket", set()),
    ],
)
def test_the_way_to_the_sockets_of_others(bench, calls, text, expected):
    """libdbus has the name that most systems made a link."""
    lib = library("libbus.so.1", *calls, source=f'const char text[] = "{text}";')
    bench.fill({PROGRAM: program("mkdir", libraries=(lib,)), f"{LIB}/libbus.so.1": lib})
    bench.fill({f"{LIB}/libc.so.6": libc("mkdir", *calls), "/run": None, "/var/run": "-> /run"})
    found = {one for one in bench.plan(MADE).tree if one == "/var/run"}
    assert found == expected


def test_they_are_empty_and_of_the_user(bench):
    bench.fill({"/var/lib/my/state": "secret"})
    found, result = made(bench, "/var/lib/my", user="1000:1000")
    assert found == {"/var/lib/my"}
    assert "/var/lib/my/state" not in result.paths
    entry = result.directories["/var/lib/my"]
    assert (entry.uid, entry.gid, entry.mode) == (1000, 1000, 0o755)
    assert result.applied == {"state-directories": "prog names /var/lib/my"}


def test_a_file_that_a_package_has_there_is_a_hint(bench):
    """As dhcpy6d, which asks for its database to be there."""
    bench.fill({"/var/lib/my/state": "", "/var/lib/my/other": ""})
    owned = (PROGRAM, "/var/lib/my/state")
    package_roots.install(bench.root, package_roots.Package("my", "1", owned))
    _, result = made(bench, "/var/lib/my/state", "/var/lib/my/other")
    begin = "prog names /var/lib/my/state, a file of a package below /var, which is left out"
    assert result.said("hint") == [f"{begin}: --add /var/lib/my/state:/var/lib/my/state"]


def test_a_script_names_one(bench):
    """As whereami does, in Perl: `/var/run/whereami.started`."""
    text = "#!/usr/bin/sh\n# /var/lib/none/x\necho $$ >/var/cache/me/pid\n"
    bench.fill({"/usr/bin/sh": program("mkdir"), "/usr/bin/run": text})
    (bench.root / "usr/bin/run").chmod(0o755)
    result = bench.plan(MADE, "/usr/bin/run")
    assert "/var/cache/me" in result.directories
    assert "/var/lib/none" not in result.directories


def test_an_empty_directory_that_came_with_the_program_is_there(bench):
    """Its path may be put together, as corosync does."""
    tool = "/usr/bin/tool"
    files = (tool, "/var/lib/my", "/var/lib/my-cache/one", "/var/lib/mine")
    bench.fill({tool: program("mkdir"), "/var/lib/my-cache/one": "x", "/var/lib/mine": "x"})
    (bench.root / "var/lib/my").mkdir()
    package_roots.install(bench.root, package_roots.Package("my", "1", files))
    result = bench.plan(MADE, tool)
    assert {path for path in result.directories if path.startswith("/var/lib/")} == {"/var/lib/my"}
    assert result.applied == {"state-directories": "the package of tool has /var/lib/my"}


@pytest.mark.parametrize("path", ["/etc/my.d", "/usr/lib/my/plugins"])
def test_an_empty_directory_elsewhere_is_there_too_and_roots(bench, path):
    """As incrond's /etc/incron.d, which it reads."""
    tool = "/usr/bin/tool"
    others = ("/etc/logrotate.d", "/usr/share/doc/my")
    bench.fill(dict.fromkeys((path, *others)) | {"/etc/link": f"-> {path}"})
    bench.root.joinpath(path[1:]).parent.chmod(0o700)  # for an account that the image lacks
    owned = (tool, path, "/etc/link", *others)
    package_roots.install(bench.root, package_roots.Package("my", "1", owned))
    bench.fill({tool: program("mkdir")})
    result = bench.plan(MADE, tool, user="1000:1000")
    entry = result.directories[path]
    assert (entry.uid, entry.gid, entry.mode) == (0, 0, 0o755)
    assert not {"/etc/link", *others} & result.directories.keys()
    assert all(one.mode & 0o055 == 0o055 for one in result.directories.values())


def test_a_configuration_names_some(bench):
    bench.fill(
        {
            "/home/my.conf": "log = /var/log/app/a.log\n# x = /run/other/a\n",
            "/home/my.py": "'/var/log/b/c'",
        }
    )
    adds = (f"{bench.root}/home/my.conf:/etc/my.conf", f"{bench.root}/home/my.py:/srv/my.py")
    assert made(bench, "", add=adds)[0] == {"/var/log/app"}


def test_what_the_user_adds_there_counts(bench):
    bench.fill({"/home/state/x": "x"})
    add = (f"{bench.root}/home/state:/var/lib/my",)
    _, result = made(bench, "/var/lib/my/", add=add, user="1000")
    assert result.directories["/var/lib/my"].uid == 0


def test_they_lie_where_the_links_of_the_root_lead(bench):
    bench.fill({"/var/run": "-> /run"})
    bench.fill({"/run": None})
    found, result = made(bench, "/var/run/my/my.sock", "/var/lock/my/a")
    assert found == {"/run/my", "/var/lock/my"}
    assert "/var/run" in result.paths
    assert "/var/run" not in result.directories


def test_one_that_others_share_is_roots(bench):
    """Some refuse to start below a directory that everybody may write, as ladvd does."""
    bench.fill({"/var/run": "-> /run"})
    bench.fill({"/run": None})
    _, result = made(bench, "/var/run/my.pid", "/run/my/")
    assert {path: result.directories[path].mode for path in ("/run", "/run/my")} == {
        "/run": 0o755,
        "/run/my": 0o1777,
    }
    _, result = made(bench, "/var/run/my.pid", user="1000")
    assert (result.directories["/run"].uid, result.directories["/run"].mode) == (1000, 0o755)
