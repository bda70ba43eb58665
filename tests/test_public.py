"""The public face: few names, each documented, and the same images as the command line's."""

import inspect
import io
import subprocess
import sys
from typing import get_type_hints

import pytest
from msgspec.structs import replace

import rootfs_builder
from rootfs_builder.findings import Code
from rootfs_builder.recipe.arguments import Arguments
from rootfs_builder.recipe.options import OPTIONS
from tests.pages import CHECKOUT

NAMES = [
    "Cache",
    "ChangedError",
    "Entry",
    "Finding",
    "Image",
    "InputError",
    "NotFoundError",
    "OutputError",
    "Plan",
    "PolicyError",
    "Reason",
    "Recipe",
    "Result",
    "RootfsError",
    "UsageError",
    "VerificationError",
    "__version__",
    "make_plan",
    "pack",
    "stage",
]
NOT_OF_A_RECIPE = {
    *("output", "iidfile", "metadata_file", "depfile", "sysroot", "base", "rule_files", "no_plan"),
    *("seccomp", "security_context", "policy"),
}


def test_the_public_names_are_these():
    assert rootfs_builder.__all__ == NAMES
    assert len(NAMES) <= 20
    assert dir(rootfs_builder) == NAMES


@pytest.mark.parametrize("name", sorted({*NAMES} - {"__version__"}))
def test_a_public_name_is_documented(name):
    assert inspect.getdoc(getattr(rootfs_builder, name))


def test_every_code_of_a_finding_is_documented():
    page = (CHECKOUT / "docs/python.md").read_text()
    assert [code for code in Code if f"`{code}`" not in page] == []


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rootfs_builder.nothing


def test_importing_the_package_imports_nothing_heavy():
    code = "import rootfs_builder, sys; print({'msgspec', 'click', 'elftools'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


def test_packing_imports_no_click(hello):
    code = (
        "import rootfs_builder, sys\n"
        f"rootfs_builder.pack(rootfs_builder.Recipe.of({str(hello)!r}), 'x.tar')\n"
        "print('click' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=hello.parent
    )
    assert said.stdout.strip() == "False"


def test_every_option_of_a_recipe_is_an_argument():
    assert set(get_type_hints(Arguments)) == {one.parameter for one in OPTIONS} - NOT_OF_A_RECIPE


@pytest.fixture
def hello(cc):
    return cc("int main(void) { return 0; }", name="hello")


def test_pack_writes_what_the_command_writes(cli, hello):
    options = ("-t", "hello:1", "-e", "A=b c", "--entrypoint", '["/usr/local/bin/hello", "x y"]')
    files = ("--iidfile", "id", "--metadata-file", "meta")
    args = ("pack", str(hello), "-o", "cli.tar", *options, "-l", "k=v", *files, "--", "one", "two")
    said = cli(*args, check=True).stdout.strip()
    folder = hello.parent
    recipe = rootfs_builder.Recipe.of(
        str(hello),
        tag="hello:1",
        env={"A": "b c"},
        entrypoint=["/usr/local/bin/hello", "x y"],
        label={"k": "v"},
        command=["one", "two"],
    )
    told = []
    result = rootfs_builder.pack(
        recipe,
        str(folder / "api.tar"),
        iidfile=str(folder / "api.id"),
        metadata_file=str(folder / "api.meta"),
        progress=lambda done, total: told.append((done, total)),
    )
    assert said == f"docker.io/library/hello:1@{result.image.digest}"
    assert (folder / "api.tar").read_bytes() == (folder / "cli.tar").read_bytes()
    assert (folder / "api.tar").stat().st_size == result.size
    assert (folder / "api.id").read_text() == (folder / "id").read_text()
    assert (folder / "api.meta").read_bytes() == (folder / "meta").read_bytes()
    assert told[-1][0] >= told[-1][1] > 0


def test_a_plan_says_why_and_a_stage_has_its_files(hello, tmp_path):
    recipe = rootfs_builder.Recipe.of(str(hello))
    plan = rootfs_builder.make_plan(recipe)
    why = {entry.path: entry.reasons[0].kind for entry in plan.entries}
    assert why["/usr/local/bin/hello"] == "executable"
    staged = rootfs_builder.stage(recipe, str(tmp_path / "root"))
    assert [one.path for one in staged.entries] == [one.path for one in plan.entries]
    assert (tmp_path / "root/usr/local/bin/hello").read_bytes() == hello.read_bytes()


