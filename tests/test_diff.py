"""`diff` as a command: what it takes, what it prints, and how it ends."""

import json
import shutil

import jsonschema
import pytest

from tests.test_bad_images import image, tar

HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }'
OTHER = '#include <stdio.h>\nint main(void) { puts("other"); return 0; }'


@pytest.fixture
def built(cli, cc, tmp_path):
    """`old.tar` and `new.tar` of one name: another program in the same place, and more."""
    cc(HELLO, name="a/hello")
    cc(OTHER, name="b/hello")
    (tmp_path / "words").write_text("words")
    cli("pack", "a/hello", "-o", "old.tar", "-e", "A=1", check=True)
    more = ("-e", "A=2", "--add", "words:/srv/words", "--mode", "b/hello=0700")
    cli("pack", "b/hello", "-o", "new.tar", *more, check=True)
    return tmp_path


def told(cli, *words):
    done = cli("diff", *words, "--json")
    found = json.loads(done.stdout)
    jsonschema.validate(found, json.loads(cli("diff", "--schema", check=True).stdout))
    assert done.returncode == (0 if found["equal"] else 1), done.stderr
    return found


def test_two_builds_of_the_same_do_not_differ(cli, cc):
    cc(HELLO)
    for name in ("old.tar", "new.tar"):
        cli("pack", "hello", "-o", name, "--no-cache", check=True)
    done = cli("diff", "old.tar", "new.tar")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = told(cli, "old.tar", "new.tar")
    assert found["layers"] == {"pushed": [], "dropped": [], "kept": 2}
    assert "No difference." in cli("diff", "old.tar", "new.tar", "--markdown", check=True).stdout


@pytest.mark.usefixtures("built")
def test_what_differs_is_told_with_both_values(cli):
    done = cli("diff", "old.tar", "new.tar")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("--- old.tar: docker.io/library/hello:latest, linux/")
    assert "  config.Env.A: 1 → 2" in lines
    assert "  + /srv/words 5 B: added /srv/words" in lines
    (program,) = (one for one in lines if one.startswith("  ~ "))
    assert program.startswith("  ~ /usr/local/bin/hello: content")
    assert ", mode 0755 → 0700" in program
    assert any(one.startswith("layers: a push moves 1 of 2, ") for one in lines)
    assert cli("diff", "old.tar", "new.tar", "-q").stdout == ""
    found = told(cli, "old.tar", "new.tar")
    assert [one["path"] for one in found["added"]] == ["/srv", "/srv/words"]
    assert [one["path"] for one in found["changed"]] == ["/usr/local/bin/hello"]


def test_the_next_result_of_a_recipe_is_compared_and_nothing_written(cli, built):
    (built / "rootfs.toml").write_text(
        'executables = ["a/hello"]\noutput = "out.tar"\niidfile = "id"\nenv = { A = "1" }\n'
    )
    assert told(cli, "old.tar", "rootfs.toml")["equal"]
    changed = told(cli, "rootfs.toml", "new.tar")
    assert [one["key"] for one in changed["config"]] == ["config.Env.A"]
    shutil.copy(built / "b/hello", built / "a/hello")
    assert [one["what"] for one in told(cli, "old.tar", "rootfs.toml")["changed"]] == [["content"]]
    assert not {"out.tar", "id"} & {one.name for one in built.iterdir()}


def test_of_a_recipe_with_several_images_the_one_of_the_name_is_meant(cli, built):
    images = "".join(
        f'[[image]]\nexecutables = ["{one}/hello"]\noutput = "{one}.tar"\ntag = "{tag}"\n'
        for one, tag in (("a", "hello"), ("b", "other"))
    )
    (built / "rootfs.toml").write_text(f'env = {{ A = "1" }}\n{images}')
    assert told(cli, "old.tar", "rootfs.toml")["equal"]
    done = cli("diff", "rootfs.toml", "old.tar")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "2 images (docker.io/library/hello:latest, docker.io/library/other:latest)" in done.stderr
    )


def test_a_staging_directory_has_the_files_of_the_image(cli, built):
    words = ("a/hello", "-o", "stage")
    cli("stage", *words, check=True)
    found = told(cli, "old.tar", "stage")
    assert found["equal"], found
    (built / "stage/more").write_text("x" * 2000)
    (built / "stage/usr/local/bin/hello").chmod(0o4755)
    found = told(cli, "old.tar", "stage")
    assert [one["path"] for one in found["added"]] == ["/more"]
    assert [(one["path"], one["what"]) for one in found["changed"]] == [
        ("/usr/local/bin/hello", ["mode"])
    ]
    assert "  + /more 2.0 kB" in cli("diff", "old.tar", "stage").stdout.splitlines()


