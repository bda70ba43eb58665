"""What click finds wrong with a command line → a sentence: the thing first, the way out last.

click's own words name a parameter and stop there; who types a command for the first time needs the
line that works. The texts are ours, so that they do not depend on click's version.
"""

import os
import re
from collections.abc import Iterable

import click

from rootfs_builder.commands import VERBS
from rootfs_builder.paths import encode

Command = tuple[str, ...] | None

_ELSEWHERE = {  # verbs of docker, of other packers and of the tools that people know
    "create": "pack",
    "make": "pack",
    "image": "pack",
    "export": "stage",
    "install": "stage",
    "ldd": "tree",
    "ls": "tree",
    "list": "tree",
    "check": "verify",
    "test": "verify",
}
_OF_AN_ENGINE = ("run", "load", "push", "start", "exec")
_SPELT = {  # options that others spell otherwise
    "--name": "the image's name is -t NAME",
    "--image": "the image's name is -t NAME",
    "--out": "the archive's name is -o FILE",
    "--file": "there is no Dockerfile: name the program, and the archive with -o FILE",
    "-f": "there is no Dockerfile: name the program, and the archive with -o FILE",
    "--cmd": "the program's arguments stand behind --",
    "--args": "the program's arguments stand behind --",
    "--copy": "--add SRC:DEST adds a file",
    "--include": "--add SRC:DEST adds a file, --include-lib NAME a library",
    "--lib": "-L DIR is where libraries are looked for, --include-lib NAME adds one",
    "--libs": "-L DIR is where libraries are looked for, --include-lib NAME adds one",
    "-I": "-L DIR is where libraries are looked for",
    "--root": "--sysroot DIR is where another machine's files are",
    "--arch": "--platform linux/ARCH insists on one, the program decides",
    "--port": "--expose PORT documents a port",
    "--cwd": "-w PATH is the directory that the program starts in",
    "--dir": "-w PATH is the directory that the program starts in",
    "--force": "there is nothing to force: an older archive is replaced",
    "--push": "the archive is a file; skopeo copy oci-archive:FILE docker://… pushes it",
    "--load": "the archive is a file; docker load -i FILE loads it",
    "-p": "an option of docker run, for a port; --expose PORT documents one in the image",
    "--publish": "an option of docker run, for a port; --expose PORT documents one in the image",
}
_OF_RUN = {"--rm", "-i", "--interactive", "--tty", "-d", "--detach", "--network", "--restart"}


def sentence(error: click.ClickException, words: list[str], command: Command) -> str:
    """What is wrong with the command line `words -- command`, and what to type."""
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx else " ".join(["rootfs-builder", *words[:1]])
    if isinstance(error, click.NoSuchOption):
        said = _no_such_option(error, words, path)
    elif isinstance(error, click.MissingParameter):
        said = _missing(error, words, command)
    elif isinstance(error, click.BadOptionUsage):
        said = _value(error)
    elif isinstance(error, click.BadParameter) and error.param is not None:
        said = f"{_spelt(error.param)}: {error.message.rstrip('.')}"
    else:
        said = _other(error)
    return f"{said}\n{path} --help lists what there is"


def no_such_verb(words: list[str]) -> str:
    """What to type where the first word is no verb."""
    word, *rest = words
    pack = "rootfs-builder pack {} -o {}.tar"
    if word in _OF_AN_ENGINE:
        return (
            f"{word}: no verb, since an engine does that: docker load -i hello.tar && "
            "docker run --rm hello"
        )
    if word in _ELSEWHERE:
        verb = _ELSEWHERE[word]
        return f"{word}: no such verb; here it is called {verb}: {_line(verb, *rest)}"
    near = _nearest(word, VERBS, 0.6)
    if near:
        return f"{word}: no such verb; did you mean: {_line(near[0], *rest)}"
    if os.path.isfile(encode(word)) or "/" in word:
        line = pack.format(word, os.path.basename(word.rstrip("/")) or "hello")
        return f"{word}: a path, where a verb is expected; to pack a program: {line}"
    return f"{word}: no such verb; there are {', '.join(VERBS)}: {pack.format('./hello', 'hello')}"


