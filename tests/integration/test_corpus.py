"""Real programs, packed without a flag, are used for real: tests/corpus has a file for each."""

import os
from collections import Counter

import pytest

from tests.integration import corpus
from tests.integration.programs import image
from tests.integration.services import Services

CASES = corpus.load()
ALL = bool(os.environ.get("ROOTFS_BUILDER_ALL_CASES"))


def each(cases, *, first=0, every):
    """One parameter a case, or for a usual run one in so many of them, from the `first` on.

    A case's tests run one after the other: a daemon needs its port.
    """
    chosen = cases if ALL else cases[first::every]
    return pytest.mark.parametrize(
        "case",
        [pytest.param(case, marks=pytest.mark.xdist_group(case.name)) for case in chosen],
        ids=[case.name for case in chosen],
    )


@pytest.fixture(scope="session")
def services():
    """What {dns}, {http}, {tls_good}, {tls_bad} and {served} stand for."""
    if os.geteuid() != 0:
        pytest.fail("the corpus needs root: it has this machine trust a certificate", False)
    with Services() as running:
        yield running.values


@pytest.fixture
def folder(tmp_path):
    """Where a case has its files."""
    folder = tmp_path / "case"
    folder.mkdir()
    return folder


@pytest.fixture
def use(cli, docker, name, tmp_path, request):
    """Pack a case, load it, do its runs."""
    left_out = corpus.without_products() if request.config.getoption("no_products") else ()

    def pack_and_check(ready):
        tar = tmp_path / "image.tar"
        words = (ready.program, "-o", tar, "-t", name, *left_out, *ready.options)
        done = cli("pack", *words, cwd=ready.folder)
        assert done.returncode == 0, done.stderr
        with image(docker, docker.load(tar)) as loaded:
            ready.check(docker, loaded)

    return pack_and_check


@pytest.mark.engines
@each(CASES, every=10)
def test_works_packed_without_a_flag(case, use, folder, services):
    use(case.ready(folder, services))


@pytest.mark.engines
@each([case for case in CASES if case.moves], first=1, every=24)
def test_its_name_and_place_do_not_matter(case, use, folder, services):
    use(case.ready(folder, services).moved())


def test_no_two_daemons_listen_at_one_port():
    """Their tests may run at the same time."""
    ports = {(case.name, run.ready) for case in CASES for run in case.run}
    count = Counter(port for _, port in ports if isinstance(port, int))
    assert max(count.values(), default=1) == 1, count
