"""`pack --exercise`: what a run here used goes in, and the image must do the same."""

import json
import os
import shutil
import stat
import sys
import uuid

import pytest

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")

PLUGINS = {  # hosts whose plugins' names are computed: by their place, by a cipher, by a table
    "by-place": r"""
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
    path[n] = 0;
    char *end = strrchr(path, '/');
    sprintf(end, "%c%s%c%s", '/', "parts", '/', "one");
    strcat(path, ".plug");
    void *plugin = dlopen(path, RTLD_NOW);
    if (!plugin) { fprintf(stderr, "%s\n", dlerror()); return 3; }
    puts(((const char *(*)(void))dlsym(plugin, "greet"))());
    return 0;
}
""",
    "by-cipher": r"""
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
    char name[] = "mjc{/tp/2";
    for (char *c = name; *c; c++) (*c)--;
    void *plugin = dlopen(name, RTLD_NOW);
    if (!plugin) { fprintf(stderr, "%s\n", dlerror()); return 3; }
    puts(((const char *(*)(void))dlsym(plugin, "zlibVersion"))());
    return 0;
}
""",
    "by-table": r"""
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    unsigned char table[64] = {0};
    char path[128];
    FILE *file = fopen("parts/table.bin", "rb");
    if (!file || !fread(table, 1, sizeof table, file)) { perror("table"); return 3; }
    for (int i = 0; i < 64; i++) table[i] ^= 0x5a;
    snprintf(path, sizeof path, "./parts/%s", (char *)table);
    void *plugin = dlopen(path, RTLD_NOW);
    if (!plugin) { fprintf(stderr, "%s\n", dlerror()); return 3; }
    puts(((const char *(*)(void))dlsym(plugin, "greet"))());
    return 0;
}
""",
}
PLUGIN = 'const char *greet(void) { return "hello from a plugin"; }'
TABLE = bytes(byte ^ 0x5A for byte in b"one.plug".ljust(64, b"\0"))
HELPERS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/wait.h>
int main(void) {
    unsigned char line[64] = {0};
    FILE *file = fopen("helpers.bin", "rb");
    if (!file) { perror("helpers.bin"); return 3; }
    while (fread(line, 1, sizeof line, file) == sizeof line) {
        for (int i = 0; i < 64; i++) line[i] ^= 0x5a;
        if (!fork()) { execl((char *)line, (char *)line, "-c", "exit 0", NULL); _exit(9); }
        int status;
        wait(&status);
        if (status) { fprintf(stderr, "%s: %d\n", line, status); return 3; }
    }
    puts("helped");
    return 0;
}
"""
PYTHON = """\
#!/usr/bin/python3
import json, os, sys
TABLE = json.load(open(os.path.join(os.path.dirname(__file__), "table.json")))
for name in TABLE:
    module = __import__("".join(map(chr, name)))
    print(module.__name__, module.__doc__ is not None)
