"""`trace`: what a run used that the plan of its program lacks, and nothing left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rootfs_builder.proof import tracing
from rootfs_builder.proof.observation import Use
from tests.integration import corpus

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")

COUNT = 50 if os.environ.get("ROOTFS_BUILDER_ALL_CASES") else 15  # ordinary packs
LONG = f"1{os.getpid():07}"  # seconds that no other process here sleeps
HOST = r"""
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
    char path[] = "/vts0mjc0nbhjd", name[] = "mjc{/tp/2";  /* each byte is one too many */
    for (char *c = name; *c; c++) (*c)--;
    if (!dlopen(name, RTLD_NOW)) { puts(dlerror()); return 3; }
    puts("loaded");
    return 0;
}
"""
READER = r"""
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) {
    FILE *one = fopen("data/one.txt", "r");
    FILE *two = chdir("data") ? 0 : fopen("two.txt", "r");
    FILE *made = fopen("made.txt", "w");
    if (made) fclose(made);
    FILE *again = fopen("made.txt", "r");
    unlink("made.txt");
    FILE *input = argc > 1 ? fopen(argv[1], "r") : 0;
    printf("%d%d%d%d\n", !!one, !!two, !!again, !!input);
    return 0;
}
"""


def observed(*command, directory, seconds=20.0, **variables):
    environment = {b"PATH": os.environb[b"PATH"]}
    environment |= {os.fsencode(key): os.fsencode(value) for key, value in variables.items()}
    run = tracing.Run(
        (shutil.which(command[0]) or command[0], *command[1:]), str(directory), environment
    )
    limits = tracing.Limits(seconds=seconds)
    return tracing.trace(run, tracing.Tracer.find(), limits).observation


def uses(observation):
    return {one.path: one.use for one in observation.seen}


def test_a_library_with_a_computed_name_is_an_option_that_pack_takes(cli, cc):
    cc(HOST, name="host")
    done = cli("trace", "--", "./host", check=True)
    assert done.stdout == "--include-lib libz.so.1\n"
    assert "loaded" in done.stderr
    again = cli("trace", *done.stdout.split(), "--", "./host", check=True)
    assert again.stdout == ""


def test_what_the_plan_has_is_not_repeated(cli):
    assert cli("trace", "--", "/usr/bin/env", "true", check=True).stdout.splitlines() == [
        f"--add {shutil.which('true', path='/usr/bin:/bin')}"
    ]


def test_relative_paths_go_to_where_the_image_starts_and_own_files_nowhere(cli, cc, tmp_path):
    cc(READER, name="reader")
    (tmp_path / "data").mkdir()
    for name in ("one.txt", "two.txt", "given.txt"):
        (tmp_path / "data" / name).write_text(name)
    facts = json.loads(
        cli("trace", "--json", "-w", "/srv", "--", "./reader", "given.txt", check=True).stdout
    )
    lacking = {one["path"]: one["destination"] for one in facts["lacking"] if not one["directory"]}
    assert lacking == {
        f"{tmp_path}/data/one.txt": "/srv/data/one.txt",
        f"{tmp_path}/data/two.txt": "/srv/data/two.txt",
        f"{tmp_path}/data/given.txt": "/srv/data/given.txt",
    }
    assert facts["inputs"] == []


def test_a_file_that_the_command_names_is_its_input(cli, tmp_path):
    (tmp_path / "given.txt").write_text("x")
    facts = json.loads(cli("trace", "--json", "--", "cat", "given.txt", check=True).stdout)
    assert facts["inputs"] == [f"{tmp_path}/given.txt"]
    assert facts["flags"] == []


def test_a_recipe_packs_what_the_run_used(cli, cc, tmp_path):
    cc(HOST, name="host")
    cli("trace", "--write-recipe", "rootfs.toml", "--", "./host", check=True)
    cli("build", check=True)
    assert "libz.so.1" in cli("inspect", "-v", "host.tar", check=True).stdout
    assert (tmp_path / "host.tar").exists()


@pytest.mark.parametrize("empty", [True, False])
def test_home_and_tmpdir_are_empty_unless_they_are_kept(cli, tmp_path, empty):
    options = [] if empty else ["--keep-home"]
    done = cli(
        "trace", *options, "--", "sh", "-c", "echo $HOME $TMPDIR; ls -A $HOME",
        env={"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}, check=True,
    )  # fmt: skip
    first = done.stderr.splitlines()[0].split()
    assert (str(tmp_path) in first) is not empty
    assert len(list(tmp_path.glob(".rootfs-builder.*"))) == 0


def test_children_directories_and_descriptors(tmp_path):
    (tmp_path / "d/sub").mkdir(parents=True)
    raw = os.fsencode(tmp_path) + b'/d/\xff\n") = 3'
    Path(os.fsdecode(raw)).write_text("x")
    script = (
        "import os, sys\n"
        "d = os.open('d', os.O_RDONLY)\n"
        "os.listdir(d)\n"
        "if not os.fork():\n"
        "    os.chdir('d/sub')\n"
        "    os.stat('..')\n"
        "    os.open(b'../\\xff\\n\") = 3', 0)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "os.rename('a', 'b') if os.path.exists('a') else None\n"
        "os.open('gone', os.O_CREAT | os.O_RDWR); os.rename('gone', 'new'); open('new').read()\n"
        "os.path.exists('nothing')\n"
        "os.execv('/bin/true', ['true'])\n"
    )
    found = uses(observed("/usr/bin/python3", "-Sc", script, directory=tmp_path))
    assert found[f"{tmp_path}/d"] is Use.LISTED
    assert found[os.fsdecode(os.fsencode(tmp_path) + b'/d/sub/../\xff\n") = 3')] is Use.OPENED
    assert found["/bin/true"] is Use.EXECUTED
    assert found[f"{tmp_path}/nothing"] is Use.MISSED
    assert found[f"{tmp_path}/gone"] is Use.WRITTEN
    assert f"{tmp_path}/new" not in found


def processes():
    """All that runs and could be a run's, by pid."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[int(path.parent.name)] = path.read_bytes()
        except OSError:
            continue
    return found


