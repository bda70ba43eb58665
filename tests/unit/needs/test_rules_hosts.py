"""Hosts of modules as distributions lay them out: the paths come from what is compiled in."""

import os

import pytest

from rootfs_builder.needs import rules
from tests.loader.oracle import GLIBC
from tests.rule_bench import LIB, PROGRAM, Bench, libc, library, program

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")

HOSTS = {  # texts of the program, what is in the root, what the user adds, what comes along
    "Apache of Fedora": (
        [' -D HTTPD_ROOT="/etc/httpd"', ' -D SERVER_CONFIG_FILE="conf/httpd.conf"'],
        {
            "/etc/httpd/conf/httpd.conf": "Include conf.modules.d/*.conf\nUser apache\n",
            "/etc/httpd/conf.modules.d/00.conf": "LoadModule a_module modules/mod_a.so\n",
            "/etc/httpd/modules": "-> ../../usr/lib64/httpd/modules",
            "/usr/lib64/httpd/modules/mod_a.so": None,
            "/usr/lib64/httpd/modules/mod_b.so": None,
        },
        {},
        {
            "/etc/httpd/conf/httpd.conf",
            "/etc/httpd/conf.modules.d/00.conf",
            "/etc/httpd/modules",
            "/usr/lib64/httpd/modules/mod_a.so",
        },
    ),
    "Apache of Alpine": (
        [' -D HTTPD_ROOT="/var/www"', ' -D SERVER_CONFIG_FILE="/etc/apache2/httpd.conf"'],
        {
            "/etc/apache2/httpd.conf": "LoadModule b_module modules/mod_b.so\n",
            "/var/www/modules": "-> /usr/lib/apache2",
            "/usr/lib/apache2/mod_a.so": None,
            "/usr/lib/apache2/mod_b.so": None,
        },
        {"/etc/apache2/httpd.conf": "LoadModule a_module modules/mod_a.so\n"},
        {"/etc/apache2/httpd.conf", "/var/www/modules", "/usr/lib/apache2/mod_a.so"},
    ),
    "nginx of Alpine": (
        [
            (
                "configure arguments: --prefix=/var/lib/nginx --conf-path=/etc/nginx/nginx.conf"
                " --http-client-body-temp-path=/var/lib/nginx/tmp/client_body"
            )
        ],
        {
            "/etc/nginx/nginx.conf": "include /etc/nginx/modules/*.conf;\ninclude mime.types;\n",
            "/etc/nginx/mime.types": "types {}\n",
            "/etc/nginx/modules/10.conf": 'load_module "modules/ngx_a.so";\n',
            "/var/lib/nginx/modules": "-> /usr/lib/nginx/modules",
            "/usr/lib/nginx/modules/ngx_a.so": None,
            "/usr/lib/nginx/modules/ngx_b.so": None,
        },
        {},
        {
            "/etc/nginx/nginx.conf",
            "/etc/nginx/mime.types",
            "/etc/nginx/modules/10.conf",
            "/var/lib/nginx/modules",
            "/usr/lib/nginx/modules/ngx_a.so",
        },
    ),
    "uWSGI of Fedora": (
        ["UWSGI_PLUGINS", "/usr/lib64/uwsgi"],
        {"/usr/lib64/uwsgi/python3_plugin.so": None, "/usr/lib64/uwsgi/http_plugin.so": None},
        {"/srv/uwsgi.yaml": "uwsgi:\n  plugins: python3\n"},
        {  # a small directory comes whole
            "/usr/lib64/uwsgi/python3_plugin.so",
            "/usr/lib64/uwsgi/http_plugin.so",
            "/srv/uwsgi.yaml",
        },
    ),
    "slapd of Fedora": (
        ["moduleload", "/usr/lib64/openldap"],
        {
            "/usr/lib64/openldap/back_mdb.so": "-> back_mdb.so.2",
            "/usr/lib64/openldap/back_mdb.so.2": None,
            "/usr/lib64/openldap/memberof.so.2": None,
        },
        {"/srv/db.ldif": "olcModuleLoad: {0}back_mdb.la\n"},
        {
            "/usr/lib64/openldap/back_mdb.so",
            "/usr/lib64/openldap/back_mdb.so.2",
            "/usr/lib64/openldap/memberof.so.2",
            "/srv/db.ldif",
        },
    ),
    "gawk of Arch": (
        ["AWKLIBPATH", "/usr/lib/gawk"],
        {"/usr/lib/gawk/time.so": None, "/usr/lib/gawk/fork.so": None},
        {"/srv/x.awk": '@load "time"\n'},
        {"/usr/lib/gawk/time.so", "/srv/x.awk"},
    ),
}


@pytest.mark.parametrize("host", HOSTS)
def test_what_is_named_comes_from_where_the_host_looks(linker, tmp_path, host):
    texts, root, given, wanted = HOSTS[host]
    bench = Bench(tmp_path / "root", linker)
    each = ", ".join('"' + text.replace('"', '\\"') + '"' for text in texts)
    source = f"const char *texts[] = {{ {each} }};"
    bench.fill({PROGRAM: program("dlopen", source=source), f"{LIB}/libc.so.6": libc("dlopen")})
    modules = {path: library(path.rpartition("/")[2]) for path in root if root[path] is None}
    bench.fill(root | modules)
    bench.fill({"/etc/passwd": "apache:x:48:48::/usr/share/httpd:/bin/sh\n"})
    bench.fill({f"/home{path}": text for path, text in given.items()})
    add = tuple(f"{bench.root}/home{path}:{path}" for path in given)
    result = bench.plan_of(rules.load(), add=add)
    own = (LIB, "/lib64/", "/app/", "/etc/passwd", "/etc/group", "/etc/nsswitch")
    assert {path for path in result.paths if not path.startswith(own)} == wanted
    assert ("apache:x:48" in result.tree.get("/etc/passwd", "")) == (host == "Apache of Fedora")


@pytest.mark.parametrize("text", ['"OpenSSL 3.5.5"', 'u"OpenSSL 3.5.5"'])
def test_qts_network_opens_openssl_by_the_version_that_it_was_built_with(linker, tmp_path, text):
    """Qt 5 has the text in UTF-16, Qt 6 its plugin in UTF-8; neither is linked to OpenSSL."""
    bench = Bench(tmp_path / "root", linker)
    source = f"const {'unsigned short' if text[0] == 'u' else 'char'} text[] = {text};"
    network = library("libQt5Network.so.5", source=source)
    names = ("libssl.so.3", "libcrypto.so.3", "libssl.so.1.1")
    bench.fill({f"{LIB}/{one}": library(one) for one in names})
    bench.fill({f"{LIB}/libQt5Network.so.5": network, f"{LIB}/libc.so.6": libc("frob")})
    bench.fill({PROGRAM: program("frob", libraries=(network,))})
    own = tuple(one for one in rules.load() if one.name == "library-directories")
    result = bench.plan_of(own, PROGRAM)
    assert {one for one in names if f"{LIB}/{one}" in result.paths} == {*names[:2]}