"""
MODULES = ("yaml", "yaml.nodes")  # python3-yaml, which the corpus needs too


def c_host(folder, cc, kind):
    program = cc(PLUGINS[kind], name=kind, where=folder)
    cc(PLUGIN, name="one.plug", where=folder / "parts", args=("-shared", "-fPIC"))
    (folder / "parts/table.bin").write_bytes(TABLE)
    return program


def helper(folder, cc):
    paths = [b"/usr/bin/env", b"/usr/bin/dash"]
    rows = (bytes(byte ^ 0x5A for byte in one.ljust(64, b"\0")) for one in paths[1:])
    (folder / "helpers.bin").write_bytes(b"".join(rows))
    return cc(HELPERS, name="helper", where=folder)


def importing(folder, _cc):
    (folder / "table.json").write_text(json.dumps([list(map(ord, one)) for one in MODULES]))
    script = folder / "imports.py"
    script.write_text(PYTHON)
    script.chmod(0o755)
    return script


NAME = f"exercise-{uuid.uuid4().hex}"
PROGRAMS = {
    **{kind: lambda folder, cc, kind=kind: c_host(folder, cc, kind) for kind in PLUGINS},
    "helpers-in-a-binary-file": helper,
    "imports-from-a-table": importing,
}


@pytest.mark.engines
@pytest.mark.parametrize("kind", PROGRAMS)
def test_what_nothing_shows_is_found_by_a_run(cli, cc, tmp_path, docker, kind):
    program = f"./{PROGRAMS[kind](tmp_path, cc).name}"
    outcomes = []
    for words in ([], ["--exercise", program]):
        cli("pack", program, "-o", "image.tar", "-t", f"{NAME}-{kind}", *words, check=True)
        name = docker.load(tmp_path / "image.tar")
        outcomes.append(docker.run(name).returncode)
        docker.remove(name)
    assert (outcomes[0] != 0, outcomes[1]) == (True, 0)


@pytest.fixture
def docker():
    from tests.integration.engines import Engine

    return Engine("docker")


@pytest.mark.parametrize("kind", PROGRAMS)
def test_the_image_holds_what_the_run_used_with_its_reason(cli, cc, tmp_path, kind):
    program = f"./{PROGRAMS[kind](tmp_path, cc).name}"
    done = cli("pack", program, "-o", "image.tar", "--exercise", program, check=True)
    assert f"`{program}` does the same in the image" in done.stderr
    inside = cli("inspect", "-v", "image.tar", check=True).stdout
    assert f"used by the exercise `{program}`" in inside


def test_the_digest_is_that_of_the_same_files_added_by_hand(cli, cc, tmp_path):
    c_host(tmp_path, cc, "by-cipher")
    by_run = cli("pack", "./by-cipher", "-o", "a.tar", "--exercise", "./by-cipher", check=True)
    flags = cli("trace", "--", "./by-cipher", check=True).stdout.split()
    by_hand = cli("pack", "./by-cipher", "-o", "b.tar", *flags, check=True)
    assert by_run.stdout == by_hand.stdout


def test_what_differs_is_said_and_nothing_is_written(cli, cc, tmp_path):
    source = (
        "#include <stdio.h>\n#include <unistd.h>\n"
        'int main(void) { puts(access("/etc/localtime", 0) ? "no" : "yes"); return 0; }'
    )
    cc(source, name="asks")
    (tmp_path / "image.tar").write_text("old")
    done = cli("pack", "./asks", "-o", "image.tar", "--without", "all", "--exercise", "./asks")
    assert done.returncode == 4
    assert "stdout differs in line 1\n  here: yes\n  in the image: no" in done.stderr
    assert "\n/etc/localtime: not in the image, and here\n" in done.stderr
    assert "/etc/localtime stays here: this machine's time zone; without it" in done.stderr
    assert (tmp_path / "image.tar").read_text() == "old"
    assert list(tmp_path.glob(".*")) == []
    agreed = ["--without", "all", "--exercise", "./asks", "--exercise-compare", "exit"]
    assert cli("pack", "./asks", "-o", "image.tar", *agreed).returncode == 0


def test_a_secret_that_a_run_reads_is_left_out_and_said(cli, tmp_path):
    (tmp_path / "id_rsa").write_text(
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n"
        "-----END OPENSSH PRIVATE KEY-----\n"
    )
    script = tmp_path / "reads"
    script.write_text("#!/bin/sh\nread line <id_rsa 2>/dev/null || :\n")
    script.chmod(0o755)
    done = cli("pack", "./reads", "-o", "image.tar", "--exercise", "./reads", check=True)
    assert "id_rsa, which `./reads` used, is left out: a secret" in done.stderr
    assert "id_rsa" not in cli("inspect", "-v", "image.tar", check=True).stdout.replace("`", "")


def test_what_the_words_name_is_mounted_and_not_packed(cli, tmp_path):
    (tmp_path / "sample.txt").write_text("sample\n")
    words = ["-o", "image.tar", "--exercise", "cat sample.txt"]
    done = cli("pack", "/usr/bin/cat", *words, check=True)
    assert "does the same" in done.stderr
    assert "sample.txt:" not in cli("inspect", "-v", "image.tar", check=True).stdout


def test_what_is_added_is_used_at_its_place_in_the_image(cli, tmp_path):
    (tmp_path / "page.txt").write_text("page\n")
    words = ["--add", "page.txt:/srv/page.txt", "--exercise", "cat /srv/page.txt"]
    done = cli("pack", "/usr/bin/cat", "-o", "image.tar", *words, check=True)
    assert "files that it showed: 0" in done.stderr


def test_temporary_files_have_their_place(cli, tmp_path):
    script = tmp_path / "sorts"
    script.write_text(
        "#!/usr/bin/python3\nimport tempfile\n"
        "with tempfile.NamedTemporaryFile() as file: print(file.write(b'x'))\n"
    )
    script.chmod(0o755)
    words = ["-u", "1000", "--without", "state-directories", "--exercise", "./sorts"]
    cli("pack", "./sorts", "-o", "image.tar", *words, check=True)
    inside = cli("inspect", "-v", "image.tar", check=True).stdout
    assert [one.split()[0] for one in inside.splitlines() if " /tmp:" in one] == ["d1777"]
    assert " /usr/local/bin/sorts: executable" in inside  # below a directory that came bare


DAEMON = """\
#!/usr/bin/python3
import http.server, signal, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        __import__(bytes({numbers}).decode())
        self.send_response(200); self.end_headers(); self.wfile.write(b"{module}")
