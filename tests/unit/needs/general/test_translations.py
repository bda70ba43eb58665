"""The catalogs of messages in the language that the user sets."""

import pytest

from tests.rule_bench import LIB, PROGRAM, libc, library, program, rule

RULE = rule("when = { env = ['LANG', 'LANGUAGE'] }\nfinder = 'translations'", "translations")
LOCALE = "/usr/share/locale"
CATALOGS = ("de/prog", "de/libc", "de_AT/prog", "de/lib", "de/script", "fr/prog", "de/other")


@pytest.fixture
def catalogs(bench):
    """The catalogs that come for a program with a library and a script."""
    lib = library("libx.so.1", "dgettext", source='const char t[] = "\\0lib";')
    source = 'const char t[] = "\\0prog\\0other words";'
    bench.fill({f"{LIB}/libc.so.6": libc("textdomain", "dgettext"), f"{LIB}/libx.so.1": lib})
    bench.fill({PROGRAM: program("textdomain", source=source, libraries=(lib,))})
    each = (one.split("/") for one in CATALOGS)
    bench.fill({f"{LOCALE}/{one}/LC_MESSAGES/{domain}.mo": "" for one, domain in each})
    bench.fill({"/home/s": "import gettext\ngettext.textdomain('script')", "/home/t": "'other'"})

    def found(*env):
        added = tuple(f"{bench.root}/home/{one}:/srv/{one}" for one in "st")
        paths = bench.plan(RULE, env=env, add=added).paths
        return {
            path.replace("/LC_MESSAGES", "")[len(LOCALE) + 1 : -3]
            for path in paths
            if LOCALE in path
        }

    return found


@pytest.mark.parametrize("variable", ["LANG=de_DE.UTF-8", "LANGUAGE=de", "LANG=de_DE@euro"])
def test_the_catalogs_of_a_program_its_libraries_and_scripts(catalogs, variable):
    assert catalogs(variable) == {"de/prog", "de/libc", "de/lib", "de/script"}


def test_the_country_and_several_languages(catalogs):
    assert catalogs("LANGUAGE=fr:de_AT") >= {"de_AT/prog", "de/prog", "fr/prog"}


@pytest.mark.parametrize("variable", ["LANG=C.UTF-8", "LANG=POSIX", "OTHER=de"])
def test_no_language_no_catalog(catalogs, variable):
    assert catalogs(variable) == set()
