"""`rootfs-builder verify`: resolve the programs of an image, whoever made it."""

import os
import stat
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO

import click

from rootfs_builder.commands import options
from rootfs_builder.errors import InputError, NotFoundError, OutputError, VerificationError

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from collections.abc import Iterator

    from rootfs_builder.archives.packed import Packed
    from rootfs_builder.verify import Report


@click.command(epilog="Example: rootfs-builder verify hello.tar")
@click.argument("image", metavar="IMAGE|DIR", shell_complete=options.file_names)
@options.as_json
@options.quiet
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None, /, *, image: str, as_json: bool, quiet: bool, debug: bool
) -> None:
    """Say what the programs in an image would not find when they start.

    IMAGE is what docker save, docker export, podman, skopeo (also dir: and oci:) or we write, also
    compressed, or - for stdin; DIR any other directory, taken as a root. Nothing is run. Exit code
    4 says that something is missing.
    """
    del debug
    options.no_command(cmd, "verify")
    reports = _reports(options.text(image))
    problems = [problem for report in reports for problem in report.problems]
    if as_json:
        import json

        facts = [
            {"programs": one.programs, "files": one.files, "problems": list(one.problems)}
            for one in reports
        ]
        click.echo(json.dumps(facts, indent=2))
    if problems:
        raise VerificationError("\n".join(problems))
    if not quiet and not as_json:
        programs = sum(report.programs for report in reports)
        files = sum(report.files for report in reports)
        found = f"{programs} dynamic programs find all they load, in {files} files"
        click.echo(f"{image}: {found if programs else 'its programs are static, or scripts'}")


def _reports(path: str) -> "list[Report]":
    from rootfs_builder import archives
    from rootfs_builder.archives import packed
    from rootfs_builder.paths import decode, encode, printable

    raw = encode(path)
    shown = "stdin" if path == "-" else printable(path)
    if path != "-" and not os.path.exists(raw):
        raise NotFoundError(
            f"{shown}: no such file or directory; for an image that an engine has: "
            f"docker save {shown} | rootfs-builder verify -"
        )
    if path != "-" and stat.S_ISCHR(os.stat(raw).st_mode):
        raise InputError(f"{shown}: a device; name a file or directory")
    try:
        if os.path.isdir(raw):
            directory = decode(os.path.realpath(raw))
            images = archives.read(packed.of_directory(directory))
            return [_report(one) for one in images] or [_of_directory(directory)]
        with _archive(raw) as file:
            images = archives.read(packed.of_archive(file))
            return [_report(one) for one in images] or [_report(packed.of_tree(file))]
    except InputError as error:
        raise InputError(f"{shown}: {_program(raw, shown) or error}") from error


def _program(path: bytes, shown: str) -> str:
    """What to type where the image is none, but a program."""
    if path == b"-" or not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return ""
    return (
        f"a program, not an image; `rootfs-builder tree {shown}` resolves it, "
        f"`rootfs-builder pack {shown} -o x.tar` makes an image"
    )


@contextmanager
def _archive(path: bytes) -> "Iterator[BinaryIO]":
    """The archive at a path, or on stdin: as a file, and as a tar if it is compressed."""
    from rootfs_builder import unpack

    with ExitStack() as stack:
        file: BinaryIO = sys.stdin.buffer if path == b"-" else stack.enter_context(open(path, "rb"))
        if not file.seekable():
            import shutil

            copy = stack.enter_context(_scratch())
            shutil.copyfileobj(file, copy, 1 << 20)
            file = copy
        yield unpack.decompressed(file, stack.enter_context(_scratch()))


@contextmanager
def _scratch() -> "Iterator[BinaryIO]":
    """A temporary file, and a sentence where its disk is full."""
    import tempfile

    try:
        with tempfile.TemporaryFile() as scratch:
            yield scratch
    except OSError as error:
        raise OutputError(
            f"{error.strerror} in {tempfile.gettempdir()}, where layers are unpacked; TMPDIR names "
            "another directory"
        ) from error


def _of_directory(directory: str) -> "Report":
    from rootfs_builder import verify
    from rootfs_builder.recipe import DEFAULT_PATH
    from rootfs_builder.root import DirectoryRoot

    return verify.check(DirectoryRoot(directory), path=tuple(DEFAULT_PATH.split(":")))


def _report(image: "Packed") -> "Report":
    from rootfs_builder import unpack, verify
    from rootfs_builder.plan import PlanRoot
    from rootfs_builder.recipe import DEFAULT_PATH

    with _scratch() as scratch:
        plan = unpack.read(image.layers, scratch)
        env = dict(one.partition("=")[::2] for one in image.env)
        return verify.check(
            PlanRoot(plan),
            start=next(iter((*image.entrypoint, *image.command)), ""),
            workdir=image.workdir,
            path=tuple(env.get("PATH", DEFAULT_PATH).split(":")),
            library_path=env.get("LD_LIBRARY_PATH", ""),
        )
