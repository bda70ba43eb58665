"""What a root was asked, and how that is said."""

import os

import pytest

from rootfs_builder.filesystem import depfile
from rootfs_builder.filesystem.depfile import Inputs, Recorder
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.walk import Walker


def said(inputs, *, target="out/x.tar", directory="/src", written=("/src/out/x.tar",), make=False):
    return depfile.text(target, [inputs], directory=directory, written=written, make=make)


def inputs(**paths):
    return Inputs(**{key: frozenset(value) for key, value in paths.items()})


def asked(tmp_path, *paths):
    """What is recorded of walks in a tree that is not at /."""
    tree = tmp_path / "tree"
    (tree / "usr/lib/plugins").mkdir(parents=True)
    (tree / "usr/lib/libz.so.1.3").write_text("z")
    (tree / "usr/lib/libz.so.1").symlink_to("libz.so.1.3")
    (tree / "usr/lib/dangling").symlink_to("nowhere")
    (tree / "lib").symlink_to("usr/lib")
    recorder = Recorder(DirectoryRoot(str(tree)), str(tree))
    walker = Walker(recorder)
    for path in paths:
        walker.walk(path)
    return recorder, str(tree)


def relative(paths, tree):
    return {path.removeprefix(tree) or "/" for path in paths}


@pytest.mark.parametrize(
    ("path", "files", "links", "absent", "places"),
    [
        ("/usr/lib/libz.so.1.3", {"/usr/lib/libz.so.1.3"}, set(), set(), set()),
        (
            "/lib/libz.so.1",
            {"/usr/lib/libz.so.1", "/usr/lib/libz.so.1.3"},
            {"/", "/usr/lib"},
            set(),
            set(),
        ),
        ("/lib/libx.so", set(), {"/"}, {"/usr/lib/libx.so"}, {"/usr/lib"}),
        ("/opt/lib/libx.so", set(), set(), {"/opt"}, {"/"}),
        ("/lib/dangling", set(), {"/", "/usr/lib"}, {"/usr/lib/nowhere"}, {"/usr/lib"}),
        ("/usr/lib/plugins", set(), set(), set(), set()),
        ("/usr/lib/libz.so.1.3/x", {"/usr/lib/libz.so.1.3"}, set(), set(), set()),
        ("/\0/usr/lib", set(), set(), set(), set()),
    ],
)
def test_what_a_walk_depends_on(tmp_path, path, files, links, absent, places):
    recorder, tree = asked(tmp_path, path)
    found = recorder.inputs()
    assert relative(found.files, tree) == files
    assert relative(found.links, tree) == links
    assert relative(found.absent, tree) == absent
    assert relative(found.places, tree) == places


def test_an_absent_path_below_absent_directories_appears_in_one_that_is_there(tmp_path):
    recorder, tree = asked(tmp_path)
    assert recorder.lstat("/usr/lib/a/b/c") is None
    assert relative(recorder.inputs().places, tree) == {"/usr/lib"}


def test_a_directory_that_was_listed_is_an_input(tmp_path):
    recorder, tree = asked(tmp_path)
    assert recorder.list("/usr/lib/plugins") == ()
    assert relative(recorder.inputs().listed, tree) == {"/usr/lib/plugins"}


def test_the_recorder_answers_as_the_root_does(tmp_path):
    recorder, tree = asked(tmp_path)
    root = DirectoryRoot(tree)
    for path in ("/usr/lib/libz.so.1.3", "/lib", "/nowhere"):
        assert recorder.lstat(path) == root.lstat(path)
    assert recorder.readlink("/lib") == "usr/lib"
    assert recorder.list("/usr/lib") == root.list("/usr/lib")
    assert recorder.open("/usr/lib/libz.so.1.3") == root.open("/usr/lib/libz.so.1.3")
    assert recorder.capability("/usr/lib/libz.so.1.3") == b""


def test_the_form_of_gcc():
    text, unsaid = said(
        inputs(
            files=["/src/hello", "/usr/lib/libz.so"],
            listed=["/src/site"],
            absent=["/usr/lib/libx.so"],
            places=["/usr/lib"],
        )
    )
    assert text == (
        "out/x.tar: \\\n  /usr/lib \\\n  /usr/lib/libz.so \\\n  hello \\\n  site\n\n"
        "/usr/lib:\n/usr/lib/libz.so:\nhello:\nsite:\n"
    )
    assert unsaid == ()


def test_the_form_of_make_asks_for_absent_paths_instead_of_their_directories():
    text, _ = said(
        inputs(files=["/src/hello"], absent=["/usr/lib/libx.so", "/src/a"], places=["/usr/lib"]),
        make=True,
    )
    assert text == (
        "out/x.tar: \\\n  hello\n\nhello:\n"
        "rootfs-builder-appeared := \\\n  /usr/lib/libx.so \\\n  a\n"
        "ifneq ($(wildcard $(rootfs-builder-appeared)),)\n"
        "out/x.tar: rootfs-builder-appeared\n.PHONY: rootfs-builder-appeared\nendif\n"
    )


def test_directories_that_the_build_writes_into_say_nothing_of_what_is_absent():
    places = ["/", "/src", "/src/out", "/elsewhere", "/elsewhere/deps", "/src/lib"]
    text, _ = said(
        inputs(places=places, links=places, listed=["/src/out"]),
        written=("/src/out/x.tar", "/elsewhere/deps/x.d"),
    )
    assert text == "out/x.tar: \\\n  lib \\\n  out\n\nlib:\nout:\n"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a b$c#d:e", "/a\\ b$$c\\#d\\:e"),
        ("/src/~x", "./~x"),
        ("/workshop/x", "/workshop/x"),
        ("/\udcff", "/\udcff"),
    ],
)
def test_names_are_escaped(path, name):
    assert said(inputs(files=[path]))[0] == f"out/x.tar: \\\n  {name}\n\n{name}:\n"


@pytest.mark.parametrize(
    ("path", "first", "second"), [("/a%b", "/a%b", "/z"), ("/a=b", "/z", "/a=b")]
)
def test_what_make_would_not_take_for_a_target_is_only_an_input(path, first, second):
    text, _ = said(inputs(files=[path, "/z"]))
    assert text == f"out/x.tar: \\\n  {first} \\\n  {second}\n\n/z:\n"


@pytest.mark.parametrize("path", ["/a\nb", "/a\tb", "/a\\b", "/a;b", "/a*b", "/a|b", "/a<b"])
def test_a_name_that_a_tool_could_not_read_is_left_out_and_told(path):
    text, unsaid = said(inputs(files=[path, "/z"], absent=[path]), make=True)
    assert text == "out/x.tar: \\\n  /z\n\n/z:\n"
    assert unsaid == (path,)


def test_at_the_root_names_stay_absolute():
    assert said(inputs(files=["/hello"]), directory="/")[0].startswith("out/x.tar: \\\n  /hello\n")


def test_two_roots_are_one_list(tmp_path):
    recorder, _ = asked(tmp_path, "/usr/lib/libz.so.1.3")
    one = recorder.inputs()
    text, _ = depfile.text(
        "x", [one, inputs(files=["/b"])], directory=os.fspath(tmp_path), written=(), make=False
    )
    assert "x: \\\n  /b \\\n  tree/usr/lib/libz.so.1.3\n" in text
