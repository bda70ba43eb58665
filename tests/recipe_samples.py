"""Values for every key of a recipe, as options take them, and chosen sets of them."""

import shlex
import shutil
from pathlib import Path

import rootfs_builder
from rootfs_builder.commands.keys import keys

KEYS = {key.name: key for key in keys()}
SAMPLES = {  # of each key some values; of those that may be given several times, tuples
    "executables": [("hello",), ("./hello", "other"), ("sub/../hello",)],
    "command": [("-v",), ("a b", "ü", "--", ""), ('"\\', "\x7f\t")],
    "output": ["image.tar"],
    "format": ["hybrid", "oci", "docker"],
    "iidfile": ["id", "./id"],
    "metadata-file": ["metadata"],
    "max-size": ["100MB"],
    "policy": [("policy.toml",), ("./policy.toml", "policy.toml")],
    "depfile": ["image.d", "./image.mk"],
    "sysroot": ["/"],
    "base": ["base.tar", "oci:base"],
    "library-path": [("sub",), ("sub", "/usr/lib")],
    "include-lib": [("libm.so.6",)],
    "add": [("sub/words:/etc/words",), ("sub", "hello.c:/src/")],
    "exclude": [("words",), ("**/words", "!*/words")],
    "allow-sensitive": [("/",), ("sub", "./hello.c")],
    "hwcaps": ["all", "baseline"],
    "at": ["/srv/hello"],
    "owner": [("/usr/local/bin/hello=1000:1000",)],
    "mode": [("/usr/local/bin/hello=0700",)],
    "cap": [("/usr/local/bin/hello=cap_net_raw+ep",)],
    "with": [("greeting",), ("gconv=ISO8859-7,KOI8-R", "locale=C.UTF-8")],
    "without": [("users",), ("users", "locale")],
    "rules": [("my.toml",)],
    "nss": ["files", "keep"],
    "dlopen": ["required", "suggested", "none"],
    "strip": [True],
    "tag": [("registry.example/team/hello:1.0",), ("hello:1", "hello")],
    "entrypoint": ["/usr/local/bin/hello", '["/usr/local/bin/hello", "a b"]'],
    "env": [("A=1",), ("A=1", "B=x=y", "A=2", "C=")],
    "user": ["1000", "nonroot"],
    "workdir": ["/"],
    "label": [("org.example.x=ü 'y'",), ("a=1", "b=2")],
    "annotation": [("org.example.x=1",)],
    "expose": [("8080",), ("53/udp", "80")],
    "volume": [("/data",)],
    "stop-signal": ["SIGINT"],
    "health-cmd": ["/usr/local/bin/hello check"],
    "health-interval": ["30s"],
    "health-timeout": ["5s"],
    "health-start-period": ["1m"],
    "health-retries": ["3"],
    "platform": ["linux/amd64"],
    "layers": ["auto", "single", "package", "package:5"],
    "compression": ["gzip", "zstd", "none"],
    "compression-level": [1, 9],
    "no-plan": [True],
    "exercise": [("./hello",), ("./hello 'a b'", '["hello", ""]')],
    "exercise-compare": ["exit", "none"],
    "exercise-probe": ["true"],
    "seccomp": ["calls.json"],
    "security-context": ["pod.yaml"],
}
ALWAYS = ("executables", "output")
RUNNING = {"exercise", "exercise-probe", "seccomp", "security-context"}  # see test_exercise.py
RULE = """\
[greeting]
because = "b"
source = "s"
write = { "/etc/greeting" = "hi" }
"""


def folder(top, compiled):
    """What the samples name, in a directory; `compiled` is any program."""
    (top / "sub").mkdir(parents=True)
    for name in ("hello", "other"):
        shutil.copy(compiled, top / name)
    (top / "sub/words").write_text("words")
    (top / "hello.c").write_text("int main;")
    (top / "my.toml").write_text(RULE)
    recipe = rootfs_builder.Recipe.of(str(top / "other"))
    for base in ("base.tar", "oci:base"):
        rootfs_builder.pack(recipe, base.replace("base", str(top / "base")))
    (top / "policy.toml").write_text('max-size = "1GB"\n')
    return Path(top)


def chosen(random, without=frozenset()):
    """Some keys with values, as a program's author might write; but for some names."""
    names = [name for name in SAMPLES if name in ALWAYS or random.random() < 0.2]
    names = [name for name in names if name not in without]
    said = {name: random.choice(SAMPLES[name]) for name in names}
    if any(name.startswith("health-") for name in said):
        said["health-cmd"] = SAMPLES["health-cmd"][0]
    if "greeting" in str(said.get("with")):
        said["rules"] = SAMPLES["rules"][0]
    return said


def values(said):
    """As click gives them."""
    return {KEYS[name].parameter: value for name, value in said.items()}


def words(said):
    """As they are typed, and what stands behind the dashes."""
    typed = list(said["executables"])
    for name, value in said.items():
        if name in {"executables", "command"}:
            continue
        for one in value if isinstance(value, tuple) else (value,):
            if name == "allow-sensitive":
                typed += [f"--{name}" if one == "/" else f"--{name}={one}"]
                continue
            typed += [f"--{name}"] if one is True else [f"--{name}", str(one)]
    return typed, said.get("command")


def line(said):
    """As one line, to be shown."""
    typed, command = words(said)
    return shlex.join([*typed, *(["--", *command] if command else [])])
