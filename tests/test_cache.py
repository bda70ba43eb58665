"""`pack` with a cache: the same bytes as without, sooner, whatever happens to the cache."""

import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest

LARGE = 3_000_000  # bytes of a library
LIBRARY = f"const char data[{LARGE}] = {{1, 2, 3}}; int answer(void) {{ return data[1] + 40; }}"
PROGRAM = "int answer(void);\nint main(void) { return answer() != 42; }"
OLD = 60  # seconds: a file that changed just now is not remembered
MEASURED = """
import atexit
from rootfs_builder.cli import main
atexit.register(lambda: open("io", "w").write(open("/proc/self/io").read()))
main()
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


PACK = ("pack", "hello", "--add", "data", "-q", "-o")


def run(tmp_path, *options, name="x.tar"):
    """Pack in a process that takes new files for old ones: what it read and wrote, its archive."""
    code = f"import rootfs_builder.facts as facts\nfacts._TICK = -{OLD} * 10**9\n{MEASURED}"
    subprocess.run([sys.executable, "-c", code, *PACK, name, *options], cwd=tmp_path, check=True)
    counted = dict(re.findall(r"(\w+): (\d+)", (tmp_path / "io").read_text()))
    data = (tmp_path / name).read_bytes()
    return int(counted["rchar"]), hashlib.sha256(data).hexdigest()


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
def test_info_and_clear(cache, cli, tmp_path):
    run(tmp_path)
    said = cli("cache", "info", check=True).stdout
    entries = [path for path in cache.rglob("*") if path.is_file()]
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
