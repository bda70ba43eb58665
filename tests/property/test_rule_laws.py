"""Laws that hold for any set of rules, over one small root: their order does not matter, each only
adds, without one is as if it did not exist, and all that they bring leads back to a program.
"""

import json
import os
import subprocess

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfs_builder.errors import RootfsError
from rootfs_builder.filesystem.content import read
from rootfs_builder.needs.rules import Rule
from rootfs_builder.paths import below
from rootfs_builder.plan import PlanRoot
from tests.loader.oracle import GLIBC
from tests.rule_bench import LIB, Bench, libc, library, program

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")

CALLS = ("f0", "f1", "f2", "f3")
PROGRAMS = ("/app/first", "/app/second", "/app/static")
OPTIONS = {"env": ("TZ=a",), "user": "nonroot"}
NOTE = json.dumps(json.dumps([{"soname": ["liby.so.1"]}]))
NOTING = f"""
static const struct {{ unsigned a, b, c; char owner[4]; char text[sizeof {NOTE}]; }} note
__attribute__((used, aligned(4), section(".note.dlopen"))) =
{{ 4, sizeof {NOTE}, 0x407c0c0a, "FDO", {NOTE} }};
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory, linker):
    """Two programs and a static one; x brings evidence of its own, y lacks a library.

    Plugins want a library that only the second program finds; configurations name each other.
    """
    folder = tmp_path_factory.mktemp("laws")
    bench = Bench(folder / "root", linker)
    x = library("libx.so.1", "f2", source='const char *text = "PLUGINS=/usr/lib/plug";')
    dep = library("libdep.so.1")
    bench.fill({LIB + "/libc.so.6": libc(*CALLS), f"{LIB}/libx.so.1": x})
    bench.fill({f"{LIB}/liby.so.1": library("liby.so.1", "f3", source=NOTING)})
    bench.fill({f"{LIB}/libz.so.1": library("libz.so.1", links=(library("libnowhere.so.1"),))})
    bench.fill({"/opt/deps/libdep.so.1": dep, "/usr/lib/plug/a.so": library("a.so", links=(dep,))})
    bench.fill({"/usr/lib/plug/b.so": library("b.so", "f1"), "/usr/lib/plug/tool": program("f3")})
    bench.fill({PROGRAMS[0]: program("f0", source='const char *text = "ALPHA";' + NOTING)})
    bench.fill({PROGRAMS[1]: program("f1", libraries=(x,), rpath="/opt/deps")})
    bench.fill({"/etc/c/a": "see b use libx.so.1", "/etc/c/b": "see a see c", "/etc/c/c": "c"})
    bench.fill({"/etc/l/abs": "-> /etc/c/c", "/etc/l/up": "-> ..", "/etc/l/gone": "-> no"})
    bench.fill({"/etc/l/plug": "-> ../../usr/lib/plug", "/etc/link": "-> l", "/etc/shadow": "hash"})
    bench.fill({"/etc/l/secret": "-> ../shadow", "/usr/lib/locale/C.utf8/LC_CTYPE": "ctype"})
    command = ["gcc", "-x", "c", "-", "-nostdlib", "-static", "-o", f"{bench.root}{PROGRAMS[2]}"]
    source = b'void _start(void) { for (;;); } const char *text = "BETA";'
    subprocess.run(command, input=source, check=True)
    return bench


def subsets(*of, least=1, most=3):
    return st.lists(st.sampled_from(of), min_size=least, max_size=most, unique=True)


@st.composite
def tables(draw, values, least, most):
    """A table with some of the keys of `values`, which are strategies."""
    return {key: draw(values[key]) for key in draw(subsets(*values, least=least, most=most))}


WHEN = tables(
    {
        "imports": subsets(*CALLS, "nothing"),
        "own-imports": subsets(*CALLS),
        "sonames": subsets("libx.so.*", "liby.so.1", "lib?.so.1", "b.so"),
        "text": subsets("ALPHA", "BETA", "GAMMA"),
        "libc": subsets("glibc", "musl", "static"),
        "before": st.sampled_from(["2.34", "2.99"]),
        "env": subsets("TZ", "LANG"),
        "user": st.just(True),
    },
    least=1,
    most=3,
)

# What copy names is never what write makes: two files for one path are an error, whatever acts.
ACTIONS = tables(
    {
        "load": subsets("libx.so.1", "liby.so.1", "libz.so.1", "{dir}/b.so", "{name}"),
        "copy": subsets(
            "/etc/c/{value}", "/etc/l", "/etc/link/abs", "/etc/c/*", "/usr/lib/plug", "{dir}/a.so",
            "/etc/shadow", "/no", most=4,
        ),
        "write": st.dictionaries(
            st.sampled_from(["/gen/f", "/gen/g", "/etc/link/{value}.gen"]),
            st.sampled_from(["1\n2\n", "2\n3", "", "4\n"]),
            min_size=1,
        ),
        "directories": st.dictionaries(
            st.sampled_from(
                ["/spool", "/gen", "/var/{value}", "/etc/c", "/etc/link/d", "/home/nonroot"]
            ),
            st.sampled_from(["1777", "0700", "0750", "0705", "0777"]),
        ),
        "environment": st.dictionaries(st.sampled_from("AB"), st.sampled_from(["1", "{value}"])),
        "locale": st.just(["C.UTF-8"]),
        "generates": st.sampled_from(["nsswitch", "services", "user"]),
    },
    least=1,
    most=4,
)  # fmt: skip

FOLLOW = st.just(
    [
        {"file": "/etc/c/{value}", "text": r"see (?P<value>\w)"},
        {"file": "/etc/c/{value}", "text": r"use (?P<name>\S+)"},
    ]
)

WORDS = tables(
    {
        "follow": FOLLOW,
        "hint": st.just("there is more"),
        "missing": st.just("get it"),
        "values": subsets("a", "b", "no"),
        "find": st.sampled_from(
            [
                {"soname": "libx.so.1", "text": [r"PLUGINS=(?P<dir>[\w/]+)"]},
                {"soname": "lib*", "text": ["lib(?P<unused>[xyz])"]},
                {"text": ["A(?P<value>LPHA)"]},
            ]
        ),
    },
    least=0,
    most=4,
)


@st.composite
def rule_sets(draw):
    """Rules r0, r1 … as `Rule`s, in this order."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        table = {"because": f"b{number}", "source": "s", **draw(WORDS), **draw(ACTIONS)}
        table["when"] = draw(st.lists(WHEN, min_size=1, max_size=2))
        rule = msgspec.convert(table, Rule)
        found.append(msgspec.structs.replace(rule, name=f"r{number}"))
    return tuple(found)


