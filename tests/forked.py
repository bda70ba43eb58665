"""`rootfs-builder ARGS...` in a process that is forked from one which has all its modules already.

To start Python and to import them is most of what a short run costs, and the tests have thousands.
With --engines, as CI runs them, each run is a new interpreter, which would miss an import.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile

_HOME = """
import sys
sys.path[0] = sys.argv[1]
from tests import forked
forked.serve(int(sys.argv[2]))
"""
_OF_PYTHON = ("PYTHON", "LC_", "LANG", "COVERAGE")  # what an interpreter reads when it starts
_KNOWN = {"capture_output", "encoding", "errors", "input", "text", "timeout"}
_SIZE = 1 << 20  # of a request: arguments and an environment


class Server:
    """The process that is forked."""

    def __init__(self, home):
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-c", _HOME, str(home), str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=(theirs.fileno(),), cwd="/")
        theirs.close()
        self._started = _of_python(os.environ)

    def close(self):
        """End it."""
        self._socket.close()
        self._process.wait()

    def can_run(self, env, options):
        """Whether a run is the same as in a new interpreter."""
        is_there = self._process.poll() is None  # until a run takes too long
        return is_there and _of_python(env) == self._started and options.keys() <= _KNOWN

    def run(self, command, *, cwd, env, check, input=None, timeout=None, text=False, **codec):  # noqa: A002
        """As subprocess.run, which captures the output."""
        del check, codec["capture_output"]
        given = input.encode(**codec) if text and input else input
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
            files[0].write(given or b"")
            files[0].seek(0)
            words = [*map(os.fspath, command[3:])]
            request = json.dumps([words, os.fspath(cwd), env, _mask()]).encode()
            socket.send_fds(self._socket, [request], [one.fileno() for one in files])
            self._socket.settimeout(timeout)
            try:
                code = int(self._socket.recv(64))
            except TimeoutError:
                self._process.kill()
                raise subprocess.TimeoutExpired(command, timeout) from None
            for one in files:
                one.seek(0)
            output = [one.read() for one in files[1:]]
        if text:
            output = [one.decode(**codec).replace("\r\n", "\n") for one in output]
        return subprocess.CompletedProcess(command, code, *output)


def _mask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _of_python(env):
    return {name: value for name, value in env.items() if name.startswith(_OF_PYTHON)}


def serve(descriptor):
    """Fork a process for each request, until there is nobody any more."""
    import rootfs_builder
    from rootfs_builder import __main__ as command

    for one in pkgutil.walk_packages(rootfs_builder.__path__, "rootfs_builder."):
        importlib.import_module(one.name)
    gc.freeze()  # its pages stay shared
    requests = socket.socket(fileno=descriptor)
    while True:
        request, files, _, _ = socket.recv_fds(requests, _SIZE, 3)
        if not request:
            return None
        child = os.fork()
        if not child:
            requests.close()
            _become(*json.loads(request), files)
            return command.main()  # which ends the process, or raises what ends it
        for one in files:
            os.close(one)
        requests.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _become(args, cwd, env, mask, files):
    """Be as a process of `python -m rootfs_builder ARGS`, with these as its standard files."""
    for number, one in enumerate(files):
        os.dup2(one, number)
        os.close(one)
    os.chdir(cwd)
    os.umask(mask)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [sys.modules["rootfs_builder.__main__"].__file__, *args]
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
