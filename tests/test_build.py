"""`build` and `init` as a user meets them: steps, several images, what is shown, how they end."""

import contextlib
import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

from rootfs_builder import cli as room
from rootfs_builder.commands import packing
from rootfs_builder.errors import InputError, RootfsError

HELLO = "int main(void) { return 0; }"
DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$", re.MULTILINE)
TWO = """\
user = "1000"
env = { LOG = "info", ZONE = "x" }

[[image]]
executables = ["hello"]
output = "hello.tar"
env = { LOG = "debug" }

[[image]]
executables = ["other"]
output = "other.tar"
user = "nonroot"
"""


@pytest.fixture
def folder(tmp_path, cc):
    cc(HELLO, where=tmp_path)
    cc("int main(void) { return 1; }", name="other", where=tmp_path)
    return tmp_path


def write(folder, text, name="rootfs.toml"):
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text)
    return path


def digests(done):
    return DIGEST.findall(done.stdout)


def config(cli, *words):
    """The Env and User of an image that pack makes."""
    return json.loads(cli("pack", *words, "--json", check=True).stdout)["config"]


def test_a_recipe_gives_what_pack_gives(cli, folder):
    write(folder, 'executables = ["hello"]\noutput = "a.tar"\nuser = "1000"\ncommand = ["-v"]\n')
    built = cli("build", check=True)
    packed = cli("pack", "hello", "-o", "b.tar", "-u", "1000", "--", "-v", check=True)
    assert built.stdout == packed.stdout
    assert (folder / "a.tar").read_bytes() == (folder / "b.tar").read_bytes()
    said = packed.stderr.replace("b.tar", "a.tar").replace(" (-v says why)", "").splitlines()
    first, *rest = built.stderr.splitlines()
    assert first.partition(") in ")[0] == said[0].partition(") in ")[0]  # then how long it took
    assert [*rest, said[-1]] == said[1:]
    assert said[-1].startswith("next: ")


def test_relative_paths_start_at_the_recipes_folder(cli, folder):
    sub = folder / "sub"
    write(sub, "[greeting]\nbecause = 'b'\nsource = 's'\nwrite = { '/g' = 'hi' }\n", "my.toml")
    (sub / "lib").mkdir()
    write(sub, "words", "conf/words")
    text = """\
executables = ["../hello"]
output = "hello.tar"
iidfile = "id"
rules = ["my.toml"]
with = ["greeting"]
library-path = ["lib"]
add = ["conf/words:/etc/words"]
"""
    write(sub, text)
    built = cli("build", "sub/rootfs.toml", check=True)
    assert digests(built) == digests(cli("build", "sub", check=True))
    options = ["--iidfile", "x", "--rules", "my.toml", "--with", "greeting", "-L", "lib"]
    words = ["pack", "../hello", "-o", "y.tar", *options, "--add", "conf/words:/etc/words"]
    assert digests(built) == digests(cli(*words, cwd=sub, check=True))
    assert (sub / "hello.tar").read_bytes() == (sub / "y.tar").read_bytes()
    assert (sub / "id").read_bytes() == (sub / "x").read_bytes()


def test_images_say_their_own_over_what_is_shared(cli, folder):
    write(folder, TWO)
    built = cli("build", "--json", check=True)
    configs = {one["output"]: one["config"] for one in json.loads(built.stdout)}
    assert configs == {
        "hello.tar": config(
            cli, "hello", "-o", "x.tar", "-u", "1000", "-e", "ZONE=x", "-e", "LOG=debug"
        ),
        "other.tar": config(
            cli, "other", "-o", "x.tar", "-u", "nonroot", "-e", "LOG=info", "-e", "ZONE=x"
        ),
    }


def test_pyproject_has_a_table_for_it(cli, folder):
    keys = 'executables = ["hello"]\noutput = "hello.tar"\n'
    write(folder, f'[project]\nname = "x"\n[tool.rootfs-builder]\n{keys}', "pyproject.toml")
    found = cli("build", check=True).stdout
    write(folder, keys.replace("hello.tar", "other.tar"))
    assert cli("build", check=True).stdout == found
    assert (folder / "other.tar").exists()  # rootfs.toml is taken where both are


