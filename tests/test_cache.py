"""`pack` with a cache: the same bytes as without, sooner, whatever happens to the cache."""

import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from mmap import mmap
from pathlib import Path

import pytest

LARGE = 3_000_000  # bytes of a library
LIBRARY = f"const char data[{LARGE}] = {{1, 2, 3}}; int answer(void) {{ return data[1] + 40; }}"
PROGRAM = "int answer(void);\nint main(void) { return answer() != 42; }"
OLD = 60  # seconds: what changed in the last of them is as good as what is older
MEASURED = """
import atexit
import sys
from rootfs_builder.cli import main
atexit.register(lambda: open("io", "w").write(open("/proc/self/io").read()))
sys.exit(main())
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    home = tmp_path / "xdg"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    return home / "rootfs-builder"


@pytest.fixture
def hello(cc, tmp_path):
    library = cc(LIBRARY, name="libanswer.so", args=("-shared", "-fPIC"))
    program = cc(PROGRAM, args=(library, "-Wl,-rpath,$ORIGIN"))
    library.with_name("data").mkdir()
    noise = random.Random(1).randbytes(1 << 20)
    (tmp_path / "data" / "large").write_bytes(noise * 3 + noise[:500])
    return program


LIKE_THEM = (
    "why hello /usr/local/bin/hello",
    "rules --match hello",
    "rules --explain locale hello",
)
PACK = ("pack", "hello", "--add", "data", "-q", "-o")


def run(tmp_path, *options, name="x.tar", over=False):
    """Pack in a process that takes new files for old ones: what it read, and its archive's SHA-256.

    The archive is packed `over` an old one, or that is removed before.
    """
    if not over:
        (tmp_path / name).unlink(missing_ok=True)
    read = read_by(tmp_path, *PACK, name, *options)
    data = (tmp_path / name).read_bytes()
    return read, hashlib.sha256(data).hexdigest()


def read_by(tmp_path, *words):
    """The bytes that a process reads which takes new files for old ones."""
    code = f"""
