"""`--json`: one document a run, a result or an error, which the published schema describes."""

import json
import shutil

import jsonschema
import pytest

from rootfs_builder.views import documents
from tests.pages import CHECKOUT

HELLO = "int main(void) { return 0; }"
RESULTS = {  # a command of each verb, and the type of its document
    "pack": [
        (("hello", "-o", "x.tar"), "Packed"),
        (("hello", "--dry-run"), "Planned"),
    ],
    "build": [(("good.toml",), "Built")],
    "stage": [(("hello", "-o", "staged"), "Staged")],
    "index": [(("hello.tar", "-o", "index.tar"), "Joined")],
    "debug": [(("hello.tar", "-o", "debug.tar"), "Debugged")],
    "minimize": [(("hello.tar", "-o", "small.tar"), "Smaller")],
    "tree": [(("hello",), "Tree")],
    "why": [(("hello", "libc.so.6"), "Why"), (("hello.tar", "libc.so.6"), "Why")],
    "trace": [(("--", "./hello"), "Traced")],
    "rules": [
        ((), None),
        (("--match", "hello"), "Matched"),
        (("--explain", "locale", "hello"), "Explanation"),
    ],
    "verify": [(("hello.tar",), "Verified")],
    "inspect": [(("hello.tar",), "Inspection")],
    "diff": [(("hello.tar", "hello.tar"), "Comparison")],
    "check": [(("hello.tar", "--policy", "good-policy.toml"), "Checked")],
}
ERRORS = {  # a command of each verb that fails, and what is said of it
    "pack": (("nowhere", "-o", "x.tar"), "not-found", ["nowhere"], 3),
    "build": (("nowhere.toml",), "not-found", ["nowhere.toml"], 3),
    "stage": (("hello", "-o", "full"), "output", ["full"], 1),
    "index": (("nowhere.tar", "-o", "x.tar"), "not-found", ["nowhere.tar"], 3),
    "debug": (("nowhere.tar", "-o", "x.tar"), "not-found", ["nowhere.tar"], 3),
    "minimize": (("nowhere.tar", "-o", "x.tar"), "not-found", ["nowhere.tar"], 3),
    "tree": (("hello.c",), "input", ["hello.c"], 1),
    "why": (("hello", "libz.so.1"), "not-found", [], 3),
    "trace": ((), "usage", [], 2),
    "rules": (("--match", "hello", "--with", "nothing"), "usage", [], 2),
    "verify": (("hello",), "input", ["hello"], 1),
    "inspect": (("nowhere.tar",), "not-found", ["nowhere.tar"], 3),
    "diff": (("hello", "hello.tar"), "input", ["hello"], 2),
    "check": (("hello.tar",), "usage", [], 2),
}
NEEDS = {"debug": "busybox", "trace": "strace"}


@pytest.fixture
def folder(cli, cc, tmp_path):
    """A program, its image, recipes and policies."""
    cc(HELLO)
    cli("pack", "hello", "-o", "hello.tar", check=True)
    (tmp_path / "hello.c").write_text(HELLO)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    (tmp_path / "good.toml").write_text('executables = ["hello"]\noutput = "good.tar"\n')
    (tmp_path / "good-policy.toml").write_text('max-size = "1GB"\n')
    return tmp_path


def schema_of(verb):
    return json.loads((CHECKOUT / f"docs/{verb}.schema.json").read_text())


