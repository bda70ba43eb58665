"""What the options of `pack` say reaches the container, and every way to load an archive works."""

import os
import subprocess
import time

import pytest

from tests.integration.programs import image, tree

pytestmark = pytest.mark.engines

SAY = '#include <stdio.h>\nint main(void) { return puts("said") < 0; }'
# Says how it was started, a line each, in no order that an engine decides.
REPORT = r"""
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
    char directory[4096];
    for (int i = 0; i < argc; i++) printf("argument %s\n", argv[i]);
    printf("ids %d:%d\n", getuid(), getgid());
    printf("directory %s\n", getcwd(directory, sizeof directory));
    const char *names[] = {"PATH", "GREETING", "EMPTY"};
    for (int i = 0; i < 3; i++) printf("%s=%s\n", names[i], getenv(names[i]) ?: "(none)");
}
"""
# Writes what stands in the file that it is told.
SHOW = r"""
#include <stdio.h>
int main(int argc, char **argv) {
    FILE *file = fopen(argv[argc - 1], "r");
    if (!file) return perror(argv[argc - 1]), 1;
    for (int c; (c = getc(file)) != EOF;) putchar(c);
}
"""
# Ends with 5 when it gets SIGUSR1.
STOP = r"""
#include <signal.h>
#include <stdio.h>
int main(void) {
    sigset_t set;
    int got;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, 0);
    puts("ready");
    fflush(stdout);
    sigwait(&set, &got);
    return 5;
}
"""
SETTINGS = (
    *("-e", "GREETING=a b=c", "-e", "EMPTY=", "-u", "1000:1001", "-w", "/srv/data"),
    *("-l", "org.example.label=a b", "--annotation", "org.example.note=c d"),
    *("--expose", "8080", "--expose", "53/udp", "--volume", "/data", "--stop-signal", "SIGUSR1"),
)
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture(params=["docker", "podman"])
def engine(request):
    return request.getfixturevalue(request.param)


def said(engine, image_, *args, **options):
    """What a container says that ends well."""
    done = engine.run(image_, *args, **options)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def test_settings_reach_the_process(pack, cc, engine, name):
    archive = pack(cc(REPORT, name="report"), "-t", name, *SETTINGS, "--", "-v", "two words")
    report = f"ids 1000:1001\ndirectory /srv/data\nPATH={DEFAULT_PATH}\nGREETING=a b=c\nEMPTY=\n"
    program = "argument /usr/local/bin/report\n"
    with image(engine, engine.load(archive.tar)) as loaded:
        assert said(engine, loaded) == f"{program}argument -v\nargument two words\n{report}"
        assert said(engine, loaded, "other") == f"{program}argument other\n{report}"


def test_settings_reach_the_engine(pack, cc, engine, skopeo, name):
    archive = pack(cc(REPORT, name="report"), "-t", name, *SETTINGS, "--", "-v")
    with image(engine, engine.load(archive.tar)) as loaded:
        seen = engine.inspect(loaded)
    config = skopeo.inspect(f"oci-archive:{archive.tar}", "--config")
    assert (seen["Os"], seen["Architecture"]) == (config["os"], config["architecture"])
    expected = {
        "Entrypoint": ["/usr/local/bin/report"],
        "Cmd": ["-v"],
        "Env": [f"PATH={DEFAULT_PATH}", "GREETING=a b=c", "EMPTY="],
        "User": "1000:1001",
        "WorkingDir": "/srv/data",
        "Labels": {"org.example.label": "a b"},
        "ExposedPorts": {"8080/tcp": {}, "53/udp": {}},
        "Volumes": {"/data": {}},
        "StopSignal": "SIGUSR1",
    }
    for settings in (seen["Config"], config["config"]):
        assert {key: settings.get(key) for key in expected} == expected
    manifest = skopeo.inspect(f"oci-archive:{archive.tar}", "--raw")
    assert manifest["annotations"] == {"org.example.note": "c d"}


@pytest.mark.parametrize(
    "entrypoint",
    ["/usr/local/bin/report --flag 'two words'", '["report", "--flag", "two words"]'],
    ids=["words", "JSON"],
)
def test_entrypoint(pack, cc, engine, name, entrypoint):
    programs = (cc(SAY, name="say"), cc(REPORT, name="report"))
    archive = pack(*programs, "-t", name, "--entrypoint", entrypoint, "--", "default")
    with image(engine, engine.load(archive.tar)) as loaded:
        lines = said(engine, loaded, "given").splitlines()
        assert lines[0].endswith("report")
        assert lines[1:4] == ["argument --flag", "argument two words", "argument given"]
        assert said(engine, loaded, extra=("--entrypoint", "say")) == "said\n"


