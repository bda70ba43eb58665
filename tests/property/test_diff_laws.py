"""Pairs of images, the second made of the first by edits: `diff` reports these and no more."""

import io
import json
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from rootfs_builder.commands import subjects
from rootfs_builder.commands.spinner import Spinner
from rootfs_builder.views import comparison, comparison_text

NAMES = st.text("abcdef", min_size=1, max_size=3)
CONTENT = st.binary(max_size=30)
STATUS, INFO = "var/lib/dpkg/status", "var/lib/dpkg/info"


class Model:
    """An image as plain values: each path's kind, content or target, mode and owner; and so on."""

    def __init__(self, paths, packages, env):
        self.paths, self.packages, self.env = dict(paths), dict(packages), dict(env)

    def archive(self):
        """What `docker save` writes of it, with the database of its packages."""
        members = dict(self.paths)
        stanzas = []
        for name, (version, data) in self.packages.items():
            stanzas.append(
                f"Package: {name}\nStatus: install ok installed\nVersion: {version}\n"
                "Architecture: amd64\n"
            )
            members[f"usr/share/{name}"] = ("file", data, 0o644, (0, 0))
            listed = f"/.\n/usr\n/usr/share\n/usr/share/{name}\n".encode()
            members[f"{INFO}/{name}.list"] = ("file", listed, 0o644, (0, 0))
        if self.packages:
            members[STATUS] = ("file", "\n".join(stanzas).encode(), 0o644, (0, 0))
        layer = tar(members)
        env = [f"{name}={value}" for name, value in self.env.items()]
        config = {"os": "linux", "architecture": "amd64", "config": {"Env": env}}
        config["rootfs"] = {"type": "layers", "diff_ids": []}
        described = [{"Config": "c.json", "Layers": ["l.tar"], "RepoTags": ["one:1"]}]
        outer = {"l.tar": layer, "c.json": json.dumps(config)}
        outer["manifest.json"] = json.dumps(described)
        return tar(
            {
                name: ("file", data if isinstance(data, bytes) else data.encode(), 0o644, (0, 0))
                for name, data in outer.items()
            }
        )


