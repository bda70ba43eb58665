"""Directives of configurations, whatever their format: the values that they give."""

import pytest

from rootfs_builder.needs.rules import directives
from rootfs_builder.needs.rules.schema import Follow


def values(text, *names):
    return [one["x"].decode() for one in directives.found(text.encode(), {"x": names})]


@pytest.mark.parametrize(
    ("text", "names", "wanted"),
    [
        (
            "user www-data;\n",
            ["user"],
            ["www-data"],
        ),
        (
            "http { include mime.types; include /etc/x/*.conf;include b;}",
            ["include"],
            ["mime.types", "/etc/x/*.conf", "b"],
        ),
        (
            'LoadModule a_module modules/mod_a.so\n  LoadModule b_module "x/b.so"',
            ["LoadModule *"],
            ["modules/mod_a.so", "x/b.so"],
        ),
        (
            "plugins = python3, http",
            ["plugins"],
            ["python3", "http"],
        ),
        (
            '{"load": "a", "plugins": ["x",\n "y"], "other": "b"}',
            ["load", "plugins"],
            ["a", "x", "y"],
        ),
        (
            "<uwsgi><plugins>python3</plugins></uwsgi>",
            ["plugins"],
            ["python3"],
        ),
        (
            "\x00--plugin\x00x\x00--plugin=y\x00-lz\x00-l\x00q\x00",
            ["plugin", "-l"],
            ["x", "y", "z", "q"],
        ),
        (
            'plugin_load_add=ha_archive.so\nplugin-load="a=a.so;b=b.so"',
            ["plugin_load_add", "plugin-load"],
            ["ha_archive.so", "a.so", "b.so"],
        ),
        (
            "plugin-load=a.so;b.so\n",
            ["plugin-load"],
            ["a.so", "b.so"],
        ),
        (
            "INSTALL PLUGIN x SONAME 'ha_x.so';",
            ["soname"],
            ["ha_x.so"],
        ),
        (
            'module(load="imtcp" StreamDriver.Name="gtls")',
            ["load", "StreamDriver.Name"],
            ["imtcp", "gtls"],
        ),
        (
            "$DefaultNetstreamDriver gtls",
            ["$DefaultNetstreamDriver"],
            ["gtls"],
        ),
        (
            "$ModLoad imudp",
            ["$ModLoad"],
            ["imudp"],
        ),
        (
            "launch=bind, gsqlite3\nlaunch+=x",
            ["launch"],
            ["bind", "gsqlite3", "x"],
        ),
        (
            'loadmodule "tm.so"\n',
            ["loadmodule"],
            ["tm.so"],
        ),
        (
            "olcModuleLoad: {0}back_mdb\n",
            ["olcModuleLoad"],
            ["back_mdb"],
        ),
        (
            "moduleload\tback_mdb.la",
            ["moduleload"],
            ["back_mdb.la"],
        ),
        (
            'plugin query "filter-aaaa.so" {',
            ["plugin query"],
            ["filter-aaaa.so"],
        ),
        (
            'server.modules = (\n "mod_a",\n  "mod_b"\n)',
            ["server.modules"],
            ["mod_a", "mod_b"],
        ),
        (
            "# include x\ninclude y",
            ["include"],
            ["y"],
        ),
        (
            '@load "filefuncs"',
            ["@load"],
            ["filefuncs"],
        ),
        (
            "@include common-auth\nauth include x\n-auth [a=b c=d] foo.so",
            ["@include", "auth include"],
            ["common-auth", "x"],
        ),
        (
            "export APACHE_RUN_DIR=/var/run/apache2$SUFFIX",
            ["export APACHE_RUN_DIR"],
            ["/var/run/apache2"],
        ),
        (
            "shared_preload_libraries = 'a, b'",
            ["shared_preload_libraries"],
            ["a", "b"],
        ),
        (
            "LOAD '$libdir/x'; load 'y'",
            ["load"],
            ["y"],
        ),
        (
            "-d\x00de_DE,en_US",
            ["-d"],
            [],
        ),
        (
            "\x00-d\x00de_DE,en_US\x00",
            ["-d"],
            ["de_DE", "en_US"],
        ),
        (
            "requires = 'cube, earth'",
            ["requires"],
            ["cube", "earth"],
        ),
        (
            "reload the x\npre_load: y",
            ["load"],
            [],
        ),
        (
            "import std;",
            ["import"],
            ["std"],
        ),
        (
            '"library_path": "libEGL_mesa.so.0"',
            ["library_path"],
            ["libEGL_mesa.so.0"],
        ),
        (
            ".include = /etc/x.cnf\n.include /etc/y",
            ["include"],
            ["/etc/x.cnf", "/etc/y"],
        ),
        (
            "!includedir /etc/mysql/conf.d/\n",
            ["includedir"],
            ["/etc/mysql/conf.d/"],
        ),
        (
            "Driver=libsqlite3odbc.so\nDriver64 = /x/y.so",
            ["driver", "driver64"],
            ["libsqlite3odbc.so", "/x/y.so"],
        ),
        (
            "module: /usr/lib/p11.so",
            ["module"],
            ["/usr/lib/p11.so"],
        ),
        (
            'LoadPlugin "cpu"\n<LoadPlugin df>\n',
            ["LoadPlugin"],
            ["cpu", "df"],
        ),
        (
            "need-plugin = x",
            ["plugin"],
            [],
        ),
    ],
)
def test_the_values_of_a_directive(text, names, wanted):
    assert values(text, *names) == wanted


def test_a_stem_is_the_name_of_a_file_without_its_ending():
    text = b"load mod_a\nload /usr/lib/mod_b.so\nload mod_c.la\nload libd.so.3\n"
    found = directives.found(text, {"x": ("load",)})
    assert [one["x_stem"] for one in found] == [b"mod_a", b"mod_b", b"mod_c", b"libd"]


def test_what_is_followed_is_found_once():
    follow = Follow("/etc/a", "(?P<x>b)", {"y": ("load",)})
    found = directives.search(b"bb\nload c\nload c\n", follow)
    assert found == [{"x": b"b"}, {"y": b"c", "y_stem": b"c"}]