def test_stop_signal(pack, cc, engine, name):
    archive = pack(cc(STOP), "-t", name, "--stop-signal", "USR1")
    with image(engine, engine.load(archive.tar)) as loaded:
        engine("run", "--detach", "--network", "none", "--name", name, loaded)
        try:
            deadline = time.monotonic() + 30
            while engine("logs", name).stdout != "ready\n" and time.monotonic() < deadline:
                time.sleep(0.05)
            engine("stop", "--time", "30", name)
            assert engine("wait", name).stdout == "5\n"
        finally:
            engine("rm", "--force", name)


def test_at(pack, cc, engine, name):
    archive = pack(cc(SAY), "-t", name, "--at", "/app/server")
    with image(engine, engine.load(archive.tar)) as loaded:
        assert engine.inspect(loaded)["Config"]["Entrypoint"] == ["/app/server"]
        assert said(engine, loaded) == "said\n"


def test_another_user_reads_a_private_file_where_that_is_asked(pack, cc, engine, name, tmp_path):
    private = tmp_path / "private"
    private.mkdir()
    (private / "conf.txt").write_text("colour = blue\n")
    show = cc(SHOW, name="show")
    for path, mode in ((private / "conf.txt", 0o600), (private, 0o700), (show, 0o700)):
        path.chmod(mode)
    added = ("--add", f"{private / 'conf.txt'}:/etc/app/conf.txt", "--add", f"{private}:/srv/app")
    asked = ("--mode", "/etc/app/conf.txt=0644", "--owner", "/srv/app=1000")
    archive = pack(show, "-t", name, "-u", "1000", *added, *asked)
    with image(engine, engine.load(archive.tar)) as loaded:
        for path in ("/etc/app/conf.txt", "/srv/app/conf.txt"):
            assert said(engine, loaded, path) == "colour = blue\n"


def test_name_with_a_registry_and_a_tag(pack, cc, engine, registry, name):
    full = f"{registry}/team/{name}:1.2"
    archive = pack(cc(SAY, name=name), "-t", full)
    assert archive.name == full
    insecure = ["--tls-verify=false"] if "podman" in engine.command else []
    assert engine.load(archive.tar) == full
    with image(engine, full):
        engine("push", "-q", *insecure, full)
    with image(engine, engine.pull(full)):
        assert said(engine, full) == "said\n"


def test_name_is_by_default_that_of_the_program(pack, cc, engine, name):
    archive = pack(cc(SAY, name=name))
    assert archive.name == f"docker.io/library/{name}:latest"
    with image(engine, engine.load(archive.tar)):
        assert said(engine, name) == "said\n"


@pytest.mark.parametrize("shape", ["hybrid", "docker"])
def test_an_image_has_every_name_that_is_given(cli, cc, engine, name, shape, tmp_path):
    names = [f"docker.io/library/{name}-a:1", f"localhost:5000/team/{name}-b:2"]
    tags = [word for one in names for word in ("-t", one)]
    program = cc(SAY, name=name)
    cli("pack", program, "-o", "x.tar", *tags, "--format", shape, check=True)
    printed = engine("load", "-i", tmp_path / "x.tar").stdout.splitlines()
    loaded = [one.partition(": ")[2] for one in printed]
    with image(engine, loaded[0]), image(engine, loaded[1]):
        assert [engine.inspect(one)["Id"] for one in loaded] == [
            engine.inspect(loaded[0])["Id"]
        ] * 2
        short = {one.removeprefix("docker.io/library/") for one in names}
        assert {one.removeprefix("docker.io/library/") for one in loaded} == short
        assert said(engine, loaded[1]) == "said\n"


def test_skopeo_takes_one_of_several_names_by_its_tag(cli, cc, name, skopeo, tmp_path):
    tags = ("-t", f"{name}-a:1", "-t", f"{name}-b:2")
    cli("pack", cc(SAY), "-o", "x.tar", *tags, "--format", "oci", check=True)
    place = f"oci-archive:{tmp_path}/x.tar"
    found = {skopeo("inspect", f"{place}:{tag}", "--format", "{{.Digest}}").stdout for tag in "12"}
    assert len(found) == 1
    assert "choose an image" in skopeo("inspect", place, check=False).stderr