def _line(*words: str) -> str:
    import shlex

    return shlex.join(["rootfs-builder", *words])


def _nearest(word: str, known: Iterable[str], least: float) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(word, list(known), n=1, cutoff=least)


def _no_such_option(error: click.NoSuchOption, words: list[str], path: str) -> str:
    option = error.option_name
    command = error.ctx.command if error.ctx else None
    if isinstance(command, click.Group):
        verb = next((word for word in words if word in VERBS), "pack")
        return f"{option}: no option before the verb; put it behind: {path} {verb} {option}"
    if path.endswith(" build") and (key := _key(option)):
        return (
            f"{option}: an option of pack; a recipe has the key {key}, and here it is said by "
            f"--set {key}=VALUE"
        )
    if option in _SPELT:
        return f"{option}: no such option; {_SPELT[option]}"
    if option in _OF_RUN:
        return f"{option}: no such option; it is one of docker run, for when the image is loaded"
    known = [name for param in command.params for name in param.opts] if command else []
    near = _nearest(option, known, 0.8)
    if near:
        return f"{option}: no such option; did you mean {near[0]}?"
    if path.endswith("pack"):
        return f"{option}: no such option; the program's own stand behind --: … -- {option}"
    return f"{option}: no such option"


def _key(option: str) -> str | None:
    from rootfs_builder.commands.keys import keys

    return next((key.name for key in keys() if option in key.options), None)


def _missing(error: click.MissingParameter, words: list[str], command: Command) -> str:
    param, ctx = error.param, error.ctx
    shown = _spelt(param) if param else "an argument"
    example = (ctx.command.epilog or "") if ctx else ""
    line = example.removeprefix("Example: ").partition("  #")[0]
    if param is not None and param.name == "executables":
        return f"EXECUTABLE: missing; name the compiled program: {_line(*_with_program(words))}"
    if not isinstance(param, click.Option) or ctx is None:
        return f"{shown}: missing; for example: {line}"
    if set(param.opts) & set(words):
        return f"{shown}: the option before it took it for its value; give that one a value"
    if set(param.opts) & set(command or ()):
        return f"{shown}: stands behind --, where all is the program's; put it before --"
    given = [one for one in ctx.params.get("executables") or () if one]
    if not given:
        return f"{shown}: missing; for example: {line}"
    suffix = ".tar" if param.metavar == "FILE" else "-rootfs"
    typed = [*words, "-o", os.path.basename(given[0].rstrip("/")) + suffix]
    if command is not None:
        typed += ["--", *command]
    return f"{shown}: missing; say where the result goes: {_line(*typed)}"


def _with_program(words: list[str]) -> list[str]:
    """The command line with a program in it, and with an output where that is all there is."""
    output = {"pack": ["-o", "hello.tar"], "stage": ["-o", "hello-rootfs"]}.get(words[0], [])
    return [words[0], "./hello", *(words[1:] or output)]


def _value(error: click.BadOptionUsage) -> str:
    option = error.option_name
    if option in {"-o", "--output"}:
        return f"{option}: the name of the result is missing; put it behind: -o hello.tar"
    if "not take a value" in error.message:
        return f"{option}: takes no value; leave out what stands behind ="
    return f"{option}: its value is missing; put one behind it"


def _other(error: click.ClickException) -> str:
    ctx = getattr(error, "ctx", None)
    extra = re.fullmatch(r"Got unexpected extra arguments? \((.*)\)", error.message.rstrip("."))
    if extra is None or ctx is None:
        return error.message
    takes = " ".join(ctx.command.collect_usage_pieces(ctx)[1:]) or "options alone"
    return f"{extra[1]}: too much; {ctx.info_name} takes {takes}"


def _spelt(param: click.Parameter) -> str:
    """`-o FILE`, `EXECUTABLE...`."""
    if isinstance(param, click.Option):
        return f"{param.opts[0]} {param.metavar}" if param.metavar else param.opts[-1]
    return param.metavar or str(param.name).upper()
