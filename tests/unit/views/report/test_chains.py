"""The reasons to follow, and the group that they lead to: `plan.chain` is the oracle."""

from hypothesis import given
from hypothesis import strategies as st

from rootfs_builder.image.provenance import EntryRecord, ReasonRecord
from rootfs_builder.paths import ImagePath
from rootfs_builder.plan import Entry, Plan, Reason, ReasonKind, chain, order
from rootfs_builder.views.report import chains

PATHS = [f"/{number}" for number in range(8)]
REASON = st.builds(
    ReasonRecord,
    kind=st.sampled_from([ReasonKind.NEEDED, ReasonKind.RULE, ReasonKind.EXECUTABLE]),
    by=st.sampled_from(["", *PATHS]),
    asked=st.sampled_from(["", "liba.so", "users"]),
)
ENTRIES = st.lists(
    st.lists(REASON, min_size=1, max_size=3), min_size=len(PATHS), max_size=len(PATHS)
).map(lambda each: [entry(path, *some) for path, some in zip(PATHS, each, strict=True)])


def entry(path, *reasons):
    return EntryRecord(path, "file", "0644", 0, 0, 0, reasons, size=1)


def plan(entries):
    return Plan(
        order(
            Entry(
                ImagePath(one.path),
                "symlink",
                0o777,
                tuple(Reason(why.kind, why.by or None, why.asked) for why in one.reasons),
                target="x",
            )
            for one in entries
        )
    )


@given(ENTRIES)
def test_following_the_reasons_is_a_shortest_chain(entries):
    steps, whole = chains.steps(entries), plan(entries)
    for one in entries:
        shortest = chain(whole, ImagePath(one.path))
        if shortest[-1].reason.by is not None:
            continue  # they lead in a circle
        path, length = one.path, 1
        while steps[path].by:
            path, length = steps[path].by, length + 1
        assert length == len(shortest)


@given(ENTRIES)
def test_every_path_has_a_group_though_reasons_may_lead_in_a_circle(entries):
    steps = chains.steps(entries)
    assert all(chains.label(one.path, steps) for one in entries)


def test_the_group_is_what_the_program_asked_for_first():
    by_program = ReasonRecord(ReasonKind.NEEDED, "/prog", "liba.so.1")
    entries = [
        entry("/prog", ReasonRecord(ReasonKind.EXECUTABLE, asked="./prog")),
        entry("/liba.so.1.2", by_program),
        entry("/libb.so", ReasonRecord(ReasonKind.NEEDED, "/liba.so.1.2", "libb.so")),
        entry("/certificates", ReasonRecord(ReasonKind.RULE, "/prog", "ca-certificates")),
        entry("/opt/data", ReasonRecord(ReasonKind.ADDED, asked="/opt")),
        entry("/unknown", ReasonRecord(ReasonKind.IMAGE)),
    ]
    steps = chains.steps(entries)
    assert [chains.label(one.path, steps) for one in entries] == [
        "prog itself",
        "liba.so.1",
        "liba.so.1",
        "rule ca-certificates",
        "added /opt",
        "without a reason",
    ]
