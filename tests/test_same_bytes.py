"""The digest is a function of the files and the options, and of nothing else.

One program with a private library, a script and an added tree is packed in many ways that must not
matter. A difference is a broken promise to everybody who compares digests.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

LIBRARY = "int answer(void) { return 42; }"
PROGRAM = '#include <stdio.h>\nint answer(void);\nint main(void) { printf("%d\\n", answer()); }'
SYSTEM_PYTHON = Path("/usr/bin/python3")


@pytest.fixture
def project(cc, tmp_path):
    """A folder with a program to pack, and what is needed to make it again elsewhere."""
    where = tmp_path / "project"
    library = cc(
        LIBRARY,
        name="lib/libanswer.so",
        where=where,
        args=("-shared", "-fPIC", "-Wl,-soname,libanswer.so"),
    )
    cc(PROGRAM, name="bin/app", where=where, args=(library, "-Wl,-rpath,$ORIGIN/../lib"))
    script = where / "greet"
    script.write_text("#!/bin/sh\necho hello\n")
    script.chmod(0o755)
    grow(where / "data", range(40))
    return where


def grow(folder, numbers):
    """Files in the order of `numbers`, which some file systems list them in."""
    folder.mkdir()
    for number in numbers:
        inner = folder / f"{number % 7}"
        inner.mkdir(exist_ok=True)
        (inner / f"{number}.txt").write_text(f"{number}\n" * number)
    (folder / "latest").symlink_to("3/3.txt")


def pack(project, python=(sys.executable,), out=None, **options):
    """The digest of the project's image."""
    output = (out or project) / "out.tar"
    command = [*python, "-m", "rootfs_builder", "pack", "bin/app", "greet", "--add", "data"]
    command += ["-o", output, "-q", "-l", "b=2", "-l", "a=1", "-e", "Z=1", "-e", "A=2"]
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr
    output.unlink()
    return done.stdout.strip().partition("@")[2]


def environment(**changes):
    return {**os.environ, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"TZ": "Asia/Tokyo"},
        {"LANG": "de_DE.ISO-8859-1", "LC_ALL": "de_DE.ISO-8859-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "tr_TR.UTF-8"},
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "2"},
        {"HOME": "/nonexistent", "USER": "somebody", "LD_LIBRARY_PATH": "/nonexistent"},
        {"PYTHONOPTIMIZE": "2"},
    ],
    ids=lambda changes: " ".join(f"{key}={value}" for key, value in changes.items()),
)
def test_the_environment_does_not_matter(project, changes):
    assert pack(project, env=environment(**changes)) == pack(project)


@pytest.mark.parametrize(
    "words",
    [
        "pack ö/prögram -o 日.tar --strip",
        "pack ö/prögram -o oci:日 --depfile 日.d --iidfile 日.id",
        "build 日.toml",
    ],
)
def test_names_may_be_none_of_the_locale(project, words):
    scratch = project / "scratch/日"
    for folder in (scratch, project / "ö"):
        folder.mkdir(parents=True)
    shutil.copy(project / "bin/app", project / "ö/prögram")
    (project / "日.toml").write_text('executables = ["ö/prögram"]\noutput = "日.tar"\n')
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "rootfs_builder", *words.split()],
        cwd=project,
        env=environment(**locale, TMPDIR=str(scratch)),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_the_umask_and_modes_that_give_others_more_do_not_matter(project):
    before = pack(project)
    for path in project.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o022)
    assert pack(project, umask=0o077) == before


def test_the_modes_of_programs_and_libraries_do_not_matter(project):
    before = pack(project)
    for path in (project / "bin", project / "lib"):
        for one in path.rglob("*"):
            if one.is_file() and not one.is_symlink():
                one.chmod(0o700)
    assert pack(project, umask=0o077) == before


def test_the_directory_and_the_times_do_not_matter(project, tmp_path):
    before = pack(project)
    moved = tmp_path / "elsewhere, with a space" / "p"
    shutil.copytree(project, moved, symlinks=True)
    for number, path in enumerate(sorted(moved.rglob("*"))):
        os.utime(path, (number, number), follow_symlinks=False)
    assert pack(moved) == before


