"""What the corpus's programs speak with, on loopback addresses: DNS, HTTP, and HTTPS twice.

`Services` runs them all until it is left. Each pytest worker has its own, so addresses and ports
are chosen freely; only the trusted certificate belongs to the machine, and is shared.
"""

import fcntl
import os
import random
import shutil
import socketserver
import ssl
import struct
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = "service.corpus.test"
CA = Path("/usr/local/share/ca-certificates/rootfs-builder-tests.crt")
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
SHARED = Path("/run/rootfs-builder-tests")  # root's, and gone with the machine's next start
DAY = 86_400


class Services:
    """All services; `values` are what {dns}, {http}, {tls_good}, {tls_bad} of a case stand for.

    The files of the folder {served} are what the servers of HTTP and HTTPS have beside their words.
    """

    def __init__(self):
        self.values = {}
        self._stack = ExitStack()

    def __enter__(self):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="services.")))
            bad = certificate(folder, authority(folder, "nobody trusts this"))
            good = stack.enter_context(trusted())
            dns = stack.enter_context(serving(dns_server()))
            served = folder / "served"
            served.mkdir()
            self.values = {"dns": dns.server_address[0], "served": str(served)}
            for name, words, pair in (
                ("http", b"hello\n", None),
                ("tls_good", b"hello from tls\n", good),
                ("tls_bad", b"hello from tls\n", bad),
            ):
                server = stack.enter_context(serving(http_server(words, pair, served)))
                self.values[name] = str(server.server_address[1])
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        return self._stack.__exit__(*error)


@contextmanager
def serving(server):
    """A server of `socketserver`, in a thread of its own."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- DNS ---


class Answer(socketserver.BaseRequestHandler):
    """RFC 1035, 4.1: a query's answer. IPv6 (AAAA) of the name there is, is nothing."""

    def handle(self):
        query, socket = self.request
        end = query.index(b"\0", 12)
        labels, at = [], 12
        while at < end:
            labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        (kind,) = struct.unpack_from(">H", query, end + 1)
        known = ".".join(labels) == NAME
        answers = b""
        if known and kind == 1:  # A: its name is the question's, at byte 12; 60 seconds
            answers = struct.pack(">HHHIH4B", 0xC00C, 1, 1, 60, 4, 127, 0, 0, 1)
        flags = 0x8580 | (0 if known else 3)  # an authoritative answer; or: no such name
        header = query[:2] + struct.pack(">HHHHH", flags, 1, bool(answers), 0, 0)
        socket.sendto(header + query[12 : end + 5] + answers, self.client_address)


def dns_server():
    """At port 53 of a loopback address that nothing else answers at."""
    while True:
        address = f"127.53.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
        try:
            return socketserver.UDPServer((address, 53), Answer)
        except OSError:  # in use
            continue


# --- HTTP and HTTPS ---


class Server(ThreadingHTTPServer):
    """Who does not like our certificate hangs up: that is no error of ours."""

    words = b""
    folder = Path()

    def handle_error(self, request, client_address):
        pass


class Page(BaseHTTPRequestHandler):
    """The server's words at /, the files of its folder below, and nothing else anywhere."""

    def do_GET(self):
        words = self.server.words if self.path == "/" else self._file(self.path.partition("?")[0])
        self.send_response(404 if words is None else 200)
        words = words or b""
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        self.wfile.write(words)

    def _file(self, path):
        file = (self.server.folder / path.lstrip("/")).resolve()
        inside = file.is_relative_to(self.server.folder.resolve())
        return file.read_bytes() if inside and file.is_file() else None

    def log_message(self, *words):
        pass


def http_server(words, pair, folder):
    """HTTP, or HTTPS with a (certificate, key)."""
    server = Server(("127.0.0.1", 0), Page)
    server.words, server.folder = words, folder
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        # The handshake is the handler's, in its thread: a client that is slow stops no other.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    return server


# --- certificates ---


def openssl(*words):
    """Run the openssl command; what it says is shown when it fails."""
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def authority(folder, name):
    """A new certificate authority: its (certificate, key)."""
    crt, key = folder / "ca.crt", folder / "ca.key"
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"),
        *("-days", "2", "-subj", f"/CN={name}", "-keyout", key, "-out", crt),
        *("-addext", "keyUsage=critical,keyCertSign"),
    )
    return crt, key


def certificate(folder, ca):
    """A certificate of an authority for our servers: its (certificate, key)."""
    crt, key = folder / "server.crt", folder / "server.key"
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"),
        *("-days", "2", "-subj", f"/CN={NAME}", "-keyout", key, "-out", crt),
        *("-CA", ca[0], "-CAkey", ca[1], "-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", f"subjectAltName=DNS:localhost,DNS:{NAME},IP:127.0.0.1"),
    )
    return crt, key


@contextmanager
def trusted():
    """A certificate whose authority this machine trusts while anybody is in here.

    The first makes it, the last takes it away, workers and sessions alike; who was killed holds no
    lock. The authority's key is gone before anything trusts it.
    """
    SHARED.mkdir(mode=0o700, exist_ok=True)
    pair = SHARED / "server.crt", SHARED / "server.key"
    with (SHARED / "users").open("w") as users:
        with locked():
            fcntl.flock(users, fcntl.LOCK_SH)
            if not all(path.exists() for path in pair) or not in_bundle():
                ca, key = authority(SHARED, "rootfs-builder tests")
                certificate(SHARED, (ca, key))
                key.unlink()
                shutil.copyfile(ca, CA)
                update_bundle()
        try:
            yield pair
        finally:
            with locked():
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pass  # others use it
                else:
                    CA.unlink(missing_ok=True)
                    update_bundle()


def in_bundle():
    """Whether this machine trusts our authority, and will do so until tomorrow."""
    return (
        CA.exists()
        and CA.read_text() in BUNDLE.read_text()
        and time.time() - CA.stat().st_mtime < DAY
    )


@contextmanager
def locked():
    """One at a time changes what this machine trusts."""
    with (SHARED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def update_bundle():
    """Make /etc/ssl/certs anew."""
    subprocess.run(
        ["update-ca-certificates"],
        env={"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
        capture_output=True,
        check=True,
    )
