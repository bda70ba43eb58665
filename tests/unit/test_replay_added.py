"""What an added tree brings is resolved again in the image too: a difference is a warning."""

from rootfs_builder import assemble, recipe
from rootfs_builder.root import DirectoryRoot
from rootfs_builder.sources import Sources

MAIN = "int main(void) { return 0; }"
LIBRARY = "int f(void) { return 1; }"
PLUGIN = "int f(void); int g(void) { return f(); }"


def findings(folder, *added):
    options = {"directory": str(folder), "executables": ("prog",), "add": added}
    _, plan = assemble.plan(recipe.from_options(**options), Sources(DirectoryRoot()))
    return [finding.text for finding in plan.findings]


def plugin(cc, folder):
    """plug/p.so, which finds plug/lib/libf.so through $ORIGIN."""
    shared = ("-shared", "-fPIC", "-Wl,-soname,libf.so")
    library = cc(LIBRARY, name="plug/lib/libf.so", where=folder, args=shared)
    origin = ("-shared", "-fPIC", library, "-Wl,-rpath,$ORIGIN/lib")
    cc(PLUGIN, name="plug/p.so", where=folder, args=origin)
    cc(MAIN, name="prog", where=folder)


def test_a_plugin_with_all_it_needs_has_no_warning(cc, tmp_path):
    plugin(cc, tmp_path)
    assert findings(tmp_path, "plug:/usr/lib/plug") == []


def test_a_plugin_that_is_parted_from_its_library_has_one(cc, tmp_path):
    plugin(cc, tmp_path)
    texts = findings(tmp_path, "plug/p.so:/usr/lib/p.so")
    assert any("libf.so" in text for text in texts), texts