def tar(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, (kind, data, mode, owner) in members.items():
            info = tarfile.TarInfo(name)
            info.mode, (info.uid, info.gid) = mode, owner
            if kind == "dir":
                info.type = tarfile.DIRTYPE
            elif kind == "symlink":
                info.type, info.linkname = tarfile.SYMTYPE, data
            info.size = len(data) if kind == "file" else 0
            archive.addfile(info, io.BytesIO(data if kind == "file" else b""))
    return out.getvalue()


@st.composite
def models(draw):
    names = draw(st.sets(NAMES, max_size=8))
    paths = {"top": ("dir", "", 0o755, (0, 0))}
    for name in sorted(names):
        kind = draw(st.sampled_from(["file", "dir", "symlink"]))
        data = {"file": draw(CONTENT), "dir": "", "symlink": draw(NAMES)}[kind]
        mode = draw(st.sampled_from([0o755, 0o644, 0o4755, 0o1777]))
        paths[f"top/{name}"] = (kind, data, mode, (draw(st.integers(0, 2)), 0))
    packages = {
        f"lib{name}": (draw(st.sampled_from("123")), draw(CONTENT))
        for name in draw(st.sets(NAMES, max_size=3))
    }
    return Model(paths, packages, {"A": "1", **draw(st.dictionaries(NAMES, NAMES, max_size=3))})


class Edits:
    """Edits of a model, and what a diff has to say of each."""

    def __init__(self, model, draw):
        self.new = Model(model.paths, model.packages, model.env)
        self.draw = draw
        self.added, self.removed, self.changed = set(), set(), {}
        self.settings, self.packages = {}, {}

    def path(self, name):
        """Leave a path, remove it, or change one thing or more of it."""
        kind, data, mode, owner = self.new.paths[name]
        edit = self.draw(st.sampled_from(["none", "remove", "content", "mode", "owner", "both"]))
        what = []
        if edit == "remove":
            del self.new.paths[name]
            self.removed.add(f"/{name}")
            return
        if edit in ("content", "both") and kind != "dir":
            data = data + (b"x" if kind == "file" else "x")
            what.append("content" if kind == "file" else "target")
        if edit in ("mode", "both") and kind != "symlink":
            mode ^= 0o110
            what.append("mode")
        if edit in ("owner", "both"):
            owner = (owner[0] + 1, owner[1])
            what.append("owner")
        self.new.paths[name] = (kind, data, mode, owner)
        if what:
            self.changed[f"/{name}"] = tuple(what)

    def add(self, name):
        path = f"top/{name}-new"
        self.new.paths[path] = ("file", self.draw(CONTENT), 0o644, (0, 0))
        self.added.add(f"/{path}")

    def package(self, name):
        """Upgrade a package, or remove it; its database says so too."""
        version, data = self.new.packages[name]
        edit = self.draw(st.sampled_from(["none", "upgrade", "remove"]))
        if edit == "upgrade":
            self.new.packages[name] = (f"{version}.1", data + b"more")
            self.packages[name] = (version, f"{version}.1")
            self.changed[f"/usr/share/{name}"] = ("content",)
        elif edit == "remove":
            del self.new.packages[name]
            self.packages[name] = (version, "")
            self.removed |= {f"/usr/share/{name}", f"/{INFO}/{name}.list"}

    def database(self, old):
        """What becomes of the one file that all packages share, and of the directories."""
        if not old.packages or not self.packages:
            return
        if self.new.packages:
            self.changed[f"/{STATUS}"] = ("content",)
        else:
            gone = ("/usr", "/usr/share", "/var", "/var/lib", "/var/lib/dpkg", f"/{INFO}")
            self.removed |= {f"/{STATUS}", *gone}

    def variable(self, name):
        value = self.new.env[name]
        edit = self.draw(st.sampled_from(["none", "set", "unset"]))
        if edit == "set":
            self.new.env[name] = f"{value}x"
            self.settings[f"config.Env.{name}"] = (value, f"{value}x")
        elif edit == "unset":
            del self.new.env[name]
            self.settings[f"config.Env.{name}"] = (value, None)


def compared(folder, *models_):
    places = []
    for number, model in enumerate(models_):
        places.append(folder / f"{number}.tar")
        places[-1].write_bytes(model.archive())
    first, second = (
        subjects.opened(str(one), "diff", Spinner(), no_limits=False) for one in places
    )
    with first as old, second as new:
        return comparison.of(old, new)


@settings(max_examples=50)
@given(model=models(), data=st.data())
def test_a_diff_reports_every_edit_and_no_more(tmp_path_factory, model, data):
    edits = Edits(model, data.draw)
    for name in sorted(set(model.paths) - {"top"}):
        edits.path(name)
    for name in sorted(data.draw(st.sets(NAMES, max_size=2))):
        edits.add(name)
    for name in sorted(model.packages):
        edits.package(name)
    edits.database(model)
    for name in sorted(model.env):
        edits.variable(name)
    found = compared(tmp_path_factory.mktemp("pair"), model, edits.new)
    assert {one.path for one in found.added} == edits.added
    assert {one.path for one in found.removed} == edits.removed
    assert {one.path: one.what for one in found.changed} == edits.changed
    assert {one.key: (one.old, one.new) for one in found.config} == edits.settings
    if edits.new.packages or not model.packages:
        assert {one.name: (one.old, one.new) for one in found.packages} == edits.packages
    nothing = not (edits.added or edits.removed or edits.changed or edits.settings)
    assert found.equal == nothing
    assert bool([*comparison_text.lines(found)]) == (not nothing)
    shown = "\n".join(comparison_text.lines(found, verbose=True))
    assert all(path in shown for path in (*edits.added, *edits.removed, *edits.changed))


@settings(max_examples=20)
@given(model=models())
def test_a_diff_of_an_image_and_itself_is_empty(tmp_path_factory, model):
    again = Model(reversed(model.paths.items()), model.packages, dict(reversed(model.env.items())))
    found = compared(tmp_path_factory.mktemp("pair"), model, again)
    assert found.equal
    assert [*comparison_text.lines(found)] == []


@settings(max_examples=20)
@given(old=models(), new=models())
def test_the_way_back_is_the_same_reversed(tmp_path_factory, old, new):
    there = compared(tmp_path_factory.mktemp("pair"), old, new)
    back = compared(tmp_path_factory.mktemp("pair"), new, old)
    assert (there.added, there.removed) == (back.removed, back.added)
    assert [(one.path, one.what) for one in there.changed] == [
        (one.path, one.what) for one in back.changed
    ]
    assert [(one.name, one.old, one.new) for one in there.packages] == [
        (one.name, one.new, one.old) for one in back.packages
    ]
