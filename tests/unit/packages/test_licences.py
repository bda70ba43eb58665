"""The licences of packages, as each database and Debian's copyright files name them."""

import pytest

from rootfs_builder import packages
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.packages import licences

MACHINE = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: x

Files: *
License: GPL-2+ or Artistic

Files: lib/*
License: BSD-3-clause and Expat
 Text that says License: nothing.

License: GPL-2+ with OpenSSL exception
 On Debian, see /usr/share/common-licenses/GPL-2.
"""
PROSE = """\
This is free software; you may use it under the GPL, see
/usr/share/common-licenses/GPL-3, or `/usr/share/common-licenses/LGPL-2.1'.
"""


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("", ()),
        ("MIT", ("MIT",)),
        ("MIT AND (BSD-3-Clause OR GPL-2.0-only WITH Classpath-exception-2.0)",
         ("BSD-3-Clause", "GPL-2.0-only", "MIT")),
        ("GPLv2+ and Public Domain", ("GPLv2+", "Public Domain")),
        ("LGPL-2+ with OpenSSL exception or MIT", ("LGPL-2+", "MIT")),
        ("Sandor, Anderson", ("Anderson", "Sandor")),
    ],
)  # fmt: skip
def test_an_expression_names_licences(expression, found):
    assert licences.terms(expression) == found


def test_a_copyright_file_names_them_in_fields_or_in_prose():
    found = ("Artistic", "BSD-3-clause", "Expat", "GPL-2+")
    assert licences.of_copyright(MACHINE) == found
    assert licences.of_copyright(PROSE) == ("GPL-3", "LGPL-2.1")
    assert licences.of_copyright("Ask the author.") == ()


def known(root, path):
    owners = packages.owners(DirectoryRoot(str(root)))
    return owners.licences(owners.of_all((path,)).packages[path])


def fill(root, tree):
    for path, text in tree.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


STATUS = "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"


@pytest.mark.parametrize("link", [False, True])
def test_of_dpkg(tmp_path, link):
    fill(tmp_path, {
        "var/lib/dpkg/status": STATUS,
        "var/lib/dpkg/info/a.list": "/usr/bin/a\n",
        "usr/bin/a": "",
        "usr/share/doc/b/copyright": PROSE,
    })  # fmt: skip
    assert known(tmp_path, "/usr/bin/a") == ()
    if link:  # packages of one source share a directory
        (tmp_path / "usr/share/doc/a").symlink_to("b")
        assert known(tmp_path, "/usr/bin/a") == ("GPL-3", "LGPL-2.1")
    else:
        fill(tmp_path, {"usr/share/doc/a/copyright": MACHINE})
        assert "Expat" in known(tmp_path, "/usr/bin/a")


def test_another_version_of_a_package_is_not_known(tmp_path):
    fill(tmp_path, {
        "var/lib/dpkg/status": STATUS,
        "var/lib/dpkg/info/a.list": "/usr/bin/a\n",
        "usr/bin/a": "",
        "usr/share/doc/a/copyright": PROSE,
    })  # fmt: skip
    owners = packages.owners(DirectoryRoot(str(tmp_path)))
    for version, found in (("1", ("GPL-3", "LGPL-2.1")), ("2", ())):
        one = packages.Package("a", version, "all", "a", version, "deb")
        assert owners.licences(one) == found


def test_of_apk(tmp_path):
    text = "P:a\nV:1\nA:all\nL:MIT AND ISC\nF:usr/bin\nR:a\n"
    fill(tmp_path, {"lib/apk/db/installed": text, "usr/bin/a": ""})
    assert known(tmp_path, "/usr/bin/a") == ("ISC", "MIT")
