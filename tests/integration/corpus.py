"""The corpus: real programs, each with a real use. One TOML file in tests/corpus is one case.

A case is read, made ready in a fresh folder (`Case.ready`), packed by whoever asks, and its runs
are checked in an engine that has the image (`Ready.check`). What a key means stands beside it.
"""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import tomllib
from dataclasses import dataclass, field, replace
from glob import glob
from pathlib import Path

from rootfs_builder.needs import rules

FOLDER = Path(__file__).parent.parent / "corpus"
PRODUCTS = ("compilers.toml", "programs.toml", "servers.toml")  # files of rules for single products
# What a case may tell pack: what no packer can know.
PACK_OPTIONS = ("-u", "-e", "-w", "--add", "--allow-sensitive", "--entrypoint")
SUFFIXES = {"g++": ".cc", "go": ".go"}  # of the source, by compiler; others take C
READY = 20  # seconds that a daemon has to start
PATIENCE = 5  # seconds that its client has to succeed
STOP = 8  # seconds that it has to end
SILENCE = 3  # how often docker is asked again


@dataclass(frozen=True, kw_only=True)
class Run:
    """One container."""

    arguments: tuple[str, ...] = ()  # behind the entrypoint
    docker: tuple[str, ...] = ()  # options of docker run; without a --network there is none
    stdin: str | None = None
    exit: int = 0
    output: str | None = None  # stdout, exactly
    matches: str | None = None  # a regex, searched in stdout and stderr; for a daemon in its logs
    # A daemon runs in the background, in the host's network, while clients speak with it.
    daemon: bool = False
    ready: int | str | None = None  # the TCP port on 127.0.0.1, or the regex in its logs, to await
    client: tuple[str, ...] = ()  # a command of the host
    client_exit: int = 0
    client_output: str | None = None
    client_matches: str | None = None
    signal: str | None = None  # sent after the client, which then runs again
    stop: int | None = None  # docker stop must end it with this exit code


@dataclass(frozen=True, kw_only=True)
class Case:
    """One file of the corpus."""

    name: str
    about: str  # what kind of need it shows
    run: tuple[Run, ...]
    packages: tuple[str, ...] = ()  # Debian's
    program: str | None = (
        None  # what is packed, * for a version in its path; or what is compiled and then packed:
    )
    compile: dict | None = None  # {source = "…", with = ["cc", "-o", "{out}", "{source}"]}
    pack: tuple[str, ...] = ()
    moves: bool = True  # a copy of the program, elsewhere and with another name, does the same
    files: dict[str, str] = field(default_factory=dict)  # the user's own, in the case's folder
    prepare: dict = field(default_factory=dict)  # {run = […]}: a command in it, before packing
    pack_options = PACK_OPTIONS

    def __post_init__(self):
        if (self.program is None) == (self.compile is None):
            raise ValueError(f"{self.name}: either program or compile")
        if not self.run:
            raise ValueError(f"{self.name}: no run")
        if wrong := [
            word for word in self.pack[::2] if word.partition("=")[0] not in self.pack_options
        ]:
            raise ValueError(f"{self.name}: pack with {wrong}: only {self.pack_options}")

    def ready(self, folder, values):
        """Make its files in a fresh folder; `values` are what {NAME} stands for."""
        values = {**values, "folder": str(folder)}
        for path, text in self.files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(filled(text, values))
            if text.startswith("#!"):
                file.chmod(0o755)
        if self.prepare:
            command([filled(word, values) for word in self.prepare["run"]], folder)
        if self.compile is None:
            found = sorted(glob(filled(self.program, values)))
            assert found, f"{self.program} is not there: install {' '.join(self.packages)}"
            return Ready(self, folder, values, Path(found[-1]))
        words = self.compile["with"]
        suffix = next((SUFFIXES[word] for word in words if word in SUFFIXES), ".c")
        source, out = folder / f"source{suffix}", folder / self.name
        source.write_text(self.compile["source"])
        values |= {"source": str(source), "out": str(out)}
        command([filled(word, values) for word in words], folder)
        return Ready(self, folder, values, out)


