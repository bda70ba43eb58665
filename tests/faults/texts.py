"""Texts and databases of a root, as programs and package managers write them; rules, a recipe."""

import os
import re
import sqlite3
import struct
from pathlib import Path

RULES = Path(__file__).parent.parent.parent / "rootfs_builder/needs/rules"
RECIPE = b"""\
executables = ["../root/usr/bin/prog"]
sysroot = "../root"
tag = "prog:1.0"
env = { A = "b", LANG = "C" }
label = { "org.x" = "y" }
user = "1000:1000"
expose = ["80", "53/udp"]
health-cmd = ["prog", "-x"]
health-interval = "30s"
compression = "none"
layers = "package:3"
add = ["../my.toml:/etc/my.toml"]
owner = { "/etc/my.toml" = "1000" }
mode = { "/etc/my.toml" = "0600" }
entrypoint = ["/usr/bin/prog"]
command = ["a", "b"]
"""


def found():
    """The name and the bytes of each."""
    stanza = "Package: {0}\nStatus: install ok installed\nVersion: 1.2-3\nArchitecture: amd64\n"
    libraries = ("/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/libx.so.1", "/usr/bin/prog")
    apk = "P:musl\nV:1.2-r3\nA:x86_64\no:musl\nF:lib\nR:libc.so.6\nF:usr/bin\nR:prog\n\n"
    yield "root/var/lib/dpkg/status", "\n".join(map(stanza.format, ("libc6", "x"))).encode()
    yield "root/var/lib/dpkg/diversions", b"/usr/bin/prog\n/usr/bin/prog.real\nx\n"
    for name in ("libc6", "x"):
        text = "/.\n" + "".join(f"{one}\n" for one in libraries)
        yield f"root/var/lib/dpkg/info/{name}.list", text.encode()
    yield "root/lib/apk/db/installed", (apk * 3).encode()
    yield "root/var/lib/rpm/rpmdb.sqlite", rpm(libraries)
    yield "root/etc/ld.so.preload", b"# none\nlibx.so.1 /usr/lib/libx.so.1\n"
    yield "root/etc/ld.so.conf", b"include /etc/ld.so.conf.d/*.conf\n/usr/lib\n"
    yield (
        "root/etc/passwd",
        b"root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000:,,,:/home/me:/bin/sh\n",
    )
    yield "root/etc/group", b"root:x:0:\nme:x:1000:me,root\n"
    yield (
        "root/etc/nsswitch.conf",
        b"passwd: files systemd\nhosts: files [!UNAVAIL=return] dns\n",
    )
    yield "root/etc/services", b"http 80/tcp www\n"
    rules = (RULES / "files.toml").read_bytes()
    yield "my.toml", re.sub(rb"(?m)^\[([\w-]+)\]", rb"[my-\1]", rules)
    yield "recipe/rootfs.toml", RECIPE


def rpm(paths):
    """A database of one package that has these files, as rpm writes it."""
    values, entries = b"", []
    texts = {
        1000: [b"glibc"], 1001: [b"2.41"], 1002: [b"1.fc42"], 1022: [b"x86_64"],
        1044: [b"glibc-2.41-1.fc42.src.rpm"],
        1117: [os.path.basename(one).encode() for one in paths],
        1118: [os.path.dirname(one).encode() + b"/" for one in paths],
    }  # fmt: skip
    for tag, found in texts.items():
        kind = 6 if tag < 1100 else 8
        entries.append((tag, kind, len(values), len(found)))
        values += b"".join(one + b"\0" for one in found)
    entries.append((1029, 2, len(values), len(paths)))
    values += bytes(len(paths))
    values += bytes(-len(values) % 4)
    entries.append((1116, 4, len(values), len(paths)))
    values += struct.pack(f">{len(paths)}I", *range(len(paths)))
    blob = struct.pack(">2I", len(entries), len(values))
    blob += b"".join(struct.pack(">4I", *one) for one in entries) + values
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
    database.execute("CREATE TABLE Basenames (key TEXT NOT NULL, hnum INTEGER, idx INTEGER)")
    database.execute("INSERT INTO Packages VALUES (1, ?)", (blob,))
    for number, one in enumerate(paths):
        database.execute("INSERT INTO Basenames VALUES (?, 1, ?)", (os.path.basename(one), number))
    database.commit()
    return database.serialize()
