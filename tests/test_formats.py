"""The command line of formats: directories, files beside the archive, budgets, stripping."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import conformance

HELLO = '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }'
PAGE = Path(__file__).parent.parent / "docs/formats.md"
REFUSES = {  # what is known of each consumer from elsewhere: the rows that it cannot take
    "docker": r"oci, .*",
    "skopeo `oci-archive:`, `oci:`": r"docker, .*",
    "skopeo `docker-archive:`": r"oci, .*",
    "umoci": r"docker, .*|.*, zstd|hybrid, .*health-cmd.*",
    "oras": r"docker, .*",
}


def test_the_page_promises_no_more_than_is_known():
    rows = re.findall(r"(?m)^\|(.*)\|$", PAGE.read_text().partition("<!-- written")[2])
    head, _, *cells = ([cell.strip() for cell in row.split("|")] for row in rows)
    assert len(cells) == 13
    for title, *row in cells:
        for consumer, cell in zip(head[1:], row, strict=True):
            refused = re.fullmatch(REFUSES.get(consumer, "none"), title) is not None
            assert cell.startswith("no (") == refused, (title, consumer)


@pytest.fixture
def hello(cc):
    return cc(HELLO, args=["-g"])


def tree(folder):
    return {
        str(path.relative_to(folder)): path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
    }


def test_a_second_run_replaces_the_directory_of_a_layout(cli, hello, tmp_path):
    first = cli("pack", hello, "-o", "oci:layout", check=True).stdout
    before = tree(tmp_path / "layout")
    assert cli("pack", hello, "-o", "oci:layout", check=True).stdout == first
    assert tree(tmp_path / "layout") == before
    other = cli("pack", hello, "-o", "oci:layout", "-l", "a=b", "-t", "x:2", check=True).stdout
    assert other.startswith("docker.io/library/x:2@sha256:")
    assert conformance.problems(tmp_path / "layout", "oci") == []
    assert other.strip().rpartition(":")[2] in tree(tmp_path / "layout/blobs/sha256")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["hello", "layout"]


def test_a_layout_and_an_archive_are_one_image(cli, hello, tmp_path):
    said = {
        cli("pack", hello, "-o", *words, check=True).stdout
        for words in (["oci:layout"], ["x.tar"], ["x.tar", "--format", "oci"])
    }
    assert len(said) == 1
    assert cli("verify", "layout", check=True).stdout == cli("verify", "x.tar").stdout.replace(
        "x.tar", "layout"
    )
    subprocess.run(["tar", "-xf", "x.tar"], cwd=tmp_path, check=True)
    assert (tmp_path / "index.json").read_bytes() == (tmp_path / "layout/index.json").read_bytes()


def test_a_failed_run_leaves_the_layout_as_it_was(cli, hello, tmp_path):
    cli("pack", hello, "-o", "oci:layout", check=True)
    before = tree(tmp_path)
    done = cli("pack", hello, "-o", "oci:layout", "--entrypoint", "/none")
    assert done.returncode == 2
    assert tree(tmp_path) == before


@pytest.mark.parametrize("shape", ["hybrid", "docker"])
def test_a_directory_is_an_oci_layout(cli, hello, shape):
    done = cli("pack", hello, "-o", "oci:layout", "--format", shape)
    assert done.returncode == 2
    assert f"a directory is an OCI layout; --format {shape} needs a FILE" in done.stderr


def test_what_stands_beside_the_archive_is_what_buildx_and_docker_write(cli, hello, tmp_path):
    words = ("--iidfile", "id", "--metadata-file", "facts.json", "-t", "hello:1.0")
    printed = cli("pack", hello, "-o", "oci:layout", *words, check=True).stdout.strip()
    (pointer,) = json.loads((tmp_path / "layout/index.json").read_text())["manifests"]
    manifest = json.loads(
        (tmp_path / "layout/blobs/sha256" / pointer["digest"].partition(":")[2]).read_text()
    )
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert facts == {
        "containerimage.config.digest": manifest["config"]["digest"],
        "containerimage.descriptor": pointer,
        "containerimage.digest": pointer["digest"],
        "image.name": "docker.io/library/hello:1.0",
    }
    assert printed == f"{facts['image.name']}@{facts['containerimage.digest']}"
    assert (tmp_path / "id").read_text() == facts["containerimage.config.digest"]  # no line feed


def test_a_failed_run_leaves_what_stands_beside_as_it_was(cli, hello, tmp_path):
    (tmp_path / "id").write_text("old")
    before = tree(tmp_path)
    done = cli("pack", hello, "-o", "none/x.tar", "--iidfile", "id", "--metadata-file", "m.json")
    assert done.returncode == 1
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--iidfile", "x.tar"], "-o x.tar: --iidfile names the same file; name another"),
        (["--iidfile", "./a", "--metadata-file", "a"], "--metadata-file names the same file"),
        (["--iidfile", "hello"], "--iidfile hello: would be overwritten, and goes into the image"),
        (["--metadata-file", ""], "--metadata-file: name a file; stdout has the name and digest"),
        (["--iidfile", "-"], "--iidfile: name a file; stdout has the name and digest"),
    ],
)
def test_a_file_beside_that_cannot_be(cli, hello, tmp_path, words, said):
    before = tree(tmp_path)
    done = cli("pack", "./hello", "-o", "x.tar", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert hello.exists()
    assert tree(tmp_path) == before


def test_a_budget_names_the_largest_files_and_why_they_are_there(cli, hello, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02}").write_bytes(b"x" * 1000 * (number + 1))
    words = ("pack", hello, "-o", "x.tar", "--add", "data:/data", "--max-size")
    done = cli(*words, "100kB")
    assert (done.returncode, done.stdout) == (5, "")
    head, *rows = done.stderr.splitlines()
    assert head.startswith("rootfs-builder: --max-size: the files have ")
    assert "more than 100,000; the largest of 15" in head
    assert len(rows) == 10
    sizes = [int(row.split()[0].replace(",", "")) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert "libc.so.6: NEEDED libc.so.6 of /usr/local/bin/hello (" in rows[0]
    assert rows[3].split(maxsplit=1)[1] == "/data/11: added /data"
    assert not (tmp_path / "x.tar").exists()
    total = json.loads(cli(*words, "1GB", "--json", check=True).stdout)["bytes"]
    assert f"have {total:,} bytes, {total - 100_000:,} more" in head
    assert cli(*words, f"{total}B").returncode == 0
    assert cli(*words, f"{total - 1}B").returncode == 5


@pytest.mark.skipif(shutil.which("strip") is None, reason="needs binutils")
def test_strip_is_for_pack_and_stage_alike(cli, hello, tmp_path):
    before = hello.read_bytes()
    cli("stage", hello, "-o", "tree", "--strip", check=True)
    size = (tmp_path / "tree/usr/local/bin/hello").stat().st_size
    assert size < len(before)
    assert hello.read_bytes() == before
    whole, less = (
        json.loads(cli("pack", hello, "-o", "x.tar", "--json", *words, check=True).stdout)
        for words in ([], ["--strip"])
    )
    assert whole["bytes"] - less["bytes"] >= len(before) - size
    again = cli("pack", hello, "-o", "x.tar", "--strip", check=True).stdout
    assert again.strip().endswith(less["digest"])
    cli("pack", hello, "-o", "hello", "--strip")
    assert hello.read_bytes() == before
    said = subprocess.run([tmp_path / "tree/usr/local/bin/hello"], capture_output=True, check=True)
    assert said.stdout == b"hello\n"


def test_what_checks_the_health_must_be_in_the_image(cli, hello):
    done = cli("pack", hello, "-o", "x.tar", "--health-cmd", "curl -f localhost")
    assert done.returncode == 2
    assert "--health-cmd curl: not in the image, which has /usr/local/bin/hello" in done.stderr