@pytest.mark.long
@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("f() { f | f & }; f; sleep 60", "processes"),
        ("trap '' TERM INT; while :; do :; done", "ran for"),
        ("yes", "bytes"),
        (
            "exec 2>&1; setsid sleep LONG & setsid sh -c 'trap \"\" TERM; sleep LONG' & wait",
            "ran for",
        ),
        ("while :; do : </etc/hostname; done", "system calls"),
    ],
)
def test_a_hostile_program_ends_within_its_limits_and_leaves_nothing(tmp_path, script, why):
    mark = f"HOSTILE_{os.getpid()}_{time.monotonic_ns()}"
    run = tracing.Run(
        ("/bin/sh", "-c", f": {mark}\n{script.replace('LONG', LONG)}"),
        str(tmp_path),
        {b"PATH": b"/usr/bin:/bin"},
    )
    limits = tracing.Limits(seconds=4, events=6_000, processes=60, output=8 << 20)
    began = time.monotonic()
    found = tracing.trace(run, tracing.Tracer.find(), limits).observation
    assert time.monotonic() - began < 15
    assert why in found.stopped
    assert found.code is None
    time.sleep(0.2)
    left = [one for one in processes().values() if mark.encode() in one or LONG.encode() in one]
    assert left == []


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("f() { f | f & }; f; sleep 60", marks=pytest.mark.long),
        "setsid sleep LONG & wait",
    ],
)
def test_nothing_is_left_by_a_strace_that_does_not_kill_at_its_end(tmp_path, script):
    mark = f"HOSTILE_{os.getpid()}_{time.monotonic_ns()}"
    script = f": {mark}\n{script.replace('LONG', LONG)}"
    run = tracing.Run(("/bin/sh", "-c", script), str(tmp_path), {b"PATH": b"/usr/bin:/bin"})
    tracer = tracing.Tracer(shutil.which("strace"), ("--seccomp-bpf",))
    tracing.trace(run, tracer, tracing.Limits(seconds=2, processes=40))
    time.sleep(0.2)
    left = [one for one in processes().values() if LONG.encode() in one or mark.encode() in one]
    assert left == []


@pytest.mark.long
def test_a_hundred_thousand_opens_are_read_whole(tmp_path):
    script = "import os\nfor n in range(100_000): os.close(os.open('/etc/hostname', 0))"
    found = observed("/usr/bin/python3", "-Sc", script, directory=tmp_path, seconds=60)
    assert (found.code, found.stopped) == (0, "")


def test_an_interrupt_stops_the_command_and_shows_what_it_used(tmp_path):
    words = [
        sys.executable,
        "-m",
        "rootfs_builder",
        "trace",
        "--",
        "sh",
        "-c",
        "cat /etc/os-release; sleep 66666",
    ]
    with subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            if "PRETTY_NAME" in line or "NAME=" in line:
                break
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert "it was interrupted" in stderr
    assert "--add /etc/os-release" in stdout
    assert not [one for one in processes().values() if b"66666" in one]


def test_without_strace_it_says_what_works_then(cli, tmp_path):
    (tmp_path / "bin").mkdir()
    done = cli("trace", "--", "/bin/true", env={"PATH": str(tmp_path / "bin")})
    assert done.returncode == 3
    assert "apt-get install strace" in done.stderr
    assert "LD_DEBUG=libs" in done.stderr


