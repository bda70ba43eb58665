"""`minimize`: of what is left, nothing can go; the image still works, and is otherwise the same."""

import json
import os
import resource
import shutil
import subprocess
from functools import partial

import pytest

from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.paths import ImagePath, SourcePath
from rootfs_builder.plan import Entry, Plan, verify
from rootfs_builder.proof.sandbox import Command, rootfs
from rootfs_builder.proof.trials import Trials
from tests.integration.programs import image

HELLO = '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }\n'
DUMPS = "import json; print(json.dumps([1]))"
MOST = 150  # starts of hello that one trial may take: it takes 50, and 110 beside many mounts
DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY data /data
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox --install -s /bin && rm /data/dropped"]
RUN mkdir -m 1777 /tmp && echo work:x:1000:1000::/work:/bin/sh >/etc/passwd
ENV GREETING="hello there" EMPTY=
LABEL org.example.label=kept
WORKDIR /work
USER work
EXPOSE 80/tcp
VOLUME /state
STOPSIGNAL SIGINT
HEALTHCHECK --interval=30s CMD ["/bin/true"]
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["cat /data/wanted; echo $GREETING"]
"""


@pytest.fixture
def packed(cli, cc, tmp_path):
    """Pack a program: the archive."""

    def pack(program, *words):
        program = cc(HELLO) if program == "hello" else program
        cli("pack", program, "-o", tmp_path / "i.tar", *words, check=True)
        return tmp_path / "i.tar"

    return pack


@pytest.fixture
def minimized(cli, tmp_path):
    """Minimize an image: what --json says, and the archive."""

    def minimize(archive, *words):
        done = cli("minimize", archive, "-o", tmp_path / "m.tar", "--json", *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), tmp_path / "m.tar"

    return minimize


def unpacked(umoci, archive, folder):
    """The root directory of an archive, as umoci unpacks it."""
    layout, bundle = folder / "layout", folder / "bundle"
    layout.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", layout], check=True)
    (tag,) = json.loads((layout / "index.json").read_text())["manifests"]
    name = tag["annotations"]["org.opencontainers.image.ref.name"]
    umoci("unpack", "--image", f"{layout}:{name}", bundle)
    return bundle / "rootfs"


def problems(root):
    return set(verify.check(DirectoryRoot(str(root)), path=("/usr/bin", "/bin")).problems)


def can_go(root, command, user=0):
    """The files and links without which chroot(8) still runs a command, and all resolves."""
    for one in ("proc", "dev"):
        (root / one).mkdir(exist_ok=True)
    (root / "dev/null").touch()

    def run():
        alone = ["unshare", "--mount", "--pid", "--fork", f"--mount-proc={root}/proc"]
        words = [*alone, "chroot", f"--userspec={user}:{user}", root, *command]
        env = {"PATH": "/usr/sbin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(words, env=env, capture_output=True, check=False)
        return done.returncode, done.stdout

    left, wanted, before = sorted(root.rglob("*")), run(), problems(root)
    assert wanted[0] == 0, wanted
    aside = root.parent / "aside"
    for path in left:
        if path == root / "dev/null" or (path.is_dir() and not path.is_symlink()):
            continue
        os.rename(path, aside)
        if run() == wanted and problems(root) <= before:
            yield f"/{path.relative_to(root)}"
        os.rename(aside, path)


CASES = {
    "hello": ("hello", 0, ["/usr/local/bin/hello"]),
    "curl": ("/usr/bin/curl", 0, ["curl", "--version"]),
    "nginx": ("/usr/sbin/nginx", 33, ["nginx", "-t", "-q"]),
    "python": ("/usr/bin/python3", 0, ["python3", "-c", DUMPS]),
}


@pytest.mark.engines
@pytest.mark.parametrize("case", CASES)
def test_nothing_that_is_left_can_go(case, packed, name, minimized, cli, umoci, docker, tmp_path):
    program, user, command = CASES[case]
    (tmp_path / "site").write_text("server { listen 127.0.0.1:8080; }\n")
    site = ("--add", f"{tmp_path}/site:/etc/nginx/sites-enabled/default")
    words = ("-u", str(user), "-t", name, *(site if case == "nginx" else ()))
    found, archive = minimized(packed(program, *words), "--", *command)
    assert found["bytes"] <= found["bytes_before"]
    assert list(can_go(unpacked(umoci, archive, tmp_path), command, user)) == []
    assert cli("verify", archive).returncode == 0
    with image(docker, docker.load(archive)) as loaded:
        done = docker.run(loaded, *command[1:], extra=("--entrypoint", command[0]))
        assert done.returncode == 0, done.stderr
    left = {
        entry["path"]
        for entry in json.loads(cli("inspect", "--json", archive).stdout)[0]["entries"]
    }
    assert left == {one["path"] for one in found["kept"]}


def foreign(docker, folder, name):
    """An image that docker built, as it saves it."""
    (folder / "data").mkdir()
    for one in ("wanted", "dropped", "never"):
        (folder / "data" / one).write_text(f"{one}\n" * 1000)
    shutil.copy(shutil.which("busybox"), folder / "busybox")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    env = {**os.environ, "DOCKER_BUILDKIT": "0"}
    build = ["docker", "build", "-q", "-t", name, folder]
    subprocess.run(build, env=env, check=True, capture_output=True)
    archive = folder / "saved.tar"
    docker("save", "-o", archive, name)
    return archive


@pytest.mark.engines
def test_an_image_of_others_keeps_its_config(minimized, umoci, docker, name, tmp_path):
    folder = tmp_path / "build"
    folder.mkdir()
    with image(docker, name):
        archive = foreign(docker, folder, name)
        before = docker.inspect(name)
        wanted = docker.run(name).stdout
    found, small = minimized(archive)
    command = ["/bin/sh", "-c", "cat /data/wanted; echo"]
    left = {one["path"] for one in found["kept"]}
    assert {"/data/wanted", "/bin/busybox", "/bin/sh", "/bin/true"} <= left
    assert {"/data/never", "/bin/ls"}.isdisjoint(left)
    with image(docker, docker.load(small)) as loaded:
        after = docker.inspect(loaded)
        assert docker.run(loaded).stdout == wanted
    assert after["Config"] == before["Config"]
    assert {one: after[one] for one in ("Architecture", "Os", "Created")} == {
        one: before[one] for one in ("Architecture", "Os", "Created")
    }
    kept = {"/bin/true", "/etc/passwd"}  # the health check, and the user's name
    root = unpacked(umoci, small, tmp_path)
    assert {*can_go(root, command)} <= kept


@pytest.mark.long
def test_a_trial_of_hello_is_quick(cc):
    """By CPU time, and against a mere start of it: that is as slow where the machine is."""
    program = cc(HELLO, args=("-static",))
    plan = Plan((Entry(ImagePath("/hello"), "file", 0o755, (), source(program)),))

    def used():
        of = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(one.ru_utime + one.ru_stime for one in of)

    def spent(action):
        before = used()
        for _ in range(20):
            action()
        return used() - before

    def start():
        subprocess.run([program], stdout=subprocess.DEVNULL, check=True)

    with rootfs.unpacked(plan, discard=True) as root:
        trials = Trials(root, Command(argv=("/hello",)), success="stdout")
        trials.begin()
        ratios = [spent(partial(trials.passes, frozenset())) / spent(start) for _ in range(5)]
    assert min(ratios) <= MOST, ratios


def source(path):
    """A file's content."""
    return DirectoryRoot(str(path.parent)).open(SourcePath(f"/{path.name}"))


