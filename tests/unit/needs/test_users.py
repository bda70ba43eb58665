"""`--user`: whom the text names, which digits that gives, and which lines for /etc/passwd."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfs_builder.errors import InputError, NotFoundError
from rootfs_builder.needs import users
from rootfs_builder.plan import PlanRoot
from rootfs_builder.recipe import values
from tests import trees

ACCOUNTS = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
nonroot:x:7:7::/elsewhere:/bin/sh
postgres:x:105:109:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash
postgres:x:1:1:the second line of a name is never read:/:
toor:x:0:0::/root:/bin/sh
nfs:x:65534:65534::/:
old:x:99:99::/:
short:x:500:501
machine$:x:600:65533::relative:
windows:x:601:601::/home/w\r
"""
GROUPS = """\
root:x:0:
daemon:x:1:
nogroup:x:99:old
nobody:x:99:
ssl-cert:x:108:postgres
postgres:x:109:
Domain Users:x:501:
"""
BAD_LINES = """\

# a comment
+::::::
+@netgroup
short
:x:1:1::/:
bad:x:one:1::/:
bad:x:1:-1::/:
bad:x:99999999999:1::/:
bad:x:\u0661:1::/:
"""


def root(passwd=ACCOUNTS, group=GROUPS):
    files = {"/etc/passwd": passwd, "/etc/group": group}
    return PlanRoot(
        trees.of_entries(
            [
                trees.file(path, text if isinstance(text, bytes) else text.encode())
                for path, text in files.items()
                if text is not None
            ]
        )
    )


EMPTY = root(None, None)


def resolve(text, where=None):
    assert values.user(text) == text
    return users.resolve(text, where or root())


@pytest.mark.parametrize(
    ("text", "digits", "passwd_line", "group_line"),
    [
        ("1000", "1000", "user:x:1000:0::/home/user:/sbin/nologin", None),
        ("1000:100", "1000:100", "user:x:1000:100::/home/user:/sbin/nologin", "user:x:100:"),
        ("105", "105", "user:x:105:0::/home/user:/sbin/nologin", None),
        ("0", "0", None, None),
        ("0:1000", "0:1000", None, "user:x:1000:"),
        ("1000:0", "1000:0", "user:x:1000:0::/home/user:/sbin/nologin", None),
        ("65534:65534", "65534:65534", None, None),
        ("007:08", "7:8", "user:x:7:8::/home/user:/sbin/nologin", "user:x:8:"),
        ("root", "0:0", None, None),
        ("root:root", "0:0", None, None),
        ("nobody", "65534:65534", None, None),
        ("1:nogroup", "1:65534", "user:x:1:65534::/home/user:/sbin/nologin", None),
        (
            "nonroot",
            "65532:65532",
            "nonroot:x:65532:65532::/home/nonroot:/sbin/nologin",
            "nonroot:x:65532:",
        ),
        (
            "nonroot:0",
            "65532:0",
            "nonroot:x:65532:0::/home/nonroot:/sbin/nologin",
            None,
        ),
        (
            "1000:nonroot",
            "1000:65532",
            "user:x:1000:65532::/home/user:/sbin/nologin",
            "nonroot:x:65532:",
        ),
    ],
)
def test_digits_and_the_names_of_every_image_need_no_file(text, digits, passwd_line, group_line):
    user = resolve(text, EMPTY)
    assert user == resolve(text, root())
    assert user.digits == digits
    assert user.passwd_line() == passwd_line
    assert user.group_line() == group_line


@pytest.mark.parametrize(
    ("text", "home", "expected"),
    [
        ("1000", "/srv/home", "/srv/home"),
        ("1000", "", "/home/user"),
        ("1000", "relative", "/home/user"),
        ("1000", "/a:b", "/home/user"),
        ("0", "/srv/home", "/root"),
        ("postgres", "/srv/home", "/var/lib/postgresql"),
    ],
)
def test_digits_have_the_home_that_a_variable_says(text, home, expected):
    """Stubby looks its settings up where getpwuid(3) says, before HOME."""
    user = users.resolve(text, root(), home=home)
    assert user.home == expected
    assert user.has_home is (expected.startswith(("/srv", "/home")))


@pytest.mark.parametrize("home", ["/", "/tmp", "/usr/games", "/root"])  # noqa: S108
def test_a_directory_of_everybody_is_not_made_as_a_home(home):
    assert not users.resolve("1000", root(), home=home).has_home


@pytest.mark.parametrize(
    ("text", "digits", "passwd_line", "group_line"),
    [
        (
            "postgres",
            "105:109",
            "postgres:x:105:109::/var/lib/postgresql:/sbin/nologin",
            "postgres:x:109:",
        ),
        (
            "postgres:ssl-cert",
            "105:108",
            "postgres:x:105:108::/var/lib/postgresql:/sbin/nologin",
            "ssl-cert:x:108:",
        ),
        (
            "postgres:1000",
            "105:1000",
            "postgres:x:105:1000::/var/lib/postgresql:/sbin/nologin",
            "user:x:1000:",
        ),
        (
            "postgres:109",
            "105:109",
            "postgres:x:105:109::/var/lib/postgresql:/sbin/nologin",
            "postgres:x:109:",
        ),
        (
            "1000:ssl-cert",
            "1000:108",
            "user:x:1000:108::/home/user:/sbin/nologin",
            "ssl-cert:x:108:",
        ),
    ],
)
def test_other_names_are_those_of_the_root(text, digits, passwd_line, group_line):
    user = resolve(text)
    assert user.digits == digits
    assert user.passwd_line() == passwd_line
    assert user.group_line() == group_line


