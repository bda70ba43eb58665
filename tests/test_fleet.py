"""Images of real programs share their layers: with one a package, a registry keeps a file once."""

import shutil

import pytest

from rootfs_builder.recipe.codec import Codec
from tests import fleet

PROGRAMS = 8
OF_FILES = 1.08  # bytes of layers to bytes of files: headers, and files in more layers than one

pytestmark = [
    pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="no dpkg here"),
    pytest.mark.xdist_group("fleet"),  # its plans are made once
]


@pytest.fixture(scope="module")
def plans():
    found = list(fleet.plans(PROGRAMS).values())
    assert len(found) == PROGRAMS
    return found


@pytest.fixture(scope="module")
def registry():
    return fleet.Registry(Codec("none", 0))


@pytest.fixture(scope="module")
def pushed(registry, plans):
    return registry.push_all(plans, fleet.UNLIMITED)


def test_tests_of_a_group_run_in_one_worker(request):
    """Where they do not, pytest-xdist says nothing: each worker makes its own plans."""
    if hasattr(request.config, "workerinput"):
        assert request.node.nodeid.endswith("@fleet")


@pytest.mark.long
def test_layers_of_packages_take_little_more_than_their_files(pushed, plans):
    _, size = fleet.distinct_files(plans)
    print(
        f"{pushed.layers} layers, {pushed.plain:,} bytes, {pushed.plain / size:.3f} of the files'"
    )
    assert pushed.plain <= OF_FILES * size


@pytest.mark.parametrize("source", ["zlib", "glibc"])
@pytest.mark.usefixtures("pushed")
@pytest.mark.long
def test_an_upgrade_pushes_the_files_of_its_source_alone(registry, plans, source):
    files = {}
    after = [fleet.upgraded(plan, source, files) for plan in plans]
    again = registry.push_all(after, fleet.UNLIMITED)
    size = sum(content.size for content in files)
    print(f"{source}: {again.layers} layers, {again.plain:,} bytes for {size:,} of files")
    assert 0 < again.plain < 2 * size  # which of them an image needs differs
    assert registry.push_all(after, fleet.UNLIMITED).layers == 0
