"""The accounts that a program becomes."""

import pytest

from tests import package_roots
from tests.rule_bench import LIB, PROGRAM, library, program, rule

ACCOUNTS = rule('when = { own-imports = ["getpwnam"] }\nfinder = "accounts"', "accounts")
LINES = """bin:x:2:2:bin:/bin:/usr/sbin/nologin
Debian-my:x:107:78::/var/lib/my:/bin/sh
me:x:1000:1000::/home/me:/bin/sh
mkdir:x:108:78::/:/bin/sh
"""
LINE = "Debian-my:x:107:78::/var/lib/my:/sbin/nologin\n"


def passwd(bench, *texts, symbols=("getpwnam", "initgroups"), known=LINES, **options):
    each = "".join(f'"\\0{text}"' for text in texts)
    bench.fill(
        {
            PROGRAM: program(*symbols, source=f"const char texts[] = {each};"),
            "/etc/passwd": known,
            "/etc/group": "my:x:78:\n",
        }
    )
    return bench.plan(ACCOUNTS, **options).tree.get("/etc/passwd", "")


@pytest.mark.parametrize("text", ["Debian-my", "/var/run/Debian-my"])
def test_a_system_account_that_is_compiled_in(bench, text):
    assert passwd(bench, text) == LINE


@pytest.mark.parametrize(("text", "is_one"), [("/var/spool/news", True), ("/usr/bin", False)])
def test_one_of_every_system_may_be_the_end_of_a_path(bench, text, is_one):
    """A linker lets `news` be the end of another text; `bin` is a word."""
    every = "news:x:9:13::/var/spool/news:/bin/sh\nbin:x:2:2:bin:/bin:/usr/sbin/nologin\n"
    assert bool(passwd(bench, text, known=every)) is is_one


@pytest.mark.parametrize("text", ["me", "my", "xDebian-my", "Debian-my2", "/usr/bin", "bin"])
def test_other_strings_are_none(bench, text):
    assert passwd(bench, text) == ""


def test_the_name_of_a_function_that_it_calls_is_none(bench):
    assert passwd(bench, "mkdir", symbols=("getpwnam", "initgroups", "mkdir")) == ""


def test_who_never_changes_its_user_has_none(bench):
    assert passwd(bench, "Debian-my", symbols=("getpwnam",)) == ""


def test_a_group_that_is_compiled_in_where_groups_are_looked_up(bench):
    """As updatedb's, which gives its database to one."""
    both = rule('when = { imports = ["getgrnam", "getpwnam"] }\nfinder = "accounts"', "accounts")
    source = 'const char texts[] = "\\0files\\0Debian-my\\0";'
    bench.fill({PROGRAM: program("getgrnam", source=source)})
    bench.fill({"/etc/passwd": LINES})
    bench.fill({"/etc/group": "files:x:213:\nDebian-my:x:214:\nother:x:215:\n"})
    result = bench.plan(both)
    assert result.tree["/etc/group"] == "Debian-my:x:214:\nfiles:x:213:\n"  # a user's name, too
    assert "/etc/passwd" not in result.tree
    assert result.applied == {"accounts": "prog looks up the group Debian-my"}


def test_a_configuration_names_one_for_a_library_that_becomes_a_user(bench):
    """As libevd for filetea; GLib, which looks users up, becomes none."""
    both = rule('when = { imports = ["getpwnam"] }\nfinder = "accounts"', "accounts")
    bench.fill({"/etc/passwd": LINES, "/etc/group": "my:x:78:\n", "/home/c": "user=Debian-my\n"})
    for symbols, becomes in ((("getpwnam",), False), (("getpwnam", "setuid"), True)):
        own = library("libx.so.1", *symbols)
        bench.fill({f"{LIB}/libx.so.1": own, PROGRAM: program("frob", libraries=(own,))})
        tree = bench.plan(both, add=(f"{bench.root}/home/c:/etc/c.conf",)).tree
        assert ("/etc/passwd" in tree) is becomes


def test_its_own_name_is_one(bench):
    bench.fill({"/usr/bin/my-d": program("getpwnam", "setuid")})
    bench.fill({"/etc/passwd": "my-d:x:107:78::/:/bin/sh\nmy:x:108:78::/:/bin/sh\n"})
    assert bench.plan(ACCOUNTS, "/usr/bin/my-d").tree["/etc/passwd"].startswith("my-d:x:107:")