@pytest.mark.parametrize(
    ("text", "digits", "passwd_line", "group_line"),
    [
        ("toor", "0:0", None, None),
        ("nfs", "65534:65534", None, None),
        # nogroup and nobody, its groups there, are 65534 in an image
        ("old", "99:99", "old:x:99:99::/:/sbin/nologin", "old:x:99:"),
    ],
)
def test_no_line_contradicts_those_of_every_image(text, digits, passwd_line, group_line):
    test_other_names_are_those_of_the_root(text, digits, passwd_line, group_line)


@pytest.mark.parametrize(
    ("text", "passwd_line", "group_line"),
    [
        ("short", "short:x:500:501::/:/sbin/nologin", "short:x:501:"),
        ("machine$", "machine$:x:600:65533::/:/sbin/nologin", "machine$:x:65533:"),
        ("windows", "windows:x:601:601::/home/w:/sbin/nologin", "windows:x:601:"),
    ],
)
def test_what_a_line_lacks_has_a_default(text, passwd_line, group_line):
    user = resolve(text)
    assert user.passwd_line() == passwd_line
    assert user.group_line() == group_line


def test_bad_lines_are_skipped():
    there = root(BAD_LINES + ACCOUNTS, BAD_LINES + GROUPS)
    assert resolve("postgres:ssl-cert", there).digits == "105:108"
    with pytest.raises(NotFoundError):
        resolve("bad", there)


def test_a_file_that_is_no_text_is_read_all_the_same():
    there = root(b"\xff\xfe:x\0:\n" + ACCOUNTS.encode() + b"caf\xe9:x:1:1::/caf\xe9:", None)
    assert resolve("postgres", there).digits == "105:109"


def test_a_link_to_the_file_is_followed_inside_the_root():
    there = PlanRoot(
        trees.plan({"/etc/passwd": "symlink /run/p", "/run/p": "file 0644 app:x:5:6::/app:"})
    )
    assert resolve("app", there).digits == "5:6"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("postgrse", ["no user postgrse in /etc/passwd", "did you mean postgres?"]),
        ("rooot", ["did you mean root?"]),
        ("zzzzzz", ["no user zzzzzz in /etc/passwd of the root that is packed; digits"]),
        ("1000:ssl-certs", ["no group ssl-certs in /etc/group", "did you mean ssl-cert?"]),
        ("postgres:ssl", ["no group ssl in /etc/group"]),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(text, words):
    with pytest.raises(NotFoundError) as error:
        resolve(text)
    for word in [f"--user {text}: ", "digits always work: --user UID:GID", *words]:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("there", "text", "lacks"),
    [
        (EMPTY, "postgres", "/etc/passwd"),
        (root(group=None), "postgres:ssl-cert", "/etc/group"),
        (PlanRoot(trees.plan({"/etc/passwd/": "dir 0755"})), "postgres", "/etc/passwd"),
        (PlanRoot(trees.plan({"/etc/passwd": "symlink passwd"})), "postgres", "/etc/passwd"),
    ],
)
def test_a_root_without_accounts_says_so(there, text, lacks):
    with pytest.raises(NotFoundError, match=f"the root that is packed has no {lacks}; digits"):
        resolve(text, there)


def test_a_root_without_groups_names_a_users_group_after_the_user():
    assert resolve("postgres", root(group=None)).group_line() == "postgres:x:109:"


def test_a_file_too_large_to_be_one_is_not_read():
    with pytest.raises(InputError, match=r"/etc/passwd has 4,194,305 bytes.*digits"):
        resolve("app", root(b"\n" * ((4 << 20) + 1)))


NAMES = st.from_regex(r"[a-z_][a-z0-9_-]{0,30}\$?", fullmatch=True)
FIELDS = st.sampled_from(["", "0", "7", "65534", "x", "-1", "/", "/home/a", "nogroup"]) | st.text()
LINES = st.lists(NAMES | FIELDS, max_size=8).map(":".join)
FILES = st.lists(LINES, max_size=5).map("\n".join)


@given(passwd=FILES, group=FILES, name=NAMES, group_name=NAMES | st.just("") | st.just("12"))
def test_whatever_the_files_hold_the_config_gets_digits(passwd, group, name, group_name):
    line = f"\n{name}:hash:105:109:Full Name:"
    there = root(
        (passwd + line + passwd).encode("utf-8", "replace"),
        (group + f"\n{group_name}:hash:7:").encode("utf-8", "replace"),
    )
    user = resolve(f"{name}:{group_name}".rstrip(":"), there)
    assert re.fullmatch("[0-9]+:[0-9]+", user.digits)
    assert user.uid <= 2**31 - 1
    assert user.gid <= 2**31 - 1
    passwd_line, group_line = user.passwd_line(), user.group_line()
    if passwd_line is not None:
        known, password, uid, gid, gecos, home, shell = passwd_line.split(":")
        assert (known, password, gecos, shell) == (name, "x", "", "/sbin/nologin")
        assert known not in ("root", "nobody")
        assert f"{uid}:{gid}" == user.digits
        assert home.startswith("/")
        assert re.fullmatch("[^\0-\x1f\x7f]*", passwd_line)
    if group_line is not None:
        known, password, gid, members = group_line.split(":")
        assert (password, gid, members) == ("x", str(user.gid), "")
        assert known not in ("root", "nogroup")
        assert re.fullmatch("[^\0-\x1f\x7f]*", group_line)