def test_where_tracing_is_not_permitted_it_says_so(cli, tmp_path):
    strace = tmp_path / "bin/strace"
    strace.parent.mkdir()
    said = "strace: test_ptrace_get_syscall_info: PTRACE_TRACEME: Operation not permitted"
    strace.write_text(f"#!/bin/sh\necho '{said}' >&2; exit 1\n")
    strace.chmod(0o755)
    done = cli("trace", "--", "/bin/true", env={"PATH": f"{strace.parent}:/usr/bin:/bin"})
    assert done.returncode == 1
    assert "Operation not permitted" in done.stderr
    assert "--cap-add SYS_PTRACE" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ([], 2, "say what to run"),
        (["--"], 2, "say what to run"),
        (["--", "./none"], 3, "no such file"),
        (["--", "no-such-command"], 3, "not in PATH"),
        (["--timeout", "0", "--", "true"], 2, "--timeout"),
    ],
)
def test_mistakes(cli, words, code, text):
    done = cli("trace", *words)
    assert (done.returncode, text in done.stderr) == (code, True), done.stderr


PACKER = """
import sys, rootfs_builder
for index, program in enumerate(sys.argv[1:]):
    rootfs_builder.pack(rootfs_builder.Recipe.of(program, compression="none"), f"{index}.tar")
"""


@pytest.mark.long
def test_ordinary_packs_execute_nothing(tmp_path):
    """Nothing is run without one of the words that say so (DESIGN 3)."""
    paths = sorted({one.program for one in corpus.load() if one.program and "*" not in one.program})
    programs = [one for one in paths if "{" not in one and Path(one).exists()]
    programs += [str(one) for one in sorted(Path("/usr/bin").iterdir()) if one.name.startswith("c")]
    programs = [one for one in dict.fromkeys(programs) if is_elf(one)]
    small = sorted(programs, key=os.path.getsize)[:COUNT]
    assert len(small) == COUNT
    log = tmp_path / "log"
    strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=execve,execveat", "-o", log]
    subprocess.run(
        [*strace, sys.executable, "-c", PACKER, *small],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    assert len(list(tmp_path.glob("*.tar"))) == COUNT
    executed = [line for line in log.read_text().splitlines() if "exec" in line]
    assert len(executed) == 1, executed
    assert sys.executable in executed[0]


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def test_a_hostile_program_leaves_no_files_either(cli, tmp_path):
    script = "trap '' TERM; cd $HOME; mkdir -m 0 closed; f() { f | f & }; f; while :; do :; done"
    (tmp_path / "t").mkdir()
    done = cli(
        "trace", "--timeout", "2s", "--", "/bin/sh", "-c", script, env={"TMPDIR": f"{tmp_path}/t"}
    )
    assert done.returncode == 0
    assert "stopped, since it" in done.stderr
    assert list((tmp_path / "t").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [([], True), (["--include-lib", "libz.so.1"], False), (["--exercise", "./host"], False)],
)
def test_what_no_file_shows_ends_the_summary_of_pack(cli, cc, options, said):
    cc(HOST, name="host")
    lines = cli("pack", "./host", "-o", "host.tar", *options, check=True).stderr.splitlines()
    assert lines[-1].endswith("rootfs-builder trace -- ./host") is said
    assert lines[-1 - said].startswith("next: ")  # the command that uses what was written
    assert any("calls dlopen" in line for line in lines) is said


@pytest.mark.parametrize(("call", "said"), [("execvp(v[1], v + 1)", True), ("system(v[1])", False)])
def test_a_shell_answers_who_calls_it_alone(cli, cc, call, said):
    """As xe's, which has /bin/sh for one option and starts whatever its input names."""
    cc(f"#include <stdlib.h>\n#include <unistd.h>\nint main(int n, char **v) {{ return {call}; }}")
    done = cli("pack", "./hello", "-o", "x.tar", "--with", "shell", check=True)
    assert ("and no file says what it starts" in done.stderr) is said


def test_a_program_that_starts_nothing_is_told_nothing(cli, cc):
    cc("int main(void) { return 0; }")
    assert "trace" not in cli("pack", "./hello", "-o", "hello.tar", check=True).stderr


def test_packing_imports_nothing_that_runs_programs(cc, tmp_path):
    program = cc("int main(void) { return 0; }")
    code = (
        "import sys, rootfs_builder\n"
        f"rootfs_builder.pack(rootfs_builder.Recipe.of({str(program)!r}), 'x.tar')\n"
        "print([one for one in sys.modules if 'proof' in one or 'exercises' in one])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("options", "rules"),
    [
        ([], {"users"}),
        (["--without", "all"], set()),
        (["--without", "all", "--with", "users"], {"users"}),
    ],
)
def test_without_all_leaves_out_what_with_does_not_name(cli, options, rules):
    words = ["-u", "nonroot", "-o", "env.tar", "--json", *options]
    done = cli("pack", "/usr/bin/env", *words, check=True)
    found = [one["text"] for one in json.loads(done.stdout)["findings"] if one["level"] == "added"]
    assert {one.partition(":")[0] for one in found} & {"users"} == rules
    assert bool(found) is bool(rules)
