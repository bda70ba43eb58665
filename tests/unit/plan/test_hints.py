"""Programs that a program names, and that are left out: one hint, and no more."""

import os
import time

import pytest

from tests.loader.oracle import GLIBC
from tests.rule_bench import LIB, PROGRAM, Bench, libc, program, rule

NAMES = "programs that are named in it are left out; name those you need as further EXECUTABLEs: "

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")


@pytest.fixture
def bench(linker, tmp_path):
    """A root with two programs that others may name, and a file that is none."""
    bench = Bench(tmp_path / "root", linker)
    bench.fill({f"{LIB}/libc.so.6": libc("frob"), "/usr/bin/data": "not executable"})
    bench.fill({"/usr/bin/less": program(), "/usr/libexec/aid": program()})
    return bench


def naming(*texts):
    """A program with these texts in it."""
    source = "".join(f'const char *t{number} = "{one}";' for number, one in enumerate(texts))
    return program("frob", source=source)


def hints(bench, *programs, **options):
    text = options.pop("text", "")
    return bench.plan(text, *programs, **options).said("hint")


def test_all_that_are_named_and_there_are_one_hint(bench):
    bench.fill({PROGRAM: naming("/usr/libexec/aid", "/usr/bin/less", "/usr/bin/gone")})
    named = [f"{bench.root}/usr/bin/less", f"{bench.root}/usr/libexec/aid"]
    assert hints(bench) == [NAMES + " ".join(named)]
    assert hints(bench, PROGRAM, *(one.removeprefix(str(bench.root)) for one in named)) == []


@pytest.mark.parametrize(
    "text",
    ["/usr/bin/data", "/usr/bin", "see /usr/bin/less", "/usr/bin/less %s", "/bin/sh", PROGRAM],
)
def test_what_is_no_path_of_another_program_is_no_hint(bench, text):
    bench.fill({PROGRAM: naming(text), "/bin/sh": program()})
    assert hints(bench) == []


def test_what_is_in_the_image_is_no_hint(bench):
    bench.fill({PROGRAM: naming("/usr/bin/less", "/bin/pager"), "/bin/pager": "-> ../usr/bin/less"})
    brings = rule('when = { imports = ["frob"] }\ncopy = ["/usr/bin/less"]')
    assert len(hints(bench)) == 1
    assert hints(bench, text=brings) == []
    assert hints(bench, PROGRAM, "/usr/bin/less") == []
    assert hints(bench, add=(f"{bench.root}/usr/bin/less",)) == []


def test_a_program_that_a_rule_brings_names_nothing(bench):
    bench.fill({PROGRAM: program("frob"), "/usr/bin/aid": naming("/usr/bin/less")})
    brings = rule('when = { imports = ["frob"] }\ncopy = ["/usr/bin/aid"]')
    assert hints(bench, text=brings) == []


def test_a_script_names_programs_in_its_words(bench):
    script = "#!/app/prog\nexec /usr/bin/less -R </usr/bin/data; $X/usr/libexec/aid /usr/bin/*\n"
    bench.fill({PROGRAM: program("frob"), "/app/script": script})
    (bench.root / "app/script").chmod(0o755)
    assert hints(bench, "/app/script") == [f"{NAMES}{bench.root}/usr/bin/less"]


COMMANDS = """\
#!/app/sh -e
# who starts this? ls /tmp
NAME=$(basename "$0")
HERE=$(cd "$(dirname "$0")" && pwd)
trap 'rm -f x; cat y' EXIT
if ! grep -q x /etc/passwd && LC_ALL=C sort -u z | head -n 1; then
    echo "usage: less more
    tail of the text, at $(date +%s) and `hostname`"
    mkdir -p "$HOME/x" || exit 1
fi
for one in a b; do touch "$one"; done
cat <<END
    sed and awk are
cut
END
find() { local x; }
who=3; tr=`uname -m`
exec env A=b nice \\
    sleep 1
"""
RUN = [
    "basename",
    "cat",
    "date",
    "dirname",
    "env",
    "grep",
    "head",
    "hostname",
    "mkdir",
    "nice",
    "sleep",
]
RUN += ["sort", "touch", "uname"]
NOT_RUN = ["awk", "cut", "echo", "find", "less", "ls", "more", "rm", "sed", "tail", "tr", "who"]


def test_the_commands_of_a_shell_script_are_named(bench):
    others = {f"/usr/bin/{name}": program() for name in (*RUN, *NOT_RUN)}
    bench.fill(others | {"/app/sh": program("frob"), "/app/script": COMMANDS})
    (bench.root / "app/script").chmod(0o755)
    wanted = sorted(f"{bench.root}/usr/bin/{name}" for name in RUN)
    assert hints(bench, "/app/script") == [NAMES + " ".join(wanted)]


@pytest.mark.parametrize(
    "unit", ["cat <<A{}\n", "; a=", "; a=\t", "a=-do ", '\\"', "a=` ", "{a=${", "<<EOF\n", "$("]
)
def test_a_script_is_read_in_time_in_proportion_to_its_size(bench, unit):
    text = "".join(unit.replace("{}", str(number)) for number in range((1 << 20) // len(unit)))
    bench.fill({"/usr/bin/sh": program(), "/app/script": f"#!/usr/bin/sh\n{text}"})
    os.chmod(f"{bench.root}/app/script", 0o700)
    started = time.process_time()
    hints(bench, "/app/script")
    assert time.process_time() - started < 10