def test_loading_twice_gives_one_image(pack, cc, engine, name):
    archive = pack(cc(SAY, name=name), "-t", f"{name}:1.0")
    with image(engine, engine.load(archive.tar)) as loaded:
        assert engine.load(archive.tar) == loaded
        shown = ("--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
        listed = [line for line in engine("images", *shown).stdout.splitlines() if name in line]
        config = engine.inspect(loaded)["Id"].removeprefix("sha256:")
        assert listed == [f"{loaded} sha256:{config}"]
        assert engine.inspect(loaded)["RepoTags"] == [loaded]


def test_stdout_into_load(pack, cc, cli, docker, podman, name, tmp_path):
    program = cc(SAY, name=name)
    with (tmp_path / "stdout").open("w+b") as file:
        done = cli("pack", program, "-t", name, "-o", "-", stdout=file, capture_output=False)
        assert done.returncode == 0
        for engine in (docker, podman):
            file.seek(0)
            engine("load", "-q", stdin=file)
            with image(engine, name):
                assert said(engine, name) == "said\n"
    assert (tmp_path / "stdout").read_bytes() == pack(program, "-t", name).tar.read_bytes()


@pytest.mark.parametrize(
    ("compiler", "option"),
    [("gcc", "-static"), ("gcc", "-static-pie"), ("musl-gcc", "-static")],
)
def test_static_program_is_alone(pack, cc, compiler, option):
    archive = pack(cc(SAY, compiler=compiler, args=(option,)))
    folders = ["/tmp/", "/usr/", "/usr/local/", "/usr/local/bin/"]  # noqa: S108 - of the image
    assert list(tree(archive.rootfs)) == [*folders, "/usr/local/bin/hello"]


def test_small_program_gives_a_small_archive(pack, cc, engine, name):
    program = cc(SAY, compiler="musl-gcc", args=("-static", "-s"))
    assert 17_000 < program.stat().st_size < 19_000
    archive = pack(program, "-t", name)
    assert archive.tar.stat().st_size <= 14_000
    with image(engine, engine.load(archive.tar)) as loaded:
        assert said(engine, loaded) == "said\n"


def test_every_reader_unpacks_the_same(pack, cc, cli, engine, name, tmp_path):
    """Names, sizes and links that tar writes in more than one way."""
    words = (cc(SAY), "--add", f"{awkward(tmp_path / 'awkward')}:/data")
    archive = pack(*words, "-t", name)
    cli("stage", *words, "-o", "staged", check=True)
    staged = tree(tmp_path / "staged")
    assert tree(archive.rootfs) == staged
    exported = tmp_path / "exported"
    with image(engine, engine.load(archive.tar)) as loaded:
        container = engine("create", loaded).stdout.strip()
        engine("export", "-o", f"{exported}.tar", container)
        engine("rm", container)
    exported.mkdir()
    # tarfile would not set the time of a symlink.
    subprocess.run(["tar", "-xpf", f"{exported}.tar", "-C", exported], check=True)
    # An engine adds directories such as /dev, so the root is not compared.
    assert {path: facts for path, facts in tree(exported).items() if path in staged} == staged


def awkward(folder):
    """A tree of what is hard to write into a tar."""
    deep = "/".join(["d" * 60] * 6)  # longer than USTAR can say
    sizes = (0, 1, 511, 512, 513, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (2 << 20) + 7)
    (folder / deep).mkdir(parents=True)
    (folder / "empty").mkdir()
    for size in sizes:
        (folder / f"{size} bytes").write_bytes(
            b"0123456789abcdef" * (size // 16) + b"x" * (size % 16)
        )
    for file in (
        f"{deep}/{'f' * 200}",
        "ä\N{SNOWMAN}",
        "not UTF-8 \udcff",
        " line\n",
        "\n",
        "".join(chr(byte) for byte in range(1, 128) if chr(byte) != "/"),
        "".join(chr(0xDC00 + byte) for byte in range(128, 256)),  # none of them alone is UTF-8
        "n" * 255,
        "back\\slash",
        "-x",
    ):
        (folder / file).write_text(file, errors="surrogateescape")
    for link in ("nowhere", "empty", f"{deep}/{'f' * 200}", "not UTF-8 \udcff"):
        (folder / f"link to {link[:12]}").symlink_to(link)
    (folder / "hard link").hardlink_to(folder / "513 bytes")
    with (folder / "sparse").open("wb") as file:
        file.truncate(3 << 20)
    os.utime(folder / "1 bytes", (-5, -5))
    return folder


def test_two_names_of_one_file(pack, cc, engine, name, tmp_path):
    report = cc(REPORT, name="report")
    (tmp_path / "other").hardlink_to(report)
    archive = pack(report, tmp_path / "other", "-t", name)
    found = tree(archive.rootfs)["/usr/local/bin/report"]
    assert found == "-rwxr-xr-x 1 is /usr/local/bin/other"
    with image(engine, engine.load(archive.tar)) as loaded:
        for program in ("report", "other"):
            lines = said(engine, loaded, extra=("--entrypoint", program)).splitlines()
            assert lines[0] == f"argument {program}"


def test_equal_files_are_two_names_that_an_engine_reads(pack, cc, engine, name, tmp_path):
    (tmp_path / "data").mkdir()
    for file in ("a", "b"):
        (tmp_path / "data" / file).write_bytes(b"x" * 4096)
    archive = pack(cc(SHOW), "--add", "data:/usr/share/data", "-t", name)
    assert tree(archive.rootfs)["/usr/share/data/b"] == "-rw-r--r-- 1 is /usr/share/data/a"
    with image(engine, engine.load(archive.tar)) as loaded:
        for file in ("a", "b"):
            assert said(engine, loaded, f"/usr/share/data/{file}") == "x" * 4096