ANY = rule_sets()
ORDERS = st.permutations(PROGRAMS)


def planned(bench, rules, programs=PROGRAMS, **options):
    """The result, or the error in words."""
    try:
        return bench.plan_of(rules, *programs, **{**OPTIONS, **options})
    except RootfsError as error:
        return f"{type(error).__name__}: {error}"


def without_reasons(plan):
    return [msgspec.structs.replace(entry, reasons=()) for entry in plan.entries]


def all_but_reasons(result):
    """What somebody gets who packs it."""
    if isinstance(result, str):
        return result
    return (
        without_reasons(result.plan),
        result.plan.env,
        sorted(result.plan.findings, key=str),
        sorted(result.closure.supply.applied),
    )


def contents(result):
    """Each path with what is there, whichever name of a file is the first."""
    root = PlanRoot(result.plan)
    return {
        entry.path: entry.target
        if entry.kind == "symlink"
        else (entry.uid, entry.mode if _is_wanted(entry) else 0)
        if entry.kind == "dir"
        else read(root.open(entry.path))
        for entry in result.plan.entries
    }


def _is_wanted(directory):
    """Whether anybody says which mode it has: a mere parent is 0755 until a rule does."""
    return any(why.kind != "directory" or why.asked for why in directory.reasons)


@given(rules=ANY, data=st.data())
def test_the_order_of_rules_does_not_matter(bench, rules, data):
    shuffled = data.draw(st.permutations(rules))
    first, second = planned(bench, rules), planned(bench, tuple(shuffled))
    assert all_but_reasons(first) == all_but_reasons(second)


@given(rules=ANY, programs=ORDERS)
def test_the_order_of_programs_does_not_matter(bench, rules, programs):
    first, second = planned(bench, rules), planned(bench, rules, programs)
    assert all_but_reasons(first) == all_but_reasons(second)


@given(rules=ANY, data=st.data())
def test_a_rule_only_adds(bench, rules, data):
    fewer = tuple(rule for rule in rules if data.draw(st.booleans()))
    more, less = planned(bench, rules), planned(bench, fewer)
    if isinstance(more, str) or isinstance(less, str):
        assert more == less
        return
    all_of_it, some_of_it = contents(more), contents(less)
    generated = {line.path for line in more.closure.supply.lines}
    generated |= {f"/etc/l/{os.path.basename(path)}" for path in generated}  # through /etc/link
    assert some_of_it.keys() <= all_of_it.keys()
    for path, content in some_of_it.items():
        if path in generated:
            assert set(content.splitlines()) <= set(all_of_it[path].splitlines())
        elif isinstance(content, tuple):
            (uid, mode), (new_uid, wider) = content, all_of_it[path]
            assert uid in (0, new_uid)
            assert mode & ~wider == 0
        else:
            assert content == all_of_it[path]
    assert dict(less.plan.env).keys() <= dict(more.plan.env).keys()
    assert less.applied.keys() <= more.applied.keys()


@given(rules=ANY, data=st.data())
def test_without_a_rule_is_as_if_it_did_not_exist(bench, rules, data):
    names = [rule.name for rule in rules]
    out = tuple(data.draw(st.lists(st.sampled_from(names), unique=True)))
    left = tuple(rule for rule in rules if rule.name not in out)
    acting = [rule for rule in left if rule.acts]
    asked = data.draw(st.lists(st.sampled_from(acting), unique_by=id)) if acting else []
    with_ = tuple(f"{rule.name}=a" if rule.takes_values else rule.name for rule in asked)
    first = planned(bench, rules, without=out, with_=with_)
    second = planned(bench, left, with_=with_)
    if isinstance(first, str):
        assert first == second
    else:
        assert first.plan == second.plan
        assert first.closure.supply.applied == second.closure.supply.applied


@given(rules=ANY, programs=ORDERS)
def test_what_rules_bring_leads_back_to_a_program(bench, rules, programs):
    result = planned(bench, rules, programs)
    if isinstance(result, str):
        return
    paths = {entry.path for entry in result.plan.entries}
    for entry in result.plan.entries:
        assert entry.reasons
        for reason in entry.reasons:
            assert reason.by is None or reason.by in paths, (entry.path, reason)
        last, _ = result.chain(entry.path)[-1]
        assert any(below(one, last) for one in result.plan.programs), (entry.path, last)


@given(rules=ANY)
def test_no_rule_brings_a_secret(bench, rules):
    result = planned(bench, rules)
    assert isinstance(result, str) or b"hash" not in contents(result).values()
