"""Laws of layers: together they are the plan, and each depends on its own files alone."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rootfs_builder.packages import Package
from rootfs_builder.paths import parent
from rootfs_builder.plan import order, split
from rootfs_builder.recipe.codec import GZIP
from tests import trees
from tests.property.test_reading_back import facts, read_back

SOURCES = ["glibc", "gcc-14", "a", "b", "c"]
PACKAGES = [
    Package(f"{source}-{number}", "1", "amd64", source, "1", "deb")
    for source in SOURCES
    for number in range(2)
]
WHOSE = st.sampled_from([None, "own", *PACKAGES])
BUDGETS = st.sampled_from([1, 2, 3, 4, 60])


@st.composite
def owned(draw):
    """Plans whose entries belong to packages, to the user, or to nobody."""
    plan = draw(trees.plans(anything=True))
    entries = []
    for entry in plan.entries:
        whose = draw(WHOSE)
        known = {"first_party": True} if whose == "own" else {"package": whose}
        entries.append(replace(entry, **known) if entry.kind != "dir" else entry)
    return replace(plan, entries=tuple(entries), env=(("A", "B"),))


def union(parts):
    entries = {entry.path: entry for part in parts for entry in part.entries}
    return replace(parts[0], entries=order(entries.values()))


@given(plan=owned(), budget=BUDGETS)
def test_the_union_of_the_layers_is_the_plan(plan, budget):
    parts = split.by_change(plan, budget=budget)
    if plan.entries:
        assert union(parts) == plan
        assert all(part.entries for part in parts)
        assert len(parts) <= budget
        leaves = {one.path for one in plan.entries} - {parent(one.path) for one in plan.entries}
        assert sum(one.path in leaves for part in parts for one in part.entries) == len(leaves)


@given(plan=owned(), budget=BUDGETS)
def test_reading_the_layers_back_gives_the_plan_and_its_hard_links(plan, budget):
    parts = split.by_change(plan, budget=budget)
    assert read_back(GZIP, *parts) == facts(plan)


@given(plan=owned(), data=st.data())
def test_a_layer_does_not_depend_on_what_else_is_in_the_image(plan, data):
    """An image of some layers' files has these layers."""
    parts = split.by_change(plan, budget=60)
    some = [part for part in parts if data.draw(st.booleans())]
    if some:
        assert list(split.by_change(union(some), budget=60)) == some


def test_directories_alone_never_are_a_layer_beside_own_files():
    plan = trees.plan({"/app": "file 0755 a", "/lib": "file 0644 b", "/spool/": "dir 1777"})
    whose = {"/app": {"first_party": True}, "/lib": {"package": PACKAGES[0]}}
    entries = tuple(replace(one, **whose.get(one.path, {})) for one in plan.entries)
    parts = split.by_change(replace(plan, entries=entries), budget=60)
    assert [[one.path for one in part.entries] for part in parts] == [["/lib"], ["/app", "/spool"]]
    assert split.by_change(parts[1], budget=60) == parts[1:]


@given(plan=owned(), budget=BUDGETS)
def test_reasons_do_not_matter(plan, budget):
    bare = tuple(replace(entry, reasons=()) for entry in plan.entries)
    parts = split.by_change(replace(plan, entries=bare), budget=budget)
    assert [[one.path for one in part.entries] for part in parts] == [
        [one.path for one in part.entries] for part in split.by_change(plan, budget=budget)
    ]
