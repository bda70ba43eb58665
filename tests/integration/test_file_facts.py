"""Owners, set-user-id bits, capabilities and very long paths arrive in a container."""

import pytest

from tests.integration.programs import image

pytestmark = pytest.mark.engines

# Says as whom it runs, and what it may.
STATUS = r"""
#include <stdio.h>
#include <string.h>
int main(void) {
    char line[4096];
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status))
        if (!strncmp(line, "Uid:", 4) || !strncmp(line, "Gid:", 4) || !strncmp(line, "CapEff:", 7))
            fputs(line, stdout);
}
"""
SHOW = r"""
#include <stdio.h>
int main(int argc, char **argv) {
    FILE *file = fopen(argv[1], "r");
    if (!file) return perror("fopen"), 1;
    for (int c; (c = getc(file)) != EOF;) putchar(c);
}
"""
BIND, KILL = 1 << 10, 1 << 5


@pytest.fixture(params=["docker", "podman"])
def engine(request):
    return request.getfixturevalue(request.param)


def status(engine, loaded, program):
    """Uid, Gid and effective capabilities: what a process of the image says of itself."""
    done = engine.run(loaded, extra=("--entrypoint", program))
    assert (done.returncode, done.stderr) == (0, "")
    fields = dict(line.split(":\t") for line in done.stdout.splitlines())
    ids = [fields[name].split("\t")[1] for name in ("Uid", "Gid")]
    return *map(int, ids), int(fields["CapEff"], 16)


@pytest.fixture
def two_names(cc, tmp_path):
    """One program under two names."""
    cc(STATUS, name="one", args=["-static"])
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    return tmp_path / "one", tmp_path / "two"


def of_each(programs, option, value):
    return [word for program in programs for word in (option, f"{program}={value}")]


def test_capabilities_count_under_every_name_of_a_file(pack, engine, name, two_names):
    given = of_each(two_names, "--cap", "cap_net_bind_service+ep cap_kill+ep")
    archive = pack(*two_names, "-t", name, "-u", "1000:1000", *given)
    with image(engine, engine.load(archive.tar)) as loaded:
        for program in ("one", "two"):
            assert status(engine, loaded, program) == (1000, 1000, BIND | KILL)


def test_what_a_container_has_of_its_own_accord(pack, cc, engine, name):
    """What is not in the list of such capabilities is hinted at; what is in it starts."""
    program = cc(STATUS, args=["-static"])
    given = "cap_net_bind_service,cap_chown,cap_dac_override,cap_fowner,cap_fsetid,cap_kill"
    given += ",cap_setfcap,cap_setgid,cap_setpcap,cap_setuid,cap_sys_chroot+ep"
    archive = pack(program, "-t", name, "-u", "1000", "--cap", f"{program}={given}")
    assert "hint" not in archive.said
    with image(engine, engine.load(archive.tar)) as loaded:
        assert status(engine, loaded, "hello")[2].bit_count() == 11
    archive = pack(program, "-t", name, "-u", "1000", "--cap", f"{program}=cap_bpf+ep")
    assert "--cap-add BPF" in archive.said
    with image(engine, engine.load(archive.tar)) as loaded:
        assert "operation not permitted" in engine.run(loaded).stderr
        assert "CapEff" in engine.run(loaded, extra=("--cap-add", "BPF")).stdout


def test_a_program_without_them_has_none(pack, engine, name, two_names):
    archive = pack(*two_names, "-t", name, "-u", "1000:1000")
    with image(engine, engine.load(archive.tar)) as loaded:
        assert status(engine, loaded, "one") == (1000, 1000, 0)


def test_set_user_id_bits_and_owners_under_every_name_of_a_file(pack, engine, name, two_names):
    given = of_each(two_names, "--mode", "6755") + of_each(two_names, "--owner", "7:8")
    archive = pack(*two_names, "-t", name, "-u", "1000:1000", *given)
    with image(engine, engine.load(archive.tar)) as loaded:
        for program in ("one", "two"):
            assert status(engine, loaded, program) == (7, 8, 0)


def test_a_path_of_3800_bytes(pack, cc, engine, name, tmp_path):
    path = ("/" + "d" * 199) * 18 + "/" + "f" * 199
    assert len(path) == 3800
    (tmp_path / "file").write_text("found\n")
    program = cc(SHOW, args=["-static"])
    archive = pack(program, "-t", name, "--add", f"{tmp_path / 'file'}:{path}")
    assert "warning" not in archive.said
    with image(engine, engine.load(archive.tar)) as loaded:
        done = engine.run(loaded, path)
        assert (done.stdout, done.stderr) == ("found\n", "")
