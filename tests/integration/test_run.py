"""`run` starts an image as `docker run` does: the same options, the same exit codes."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
import uuid

import pytest

from tests.integration.programs import image

pytestmark = pytest.mark.xdist_group("run")  # one image, loaded and removed by name

RUN = (sys.executable, "-m", "rootfs_builder", "run")
PROGRAMS = ("cat", "env", "id", "ls", "sleep", "touch", "tty")
WAYS = [
    *(["bubblewrap"] if shutil.which("bwrap") else []),
    "unshare",
    *(["chroot"] if os.geteuid() == 0 else []),
]
ARM = 'package main\nimport "os"\nfunc main() { println(os.Args[1]); os.Exit(3) }\n'
CASES = {  # options, arguments, stdin → exit code, stdout
    "cmd": ([], [], None, 0, "hello\n"),
    "arguments": ([], ["-c", "echo $0 $1", "a", "b c"], None, 0, "a b c\n"),
    "exit code": ([], ["-c", "exit 7"], None, 7, ""),
    "signal": ([], ["-c", "sh -c 'kill -SEGV $$'"], None, 139, ""),
    "entrypoint": (["--entrypoint", "cat"], ["/etc/hostname"], None, 0, None),
    "entrypoint drops cmd": (["--entrypoint", "/usr/bin/id"], [], None, 0, "uid=0"),
    "variables": (["-e", "A=1", "-e", "B=x y"], ["-c", 'echo "$A $B $C"'], None, 0, "1 x y c\n"),
    "home": (["-u", "1000"], ["-c", "echo $HOME"], None, 0, "/\n"),
    "user": (["-u", "1000:7"], ["-c", "id -u; id -g"], None, 0, "1000\n7\n"),
    "user by name": (["-u", "nobody"], ["-c", "id -u; id -g"], None, 0, "65534\n65534\n"),
    "working directory": (["-w", "/not/there"], ["-c", "pwd"], None, 0, "/not/there\n"),
    "stdin": (["-i"], ["-c", "cat; cat"], "a\nb\n", 0, "a\nb\n"),
    "no stdin": ([], ["-c", "cat"], "a\n", 0, ""),
    "not found": (["--entrypoint", "nothing"], [], None, 127, ""),
    "no such path": (["--entrypoint", "/nothing"], [], None, 127, ""),
    "not executable": (["--entrypoint", "/etc/passwd"], [], None, 126, ""),
    "hosts": (["--add-host", "box:10.1.2.3"], ["-c", "cat /etc/hosts"], None, 0, "10.1.2.3\tbox"),
    "name server": (["--dns", "10.1.2.3"], ["-c", "cat /etc/resolv.conf"], None, 0, "10.1.2.3"),
    "a low port's user": (["-u", "9"], ["-c", "cat $P/ip_unprivileged_port_start"], None, 0, None),
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """An image of a shell and some programs."""
    folder = tmp_path_factory.mktemp("run")
    found = [shutil.which(one) for one in PROGRAMS]
    options = ["-e", "C=c", "-e", "P=/proc/sys/net/ipv4", "--", "-c", "echo hello"]
    command = [sys.executable, "-m", "rootfs_builder", "pack", "/bin/sh", *found]
    subprocess.run(
        [*command, "-o", folder / "sh.tar", "-t", f"run-{uuid.uuid4().hex}", *options],
        check=True,
        capture_output=True,
    )
    return folder / "sh.tar"


def run(cli, archive, options, arguments, stdin=None, **others):
    rest = ["--", *arguments] if arguments else []
    return cli("run", *options, archive, *rest, input=stdin, **others)


@pytest.mark.long
@pytest.mark.parametrize("case", [one for one, wanted in CASES.items() if wanted[4] is not None])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_run(way, case, cli, archive):
    options, arguments, stdin, code, said = CASES[case]
    done = run(cli, archive, ["-q", "--way", way, *options], arguments, stdin)
    assert (done.returncode, done.stdout[: len(said)]) == (code, said) or (
        done.returncode == code and said and said in done.stdout
    ), done


def lines(said):
    """What was said, without comments, and without the address that docker has for the name."""
    for line in said.splitlines():
        if line and not line.startswith("#") and "sandbox" not in line:
            yield line


@pytest.mark.engines
@pytest.mark.parametrize("case", CASES)
def test_docker_does_the_same(case, cli, archive, docker):
    options, arguments, stdin, code, _ = CASES[case]
    with image(docker, docker.load(archive)) as loaded:
        extra = ("--hostname", "sandbox", *options)
        wanted = docker.run(loaded, *arguments, extra=extra, **({"input": stdin} if stdin else {}))
    assert wanted.returncode == code
    for way in WAYS[:-1] if case == "a low port's user" else WAYS:
        done = run(cli, archive, ["-q", "--way", way, *options], arguments, stdin)
        there, here = (list(lines(one.stdout)) for one in (wanted, done))
        assert (done.returncode, here) == (code, there), way


def test_the_way_is_said_on_stderr_alone(cli, archive):
    said = run(cli, archive, ["--way", "unshare"], []).stderr
    assert said == f"{archive}: isolated by unshare\n"
    assert run(cli, archive, ["-q", "--way", "unshare"], []).stderr == ""
    if os.geteuid() == 0:
        said = run(cli, archive, ["--way", "chroot"], []).stderr
        assert "isolated by chroot, except for processes, network" in said


@pytest.mark.parametrize("way", WAYS)
def test_time_and_memory_have_limits(way, cli, archive):
    began = time.monotonic()
    done = run(cli, archive, ["--way", way, "--timeout", "500ms"], ["-c", "sleep 60"])
    assert (done.returncode, time.monotonic() - began < 30) == (124, True)
    eats = ["-c", "x=0123456789; while :; do x=$x$x; done"]
    done = run(cli, archive, ["--way", way, "-m", "50MB", "--timeout", "60s"], eats)
    assert done.returncode not in (0, 124)


@pytest.mark.parametrize("way", WAYS)
def test_signals_are_passed_on(way, archive, tmp_path):
    script = "trap 'echo stopped; exit 5' TERM; touch /out/ready; while :; do sleep 0.1; done"
    volume = f"{tmp_path}:/out"
    process = subprocess.Popen(
        [*RUN, "-q", "--way", way, "-v", volume, archive, "--", "-c", script],
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "ready").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (5, "stopped\n")


@pytest.mark.parametrize("way", WAYS)
def test_volumes_and_directories(way, cli, archive, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/file").write_text("here\n")
    volume = f"{tmp_path}/in:/data/in"
    done = run(
        cli, archive, ["--way", way, "-v", volume], ["-c", "cat /data/in/*; echo x >/data/in/x"]
    )
    assert (done.returncode, done.stdout) == (0, "here\n")
    assert (tmp_path / "in/x").read_text() == "x\n"
    done = run(cli, archive, ["--way", way, "-v", f"{volume}:ro"], ["-c", "echo y >/data/in/y"])
    assert (done.returncode != 0, (tmp_path / "in/y").exists()) == (True, False)


@pytest.mark.parametrize("way", WAYS)
def test_a_directory_stays_as_it_is(way, cli, tmp_path):
    cli("stage", "/bin/sh", shutil.which("touch"), "-o", tmp_path / "root", check=True)
    before = sorted(tmp_path.rglob("*"))
    script = "touch /new /etc/new; [ -e /new ] && echo there"
    done = cli("run", "--way", way, tmp_path / "root", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout) == (0, "there\n"), done.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("way", WAYS)
def test_a_terminal(way, archive):
    words = [*RUN, "-q", "-it", "--way", way, archive]
    process, terminal = pty.fork()
    if process == 0:
        script = "tty; read line; echo got $line; exit 4"
        os.execv(words[0], [*map(str, words), "--", "-c", script])  # noqa: S606 - in the terminal
    said = b""
    os.write(terminal, b"typed\n")
    try:
        while piece := os.read(terminal, 1 << 12):
            said += piece
    except OSError:
        pass  # the other side is closed
    os.close(terminal)
    _, ended = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(ended) == 4
    assert b"/dev/console\r\n" in said
    assert b"got typed\r\n" in said


@pytest.mark.engines
@pytest.mark.parametrize("way", WAYS)
def test_another_architecture(way, cli, tmp_path):
    (tmp_path / "main.go").write_text(ARM)
    env = {**os.environ, "GOARCH": "arm64", "CGO_ENABLED": "0", "GO111MODULE": "off"}
    env |= {"GOCACHE": str(tmp_path / "cache")}
    build = ["go", "build", "-o", tmp_path / "arm", tmp_path / "main.go"]
    subprocess.run(build, env=env, check=True)
    cli("pack", tmp_path / "arm", "-o", tmp_path / "arm.tar", check=True)
    done = cli("run", "-q", "--way", way, tmp_path / "arm.tar", "--", "word")
    assert (done.returncode, done.stderr) == (3, "word\n")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["-v", "data"], 2, "--volume data: write SRC:DEST"),
        (["-v", "/not/there:/data"], 1, "--volume /not/there: no such file or directory"),
        (["-e", "A"], 2, "'A' has no =VALUE"),
        (["-u", "nobody-here"], 3, "user nobody-here: not in /etc/passwd of the image"),
        (["--timeout", "soon"], 2, "'soon' is not a time"),
        (["--platform", "linux/s390x"], 2, "--platform linux/s390x: no such image is there"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else None,
)
def test_mistakes(options, code, said, cli, archive):
    done = run(cli, archive, options, [])
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