def described(document, verb, name=None):
    """Check a document by the schema of its verb, and by the one type that it is of."""
    schema = schema_of(verb)
    jsonschema.validate(document, schema)
    if name:
        one = document[0] if isinstance(document, list) else document
        jsonschema.validate(one, {"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]})
        assert set(one) <= set(schema["$defs"][name]["properties"])


@pytest.mark.parametrize("verb", documents.VERBS)
def test_the_published_schema_is_the_one_that_is_printed(cli, verb):
    words = ("build", "--schema", "--json") if verb == "build" else (verb, "--schema")
    printed = cli(*words, check=True).stdout
    assert printed == (CHECKOUT / f"docs/{verb}.schema.json").read_text()
    jsonschema.Draft202012Validator.check_schema(json.loads(printed))


@pytest.mark.parametrize(
    ("verb", "words", "name"),
    [(verb, *one) for verb, each in RESULTS.items() for one in each],
    ids=str,
)
def test_a_result_is_as_its_schema_says(cli, folder, verb, words, name):
    if verb in NEEDS and shutil.which(NEEDS[verb]) is None:
        pytest.skip(f"no {NEEDS[verb]}")
    done = cli(verb, "--json", *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    described(json.loads(done.stdout), verb, name)


@pytest.mark.parametrize("verb", documents.VERBS)
def test_an_error_is_one_document_of_the_same_shape(cli, folder, verb):
    words, code, paths, exit_code = ERRORS[verb]
    done = cli(verb, "--json", *words, cwd=folder)
    document = json.loads(done.stdout)
    described(document, verb, "Failed")
    error = document["error"]
    assert (error["code"], error["paths"]) == (code, paths)
    assert error["exit_code"] == done.returncode == exit_code
    assert done.stderr == f"rootfs-builder: {error['message']}\n"
    assert error["hint"] in error["message"]


def test_each_verb_is_tried():
    assert set(RESULTS) == set(ERRORS) == set(documents.VERBS)


def test_every_verb_with_json_has_a_schema(cli):
    from rootfs_builder.commands import VERBS

    have = {verb for verb in VERBS if "--json" in cli(verb, "--help", check=True).stdout}
    assert have == set(documents.VERBS)


def test_what_advice_there_is_stands_in_the_hint(cli, folder, cc):
    arguments = ["-shared", "-Wl,-soname,libf.so"]
    library = cc("int f(void) { return 0; }", name="libf.so", args=arguments)
    cc("int f(void); int main(void) { return f(); }", name="uses", args=[library])
    library.unlink()
    (folder / ".env").write_text("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYzzzzzzzzzz\n")
    for words, hint, paths in (
        (("pack", "uses", "-o", "x.tar"), "name its directory: -L DIR", ["uses"]),
        (("pack", "hello"), "rootfs-builder pack --json hello -o hello.tar", []),
        (("pack", "hello", "-o", "x.tar", "--add", ".env:/x"), "--allow-sensitive=", [".env"]),
        (("pack", "hello", "-o", "no/x.tar"), "make it first", ["no/x.tar"]),
        (("pack", "hello", "-o", "x.tar", "--max-size", "1kB"), "", []),
        (("pack", "hello", "-o", "x.tar", "--hwcaps", "x"), "pack --help lists", []),
    ):
        error = json.loads(cli(words[0], "--json", *words[1:]).stdout)["error"]
        assert hint in error["hint"]
        assert bool(hint) == bool(error["hint"])
        assert [path.removeprefix(f"{folder}/") for path in error["paths"]] == paths


def test_a_result_that_says_what_is_wrong_is_the_only_document(cli, folder):
    (folder / "small.toml").write_text('max-size = "1kB"\n')
    done = cli("check", "hello.tar", "--policy", "small.toml", "--json")
    assert done.returncode == 5
    assert json.loads(done.stdout)["violations"]


def test_of_several_images_each_is_a_result_or_an_error(cli, folder):
    (folder / "bad.toml").write_text(
        'executables = ["hello"]\noutput = "bad.tar"\nadd = ["nowhere:/x"]\n'
    )
    done = cli("build", "good.toml", "bad.toml", "--json")
    good, bad = json.loads(done.stdout)
    described([good, bad], "build", "Built")
    assert (good["output"], bad["output"]) == ("good.tar", "bad.tar")
    assert (bad["error"]["code"], bad["error"]["exit_code"]) == ("not-found", 3)
    assert bad["error"]["message"] in done.stderr


def test_a_defect_of_ours_is_a_document_too(cli, folder):
    (folder / "sitecustomize.py").write_text(
        "from rootfs_builder.image import layers\ndel layers.pack\n"
    )
    done = cli("pack", "hello", "-o", "x.tar", "--json", env={"PYTHONPATH": str(folder)})
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["exit_code"]) == ("internal", done.returncode)
    assert "please report it" in error["hint"]


def test_json_and_an_archive_do_not_share_stdout(cli, folder):
    for verb, *words in (
        ("pack", "hello"),
        ("index", "hello.tar"),
        ("debug", "hello.tar"),
        ("minimize", "hello.tar"),
    ):
        done = cli(verb, *words, "-o", "-", "--json", cwd=folder)
        assert done.returncode == 2
        assert json.loads(done.stdout)["error"]["code"] == "usage"


def test_every_code_of_an_error_is_documented():
    from rootfs_builder import errors

    kinds = [errors.RootfsError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    page = (CHECKOUT / "docs/python.md").read_text()
    assert [code for code in codes if f"`{code}`" not in page] == []
