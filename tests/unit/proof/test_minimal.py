"""The search for what can go, with a trial that answers at once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from rootfs_builder.paths import ancestors
from rootfs_builder.proof.minimal import Search, Why, parts

NAMES = st.sampled_from("abc")
FILES = st.sets(st.lists(NAMES, min_size=1, max_size=4).map("/".join).map("/".__add__), max_size=12)


@st.composite
def trees(draw):
    """Paths with their directories, and what each needs."""
    files = draw(FILES)
    paths = {above for file in files for above in ancestors(file)} | files
    ties = {path: set(ancestors(path)) for path in paths}
    for path in draw(st.lists(st.sampled_from(sorted(paths)), max_size=4)) if paths else ():
        ties[path].add(draw(st.sampled_from(sorted(paths))))
    return paths, {path: frozenset(needed - {path}) for path, needed in ties.items()}


def reduced(paths, ties, pinned, trial):
    search = Search(paths, ties, pinned, trial)
    search.reduce([frozenset(paths)])
    search.prove()
    return search


@settings(max_examples=300)
@given(trees(), st.data())
def test_nothing_can_go_and_the_trial_passes(tree, data):
    """Whatever the trial is, also one that wants a file unless it wants another."""
    paths, ties = tree
    every = st.sets(st.sampled_from(sorted(paths))) if paths else st.just(set())
    wanted = data.draw(every)
    either = data.draw(st.lists(st.tuples(every, every), max_size=2))

    def passes(gone):
        return not wanted & gone and not any(a & gone and not b & gone for a, b in either)

    search = reduced(paths, ties, {}, passes)
    assert search.left | search.gone == paths
    assert passes(frozenset(search.gone))
    for path in search.left:
        assert ties[path] <= search.left, "what is left has what it needs"
        closed = {path}
        while new := {one for one in search.left if ties[one] & closed} - closed:
            closed |= new
        holds = any(path in ancestors(one) for one in search.left)
        assert holds or not passes(frozenset(search.gone | closed)), f"{path} can go"


@given(trees(), st.data())
def test_what_is_pinned_stays_and_says_why(tree, data):
    paths, ties = tree
    every = st.sets(st.sampled_from(sorted(paths))) if paths else st.just(set())
    pinned = dict.fromkeys(data.draw(every), Why.WANTED)
    search = reduced(paths, ties, pinned, lambda _: True)
    assert {*pinned} <= search.left
    assert {one.path for one in search.kept() if one.why is Why.WANTED} == {*pinned}
    assert {one.path for one in search.kept()} == search.left


def test_few_trials_where_much_can_go():
    paths = {f"/usr/{i // 100}/{i}" for i in range(2000)}
    trials = []
    wanted = {"/usr/3/333", "/usr/11/1101"}

    def trial(gone):
        trials.append(gone)
        return not wanted & gone

    search = Search(paths, {path: frozenset() for path in paths}, {}, trial)
    search.reduce([frozenset(paths)])
    assert search.left == wanted
    assert len(trials) < 80


@given(st.sets(FILES.flatmap(lambda some: st.sampled_from(sorted(some) or ["/a"])), min_size=2))
def test_the_parts_of_a_group_are_the_group(group):
    found = list(parts(frozenset(group)))
    assert len(found) > 1
    assert all(found)
    assert sorted(path for part in found for path in part) == sorted(group)