from rootfs_builder.cache import write_back
write_back.delay = lambda: -{OLD} * 10**9
write_back.in_memory = lambda path: False
{MEASURED}"""
    command = [sys.executable, "-c", code, *words]
    subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    counted = dict(re.findall(r"(\w+): (\d+)", (tmp_path / "io").read_text()))
    return int(counted["rchar"])


@pytest.mark.parametrize("options", [(), ("--compression", "zstd"), ("--compression", "none")])
@pytest.mark.usefixtures("hello")
def test_the_bytes_are_the_same_with_and_without(cache, tmp_path, options):
    digests = [run(tmp_path, *more, *options)[1] for more in (("--no-cache",), (), (), ())]
    assert len(set(digests)) == 1
    assert any(cache.rglob("*"))


@pytest.mark.usefixtures("hello")
def test_what_has_not_changed_is_not_read(cache, tmp_path):
    first, _ = run(tmp_path)
    again, _ = run(tmp_path)
    compressed = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    assert again < first - LARGE + compressed


@pytest.mark.usefixtures("cache", "hello")
def test_an_archive_that_is_there_already_is_not_written_again(tmp_path):
    out = tmp_path / "x.tar"
    _, digest = run(tmp_path)
    os.utime(out, (1, 1))  # which is a change: it is written
    read, _ = run(tmp_path, over=True)
    before = out.stat()
    assert before.st_mtime > 1
    again, same = run(tmp_path, over=True)
    assert again < read - before.st_size / 2
    assert same == digest
    assert out.stat().st_ino == before.st_ino
    assert out.stat().st_mtime_ns > before.st_mtime_ns  # or make would make it for ever
    assert run(tmp_path, over=True) == (again, digest)


def flip(path):
    """Change a byte and nothing else that shows."""
    info = path.stat()
    with path.open("r+b") as file:
        file.seek(5000)
        byte = file.read(1)[0]
        file.seek(5000)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def append(path):
    with path.open("ab") as file:
        file.write(b"x")


def copy(path):
    shutil.copy2(path, path.with_name("copy"))
    flip(path.with_name("copy"))
    path.with_name("copy").rename(path)


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        copy,
        Path.unlink,
        lambda path: os.truncate(path, 5000),
        append,
        lambda path: path.rename(path.with_name("y.tar")),
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
    ],
)
@pytest.mark.usefixtures("cache", "hello")
def test_an_archive_that_somebody_changed_is_written_again(tmp_path, damage):
    _, digest = run(tmp_path)
    damage(tmp_path / "x.tar")
    assert run(tmp_path, over=True)[1] == digest


@pytest.mark.usefixtures("cache", "hello")
def test_an_archive_that_is_changed_at_once_is_written_again(tmp_path, cli):
    digests = set()
    for _ in range(10):
        cli(*PACK, "x.tar", check=True)
        digests.add(hashlib.sha256((tmp_path / "x.tar").read_bytes()).hexdigest())
        flip(tmp_path / "x.tar")
    assert len(digests) == 1


@pytest.mark.long
@pytest.mark.usefixtures("cache", "hello")
def test_runs_with_other_options_at_one_output_do_not_take_each_others_archive_for_theirs(tmp_path):
    expected = {name: run(tmp_path, "-t", name)[1] for name in "ab"}
    command = [sys.executable, "-m", "rootfs_builder", *PACK, "x.tar", "-t"]
    for _ in range(5):
        runs = [subprocess.Popen([*command, name], cwd=tmp_path) for name in "abab"]
        assert [one.wait() for one in runs] == [0] * 4
        for name in "ba":
            assert run(tmp_path, "-t", name, over=True)[1] == expected[name]


@pytest.mark.usefixtures("cache", "hello")
@pytest.mark.parametrize("name", ["日本.tar", "\udcff.tar"])
def test_an_archive_whose_name_the_locale_cannot_say_stays_too(cli, tmp_path, name):
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    inodes = set()
    for _ in range(2):
        cli(*PACK, name, env=locale, check=True)
        inodes.add((tmp_path / name).stat().st_ino)
    assert len(inodes) == 1


@pytest.mark.long
@pytest.mark.usefixtures("cache", "hello")
def test_an_archive_of_other_options_is_written(tmp_path):
    options = [
        (),
        ("--no-plan",),
        ("-t", "other"),
        ("--format", "oci"),
        ("--format", "docker"),
        ("--compression", "none"),
        ("--compression-level", "1"),
        ("--no-cache",),
        (),
    ]
    expected = [run(tmp_path, *some)[1] for some in options]
    assert [run(tmp_path, *some, over=True)[1] for some in options] == expected


@pytest.mark.usefixtures("hello")
@pytest.mark.parametrize(
    "words",
    [
        "pack hello --dry-run",
        "tree hello",
        *(pytest.param(one, marks=pytest.mark.long) for one in LIKE_THEM),
        "stage hello -o rootfs",
    ],
)
def test_what_only_needs_a_plan_takes_what_pack_has_kept_and_keeps_nothing(cache, tmp_path, words):
    before = read_by(tmp_path, *words.split())
    assert not cache.exists()
    run(tmp_path)
    there = {one: one.read_bytes() for one in cache.rglob("*") if one.is_file()}
    shutil.rmtree(tmp_path / "rootfs", ignore_errors=True)
    after = read_by(tmp_path, *words.split())
    assert after < before - LARGE, (before, after)
    assert {one: one.read_bytes() for one in cache.rglob("*") if one.is_file()} == there


@pytest.mark.usefixtures("hello")
def test_no_cache_writes_none(cache, tmp_path):
    run(tmp_path, "--no-cache")
    assert not cache.exists()


@pytest.mark.usefixtures("cache", "hello")
def test_a_file_rewritten_with_the_same_size_and_time_is_noticed(tmp_path):
    path = tmp_path / "data" / "large"
    _, before = run(tmp_path)
    info, data = path.stat(), bytearray(path.read_bytes())
    time.sleep(0.02)
    data[2_000_000] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    _, after = run(tmp_path)
    assert after != before
    assert after == run(tmp_path, "--no-cache")[1]


@pytest.mark.usefixtures("cache", "hello")
def test_what_is_written_through_mmap_without_another_time_is_noticed(cli, tmp_path):
    path = tmp_path / "data" / "large"
    digests = []
    with path.open("r+b") as stream, mmap(stream.fileno(), 0) as pages:
        pages[70_000] ^= 1  # the page is dirty from now on
        for _ in range(3):
            cli(*PACK, "x.tar", check=True)
            cached = hashlib.sha256((tmp_path / "x.tar").read_bytes()).hexdigest()
            cli(*PACK, "y.tar", "-t", "hello", "--no-cache", check=True)
            assert hashlib.sha256((tmp_path / "y.tar").read_bytes()).hexdigest() == cached
            digests.append(cached)
            pages[70_000] ^= 1  # unless the kernel wrote the page back, the times stay
    assert digests[0] == digests[2] != digests[1]


@pytest.mark.usefixtures("cache")
def test_a_program_built_again_with_the_same_bytes_gives_the_same_image(hello, tmp_path):
    _, before = run(tmp_path)
    data = hello.read_bytes()
    hello.unlink()
    hello.write_bytes(data)
    hello.chmod(0o755)
    assert run(tmp_path)[1] == before


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("hello")
def test_a_damaged_cache_costs_time_only(cache, tmp_path, seed):
    _, before = run(tmp_path)
    chance = random.Random(seed)
    for path in sorted(cache.rglob("*")):
        if path.is_file() and chance.random() < 0.5:
            data = bytearray(path.read_bytes())
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            path.write_bytes(data[: chance.choice((len(data), len(data) // 2))])
    assert run(tmp_path)[1] == before
    assert run(tmp_path)[1] == before


@pytest.mark.usefixtures("hello")
def test_what_stands_in_anothers_place_costs_time_only(cache, tmp_path):
    digests = {run(tmp_path)[1]}
    chance = random.Random(8)
    for _ in range(8):
        entries = sorted(path for path in cache.glob("*/*/*") if path.is_file())
        one, other = chance.sample([path for path in entries if "facts" not in path.parts], 2)
        shutil.copy(one, other)
        digests.add(run(tmp_path)[1])
    for path in cache.glob("member/*/*"):
        path.write_bytes(bytes(4))
    digests.add(run(tmp_path)[1])
    assert len(digests) == 1


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.usefixtures("hello")
def test_a_run_does_not_look_at_what_it_does_not_need(cache, tmp_path):
    """The time of a run does not depend on how much is remembered."""
    run(tmp_path)
    command = ["strace", "-f", "-qq", "-o", "calls", sys.executable, "-m", "rootfs_builder"]
    asked = []
    for others in (0, 3000):
        for number in range(others):
            path = cache / "member" / f"{number % 256:02x}" / f"{number:062x}"
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_bytes(b"x")
        subprocess.run([*command, *PACK, "x.tar"], cwd=tmp_path, check=True)
        calls = (tmp_path / "calls").read_text().splitlines()
        asked.append(sum(f"{cache}/member" in call or "getdents" in call for call in calls))
    assert 0 < asked[0] == asked[1] < 300


LINKER = """
import os, sys
print("started", flush=True)
while True:
    for path in sys.argv[1:]:
        os.link(path, "backup")
        os.unlink("backup")
