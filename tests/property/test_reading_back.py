"""Reading back what was packed gives the plan, less its reasons; and so does every part of it."""

import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfs_builder.filesystem.content import read
from rootfs_builder.image import layers, unpack
from rootfs_builder.image.store import Store
from rootfs_builder.plan import Plan, hard_links
from rootfs_builder.recipe.codec import DEFAULT_LEVELS, GZIP, Codec
from tests import trees


def facts(plan):
    """All that a plan says of its tree: every entry, and which of them are one file."""
    found = {
        one.path: (
            *(one.kind, one.mode, one.uid, one.gid, one.capability, one.target),
            None if one.content is None else trees.sha8(read(one.content)),
        )
        for one in plan.entries
    }
    return found, hard_links(plan.entries)


def read_back(codec, *plans):
    """The facts of the plan that the layers of some plans add up to."""
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as scratch:
        store = Store(file)
        packed = [layers.pack(plan, store, codec=codec) for plan in plans]
        file.flush()
        return facts(unpack.read(packed, scratch))


@pytest.mark.parametrize(
    "codec", [Codec(name, level) for name, level in DEFAULT_LEVELS.items()], ids=DEFAULT_LEVELS
)
@given(plan=trees.plans(anything=True))
def test_reading_back_gives_the_plan_less_its_reasons(codec, plan):
    assert read_back(codec, plan) == facts(plan)


@given(plan=trees.plans(anything=True), data=st.data())
def test_layers_hold_their_files_whole_wherever_the_links_are(plan, data):
    """Files of one source are one file of a layer; in two layers, each has all bytes."""
    directories = [one for one in plan.entries if one.kind == "dir"]
    others = [one for one in plan.entries if one.kind != "dir"]
    upper = data.draw(st.sets(st.sampled_from(others)) if others else st.just(set()))
    parts = [
        Plan((*directories, *(one for one in others if (one in upper) == above)))
        for above in (False, True)
    ]
    for part in parts:
        assert read_back(GZIP, part) == facts(part)
    entries, links = read_back(GZIP, *parts)
    assert entries == facts(plan)[0]
    assert links == hard_links(parts[0].entries) | hard_links(parts[1].entries)
