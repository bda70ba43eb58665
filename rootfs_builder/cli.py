"""The command line: argv → one verb → an exit code.

Arguments after the first `--` are the container's command and never reach click, so that no option
of ours can be taken for one of theirs. Every error of the tree in `errors` ends here, as a sentence
on stderr and its exit code; so does a defect of ours. `--debug` shows the traceback of either.
"""

import io
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module

import click

from rootfs_builder.commands import VERBS, terminal
from rootfs_builder.errors import InternalError, Mistake, RootfsError, UsageError
from rootfs_builder.paths import decode, printable
from rootfs_builder.version import __version__

_WHAT_TO_DO = """\
Turn a compiled program into the smallest container image that runs it.

Without Docker, without root, and without running the program. To begin:

\b
  rootfs-builder pack ./hello -o hello.tar    or any other: /usr/bin/curl
  docker load -i hello.tar                    or podman load, or skopeo copy
  docker run --rm hello
"""
_TROUBLE = {"diff": 2}  # what of a verb is 1 elsewhere, where 1 is an answer
_INTERRUPTED = 128  # a shell adds the number of the signal


class _Verbs(click.Group):
    """Imports only the verb that is called."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in VERBS and not ctx.resilient_parsing and not args[0].startswith("-"):
            from rootfs_builder.commands import mistakes

            raise click.UsageError(mistakes.no_such_verb(args), ctx)
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in VERBS:
            return None
        command = import_module(f"rootfs_builder.commands.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - each file in the folder has one
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=_WHAT_TO_DO,
    epilog="rootfs-builder COMMAND --help explains a command and gives an example.",
)
@click.version_option(__version__, "-V", "--version", prog_name="rootfs-builder")
def _group() -> None:
    """The options of the program itself: help and the version."""


class _TerminatedError(BaseException):
    """SIGTERM or SIGHUP, as something that `finally` blocks see."""


_PROCESS = os.getpid()


def _terminate(number: int, _frame: object) -> None:
    if os.getpid() != _PROCESS:
        os._exit(_INTERRUPTED + number)  # a worker of `build` that has just begun
    raise _TerminatedError(number)


class _Stderr(io.TextIOWrapper):
    """Stderr. What cannot be written there is dropped: nothing of the result is lost with it."""

    def write(self, text: str, /) -> int:
        """See TextIOWrapper."""
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """See TextIOWrapper."""
        with suppress(OSError):
            super().flush()


def main() -> int:
    """Run this process's command line: the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup(1) asks for
            signal.signal(number, _terminate)
    if sys.stderr is not None:
        with suppress(OSError):  # where it is broken, it stays as it is
            raw = io.FileIO(sys.stderr.fileno(), "w", closefd=False)
            sys.stderr = _Stderr(io.BufferedWriter(raw), sys.stderr.encoding, line_buffering=True)
    if sys.stdout is None:
        click.echo("rootfs-builder: stdout is closed; to drop the result, >/dev/null", err=True)
        return 1
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with suppress(OSError):  # where it is broken, what is written will say so
                stream.reconfigure(errors="backslashreplace")
    words = [decode(os.fsencode(word)) for word in sys.argv[1:]]  # the same in every locale
    cut = words.index("--") if "--" in words else len(words)
    return run(words[:cut], tuple(words[cut + 1 :]) if cut < len(words) else None)


def _not_written(error: OSError) -> int:
    """Report that stdout cannot be written, unless its reader has closed it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the flush on exit complains again
    if not isinstance(error, BrokenPipeError):
        where = (
            "stdout" if error.filename is None else printable(decode(os.fsencode(error.filename)))
        )
        click.echo(f"rootfs-builder: {where}: {error.strerror}", err=True)
    return 1


def _say(sentence: str) -> None:
    terminal.say(f"rootfs-builder: {sentence}".split("\n"))


def _mistake(
    error: click.ClickException, words: list[str], command: tuple[str, ...] | None
) -> UsageError:
    """What is wrong with the command line, as one of our errors."""
    from rootfs_builder.commands import mistakes

    text, _, advice = mistakes.sentence(error, words, command).partition("\n")
    return UsageError(text, Mistake("", advice, advice="" if "; " in text else advice))


def _as_options(words: list[str]) -> list[str]:
    """The same command line where people type help and version as commands."""
    if words[:1] == ["help"]:
        return [*words[1:], "--help"]
    return ["--version"] if words == ["version"] else words


def run(words: list[str], command: tuple[str, ...] | None) -> int:
    """Run one command line; `command` has the arguments after `--`, None without one.

    A verb whose answer is an exit code raises click's Exit; that is not an error.
    """
    debug = "--debug" in words
    try:
        done = _group.main(_as_options(words), "rootfs-builder", standalone_mode=False, obj=command)
        sys.stdout.flush()
        return done if isinstance(done, int) else 0
    except RootfsError as error:
        if debug:
            raise
        code = _report(error, words)
    except click.ClickException as error:
        if words:
            code = _report(_mistake(error, words, command), words)
        else:
            error.show()  # the help
            code = error.exit_code
    except OSError as error:
        if debug:
            raise
        code = _not_written(error)
    except (KeyboardInterrupt, click.Abort, _TerminatedError) as error:
        terminated = isinstance(error, _TerminatedError)
        code = _INTERRUPTED + (int(error.args[0]) if terminated else signal.SIGINT)
    except Exception as error:
        if debug:
            raise
        code = _report(InternalError(terminal.defect(error)), words)
    return _code(code, words)


def _code(code: int, words: list[str]) -> int:
    """The exit code of a verb, where 1 may mean something else."""
    return _TROUBLE.get(words[0], code) if code == 1 and words else code


def _report(error: RootfsError, words: list[str]) -> int:
    """Say what went wrong, on stdout too if that is for JSON: the exit code."""
    _say(str(error))
    if "--json" in words:
        from rootfs_builder.commands import documents

        try:
            documents.show_error(error, _code(error.exit_code, words))
            sys.stdout.flush()
        except OSError as broken:
            return _not_written(broken)
    return error.exit_code
