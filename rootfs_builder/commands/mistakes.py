"""click's errors → sentences: first what is wrong, then what to type.

click names a parameter and stops there; a newcomer needs the line that works. Only the class and
the attributes of an error are read, so that no text depends on click's version.
"""

import os
from collections.abc import Iterable

import click

from rootfs_builder.commands import VERBS
from rootfs_builder.commands.verb import ExtraArgumentsError
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
    "test": "verify",
}
_RUN = "docker load -i hello.tar && docker run --rm hello"
_OF_ENGINES = {  # verbs that an engine or another tool has, and how it is called
    "load": _RUN,
    "start": _RUN,
    "exec": _RUN,
    "push": "skopeo copy oci-archive:hello.tar docker://REGISTRY/hello",
}
_OTHER_SPELLINGS = {  # options that others spell otherwise
    "--name": "the image's name is -t NAME",
    "--image": "the image's name is -t NAME",
    "--out": "the archive's name is -o FILE",
    "--file": "there is no Dockerfile: name the program, and the archive with -o FILE",
    "-f": "there is no Dockerfile: name the program, and the archive with -o FILE",
    "--cmd": "the program's arguments go after --",
    "--args": "the program's arguments go after --",
    "--copy": "--add SRC:DEST adds a file",
    "--include": "--add SRC:DEST adds a file, --include-lib NAME a library",
    "--lib": "-L DIR is where libraries are looked for, --include-lib NAME adds one",
    "--libs": "-L DIR is where libraries are looked for, --include-lib NAME adds one",
    "-I": "-L DIR is where libraries are looked for",
    "--root": "--sysroot DIR is where another machine's files are",
    "--arch": "--platform linux/ARCH requires this platform; the program decides",
    "--port": "--expose PORT documents a port",
    "--cwd": "-w PATH is the directory that the program starts in",
    "--dir": "-w PATH is the directory that the program starts in",
    "--force": "there is nothing to force: an older archive is replaced",
    "--from": "--base IMAGE puts the files on top of an image",
    "--env-file": "-e NAME=VALUE sets a variable; a recipe has them as a list, env = [...]",
    "--cap-add": "an option of docker run; --cap PATH=CAPABILITIES gives a file some",
    "--cap-drop": "an option of docker run, where --cap-drop ALL works for most images",
    "--build-arg": "nothing is built: name the compiled program; a recipe has steps that compile",
    "--target": "--platform OS/ARCH requires a platform; the program decides",
    "--squash": "--layers single makes one layer",
    "--shell": "there is no shell unless you add one: name /bin/sh as a further EXECUTABLE",
    "--push": "the archive is a file; skopeo copy oci-archive:FILE docker://… pushes it",
    "--sbom": "scanners make one of the archive, such as syft FILE",
    "--provenance": "why and inspect show the reasons of an image's files",
    "--trace": "rootfs-builder trace runs a program and says what its image lacks",
    "--ignorefile": "--exclude PATTERN leaves files out; .rootfsignore holds such patterns",
    "--exclude-from": "--exclude PATTERN leaves files out; .rootfsignore holds such patterns",
    "--load": "the archive is a file; docker load -i FILE loads it",
    "-p": "an option of docker run, for a port; --expose PORT documents one in the image",
    "--publish": "an option of docker run, for a port; --expose PORT documents one in the image",
}
_OF_STAGE = {"--force": "a directory that is not empty stays as it is; remove it first"}
_OF_RUN = {
    *("--rm", "-i", "--interactive", "--tty", "-d", "--detach", "--network", "--restart"),
    *("--device", "--gpus", "--mount", "--memory", "--privileged", "--pull", "--tmpfs", "--ulimit"),
}
_SHORTEST = 4  # characters of an option's beginning that say which is meant


def sentence(error: click.ClickException, words: list[str], command: Command) -> str:
    """What is wrong with the command line `words -- command`, and what to type."""
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx else " ".join(["rootfs-builder", *words[:1]])
    if isinstance(error, click.NoSuchOption):
        text = _no_such_option(error, words, path)
    elif isinstance(error, click.MissingParameter):
        text = _missing(error, words, command)
    elif isinstance(error, click.BadOptionUsage):
        text = _value(error)
    elif isinstance(error, click.BadParameter) and error.param is not None:
        text = f"{_spelling(error.param)}: {error.message.rstrip('.')}"
    elif isinstance(error, ExtraArgumentsError) and ctx is not None:
        takes = " ".join(ctx.command.collect_usage_pieces(ctx)[1:]) or "options alone"
        text = f"{' '.join(error.arguments)}: unexpected; {ctx.info_name} takes {takes}"
    else:
        text = error.message
    return f"{text}\n{path} --help lists what there is"


