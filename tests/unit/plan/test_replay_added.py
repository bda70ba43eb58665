"""What an added tree brings is resolved again in the image too: a difference is a warning."""

from types import SimpleNamespace

import pytest

from rootfs_builder import recipe
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.pipeline import planning
from rootfs_builder.plan import replay

MAIN = "int main(void) { return 0; }"
LIBRARY = "int f(void) { return 1; }"
PLUGIN = "int f(void); int g(void) { return f(); }"


def findings(folder, *added):
    options = {"directory": str(folder), "executables": ("prog",), "add": added}
    _, plan, _ = planning.plan(recipe.from_options(**options), Sources(DirectoryRoot()), rules=())
    return [finding.text for finding in plan.findings]


def plugin(cc, folder, library="plug/lib", rpath="$ORIGIN/lib"):
    """plug/p.so, which finds libf.so through $ORIGIN."""
    shared = ("-shared", "-fPIC", "-Wl,-soname,libf.so")
    built = cc(LIBRARY, name=f"{library}/libf.so", where=folder, args=shared)
    cc(
        PLUGIN,
        name="plug/p.so",
        where=folder,
        args=("-shared", "-fPIC", built, f"-Wl,-rpath,{rpath}"),
    )
    cc(MAIN, name="prog", where=folder)


def test_a_plugin_with_all_it_needs_has_no_warning(cc, tmp_path):
    plugin(cc, tmp_path)
    assert findings(tmp_path, "plug:/usr/lib/plug") == []


def test_a_plugin_added_alone_has_what_lies_beside_it(cc, tmp_path):
    plugin(cc, tmp_path)
    assert findings(tmp_path, "plug/p.so:/usr/lib/p.so") == []


def test_a_plugin_that_is_parted_from_its_library_has_a_warning(cc, tmp_path):
    plugin(cc, tmp_path, "lib", "$ORIGIN/../lib")
    texts = findings(tmp_path, "plug:/usr/lib/plug")
    assert any("libf.so" in text for text in texts), texts


def test_a_program_that_cannot_start_here_is_a_warning_and_no_failure(cc, tmp_path):
    cc(MAIN, name="prog", where=tmp_path)
    cc(MAIN, name="data/other", where=tmp_path, args=("-Wl,--dynamic-linker,/lib/ld-none.so",))
    (text,) = findings(tmp_path, "data:/data")
    assert "/lib/ld-none.so: not found" in text
    assert "needed by" in text
    assert "data/other" in text


def test_what_is_for_another_machine_or_libc_is_data_with_one_hint(cc, tmp_path):
    plugin(cc, tmp_path)
    foreign = tmp_path / "plug/arm64.so"
    foreign.write_bytes(changed((tmp_path / "plug/p.so").read_bytes(), 18, b"\xb7"))
    libc = ("-shared", "-fPIC", "-Wl,-soname,libc.musl-x86_64.so.1")
    built = cc(LIBRARY, name="musl/libc.so", where=tmp_path, args=libc)
    cc(PLUGIN, name="plug/musl.so", where=tmp_path, args=("-shared", "-fPIC", built))
    cc(MAIN, name="plug/other", where=tmp_path, args=("-Wl,--dynamic-linker,/lib/ld-none.so",))
    other = tmp_path / "plug/other"
    other.write_bytes(changed(other.read_bytes(), 18, b"\xb7"))
    (text,) = findings(tmp_path, "plug:/usr/lib/plug")
    assert "files for other machines or another libc" in text
    assert text.endswith("arm64.so and 2 more")


def test_what_is_for_no_machine_is_data(cc, tmp_path):
    """As the bytecode of Guile, which is in the form of a library."""
    plugin(cc, tmp_path)
    compiled = tmp_path / "plug/code.go"
    compiled.write_bytes(changed((tmp_path / "plug/p.so").read_bytes(), 18, b"\0"))
    assert findings(tmp_path, "plug:/usr/lib/plug") == []


def changed(data, offset, byte):
    return data[:offset] + byte + data[offset + 1 :]


def test_what_lies_in_the_same_tree_is_loaded_before_where_no_path_leads_there(cc, tmp_path):
    plugin(cc, tmp_path, rpath="$ORIGIN/nowhere")
    assert findings(tmp_path, "plug:/usr/lib/plug") == []
    (tmp_path / "plug/lib").rename(tmp_path / "lib")
    (text,) = findings(tmp_path, "plug:/usr/lib/plug")
    assert "libf.so: not found" in text


@pytest.mark.parametrize(
    ("more", "found", "differs"),
    [(True, "abxc", False), (True, "acb", True), (True, "ab", True), (False, "abxc", True)],
)
def test_what_is_added_may_find_more_in_the_image(monkeypatch, more, found, differs):
    """A library of a wheel lacks what lies beside it, which a module's RPATH finds."""

    def trace(names):
        return [SimpleNamespace(requested=one, opened=one, source=one) for one in names]

    methods = {
        "_expected": lambda _, __, one: (one.requested, one.opened, one.source),
        "_placed": lambda _, one: one,
        "_again": lambda *_: SimpleNamespace(objects=trace(found)),
    }
    for name, method in methods.items():
        monkeypatch.setattr(replay._Replay, name, method)
    one = replay._Replay(None, DirectoryRoot(), (), None, more=more)
    program = SimpleNamespace(display_name="/p", real="/p")
    assert bool([*one.compare(program, SimpleNamespace(objects=trace("abc")))]) == differs