def test_a_failure_is_an_exception_and_leaves_the_output_as_it_was(tmp_path):
    (tmp_path / "x.tar").write_text("old")
    with pytest.raises(rootfs_builder.NotFoundError, match="no such file"):
        rootfs_builder.pack(
            rootfs_builder.Recipe.of(str(tmp_path / "nothing")), str(tmp_path / "x.tar")
        )
    assert (tmp_path / "x.tar").read_text() == "old"
    with pytest.raises(rootfs_builder.UsageError, match="--user"):
        rootfs_builder.Recipe.of("./hello", user="no such user")


def test_a_layer_of_another_image_can_be_put_below(hello, tmp_path):
    """An image is a value: another one is made of its parts, and any format writes it."""
    from rootfs_builder import temporary
    from rootfs_builder.image import archives, make
    from rootfs_builder.image.archives import members, sinks
    from rootfs_builder.image.store import Store

    rootfs_builder.pack(rootfs_builder.Recipe.of(str(hello)), str(tmp_path / "x.tar"))
    with (tmp_path / "x.tar").open("rb") as file:
        (read,) = archives.read(members.of_archive(file))
        twice = (*read.layers[:1], *read.layers)
        history = tuple(layer.history for layer in twice)
        made = make(replace(read.config, history=history), twice, names=("docker.io/library/a:1",))
        out = io.BytesIO()
        sink = sinks.Archive(Store(out), temporary.scratch)
        archives.write(made, sink, shape="oci", beside={})
        sink.end()
    (tmp_path / "y.tar").write_bytes(out.getvalue())
    with (tmp_path / "y.tar").open("rb") as file:
        (back,) = archives.read(members.of_archive(file))
    assert [one.diff_id for one in back.layers] == [one.diff_id for one in twice]


def test_an_image_packed_into_a_directory_is_an_oci_layout_and_again(hello, tmp_path):
    layout = tmp_path / "layout"
    recipe = rootfs_builder.Recipe.of(str(hello))
    first = rootfs_builder.pack(recipe, f"oci:{layout}")
    assert rootfs_builder.pack(recipe, f"oci:{layout}").image.digest == first.image.digest
    names = {path.name for path in layout.iterdir()}
    assert names == {"blobs", "index.json", "oci-layout", "rootfs-builder.json"}
    with pytest.raises(rootfs_builder.UsageError, match="a directory is an OCI layout"):
        rootfs_builder.pack(rootfs_builder.Recipe.of(str(hello), shape="docker"), f"oci:{layout}")
    assert {path.name for path in layout.iterdir()} == names


def test_a_blob_that_was_written_says_where_it_is(hello, tmp_path):
    result = rootfs_builder.pack(rootfs_builder.Recipe.of(str(hello)), str(tmp_path / "x.tar"))
    with pytest.raises(rootfs_builder.InputError, match="written already"):
        result.image.layers[0].blob.open()


@pytest.mark.parametrize("threads", [-1, 0, 1])
def test_less_than_one_thread_is_one(hello, tmp_path, threads):
    recipe = rootfs_builder.Recipe.of(str(hello))
    assert rootfs_builder.pack(recipe, str(tmp_path / "x.tar"), threads=threads).size


def test_a_cache_remembers_without_further_ado(hello, tmp_path):
    cache = rootfs_builder.Cache(str(tmp_path / "cache"))
    rootfs_builder.pack(rootfs_builder.Recipe.of(str(hello)), str(tmp_path / "x.tar"), cache=cache)
    assert list(cache.entries())


def test_the_plan_is_told_before_anything_is_written(hello, tmp_path):
    told = []
    with pytest.raises(rootfs_builder.PolicyError):
        rootfs_builder.pack(
            rootfs_builder.Recipe.of(str(hello), max_size="1kB"),
            str(tmp_path / "x.tar"),
            planned=told.append,
        )
    assert [type(one) for one in told] == [rootfs_builder.Plan]
    assert not (tmp_path / "x.tar").exists()
