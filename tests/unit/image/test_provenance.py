"""`rootfs-builder.json`: what is written comes back, and nothing else does."""

import json
import tempfile
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rootfs_builder.errors import InputError, NotFoundError
from rootfs_builder.filesystem.content import BytesSource
from rootfs_builder.findings import Code, added, hint, warning
from rootfs_builder.image import layers, provenance, unpack
from rootfs_builder.image.store import Store
from rootfs_builder.paths import parsed, printable
from rootfs_builder.plan import Reason
from tests import trees

CONFIG = "sha256:" + "1" * 64
IMAGE = SimpleNamespace(
    config_digest=CONFIG, layers=(SimpleNamespace(diff_id="sha256:" + "2" * 64),)
)
PLAN = trees.plan(
    {"/bin/hello": "file 0755 hello", "/lib": "symlink usr/lib", "/usr/lib/": "dir 0755"}
)


def written(plan, parts=None):
    return provenance.write(IMAGE, plan, parts=parts or (plan,))


def read_back(data, configs=(CONFIG,)):
    return provenance.load(
        BytesSource(data), [SimpleNamespace(config_digest=one) for one in configs]
    )


def without_content(plan):
    return [replace(entry, content=None) for entry in plan.entries]


@given(st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_a_printable_path_is_parsed_again(path):
    assert parsed(printable(path)) == path


@given(trees.plans(), st.data())
def test_a_plan_read_from_its_layers_is_explained_again(plan, data):
    paths = [entry.path for entry in plan.entries]
    texts = st.text(max_size=5) | st.binary(max_size=5).map(
        lambda raw: raw.decode("utf-8", "surrogateescape")
    )
    reasons = st.builds(
        Reason,
        st.sampled_from(["NEEDED", "rule"]),
        st.sampled_from([None, *paths]),
        texts,
        st.text(),
    )
    plan = replace(
        plan,
        entries=tuple(
            replace(one, reasons=tuple(data.draw(st.lists(reasons, min_size=1, max_size=2))))
            for one in plan.entries
        ),
        programs=tuple(paths[:2]),
        findings=(hint(Code.RULE_HINT, "do this"), added(Code.RULE_ADDED, "a: b")),
    )
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as scratch:
        store = Store(file)
        layer = layers.pack(plan, store)
        file.flush()
        seen = unpack.read([layer], scratch)
        explained = provenance.explain(seen, read_back(written(plan)))
    assert without_content(explained) == without_content(plan)
    assert (explained.programs, explained.findings) == (plan.programs, plan.findings)


def test_an_entry_says_which_layer_it_is_in_a_directory_of_several_the_topmost():
    whole = trees.plan({"/a/x": "file 0644 x", "/a/y": "file 0644 y", "/b": "file 0644 b"})
    parts = tuple(
        replace(whole, entries=tuple(one for one in whole.entries if one.path in names))
        for names in (("/a", "/a/x", "/b"), ("/a", "/a/y"))
    )
    found = {one.path: one.layer for one in read_back(written(whole, parts)).entries}
    assert found == {"/a": 1, "/a/x": 0, "/a/y": 1, "/b": 0}


def test_a_second_name_of_a_file_names_the_first():
    plan = trees.plan({"/a": "file 0644 x", "/b": "hardlink /a"})
    first, second = read_back(written(plan)).entries
    assert (first.hardlink, second.hardlink, second.size) == ("", "/a", 1)


@pytest.mark.parametrize(
    ("paths", "travels"),
    [
        ((), True),
        (("/bin/hello",), True),
        (("/bin/hello", "/usr/lib"), True),
        (("/home/me/hello",), False),
        (("/home/my files/hello",), False),
        (("../hello",), False),
        (("build/hello",), False),
        (("/bin/hello", "/home/me"), False),
        (("/bin/../../home/me",), False),
    ],
)
def test_a_warning_that_names_a_path_of_the_machine_stays_at_home(paths, travels):
    plan = replace(PLAN, findings=(warning(Code.BUILD_PATH, "odd", *paths),))
    assert len(read_back(written(plan)).findings) == travels


def changed(**values):
    return json.dumps({**json.loads(written(PLAN)), **values}).encode()


ENTRY = json.loads(written(PLAN))["entries"][0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "damaged"),
        (b"\xff", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b"[]", "damaged"),
        (b"{}", "damaged"),
        (changed(schema_version="1"), "damaged"),
        (changed(entries=[{"path": "/x"}]), "damaged"),
        (changed(layers=["x"]), "damaged"),
        (changed(findings=[{"level": "loud", "text": "x"}]), "damaged"),
        (changed(entries=[ENTRY | {"reasons": [{"kind": "x"}]}]), "damaged"),
    ],
    ids=[
        "empty",
        "no utf-8",
        "deep",
        "list",
        "object",
        "version",
        "entry",
        "digest",
        "level",
        "reason",
    ],
)
def test_a_damaged_document_is_an_error(data, words):
    with pytest.raises(InputError, match=words):
        read_back(data)


def test_a_code_of_another_version_is_not_damage():
    new = [{"level": "hint", "code": "something-new", "text": "x"}]
    data = changed(findings=new, tool={"name": "rootfs-builder", "version": "99"})
    with pytest.raises(NotFoundError, match="written by rootfs-builder 99, which"):
        read_back(data)
    with pytest.raises(InputError, match="damaged"):
        read_back(changed(findings=new))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "is absent: a registry"),
        (BytesSource(changed(schema_version=3, entries=7)), "its schema_version is 3"),
        (BytesSource(changed(config="sha256:" + "3" * 64)), "about another image"),
    ],
    ids=["none", "newer", "other"],
)
def test_without_a_document_of_this_image_the_sentence_says_why(source, words):
    with pytest.raises(NotFoundError, match=words):
        provenance.load(source, (IMAGE,))


@pytest.mark.parametrize(
    "change",
    [
        {"programs": ["/no"]},
        {"entries": [ENTRY | {"path": "/no"}]},
        {"entries": [ENTRY | {"reasons": [{"kind": "rule", "by": "/no"}]}]},
    ],
    ids=["program", "entry", "by"],
)
def test_a_document_that_names_what_the_image_has_not_is_damaged(change):
    with pytest.raises(InputError, match="/no is not in the image"):
        provenance.explain(PLAN, read_back(changed(**change)))