server = http.server.HTTPServer(("127.0.0.1", {port}), Page)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server.serve_forever()
"""


def test_a_daemon_is_probed_and_stopped(cli, tmp_path, free_port):
    module = "yaml"
    script = tmp_path / "daemon"
    script.write_text(DAEMON.format(module=module, numbers=[*module.encode()], port=free_port))
    script.chmod(0o755)
    probe = tmp_path / "probe"
    probe.write_text(
        f"#!{sys.executable}\nimport urllib.request\n"
        f"print(urllib.request.urlopen('http://127.0.0.1:{free_port}/').read())\n"
    )
    probe.chmod(0o755)
    words = ["-o", "image.tar", "--exercise", "./daemon", "--exercise-probe", "./probe"]
    done = cli("pack", "./daemon", *words, check=True)
    assert "`./daemon` does the same in the image" in done.stderr
    assert f"/{module}/__init__.py" in cli("inspect", "-v", "image.tar", check=True).stdout


@pytest.fixture
def free_port():
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--exercise", "./none"], 3, "no such file"),
        (["--exercise", "true"], 2, "none of the packed programs"),
        (["--exercise", "./hello | cat"], 2, "is for a shell"),
        (["--exercise", "./hello", "--sysroot", "root"], 2, "another system"),
        (["--exercise-probe", "true"], 2, "one --exercise, 0 are given"),
        (["--exercise-compare", "exit"], 2, "needs --exercise"),
    ],
)
def test_mistakes(cli, cc, tmp_path, words, code, text):
    cc("int main(void) { return 0; }")
    (tmp_path / "root/lib").mkdir(parents=True)
    done = cli("pack", "./hello", "-o", "image.tar", *words)
    assert (done.returncode, text in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "image.tar").exists()


def test_a_recipe_exercises_from_its_own_folder(cli, cc, tmp_path):
    folder = tmp_path / "recipe"
    folder.mkdir()
    c_host(folder, cc, "by-table")
    (folder / "rootfs.toml").write_text(
        'executables = ["by-table"]\noutput = "image.tar"\nexercise = ["./by-table"]\n'
    )
    cli("build", "recipe/rootfs.toml", check=True)
    assert "parts/one.plug" in cli("inspect", "-v", "recipe/image.tar", check=True).stdout
    assert stat.S_ISREG(os.stat(folder / "image.tar").st_mode)


CALLS = r"""
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
int main(int argc, char **argv) {
    struct utsname name;
    if (argc > 1 && uname(&name)) { perror("uname"); return 3; }
    FILE *file = fopen("/tmp/made", "w");
    if (!file) { perror("/tmp/made"); return 4; }
    fclose(file);
    puts("called");
    return 0;
}
"""


@pytest.mark.engines
def test_a_profile_allows_what_the_exercise_called_and_nothing_else(cli, cc, tmp_path, docker):
    cc(CALLS, name="calls")
    least = ["--seccomp", "calls.json", "--security-context", "pod.yaml"]
    words = ["-t", f"{NAME}-calls", "--exercise", "./calls", *least]
    cli("pack", "./calls", "-o", "image.tar", *words, check=True)
    name = docker.load(tmp_path / "image.tar")
    confined = ["--security-opt", f"seccomp={tmp_path}/calls.json", "--read-only", "--cap-drop=ALL"]
    confined += ["--tmpfs", "/tmp"]  # noqa: S108 - of the container
    assert docker.run(name, extra=confined).stdout == "called\n"
    refused = docker.run(name, "uname", extra=confined)
    assert (refused.returncode, refused.stderr) == (3, "uname: Function not implemented\n")
    assert docker.run(name, "uname").returncode == 0
    docker.remove(name)


def test_a_security_context_is_yaml_with_a_volume_for_what_is_written(cli, cc, tmp_path):
    import yaml

    cc(CALLS, name="calls")
    words = ["-u", "1000:1000", "--exercise", "./calls", "--security-context", "pod.yaml"]
    cli("pack", "./calls", "-o", "image.tar", *words, check=True)
    found = yaml.safe_load((tmp_path / "pod.yaml").read_text())
    context = found["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (1000, 1000)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert [one["mountPath"] for one in found["volumeMounts"]] == ["/tmp"]  # noqa: S108
    assert [one["name"] for one in found["volumes"]] == ["written-1"]


def test_a_profile_needs_an_exercise(cli, cc):
    cc("int main(void) { return 0; }")
    done = cli("pack", "./hello", "-o", "image.tar", "--seccomp", "calls.json")
    assert (done.returncode, "give one with --exercise" in done.stderr) == (2, True)