def test_what_is_kept_and_what_is_not(packed, minimized, cli, tmp_path):
    (tmp_path / "data").mkdir()
    for one in ("a.conf", "b.conf", "c.txt"):
        (tmp_path / "data" / one).write_text(one)
    archive = packed("hello", "--add", f"{tmp_path}/data:/data", "/usr/bin/env")
    found, small = minimized(archive, "--keep", "data/*.conf")
    assert {"/data/c.txt"} < {*found["gone"]}
    assert {"/data/a.conf", "/data/b.conf"} < {one["path"] for one in found["kept"]}
    assert "/usr/bin/env" in found["gone"]
    assert cli("verify", small).returncode == 0
    assert cli("why", small, "/usr/local/bin/hello").returncode == 0


def test_aggressive_lets_go_of_the_entrypoint(packed, minimized):
    archive = packed("hello", "/usr/bin/env")
    usual, _ = minimized(archive, "--", "env", "true-is-not-there=1")
    assert "/usr/local/bin/hello" in {one["path"] for one in usual["kept"]}
    more, _ = minimized(archive, "--aggressive", "--", "env", "true-is-not-there=1")
    assert "/usr/local/bin/hello" in more["gone"]


def test_the_same_image_is_the_same_bytes(packed, minimized):
    archive = packed("hello")
    first, small = minimized(archive)
    before = small.read_bytes()
    again, small = minimized(archive)
    assert (first["digest"], before) == (again["digest"], small.read_bytes())
    assert json.dumps(first["kept"]) == json.dumps(again["kept"])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--", "/nope"], 4, "the command fails in the whole image: exit code 127"),
        (["--keep", "nothing/*"], 2, "--keep nothing/*: nothing in the image matches it"),
        (["--keep", "!x"], 2, "--keep"),
    ],
    ids=["fails", "nothing kept", "no pattern"],
)
def test_mistakes(words, code, said, packed, cli, tmp_path):
    done = cli("minimize", packed("hello"), "-o", tmp_path / "m.tar", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert not (tmp_path / "m.tar").exists()


def test_a_command_that_says_something_else_each_time(packed, cli, tmp_path):
    archive = packed("/usr/bin/python3")
    words = ("--", "python3", "-c", "import os; print(os.urandom(8))")
    done = cli("minimize", archive, "-o", tmp_path / "m.tar", *words)
    assert (done.returncode, "--success exit" in done.stderr) == (4, True)