def no_such_verb(words: list[str]) -> str:
    """What to type if the first argument is not a command."""
    word, *rest = words
    pack = "rootfs-builder pack {} -o {}.tar"
    if word in _OF_ENGINES:
        return f"{word}: unknown command; other tools do that: {_OF_ENGINES[word]}"
    if word in _ELSEWHERE:
        verb = _ELSEWHERE[word]
        return f"{word}: unknown command; here it is called {verb}: {_line(verb, *rest)}"
    near = _nearest(word, VERBS, 0.6)
    if near:
        return f"{word}: unknown command; did you mean: {_line(near[0], *rest)}"
    if os.path.isfile(encode(word)) or "/" in word:
        line = pack.format(word, os.path.basename(word.rstrip("/")) or "hello")
        return f"{word}: a path where a command is expected; to pack a program: {line}"
    return (
        f"{word}: unknown command; there are {', '.join(VERBS)}: {pack.format('./hello', 'hello')}"
    )


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
        return f"{option}: options go after the command: {path} {verb} {option}"
    if path.endswith(" build") and (key := _key(option)):
        return (
            f"{option}: an option of pack; a recipe has the key {key}, and --set {key}=VALUE "
            "overrides it here"
        )
    spellings = _OTHER_SPELLINGS | (_OF_STAGE if path.endswith(" stage") else {})
    if option in spellings:
        return f"{option}: no such option; {spellings[option]}"
    if option in _OF_RUN:
        return f"{option}: no such option; it is one of docker run, for when the image is loaded"
    known = [name for param in command.params for name in param.opts] if command else []
    begun = [name for name in known if name.startswith(option) and len(option) >= _SHORTEST]
    near = begun or _nearest(option, known, 0.8)
    if near:
        return f"{option}: no such option; did you mean {' or '.join(near)}?"
    if path.endswith("pack"):
        return f"{option}: no such option; the program's own options go after --: … -- {option}"
    return f"{option}: no such option"


def _key(option: str) -> str | None:
    from rootfs_builder.commands.keys import keys

    return next((key.name for key in keys() if option in key.options), None)


def _missing(error: click.MissingParameter, words: list[str], command: Command) -> str:
    param, ctx = error.param, error.ctx
    shown = _spelling(param) if param else "an argument"
    example = (ctx.command.epilog or "").lstrip("\b\n") if ctx else ""
    line = example.split("\n", 1)[0].removeprefix("Example: ").partition("  #")[0]
    if param is not None and param.name == "executables":
        return f"EXECUTABLE: missing; name the compiled program: {_line(*_with_program(words))}"
    if not isinstance(param, click.Option) or ctx is None:
        return f"{shown}: missing; for example: {line}"
    if set(param.opts) & set(words):
        return f"{shown}: the option before it took it for its value; give that one a value"
    if set(param.opts) & set(command or ()):
        return f"{shown}: after --, where everything is the program's; put it before --"
    executables = [one for one in ctx.params.get("executables") or () if one]
    if not executables:
        return f"{shown}: missing; for example: {line}"
    line_ = _with_output(words, executables, ".tar" if param.metavar == "FILE" else "-rootfs")
    if command is not None:
        line_ += ["--", *command]
    return f"{shown}: missing; say where the result goes: {_line(*line_)}"


def _with_output(words: list[str], executables: list[str], suffix: str) -> list[str]:
    """The command line with an output: the last of several programs, if that is its name."""
    last = executables[-1]
    if len(executables) > 1 and last.endswith(suffix):
        at = len(words) - 1 - words[::-1].index(last)
        return [*words[:at], *words[at + 1 :], "-o", last]
    return [*words, "-o", os.path.basename(executables[0].rstrip("/")) + suffix]


def _with_program(words: list[str]) -> list[str]:
    """The command line with a program in it, and with an output where that is all there is."""
    output = {"pack": ["-o", "hello.tar"], "stage": ["-o", "hello-rootfs"]}.get(words[0], [])
    return [words[0], "./hello", *(words[1:] or output)]


def _value(error: click.BadOptionUsage) -> str:
    option = error.option_name
    if option in {"-o", "--output"}:
        return f"{option}: the name of the result is missing: -o hello.tar"
    params = error.ctx.command.get_params(error.ctx) if error.ctx else ()
    if any(option in param.opts and not getattr(param, "is_flag", False) for param in params):
        return f"{option}: its value is missing; put one after it"
    return f"{option}: takes no value; remove the = and what follows it"


def _spelling(param: click.Parameter) -> str:
    """`-o FILE`, `EXECUTABLE...`."""
    if isinstance(param, click.Option):
        return f"{param.opts[0]} {param.metavar}" if param.metavar else param.opts[-1]
    return param.metavar or str(param.name).upper()