def test_the_order_of_directories_does_not_matter(project):
    before = pack(project)
    numbers = list(range(40))
    random.Random(1).shuffle(numbers)
    shutil.rmtree(project / "data")
    grow(project / "data", numbers)
    assert pack(project) == before


def test_a_shuffled_listdir_does_not_matter(project):
    """As on a file system that lists a directory in another order each time."""
    shuffled = (
        "import os, random, sys; real = os.listdir\n"
        "os.listdir = lambda p: random.sample(n := real(p), len(n))\n"
        "from rootfs_builder.cli import main\n"
        "sys.argv = ['x', 'pack', 'bin/app', 'greet', '--add', 'data', '-o', 'out.tar', '-q',\n"
        "            '-l', 'b=2', '-l', 'a=1', '-e', 'Z=1', '-e', 'A=2']\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", shuffled], cwd=project, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().partition("@")[2] == pack(project)


def test_the_number_of_cores_does_not_matter(project):
    big = project / "data" / "big"
    big.write_bytes(random.Random(2).randbytes(3_000_000) + bytes(6_000_000))
    one = pack(project, preexec_fn=lambda: os.sched_setaffinity(0, {0}))
    assert one == pack(project)


def test_options_in_another_order_do_not_matter(project, cli):
    def digest(*options):
        done = cli("pack", "bin/app", "-o", "x.tar", "-q", *options, cwd=project, check=True)
        return done.stdout

    assert digest("-l", "a=1", "-l", "b=2") == digest("-l", "b=2", "-l", "a=1")
    assert digest("--expose", "80", "--expose", "443") == digest(
        "--expose", "443", "--expose", "80"
    )


def test_source_date_epoch_is_the_only_time(project):
    dated = pack(project, env=environment(SOURCE_DATE_EPOCH="1700000000"))
    assert dated != pack(project)
    assert dated == pack(project, env=environment(SOURCE_DATE_EPOCH="1700000000", TZ="Asia/Tokyo"))


@pytest.mark.engines
@pytest.mark.parametrize("model", ["Conroe", "Nehalem", "Haswell"])  # x86-64-v1, -v2, -v3
def test_the_cpu_does_not_matter(project, cc, model):
    """Nor which of its libraries' glibc-hwcaps siblings this machine would load."""
    flags = ("-shared", "-fPIC", "-Wl,-soname,libanswer.so")
    for level in ("x86-64-v2", "x86-64-v3", "x86-64-v4"):
        cc(LIBRARY, name=f"lib/glibc-hwcaps/{level}/libanswer.so", where=project, args=flags)
    command = ["qemu-x86_64", "-cpu", model, sys.executable]
    assert pack(project, command) == pack(project)


@pytest.fixture(scope="module")
def other_python():
    """The package installed for the system's Python, where every user can read it."""
    if not SYSTEM_PYTHON.exists() or os.geteuid() != 0:
        pytest.skip("needs /usr/bin/python3, and root to become another user")
    folder = Path(tempfile.mkdtemp(prefix="python."))
    folder.chmod(0o755)
    subprocess.run([SYSTEM_PYTHON, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv/bin/python"
    checkout = Path(__file__).parent.parent
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", checkout]
    subprocess.run(install, check=True, umask=0o022)
    yield python
    shutil.rmtree(folder)


@pytest.mark.engines
def test_the_python_and_the_user_do_not_matter(project, other_python):
    for path in (project, *project.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else path.stat().st_mode | 0o444)
    public = Path(tempfile.mkdtemp(prefix="public."))
    public.chmod(0o777)
    try:
        elsewhere = Path(shutil.copytree(project, public / "p", symlinks=True))
        out = public / "out"
        out.mkdir()
        out.chmod(0o777)
        before = pack(project)
        assert pack(elsewhere, [other_python], out) == before
        assert pack(elsewhere, [other_python], out, user="nobody", umask=0o077) == before
    finally:
        shutil.rmtree(public)