"""


@pytest.mark.long
@pytest.mark.parametrize("options", [(), ("--no-cache",)])
@pytest.mark.usefixtures("cache", "hello")
def test_hard_links_that_another_job_makes_all_the_time_are_no_change(tmp_path, cli, options):
    os.link(tmp_path / "data" / "large", tmp_path / "data" / "again")
    cli(*PACK, "x.tar", *options, check=True)
    expected = hashlib.sha256((tmp_path / "x.tar").read_bytes()).hexdigest()
    files = [
        path for path in tmp_path.rglob("*") if path.name in {"hello", "libanswer.so", "large"}
    ]
    assert len(files) == 3
    command = [sys.executable, "-c", LINKER, *files]
    linker = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE)
    try:
        assert linker.stdout.readline() == b"started\n"
        for _ in range(5):
            cli(*PACK, "x.tar", *options, check=True)
            assert hashlib.sha256((tmp_path / "x.tar").read_bytes()).hexdigest() == expected
        assert linker.poll() is None
    finally:
        linker.kill()
        linker.communicate()


@pytest.mark.usefixtures("hello")
def test_info_and_clear(cache, cli, tmp_path):
    run(tmp_path)
    said = cli("cache", "info", check=True).stdout
    entries = [path for path in cache.glob("*/*/*") if path.is_file()]
    size = sum(path.stat().st_size for path in entries)
    assert said == f"{cache}: {len(entries):,} entries, {size:,} bytes of 2,147,483,648\n"
    said = cli("cache", "clear", check=True).stdout
    assert said == f"{cache}: {len(entries):,} entries forgotten, {size:,} bytes\n"
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("home", ["/dev/null", "/proc/self", "relative", ""])
@pytest.mark.usefixtures("hello")
def test_a_cache_that_cannot_be_made_is_no_error(cli, tmp_path, home):
    env = {"XDG_CACHE_HOME": home, "HOME": "/dev/null"}
    done = cli(*PACK, "x.tar", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing is remembered" in cli("cache", "info", env=env, check=True).stdout
    assert not (tmp_path / "relative").exists()


@pytest.mark.usefixtures("hello")
def test_a_full_disk_under_the_cache_costs_time_only(tmp_path):
    expected = run(tmp_path, "--no-cache")[1]
    script = 'mount -t tmpfs -o size=1m none "$1" && shift && exec "$@"'
    (tmp_path / "full").mkdir()
    command = [sys.executable, "-m", "rootfs_builder", *PACK, "x.tar"]
    inside = ["unshare", "-rm", "sh", "-c", script, "sh", tmp_path / "full", *command]
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "full")}
    for _ in range(2):
        done = subprocess.run(inside, cwd=tmp_path, env=env, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert hashlib.sha256((tmp_path / "x.tar").read_bytes()).hexdigest() == expected


@pytest.mark.long
@pytest.mark.usefixtures("cache", "hello")
def test_fifty_runs_at_once_with_kills_among_them(tmp_path):
    expected = run(tmp_path, "--no-cache")[1]
    chance = random.Random(50)
    command = [sys.executable, "-m", "rootfs_builder", *PACK]
    runs = []
    for number in range(50):
        runs.append(subprocess.Popen([*command, f"{number}.tar"], cwd=tmp_path))
        if number % 5 == 4:
            time.sleep(chance.random() * 0.3)
            victim = chance.choice(runs[-5:])
            victim.send_signal(chance.choice((signal.SIGKILL, signal.SIGTERM)))
    codes = [one.wait() for one in runs]
    assert set(codes) <= {0, -signal.SIGKILL, 128 + signal.SIGTERM, -signal.SIGTERM}
    assert codes.count(0) >= 40
    for number, code in enumerate(codes):
        path = tmp_path / f"{number}.tar"
        if code == 0:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == expected
        else:
            assert not path.exists()
    assert run(tmp_path)[1] == expected
