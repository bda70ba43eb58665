"""For all tests: the option ``--engines``, a compiler, a linker, and the command line."""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import conformance
from tests.forked import Server
from tests.loader.objects import Linker

CHECKED = 50_000_000  # bytes: larger archives take too long

# How long an example takes says how busy the machine is. With --engines there are more examples.
BUSY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("few", BUSY, max_examples=20)
settings.register_profile("many", BUSY, max_examples=100)


def pytest_addoption(parser):
    parser.addoption(
        "--engines",
        action="store_true",
        help="run the tests marked engines or long; a test or module that skips then fails",
    )
    parser.addoption(
        "--no-products",
        action="store_true",
        help="pack the corpus without the rules that are for single products",
    )


def pytest_sessionstart(session):
    """Trust the corpus's authority all the time: a bundle must not change while a test packs it."""
    config = session.config
    if config.getoption("engines") and not hasattr(config, "workerinput") and os.geteuid() == 0:
        from tests.integration.services import trusted

        trust = ExitStack()
        trust.enter_context(trusted())
        config.add_cleanup(trust.close)


def pytest_configure(config):
    """A cache of this run's own: what a user has must neither help a test nor grow by it."""
    cache = tempfile.TemporaryDirectory(prefix="rootfs-builder-cache-")
    config.add_cleanup(cache.cleanup)
    settings.load_profile("many" if config.getoption("engines") else "few")
    os.environ["XDG_CACHE_HOME"] = cache.name
    for number in (signal.SIGINT, signal.SIGHUP):  # nohup(1) and a shell's & leave them ignored
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    # Skipped here, not by a mark: the summary then has one line for all of them.
    if item.get_closest_marker("engines") and not item.config.getoption("engines"):
        pytest.skip("needs container engines: scripts/test --engines")
    if item.get_closest_marker("long") and not item.config.getoption("engines"):
        pytest.skip("takes long: scripts/test --engines")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item):
    report = yield
    if item.get_closest_marker("engines"):
        _fail_if_skipped(report, item.config)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(collector):
    report = yield
    _fail_if_skipped(report, collector.config)
    return report


def _fail_if_skipped(report, config):
    """Where everything is installed, a skip hides that something broke."""
    expected_to_fail = hasattr(report, "wasxfail")
    if report.skipped and config.getoption("engines") and not expected_to_fail:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason} (a skip is a failure under --engines)"


@pytest.fixture
def cc(tmp_path):
    """Compile C (or C++, with compiler="g++"): the path of the program, or of the library.

    ``args`` come after the source, so libraries can be among them. The source goes in by stdin:
    no file beside the result, and no path in it that differs from run to run.
    """

    def compile_source(source, *, name="hello", where=None, args=(), compiler="gcc"):
        language = "c++" if compiler.endswith("g++") else "c"
        result = (where or tmp_path) / name
        result.parent.mkdir(parents=True, exist_ok=True)
        command = [compiler, "-x", language, "-", "-x", "none", "-o", result, *args]
        done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return result

    return compile_source


@pytest.fixture(scope="session")
def linker(tmp_path_factory):
    """What makes the small ELF files of `tests/loader/objects.py`, each once."""
    return Linker(tmp_path_factory.mktemp("objects"))


@pytest.fixture(scope="session")
def forked(request):
    """What forks a process for a run; None where each is to be a new interpreter."""
    if request.config.getoption("engines"):
        yield None
        return
    server = Server(Path(__file__).parents[1])
    yield server
    server.close()


@pytest.fixture
def cli(tmp_path, forked):
    """Run ``rootfs-builder ARGS...`` in a process of its own, in tmp_path unless told otherwise.

    ``env`` is laid over this process's environment; None takes a variable away. Other keywords
    are those of ``subprocess.run``: ``text=False`` gives bytes.
    """

    def run(*args, cwd=None, env=None, check=False, **options):
        environment = {**os.environ, **(env or {})}
        options = {"capture_output": True, "text": True, "timeout": 300, **options}
        if options["text"]:
            # Not the locale's: a test may set that, and a file's name may be no UTF-8.
            options |= {"encoding": "utf-8", "errors": "surrogateescape"}
        environment = {name: value for name, value in environment.items() if value is not None}
        start = subprocess.run
        if forked is not None and forked.can_run(environment, options):
            start = forked.run
        command = [sys.executable, "-m", "rootfs_builder", *args]
        done = start(command, cwd=Path(cwd or tmp_path), env=environment, check=False, **options)
        assert not check or done.returncode == 0, f"exit code {done.returncode}: {done.stderr}"
        if args[:1] == ("pack",) and "-o" in args and done.returncode == 0:
            _check_archive(Path(cwd or tmp_path), args)
        return done

    return run


def _check_archive(folder, args):
    """Whatever a test was about: an archive that is written is a good one."""
    output = str(args[args.index("-o") + 1])
    shape = args[args.index("--format") + 1] if "--format" in args else "hybrid"
    if output.startswith("oci:"):
        output, shape = output.removeprefix("oci:"), "oci"
    path = folder / output
    if path.is_dir() or (path.is_file() and path.stat().st_size < CHECKED):
        found = conformance.problems(path, shape)
        if "--base" in args:  # its layers are as others wrote them
            theirs = ("layer ", "config: config User")
            found = [one for one in found if not one.startswith(theirs)]
        assert found == []
