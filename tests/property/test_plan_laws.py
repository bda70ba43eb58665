"""Laws that hold for the plan of any program, over real programs of this machine."""

import io
import os
import random
import re
import subprocess
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rootfs_builder import elf, recipe
from rootfs_builder.errors import ElfError, RootfsError
from rootfs_builder.filesystem.content import read
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.image import layers
from rootfs_builder.image.store import Store
from rootfs_builder.paths import parent
from rootfs_builder.pipeline import planning
from rootfs_builder.plan import Plan, PlanRoot, replay, stage
from rootfs_builder.plan.layout import lay_out
from rootfs_builder.recipe.codec import Codec
from tests import trees

WANTED = ("env", "git", "python3", "perl", "ssh", "openssl", "gcc", "awk", "dpkg", "gdb", "xz")


@cache
def programs():
    """A handful of what this machine has, static or dynamic."""
    found = [f"/usr/bin/{name}" for name in WANTED if os.path.exists(f"/usr/bin/{name}")]
    names = sorted(os.listdir("/usr/bin"))
    found += [f"/usr/bin/{name}" for name in random.Random(0).sample(names, min(12, len(names)))]
    return [path for path in dict.fromkeys(found) if interpreter(path)]


def interpreter(path):
    try:
        with open(path, "rb") as stream:
            return elf.read(stream.read()).interpreter
    except (ElfError, OSError):
        return None


def recipe_of(path):
    return recipe.from_options(directory="/", executables=(path,))


@cache
def planned(path):
    return planning.plan(recipe_of(path), Sources(DirectoryRoot()), rules=())


PATH_ALONE = {"PATH": os.environ["PATH"]}  # no LD_LIBRARY_PATH
ANY = st.deferred(lambda: st.sampled_from(programs()))
FEW = settings(max_examples=15)


def check(plan):
    """What is true of every plan."""
    kinds = {entry.path: entry.kind for entry in plan.entries}
    for entry in plan.entries:
        assert parent(entry.path) == "/" or kinds[parent(entry.path)] == "dir"
        assert entry.reasons
        for reason in entry.reasons:
            assert reason.by is None or reason.by in kinds, (entry.path, reason)
    paths = [entry.path.encode("utf-8", "surrogateescape") for entry in plan.entries]
    assert paths == sorted(set(paths))
    assert set(plan.programs) <= kinds.keys()


@FEW
@given(path=ANY)
def test_every_reason_and_every_parent_is_in_the_plan(path):
    check(planned(path)[1])


@FEW
@given(path=ANY)
def test_every_chain_of_reasons_ends_at_the_user(path):
    plan = planned(path)[1]
    by_path = {entry.path: entry for entry in plan.entries}
    ends = {entry.path for entry in plan.entries if any(why.by is None for why in entry.reasons)}
    while True:
        more = {
            path
            for path, entry in by_path.items()
            if path not in ends and any(why.by in ends for why in entry.reasons)
        }
        if not more:
            break
        ends |= more
    assert ends == by_path.keys()


@FEW
@given(path=ANY)
def test_every_file_of_the_plan_has_the_content_of_the_machines(path):
    for entry in planned(path)[1].entries:
        if entry.kind == "file" and entry.reasons[0].kind != "generated":
            with open(entry.path, "rb") as stream:
                assert read(entry.content) == stream.read()
        elif entry.kind == "symlink":
            assert os.readlink(entry.path) == entry.target


def tar(plan):
    store = Store(io.BytesIO())
    layers.pack(plan, store, codec=Codec("none", 0))
    (blob,) = store.blobs.values()
    return store.file.getvalue()[blob.offset : blob.offset + blob.size]


@given(plan=trees.plans(), data=st.data())
def test_a_layer_depends_on_the_plans_tree_alone(plan, data):
    other = replace(
        plan,
        entries=tuple(replace(entry, reasons=()) for entry in plan.entries),
        env=(("A", "B"),),
    )
    assert tar(other) == tar(plan)
    assert trees.of_tar(tar(plan)) == trees.of_plan(plan)
    if plan.entries:
        index = data.draw(st.integers(0, len(plan.entries) - 1))
        kept = [entry for at, entry in enumerate(plan.entries) if at != index]
        try:
            fewer = Plan(tuple(kept))
        except RootfsError:  # something needs it
            return
        assert tar(fewer) != tar(plan)


@FEW
@given(path=ANY)
def test_planning_again_gives_an_equal_plan_and_no_difference(path):
    closure, plan, _ = planned(path)
    assert planned.__wrapped__(path)[1] == plan
    layout = lay_out(closure, recipe_of(path), Sources(DirectoryRoot()))
    assert replay.check(closure, layout, PlanRoot(plan)) == ()


def listed(command):
    """What the loader says it would load, without addresses: {name: path}, in its order."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=PATH_ALONE)
    if "unshare failed" in done.stderr:
        pytest.skip("no user namespace to chroot in")
    assert done.returncode == 0, done.stderr
    return re.findall(r"^\t(?:(\S+) => )?(\S+) \(0x", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("path", programs())
def test_the_real_loader_finds_in_the_plan_what_it_finds_on_the_machine(path):
    plan = planned(path)[1]
    loader = interpreter(path).decode()
    if "ld-linux" not in loader:
        pytest.skip("musl's loader lists by another option")
    program = os.path.realpath(path)  # started by hand, ld.so takes $ORIGIN from what it is told
    with trees.scratch() as top:
        stage.write(plan, top)
        chroot = ["chroot", top] if os.geteuid() == 0 else ["unshare", "-r", "chroot", top]
        inside = listed([*chroot, loader, "--list", program])
        assert inside == listed([loader, "--list", program])
        for _, opened in inside:
            if opened.startswith("/"):
                content = PlanRoot(plan).open(Walker(PlanRoot(plan)).walk(opened).real)
                with open(opened, "rb") as stream:
                    assert read(content) == stream.read()