@pytest.mark.parametrize(
    ("sets", "options"),
    [
        (["user=65534"], ["-u", "65534", "-e", "A=1", "-e", "B=2"]),
        (["env.A=3"], ["-e", "B=2", "-e", "A=3"]),
        (["env.C=a=b"], ["-e", "A=1", "-e", "B=2", "-e", "C=a=b"]),
        (["env=X=1", "env=Y=2"], ["-e", "X=1", "-e", "Y=2"]),
        (["compression=none"], ["-e", "A=1", "-e", "B=2", "--compression", "none"]),
        (["compression-level=9"], ["-e", "A=1", "-e", "B=2", "--compression-level", "9"]),
        (["executables=other"], ["-e", "A=1", "-e", "B=2"]),
        (["strip=true", "strip=false"], ["-e", "A=1", "-e", "B=2"]),
        (['entrypoint=["/usr/local/bin/hello","x"]'], None),
    ],
    ids=str,
)
def test_set_says_a_key_otherwise(cli, folder, sets, options):
    write(folder, 'executables = ["hello"]\noutput = "h.tar"\nenv = { A = "1", B = "2" }\n')
    built = cli("build", *(word for one in sets for word in ("--set", one)), check=True)
    if options is None:
        options = ["-e", "A=1", "-e", "B=2", "--entrypoint", "/usr/local/bin/hello x"]
    program = "other" if "executables=other" in sets else "hello"
    packed = cli("pack", program, "-o", "x.tar", *options, check=True)
    assert digests(built) == digests(packed)


STEPS = """\
executables = [{ from = "compile", path = "bin/made" }]
output = "made.tar"
add = [{ from = "words", path = "words", to = "/etc/words" }]

[[step]]
name = "compile"
dir = "bin"
env = { SOURCE = "../hello" }
run = "echo \\"$SOURCE for $FOR\\"; echo oops >&2; cp $SOURCE made"

[[step]]
name = "words"
run = ["cp", "bin/made", "words"]
"""


def test_steps_run_first_and_are_heard(cli, folder):
    (folder / "bin").mkdir()
    write(folder, STEPS)
    built = cli("build", env={"FOR": "me"}, check=True)
    heard = [line for line in built.stderr.splitlines() if " | " in line]
    assert [line for line in heard if "| +" not in line] == [
        "compile | ../hello for me",
        "compile | oops",
    ]
    assert heard[-1] == "words | + cp bin/made words"
    packed = cli("pack", "bin/made", "-o", "x.tar", "--add", "words:/etc/words", check=True)
    assert digests(built) == digests(packed)


def test_a_step_that_fails_stops_all_and_keeps_the_old_image(cli, folder):
    (folder / "made.tar").write_text("old")
    write(folder, STEPS.replace("cp $SOURCE made", "exit 7"))
    (folder / "bin").mkdir()
    done = cli("build")
    assert done.returncode == 1
    assert re.search(
        r"rootfs-builder: step compile: .*: exited with status 7 \(see its output above\)",
        done.stderr,
    )
    assert "words |" not in done.stderr
    assert (folder / "made.tar").read_text() == "old"
    assert not (folder / "words").exists()


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ('["nothing-of-that-name"]', "nothing-of-that-name: cannot be run: No such file"),
        ('"kill -9 $$"', "killed by signal 9"),
        ('"exit 3"\ndir = "not/here"', "cannot be run: No such file or directory"),
    ],
)
def test_how_a_step_can_fail(cli, folder, run, said):
    text = f'executables = ["hello"]\noutput = "h.tar"\n[[step]]\nname = "s"\nrun = {run}\n'
    write(folder, text)
    done = cli("build")
    assert (done.returncode, "step s: " in done.stderr, said in done.stderr) == (1, True, True)


