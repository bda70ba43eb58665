"""Trees of files as dicts, the same for a Plan, a tar and a directory.

`{"/usr/lib/": "dir 0755", "/lib": "symlink usr/lib", "/hello": "file 0755 2cf24dba"}`: a directory
ends in a slash, a file shows the first eight digits of its content's SHA-256, and the second name
of a file shows the first: `"/hi": "hardlink /hello"`. `plan` reads the same words, with the content
itself (as text) in place of its hash.
"""

import hashlib
import io
import os
import shutil
import stat
import tarfile
import tempfile
from contextlib import contextmanager

from hypothesis import strategies as st
from msgspec.structs import replace

from rootfs_builder.filesystem import capabilities
from rootfs_builder.filesystem.content import BytesSource, read
from rootfs_builder.plan import Entry, Plan, Reason, hard_links, order, with_parents

WHY = (Reason("executable", None, "hello"),)


def sha8(data):
    return hashlib.sha256(data).hexdigest()[:8]


def entry(path, words):
    """One entry; a directory's path ends in a slash."""
    kind, _, rest = words.partition(" ")
    if kind == "dir":
        return Entry(path.rstrip("/"), "dir", int(rest, 8), WHY)
    if kind == "symlink":
        return Entry(path, "symlink", 0o777, WHY, target=rest)
    mode, _, content = rest.partition(" ")
    return file(path, content.encode(), int(mode, 8))


def file(path, data, mode=0o644):
    return Entry(path, "file", mode, WHY, BytesSource(data))


def plan(tree):
    """The Plan of a dict, with parents."""
    links = {path: words[9:] for path, words in tree.items() if words.startswith("hardlink ")}
    entries = {path: entry(path, words) for path, words in tree.items() if path not in links}
    seconds = [replace(entries[target], path=path) for path, target in links.items()]
    return of_entries([*entries.values(), *seconds])


def of_entries(entries):
    return Plan(order(with_parents(entries)))


def of_plan(plan):
    found = {
        one.path + ("/" if one.kind == "dir" else ""): {
            "dir": f"dir {one.mode:04o}",
            "symlink": f"symlink {one.target}",
            "file": f"file {one.mode:04o} {sha8(read(one.content)) if one.content else ''}",
        }[one.kind]
        for one in plan.entries
    }
    return found | {path: f"hardlink {to}" for path, to in hard_links(plan.entries).items()}


def of_tar(data):
    """The tree that a tar holds, as Python's own reader sees it."""
    return dict(_member(tar, one) for tar in (opened(data),) for one in tar)


def opened(data):
    return tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape")


def _member(tar, one):
    path = "/" + one.name
    if one.isdir():
        return path + "/", f"dir {one.mode:04o}"
    if one.issym():
        return path, f"symlink {one.linkname}"
    if one.islnk():
        return path, f"hardlink /{one.linkname}"
    return path, f"file {one.mode:04o} {sha8(tar.extractfile(one).read())}"


def of_directory(top):
    """The tree below a directory of this machine."""
    found, inodes = {}, {}
    base = os.fsencode(top)
    for here, directories, files in os.walk(base):
        directories.sort()
        for name in sorted(directories + files):
            path = os.path.join(here, name)
            shown = path[len(base) :].decode("utf-8", "surrogateescape")
            info = os.lstat(path)
            mode = f"{stat.S_IMODE(info.st_mode):04o}"
            if stat.S_ISLNK(info.st_mode):
                target = os.readlink(path).decode("utf-8", "surrogateescape")
                found[shown] = f"symlink {target}"
            elif stat.S_ISDIR(info.st_mode):
                found[shown + "/"] = f"dir {mode}"
            else:
                with open(path, "rb") as stream:
                    found[shown] = f"file {mode} {sha8(stream.read())}"
                inodes.setdefault(info.st_ino, []).append(shown)
    for names in inodes.values():
        names.sort(key=lambda one: one.encode("utf-8", "surrogateescape"))
        for second in names[1:]:
            found[second] = f"hardlink {names[0]}"
    return found


@contextmanager
def scratch():
    """A directory for a tree of any modes and links, removed without following one.

    `tempfile.TemporaryDirectory` of Python 3.11 does chmod 0700 on what a link in it leads to.
    """
    top = tempfile.mkdtemp()
    try:
        yield top
    finally:
        for here, directories, _ in os.walk(os.fsencode(top)):
            for name in directories:
                path = os.path.join(here, name)
                if not os.path.islink(path):
                    os.chmod(path, 0o700)  # before it is looked into
        shutil.rmtree(os.fsencode(top))


def names():
    """File names as the kernel allows them: any bytes but NUL and `/`."""
    raw = st.binary(min_size=1, max_size=12) | st.sampled_from([b"a", b"b", b"lib", b"x" * 120])
    return raw.filter(lambda one: not set(one) & set(b"/\0") and one not in (b".", b".."))


MIB = 1 << 20
MODES = (0o755, 0o700, 0o1777, 0o555)  # the owner may look into all
IDS = st.sampled_from([0, 1, 1000, 65534, 1 << 21, (1 << 32) - 2])
CAPABILITIES = st.sampled_from(["", "=", "cap_net_raw=ep", "cap_chown,cap_bpf=p cap_kill=i"])
SIZES = st.sampled_from(
    [0, 1, 511, 512, 513, *(size + by for size in (MIB // 16, MIB, 2 * MIB) for by in (-1, 0, 1))]
)


@st.composite
def facts(draw):
    """Owner, mode and capability of a file, of every kind that a tar can hold."""
    text = draw(CAPABILITIES)
    return {
        "mode": draw(st.integers(0, 0o7777)),
        "uid": draw(IDS),
        "gid": draw(IDS),
        "capability": capabilities.parse(text) if text else b"",
    }


@st.composite
def plans(draw, *, anything=False):
    """Valid plans of every kind of entry, with names that are no UTF-8.

    `anything` says that sizes, owners, modes and capabilities may be what no ordinary user writes.
    """
    named = names().filter(lambda one: not one.startswith(b".wh."))
    text = named.map(lambda one: one.decode("utf-8", "surrogateescape"))
    entries = {}
    directories = [""]
    for name in draw(st.lists(text, max_size=8)):
        path = f"{draw(st.sampled_from(directories))}/{name}"
        if path in entries:
            continue
        kind = draw(st.sampled_from(["dir", "file", "symlink", "hardlink"]))
        plain = {"mode": draw(st.sampled_from(MODES))}
        chosen = draw(facts()) if anything else plain
        files = sorted(p for p in entries if entries[p].kind == "file")
        if kind == "dir":
            entries[path] = replace(Entry(path, "dir", 0, WHY), **{**chosen, "capability": b""})
            directories.append(path)
        elif kind == "symlink":
            target = draw(st.sampled_from(["a", "../b", "/a/b", "/", ".."]) | text)
            entries[path] = Entry(path, "symlink", 0o777, WHY, target=target)
        elif kind == "hardlink" and files:
            other = draw(st.booleans()) if anything else False  # of one source, but another mode
            changed = chosen if other else {}
            entries[path] = replace(entries[draw(st.sampled_from(files))], path=path, **changed)
        else:
            data = draw(st.binary(max_size=600))
            if anything:
                size, data = draw(SIZES), data or b"x"
                data = (data * (size // len(data) + 1))[:size]
            entries[path] = replace(file(path, data), **chosen)
    return Plan(order(entries.values()))
