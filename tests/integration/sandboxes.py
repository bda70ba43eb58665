"""`rootfs-builder run` as an engine, so that what is tried with docker is tried with it too."""

import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

USER = 1000  # the ordinary user: the one that most images of the corpus have
WAYS = (("bubblewrap", 0), ("unshare", 0), ("chroot", 0), ("bubblewrap", USER), ("unshare", USER))
_LONGEST = 120  # seconds


class Sandbox:
    """One way to run images, as root or as an ordinary user; an image's name is its archive."""

    def __init__(self, way, user, python=sys.executable):
        self.command = ("rootfs-builder",)
        self.name = f"{way}, uid {user}"
        as_user = [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        words = [python, "-m", "rootfs_builder", "run", "-q", "--way", way]
        self._words = ["setpriv", *as_user, *words] if user else words
        self._created, self._daemons = {}, {}

    def run(self, archive, *args, extra=(), silent=False, **options):
        """See Engine.run."""
        del silent
        words = [*self._words, *options_of(extra), archive, *_arguments(args)]
        options = {"timeout": _LONGEST, **options}
        return subprocess.run(
            [str(word) for word in words], cwd="/", capture_output=True, check=False, **options
        )

    def __call__(self, verb, *words, check=True):
        """What the corpus asks of an engine about a daemon."""
        del check
        return getattr(self, f"_{verb}")(*map(str, words))

    def _create(self, *words):
        at = next(i for i, word in enumerate(words) if word.endswith("image.tar"))
        name = uuid.uuid4().hex
        self._created[name] = [
            *(*self._words, *options_of(words[:at]), words[at]),
            *_arguments(words[at + 1 :]),
        ]
        return _done(name)

    def start(self, name, output):
        """See Engine.start."""
        options = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
        self._daemons[name] = subprocess.Popen(self._created.pop(name), cwd="/", **options)
        return self._daemons[name]

    def _kill(self, _option, which, name):
        self._daemons[name].send_signal(int(which) if which.isdigit() else _number(which))
        return _done()

    def _stop(self, _option, seconds, name):
        process = self._daemons[name]
        process.terminate()
        deadline = time.monotonic() + int(seconds)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return _done()

    def _inspect(self, _option, what, name):
        code = self._daemons[name].poll()
        return _done(str(code) if "ExitCode" in what else "running" if code is None else "exited")

    def _logs(self, _name):
        return _done()  # all of it is in the file that `start` was given

    def _rm(self, *words):
        process = self._daemons.pop(words[-1])
        while process.poll() is None:  # the third signal ends it, and then nothing is left
            process.terminate()
            time.sleep(0.05)
        return _done()


def options_of(docker):
    """The same options, without those that say what is the default here."""
    words = list(docker)
    while "--network" in words and words[words.index("--network") + 1] == "none":
        del words[words.index("--network") : words.index("--network") + 2]
    return words


def _arguments(args):
    return ["--", *args] if args else []


def _done(text=""):
    return subprocess.CompletedProcess([], 0, text, "")


def _number(name):
    return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]


def installed(folder):
    """A Python with this package that every user can run, in a folder: its path."""
    folder.chmod(0o755)
    venv = folder / "venv"
    subprocess.run(["/usr/bin/python3", "-m", "venv", venv], check=True)
    install = [venv / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    checkout = Path(__file__).parent.parent.parent
    subprocess.run([*install, checkout], check=True, umask=0o022)
    return venv / "bin/python"


@contextmanager
def copied(folder, user):
    """A copy of a case's folder, where every user can enter; an ordinary user owns it."""
    with tempfile.TemporaryDirectory(prefix="case.") as place:
        Path(place).chmod(0o755)
        subprocess.run(["cp", "-a", folder, f"{place}/case"], check=True)
        if user:
            subprocess.run(["chown", "-R", f"{user}:{user}", place], check=True)
        yield Path(place) / "case"