def test_a_quiet_build_is_heard_where_a_step_fails(cli, folder):
    text = 'executables = ["hello"]\noutput = "h.tar"\n[[step]]\nname = "s"\nrun = "echo why; {}"\n'
    write(folder, text.replace("{}", "exit 1"))
    assert "s | why\n" in cli("build", "-q").stderr
    write(folder, text.replace("{}", "exit 0"))
    assert cli("build", "-q", check=True).stderr == ""


def test_what_a_worker_wrote_where_nobody_sees_it(folder, monkeypatch, capsys):
    from rootfs_builder.commands import build, building
    from rootfs_builder.commands.batch import Outcome
    from rootfs_builder.errors import RootfsError

    write(folder, 'executables = ["hello"]\n\noutput = "h.tar"\n')
    monkeypatch.chdir(folder)
    monkeypatch.setattr(building, "build", lambda *_: Outcome(lines=("said",)))
    with pytest.raises(RootfsError, match=r"rootfs.toml:3: output: h.tar: a worker wrote it, and"):
        build.command.main([], standalone_mode=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("locale", ["C", "de_DE.ISO-8859-1"])
def test_a_recipe_is_the_same_in_every_locale(cli, folder, locale):
    (folder / "grüße").write_bytes((folder / "hello").read_bytes())
    (folder / "grüße").chmod(0o755)
    text = 'executables = ["grüße"]\noutput = "ü.tar"\nenv = { A = "ä" }\nadd = ["grüße:/ö"]\n'
    write(folder, text)
    found = cli("build", "--set", "label.x=ß", check=True).stdout
    before = (folder / "ü.tar").read_bytes()
    environment = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert cli("build", "--set", "label.x=ß", env=environment, check=True).stdout == found
    assert (folder / "ü.tar").read_bytes() == before


def defect(folder, monkeypatch, jobs, *words, error=None):
    """A build of three images, the second of which meets a defect of ours, or this error."""
    pack = packing.pack

    def broken(values, **options):
        if values["tag"] == ("i:1",):
            raise error or AttributeError("no such thing")
        return pack(values, **options)

    monkeypatch.chdir(folder)
    monkeypatch.setattr(packing, "pack", broken)  # the processes are forks of this one
    return room.run(["build", *many(folder, 3), "-j", jobs, *words], None)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_defect_is_no_mistake_of_the_recipe(folder, monkeypatch, capsys, jobs):
    assert defect(folder, monkeypatch, jobs) == 1
    done = capsys.readouterr()
    assert re.findall(r"/(i:\d)@", done.out) == ["i:0", "i:2"]
    assert "r1/image.tar | internal error: AttributeError: no such thing; this is a" in done.err
    assert done.err.splitlines()[-1].startswith("rootfs-builder: internal error: AttributeError: ")
    assert "r1/rootfs.toml" not in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_debug_shows_where_a_defect_is(folder, monkeypatch, capsys, jobs):
    with pytest.raises(AttributeError, match="no such thing") as caught:
        defect(folder, monkeypatch, jobs, "--debug")
    text = "".join(traceback.format_exception(caught.value))
    assert "in broken\n" in text
    assert "r1/image.tar | AttributeError: no such thing" in capsys.readouterr().err


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_debug_shows_where_an_error_was_raised(cli, folder, jobs):
    done = cli("build", *many(folder, 2, bad=(1,)), "-j", jobs, "--debug")
    assert done.returncode == 1
    assert "NotFoundError: r1/rootfs.toml:1: executables: nothing: no such file" in done.stderr
    assert "in _stop_if_missing" in done.stderr


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_debug_shows_where_the_system_refused_something(folder, monkeypatch, capsys, jobs):
    full = OSError(errno.ENOSPC, "No space left on device", "/x")
    with pytest.raises(RootfsError) as caught:
        defect(folder, monkeypatch, jobs, "--debug", error=full)
    assert str(caught.value) == "1 of 3 images are not written: r1/image.tar"
    shown = capsys.readouterr().err
    assert "r1/image.tar | rootfs_builder.errors.RootfsError: r1/rootfs.toml: /x: No space" in shown
    assert "in broken\n" in shown


def test_an_error_with_the_place_of_its_key_has_all_that_it_had(folder, monkeypatch):
    monkeypatch.chdir(folder)
    error = InputError("not an ELF file", paths=("/x",))
    error.add_note("seen here")

    def pack(*_, **__):
        raise error

    monkeypatch.setattr(packing, "pack", pack)
    with pytest.raises(InputError) as caught:
        room.run(["build", *many(folder, 1), "--debug"], None)
    assert str(caught.value) == "r0/rootfs.toml: not an ELF file"
    assert caught.value.paths == ("/x",)
    assert caught.value.__notes__[0] == "seen here"
    assert "in pack\n" in caught.value.__notes__[1]


def test_a_result_that_the_step_left_elsewhere_is_named_with_its_place(cli, folder):
    (folder / "bin").mkdir()
    write(folder, STEPS.replace('path = "bin/made"', 'path = "made"'))
    done = cli("build")
    assert done.returncode == 3
    assert done.stderr.endswith(
        "rootfs-builder: rootfs.toml:1: executables: made: the step compile did not make it; there "
        "is bin/made\n"
    )
    write(folder, STEPS.replace('path = "words"', 'path = "wrods"'))
    assert re.search(r"wrods: the step words did not make it; nothing in .*", cli("build").stderr)


def many(folder, count, *, bad=()):
    for n in range(count):
        name = "nothing" if n in bad else "../hello"
        text = f'executables = ["{name}"]\noutput = "image.tar"\ntag = "i:{n}"\n'
        write(folder, text, f"r{n}/rootfs.toml")
    return [f"r{n}/rootfs.toml" for n in range(count)]


@pytest.mark.parametrize("jobs", ["1", "2", "7"])
def test_one_failure_stops_no_other_image(cli, folder, jobs):
    recipes = many(folder, 6, bad=(1, 4))
    done = cli("build", *recipes, "-j", jobs)
    assert done.returncode == 3
    assert re.findall(r"/(i:\d)@", done.stdout) == ["i:0", "i:2", "i:3", "i:5"]
    assert len(set(digests(done))) == 1
    for n in (1, 4):
        line = f"r{n}/image.tar | r{n}/rootfs.toml:1: executables: nothing: no such file"
        assert line in done.stderr
        assert not list((folder / f"r{n}").glob("*.tar*"))
    last = done.stderr.splitlines()[-1]
    assert last == ("rootfs-builder: 2 of 6 images are not written: r1/image.tar, r4/image.tar")


def test_side_by_side_as_one_after_the_other(cli, folder):
    recipes = many(folder, 5)
    written = []
    for jobs in ("1", "2", "3"):
        said = cli("build", *recipes, "-j", jobs, check=True).stdout
        images = [(folder / f"r{n}/image.tar").read_bytes() for n in range(5)]
        written.append((said, images))
    assert written[0] == written[1] == written[2]


def test_failures_of_several_kinds_end_with_1(cli, folder):
    recipes = many(folder, 3, bad=(1,))
    write(folder / "r2", 'executables = ["../hello"]\noutput = "no/image.tar"\n')
    assert cli("build", *recipes, "-j", "2").returncode == 1


def test_the_mistakes_of_all_recipes_are_told_before_anything_is_done(cli, folder):
    recipes = many(folder, 3)
    write(folder / "r0", 'executables = ["../hello"]\nbad = 1\noutput = "image.tar"\n')
    write(folder / "r2", 'executables = ["../hello"]\n\nworse = 1\noutput = "image.tar"\n')
    done = cli("build", *recipes)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.findall(r"r\d/rootfs.toml:\d", done.stderr) == [
        "r0/rootfs.toml:2",
        "r2/rootfs.toml:3",
    ]
    assert not list(folder.glob("r?/*.tar"))


def test_where_steps_fail_the_images_of_that_recipe_alone_are_not_written(cli, folder):
    recipes = many(folder, 2)
    step = '[[step]]\nname = "s"\nrun = "echo said; exit 1"\n'
    with (folder / recipes[0]).open("a") as file:
        file.write(step)
    done = cli("build", *recipes, "-j", "2")
    assert done.returncode == 1
    assert "r0 s | said\n" in done.stderr
    assert "r0/image.tar | r0/rootfs.toml: not built, since the steps of" in done.stderr
    assert len(digests(done)) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 3, "rootfs.toml: no such file here; rootfs-builder init ./hello writes one"),
        (["no.toml"], 3, "no.toml: no such file; rootfs-builder init"),
        (["hello"], 2, "hello: a program where a recipe is expected; rootfs-builder init hello"),
        (["image"], 1, "image: not UTF-8 text"),
        (["--set", "user"], 2, "--set user: 'user' is not KEY=VALUE"),
        (["-j", "0"], 2, "-j N: 0 is not in the range x>=1"),
        (["--", "x"], 2, "build starts nothing"),
        (["-t", "x:1"], 2, "-t: an option of pack; a recipe has the key tag"),
    ],
    ids=str,
)
def test_what_is_no_recipe(cli, folder, words, code, said):
    (folder / "image").write_bytes(b"\xff\xfe")
    if "--set" in words:
        write(folder, 'executables = ["hello"]\noutput = "h.tar"\n')
    done = cli("build", *words)
    assert (done.returncode, said in done.stderr, done.stdout) == (code, True, "")


