"""What a program of TeX looks up in kpathsea's trees."""

import pytest

from tests.packaged import OWN, TOOL, Machine, spelling
from tests.rule_bench import LIB, libc, library, program, rule

TEX = rule('when = { sonames = ["libkpathsea.so.*"] }\nfinder = "tex"', "tex")
TREE, MADE = "/usr/share/texlive/texmf-dist", "/var/lib/texmf"
SETTINGS = f"""\
TEXMFROOT = /usr/share/texlive
TEXMFDIST = $TEXMFROOT/texmf-dist
TEXMFSYSVAR = {MADE}
TEXMFHOME = ~/texmf
TEXMF = {{!!$TEXMFSYSVAR,!!$TEXMFDIST}}
"""
COMPILED_IN = 'const char path[] = "{/etc/texmf/web2c,/usr/share/texlive/texmf-dist/web2c}";'


@pytest.fixture
def tex(bench):
    """A program and a tree with a configuration, of one package that requires another."""
    machine = Machine(bench)
    kpathsea = library("libkpathsea.so.6", source=COMPILED_IN)
    machine.bench.fill({f"{LIB}/libkpathsea.so.6": kpathsea})
    machine.tool(libraries=(kpathsea,))
    machine.package("base", {f"{TREE}/tex/latex/article.cls": "a", f"{TREE}/doc/article.pdf": "d"})
    machine.package(
        "tool",
        {f"{TREE}/web2c/texmf.cnf": SETTINGS, f"{TREE}/tex/plain.tex": "p"},
        needs="Depends: base\n",
        files=(TOOL,),
    )
    machine.package("extra", {f"{TREE}/tex/extra/tikz.sty": "t"})
    machine.bench.fill({f"{TREE}/ls-R": "% ls-R"})
    return machine


def test_macros_are_those_of_its_packages(tex):
    assert tex.brought(TEX) == {
        f"{TREE}/ls-R",
        f"{TREE}/web2c/texmf.cnf",
        f"{TREE}/tex/latex/article.cls",
        f"{TREE}/tex/plain.tex",
    }


def test_of_formats_it_gets_its_own(tex):
    formats = ("pdftex/tool.fmt", "pdftex/tool.log", "xetex/xelatex.fmt")
    tex.bench.fill({f"{MADE}/web2c/{one}": one for one in formats})
    tex.bench.fill({f"{MADE}/web2c/round": "-> .."})
    found = tex.brought(TEX)
    assert {one for one in found if one.startswith(MADE)} == {f"{MADE}/web2c/pdftex/tool.fmt"}


def test_font_maps_come_once(tex):
    maps = ("pdftex/updmap/pdftex.map", "pdftex/updmap/pdftex_dl14.map")
    tex.bench.fill({f"{MADE}/fonts/map/{one}": one for one in maps})
    tex.bench.fill({f"{MADE}/tex/generic/config/language.dat": "english"})
    found = tex.brought(TEX)
    assert {one for one in found if one.startswith(MADE)} == {
        f"{MADE}/fonts/map/pdftex/updmap/pdftex.map",
        f"{MADE}/tex/generic/config/language.dat",
    }


def test_a_tree_that_nobody_made_for_all_is_left_out(tex):
    tex.bench.fill({f"{TREE}/web2c/texmf.cnf": "TEXMFSYSVAR = /home/me/texmf\n"})
    tex.bench.fill({"/home/me/texmf/web2c/tool.fmt": "x"})
    assert tex.brought(TEX) == {f"{TREE}/web2c/texmf.cnf"}


def test_a_name_by_which_another_program_starts_it_counts(tex):
    """latexmk starts pdflatex, a link of another package to pdftex."""
    maker, link = "/usr/bin/maker", "/usr/bin/latex"
    tex.bench.fill({f"{LIB}/libc.so.6": libc("frob", "execv")})
    tex.bench.fill({maker: program("frob", "execv", source=spelling(link))})
    tex.package("latex", {link: "-> tool", f"{TREE}/tex/latex/book.cls": "b"})
    tex.package("maker", {}, needs="Depends: latex, tool\n", files=(maker,))
    tex.bench.fill({f"{MADE}/web2c/pdftex/{one}.fmt": one for one in ("tool", "latex", "other")})
    found = tex.brought(OWN, TEX, program=maker)
    assert {f"{TREE}/tex/latex/book.cls", f"{TREE}/tex/plain.tex"} <= found
    assert {one for one in found if one.startswith(MADE)} == {
        f"{MADE}/web2c/pdftex/{one}.fmt" for one in ("tool", "latex")
    }


def test_the_user_asks_for_macros_of_a_package(tex):
    added = tex.brought(TEX, with_=("tex=extra",)) - tex.brought(TEX)
    assert added == {f"{TREE}/tex/extra/tikz.sty"}