def test_a_whole_new_directory_is_one_line_without_verbose(cli, tmp_path):
    files = [(f"new/deep/{number}", b"x" * 100) for number in range(30)]
    (tmp_path / "old.tar").write_bytes(image(tar(("file", b"x"))))
    (tmp_path / "new.tar").write_bytes(image(tar(("file", b"x"), ("few/one", b"1"), *files)))
    lines = cli("diff", "old.tar", "new.tar").stdout.splitlines()
    assert [one for one in lines if one.startswith("  + /")] == [
        "  + /few/one 1 B",
        "  + /new/ with 30 files, 3.0 kB",
    ]
    whole = cli("diff", "old.tar", "new.tar", "-v").stdout
    assert sum(one.startswith("  + /new/deep/") for one in whole.splitlines()) == 31


def test_an_image_of_others_knows_packages_by_the_database_in_it(cli, tmp_path):
    def archive(version):
        status = f"Package: greet\nStatus: install ok installed\nVersion: {version}\n"
        return image(
            tar(
                ("usr/bin/greet", f"greet {version}".encode()),
                ("var/lib/dpkg/status", f"{status}Architecture: all\n".encode()),
                ("var/lib/dpkg/info/greet.list", b"/.\n/usr\n/usr/bin\n/usr/bin/greet\n"),
            )
        )

    for name, version in (("old.tar", "1.0-1"), ("new.tar", "1:1.0-2")):
        (tmp_path / name).write_bytes(archive(version))
    found = told(cli, "old.tar", "new.tar")
    assert [(one["name"], one["old"], one["new"]) for one in found["packages"]] == [
        ("greet", "1.0-1", "1:1.0-2")
    ]
    text = cli("diff", "old.tar", "new.tar").stdout
    assert "  ~ greet 1.0-1 → 1:1.0-2 (+2 B)" in text.splitlines()


def test_a_text_of_an_image_neither_steers_a_terminal_nor_breaks_a_table(cli, tmp_path):
    (tmp_path / "old.tar").write_bytes(image(tar(("file", b"x"))))
    config = {"Labels": {"a|b`": "\x1b[31m<b>|\n`"}, "Env": ["A=1"]}
    (tmp_path / "new.tar").write_bytes(image(tar(("a|\x1b`b", b"x")), config=config))
    for words in ((), ("--markdown",)):
        said = cli("diff", "old.tar", "new.tar", *words).stdout
        assert "\x1b" not in said
    rows = [one for one in said.splitlines() if one.startswith("|")]
    heads = {one.replace("\\|", "").count("|") for one in rows}
    assert heads == {3, 4}
    assert "<b>" not in said.replace("`` \\x1b[31m<b>\\| ` ``", "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("absent", "good.tar"), 3, "absent: no such file or directory"),
        (("good.tar", "absent"), 3, "rootfs-builder: absent: no such file or directory"),
        (("bad.tar", "good.tar"), 2, "bad.tar: no tar archive"),
        (("good.tar", "bad.tar"), 2, "rootfs-builder: bad.tar: no tar archive"),
        (("good.tar",), 2, "NEW: missing"),
        (("-", "-"), 2, "only one image can come from stdin"),
        (("good.tar", "good.tar", "--json", "--markdown"), 2, "stdout takes one of them"),
        (("good.tar", "bad.toml"), 2, "bad.toml:1: "),
        (("good.tar", "folder", "--no-limits"), 2, "only IMAGE has limits"),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_no_difference(cli, tmp_path, words, code, said):
    (tmp_path / "good.tar").write_bytes(image())
    (tmp_path / "bad.tar").write_bytes(b"no image")
    (tmp_path / "bad.toml").write_text("executable = 1\n")
    (tmp_path / "folder").mkdir()
    done = cli("diff", *words)
    assert done.returncode == code, done
    assert ('"error"' in done.stdout) == ("--json" in words)
    assert said in done.stderr


def test_an_image_may_come_from_stdin(cli, tmp_path):
    (tmp_path / "x.tar").write_bytes(image())
    with (tmp_path / "x.tar").open("rb") as stdin:
        assert cli("diff", "-", "x.tar", stdin=stdin).returncode == 0


def test_the_published_schema_is_the_one_that_is_printed(cli):
    from tests.pages import CHECKOUT

    assert cli("diff", "--schema").stdout == (CHECKOUT / "docs/diff.schema.json").read_text()