def test_its_packages_name_is_one(bench):
    """As of dqcache, whose dqcache-start changes its user."""
    bench.fill({"/usr/bin/my-start": program("getpwnam", "setuid")})
    bench.fill({"/etc/passwd": "me:x:107:78::/:/bin/sh\n_my-d:x:108:78::/:/bin/sh\n"})
    status = "Package: my-d\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"
    bench.fill({"/var/lib/dpkg/status": status})
    bench.fill({"/var/lib/dpkg/info/my-d.list": "/usr/bin/my-start\n"})
    tree = bench.plan(ACCOUNTS, "/usr/bin/my-start").tree
    assert tree["/etc/passwd"].startswith("_my-d:x:108:")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "/var/lib/dpkg/info/my-d.postinst",
            "adduser --system \\\n  --home /var/lib/x Debian-my\n",
        ),
        ("/usr/lib/sysusers.d/my.conf", 'u  Debian-my - "x" /var/lib/x\n'),
    ],
)
def test_its_package_makes_one(bench, path, text):
    bench.fill({"/usr/bin/prog": program("getpwnam", "initgroups")})
    bench.fill({"/etc/passwd": "x:x:108:78::/:/bin/sh\nDebian-my:x:109:78::/:/bin/sh\n"})
    owned = ("/usr/bin/prog", "/usr/lib/sysusers.d/my.conf")
    package_roots.install(bench.root, package_roots.Package("my-d", "1", owned))
    bench.fill({path: text})
    result = bench.plan(ACCOUNTS, "/usr/bin/prog")
    assert result.tree["/etc/passwd"].splitlines()[0].startswith("Debian-my:x:109:")
    assert "\nx:" not in result.tree["/etc/passwd"]
    assert result.applied == {"accounts": "prog has the account Debian-my"}


def test_a_script_names_one_that_is_called_as_its_package(bench):
    """As x2gothinclientd has `su - x2gothinclient`."""
    bench.fill({"/usr/bin/sh": program("getpwnam"), "/usr/bin/run": "#!/usr/bin/sh\nsu - my-d\n"})
    bench.fill({"/etc/passwd": "su:x:107:78::/:/bin/sh\nmy-d:x:108:78::/:/bin/sh\n"})
    status = "Package: my-d\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"
    bench.fill({"/var/lib/dpkg/status": status, "/var/lib/dpkg/info/my-d.list": "/usr/bin/run\n"})
    (bench.root / "usr/bin/run").chmod(0o755)
    assert bench.plan(ACCOUNTS, "/usr/bin/run").tree["/etc/passwd"].startswith("my-d:x:108:")


def test_a_script_gives_files_to_one(bench):
    """As MAKEFLOPPIES does devices; a time, or a host and a port, is none."""
    text = "#!/usr/bin/sh\nchown root:disks $1\nchown me:disks x\necho bin:disks\nchown $X:disks\n"
    bench.fill({"/usr/bin/sh": program("getpwnam"), "/usr/bin/run": text})
    bench.fill({"/etc/passwd": LINES + "root:x:0:0::/:/bin/sh\n", "/etc/group": "disks:x:25:\n"})
    (bench.root / "usr/bin/run").chmod(0o755)
    tree = bench.plan(ACCOUNTS, "/usr/bin/run").tree
    assert tree["/etc/group"] == "disks:x:25:\n"
    assert "/etc/passwd" not in tree


def test_a_configuration_gives_files_to_one(bench):
    """As that of update-sysfs, a script."""
    bench.fill({PROGRAM: program("getpwnam"), "/srv/x.conf": "owner a/b = nobody:disks\n"})
    bench.fill({"/etc/passwd": LINES, "/etc/group": "disks:x:25:\nothers:x:26:\n"})
    add = [f"{bench.root}/srv/x.conf:/etc/x.conf"]
    assert bench.plan(ACCOUNTS, add=add).tree["/etc/group"] == "disks:x:25:\n"


@pytest.mark.parametrize(
    "words",
    [
        ("--user", "me"),
        ("--user=me",),
        ("-u", "me"),
        ("user me",),
        ("UserID me",),
        ("server.username = me",),
        ("run_as_user=me",),
    ],
)
def test_an_argument_names_one(bench, words):
    assert passwd(bench, "", command=words).startswith("me:x:1000:")


def test_a_configuration_names_one(bench):
    bench.fill({"/home/my.conf": "user = me;\nuser nobody-here;\n# user bin\n"})
    add = (f"{bench.root}/home/my.conf:/etc/my.conf",)
    assert passwd(bench, "", add=add).startswith("me:x:1000:")


def test_with_names_one(bench):
    assert passwd(bench, "", with_=("accounts=me",)).startswith("me:x:1000:")