@dataclass(frozen=True)
class Ready:
    """A case whose files and program are there."""

    case: Case
    folder: Path  # where it is packed: paths in `options` start here
    values: dict[str, str]
    program: Path

    @property
    def options(self):
        """What pack is told."""
        return tuple(filled(word, self.values) for word in self.case.pack)

    def moved(self):
        """The same with a copy of the program, in another directory and of another name."""
        copy = self.folder / f"copied {self.case.name}" / "bin" / "prog-x"
        copy.parent.mkdir(parents=True)
        shutil.copy(self.program, copy)
        return replace(self, program=copy)

    def check(self, engine, image, extra=()):
        """Do all runs; `extra` are options of the engine's run for each of them.

        Raises:
            AssertionError: what a run said, and what it should.
        """
        for run in self.case.run:
            docker = (*extra, *(filled(word, self.values) for word in run.docker))
            arguments = [filled(word, self.values) for word in run.arguments]
            (self._daemon if run.daemon else self._once)(engine, image, run, docker, arguments)

    def _once(self, engine, image, run, docker, arguments):
        stdin = None if run.stdin is None else filled(run.stdin, self.values)
        options = {"encoding": "utf-8", "errors": "surrogateescape", "timeout": 120}
        if stdin is not None:
            docker, options = ("-i", *docker), {**options, "input": stdin}
        silent = not run.output and run.matches is None
        for _ in range(SILENCE):
            done = engine.run(image, *arguments, extra=docker, silent=silent, **options)
            if done.stdout or done.returncode != run.exit or not (run.output or run.matches):
                break
            if not run.output and self._matches(run.matches, done):
                break  # else all that it said may be lost: see Engine.run, which --dns makes speak
        self._compare("", done, run.exit, run.output, run.matches)

    def _daemon(self, engine, image, run, docker, arguments):
        if isinstance(run.ready, int):
            assert not answers(run.ready), f"port {run.ready} is in use before the daemon starts"
        network = () if "--network" in docker else ("--network", "host")
        container = engine("create", *network, *docker, image, *arguments).stdout.strip()
        said = Said(engine, container)
        try:
            self._await(engine, container, run, said)
            if run.client:
                self._client(run)
            if run.signal:
                engine("kill", "--signal", run.signal, container)
                time.sleep(1)  # a busy httpd loses a SIGTERM while it restarts
                self._client(run)
            if run.stop is not None:
                began = time.monotonic()
                engine("stop", "-t", STOP, container)
                spent = time.monotonic() - began
                state = engine("inspect", "-f", "{{.State.ExitCode}}", container).stdout.strip()
                assert state == str(run.stop), f"stopped with {state}, not {run.stop}"
                assert spent < STOP, f"stopped after {spent:.1f} s"
            wanted = filled(run.matches or "", self.values)
            assert re.search(wanted, said.all()), f"no {wanted}"
        except AssertionError as error:
            raise AssertionError(f"{error}\nits logs:\n{said.all()}") from error
        finally:
            engine("rm", "-f", "-v", container)
            said.end()

    def _await(self, engine, container, run, said):
        deadline = time.monotonic() + READY
        while time.monotonic() < deadline:
            if isinstance(run.ready, int):
                is_ready = answers(run.ready)
            else:
                is_ready = re.search(run.ready or "", said.all())
            state = engine("inspect", "-f", "{{.State.Status}}", container).stdout.strip()
            assert state in ("created", "initialized", "running"), "the daemon ended"
            if is_ready and state == "running":
                return
            time.sleep(0.05)
        raise AssertionError(f"the daemon is not ready after {READY} s")

    def _client(self, run):
        """Its client must succeed, though it need not do so at once."""
        deadline = time.monotonic() + PATIENCE
        while True:
            done = subprocess.run(
                [filled(word, self.values) for word in run.client],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                timeout=60,
                check=False,
            )
            try:
                self._compare(
                    "client: ", done, run.client_exit, run.client_output, run.client_matches
                )
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def _compare(self, who, done, code, output, matches):
        said = f"{who}exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode == code, f"{who}not exit {code}: {said}"
        if output is not None:
            wanted = filled(output, self.values)
            assert done.stdout == wanted, f"{who}not {wanted!r}: {said}"
        if matches is not None:
            wanted = filled(matches, self.values)
            assert self._matches(matches, done), f"{who}no {wanted}: {said}"

    def _matches(self, matches, done):
        return re.search(filled(matches, self.values), done.stdout + done.stderr)


def without_products():
    """The words for pack that leave out all that rules know of single products."""
    folder = Path(rules.__file__).parent
    named = [name for one in PRODUCTS for name in tomllib.loads((folder / one).read_text())]
    return [word for name in named for word in ("--without", name)]


def load(folder=FOLDER, kind=Case):
    """All cases, by name."""
    return [case(path, kind) for path in sorted(folder.glob("*.toml"))]


def case(path, kind=Case):
    """One case; a key that there is not is an error."""
    table = tuples(tomllib.loads(path.read_text()))
    runs = tuple(Run(**run) for run in table.pop("run", ()))
    return kind(name=path.stem, run=runs, **table)


def tuples(value):
    """TOML's arrays as tuples."""
    if isinstance(value, dict):
        return {key: tuples(inner) for key, inner in value.items()}
    return tuple(map(tuples, value)) if isinstance(value, list) else value


def filled(text, values):
    """A text with {NAME} replaced for every name there is; other braces stay."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)


def command(words, folder):
    """Run a command of the host in a folder."""
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: exit {done.returncode}\n{done.stderr}"


def answers(port):
    """Whether something listens at a TCP port of this machine."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


class Said:
    """Starts a container; all that it says, also a line that it has not ended.

    The engine's logs hold such a line back, and what is read at once may be lost under load.
    """

    def __init__(self, engine, container):
        self._logs = lambda: engine("logs", container)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - until the end
        self._attached = engine.start(container, self._file)

    def all(self):
        """Whichever has more of it."""
        logged = self._logs()
        attached = os.pread(self._file.fileno(), 1 << 24, 0).decode("utf-8", "surrogateescape")
        return max(logged.stdout + logged.stderr, attached, key=len)

    def end(self):
        """When the container is gone."""
        self._attached.wait(PATIENCE)
        self._file.close()
