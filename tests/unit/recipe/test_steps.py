"""Steps: where they run, what they are given, what their results must be."""

import os

import pytest

from rootfs_builder.errors import NotFoundError, StepError
from rootfs_builder.recipe import steps
from rootfs_builder.recipe.keys import AddedResult, Step, StepResult

ENVIRONMENT = {b"PATH": os.environb[b"PATH"], b"WORD": b"outer", b"RAW": b"\xff"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    return tmp_path


@pytest.fixture
def run(folder):
    """What is said, step by step, without the line that says what runs."""

    def run_(*wanted):
        said = []
        steps.run(
            [Step(name=f"s{n}", **one) for n, one in enumerate(wanted)],
            str(folder),
            environment=ENVIRONMENT,
            line=lambda name, text: said.append((name, text)),
        )
        return [one for one in said if not one[1].startswith("+ ")]

    return run_


def test_a_step_runs_in_the_recipes_folder_or_in_its_own(run, folder):
    assert run({"run": "pwd"}, {"run": ["pwd"], "dir": "sub"}, {"run": "pwd", "dir": "/"}) == [
        ("s0", str(folder)),
        ("s1", f"{folder}/sub"),
        ("s2", "/"),
    ]


def test_words_are_for_no_shell_and_a_line_is(run):
    assert run({"run": ["echo", "$WORD", "; exit 1"]}, {"run": "echo $WORD; true"}) == [
        ("s0", "$WORD ; exit 1"),
        ("s1", "outer"),
    ]


def test_variables_come_over_those_of_the_user(run):
    given = {"run": 'echo "$WORD $NEW"; printf "$RAW" | od -An -tx1'}
    assert run(given | {"env": {"NEW": "ü"}}, given | {"env": {"WORD": "inner"}}) == [
        ("s0", "outer ü"),
        ("s0", " ff"),
        ("s1", "inner "),
        ("s1", " ff"),
    ]


def test_both_streams_are_heard_in_their_order_and_stdin_is_empty(run):
    said = run({"run": "echo a; echo b >&2; cat; printf 'c\\377'; echo; printf 'end'"})
    assert [text for _, text in said] == ["a", "b", "c\\xff", "end"]


def test_the_first_that_fails_is_the_last(run, folder):
    with pytest.raises(StepError, match=r"step s1: false: exited with status 1"):
        run({"run": "touch one"}, {"run": "false"}, {"run": "touch three"})
    assert {path.name for path in folder.iterdir()} == {"one", "sub"}


@pytest.fixture
def check(folder):
    made = {"compile": Step(name="compile", run="make", dir="sub")}
    return lambda *results: steps.check(results, str(folder), made)


def test_results_are_files_directories_or_links_of_any_path(check, folder):
    (folder / "sub/file").touch()
    (folder / "link").symlink_to("nowhere")
    check(
        StepResult(path="sub/file", step="compile"),
        StepResult(path="./sub/../sub", step="compile"),
        AddedResult(path="link", step="compile", to="/x"),
        StepResult(path=str(folder / "sub/file"), step="compile"),
    )


def test_of_a_result_that_is_not_there_its_namesakes_are_told(check, folder):
    for name in ("a/hello", "b/hello", "hello.c"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    with pytest.raises(NotFoundError) as caught:
        check(
            StepResult(path="hello", step="compile"),
            StepResult(path="/nowhere/x", step="compile"),
            StepResult(path="a/hello", step="compile"),
        )
    assert str(caught.value).splitlines() == [
        "hello: the step compile did not make it; there is a/hello, b/hello",
        f"/nowhere/x: the step compile did not make it; nothing in {folder} has that name",
    ]


def test_a_directory_of_a_step_is_searched_where_it_lies_elsewhere(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "hello").touch()
    made = {"compile": Step(name="compile", run="make", dir=str(other))}
    with pytest.raises(NotFoundError, match=f"there is {other}/hello"):
        steps.check([StepResult(path="hello", step="compile")], str(folder), made)