def test_init_writes_a_recipe_that_builds(cli, folder):
    assert cli("init", "./hello", "--", "-v", check=True).stdout == "./rootfs.toml\n"
    packed = cli("pack", "./hello", "-o", "x.tar", "--", "-v", check=True)
    assert digests(cli("build", check=True)) == digests(packed)
    before = (folder / "rootfs.toml").read_bytes()
    again = cli("init", "./other")
    assert (again.returncode, "already exists" in again.stderr) == (1, True)
    assert (folder / "rootfs.toml").read_bytes() == before


SLOW = """\
executables = ["hello"]
output = "h.tar"
[[step]]
name = "slow"
run = "sleep 987654 & echo $! >pid; wait"
"""


def wait_for_end(command_line):
    """A process that was killed goes when it is next scheduled; a zombie's command is empty."""
    deadline = time.monotonic() + 30
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        while command_line.read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.05)


INTERRUPTED = """
import os, signal, subprocess
from rootfs_builder import tools

fork = subprocess._fork_exec

def interrupted(*arguments):
    pid = fork(*arguments)
    print(pid, flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    return pid

subprocess._fork_exec = interrupted
try:
    with tools._started(["sleep", "987654"]):
        print("started")
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_signal_before_the_process_has_its_id_loses_no_process(tmp_path):
    """Under load the child may run for a while before fork returns."""
    command = [sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    pid, said = done.stdout.split()
    assert said == "interrupted"
    wait_for_end(Path(f"/proc/{pid}/cmdline"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupted_build_leaves_no_process_and_no_file(folder, number, jobs):
    recipes = []
    for n in range(2):
        write(folder, SLOW.replace("hello", "../hello"), f"r{n}/rootfs.toml")
        recipes.append(f"r{n}/rootfs.toml")
    builder = subprocess.Popen(
        [sys.executable, "-m", "rootfs_builder", "build", *recipes, "-j", jobs],
        cwd=folder,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    pids = [folder / f"r{n}/pid" for n in range(int(jobs))]
    deadline = time.monotonic() + 60
    while not all(pid.exists() and pid.read_text().strip() for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    builder.send_signal(number)
    said = builder.communicate(timeout=60)[1].decode()
    assert builder.returncode == 128 + number, said
    assert "Traceback" not in said
    for pid in pids:
        wait_for_end(Path(f"/proc/{pid.read_text().strip()}/cmdline"))
    assert not list(folder.glob("r?/*.tar*"))
    assert not list(folder.glob("r?/.*.tmp"))
