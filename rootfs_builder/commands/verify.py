"""`rootfs-builder verify`: resolve the programs of an image, whoever made it."""

import os
from typing import TYPE_CHECKING, BinaryIO

import click

from rootfs_builder.commands import options
from rootfs_builder.errors import InputError, NotFoundError, OutputError, VerificationError

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.archives.packed import Packed
    from rootfs_builder.verify import Report


@click.command(epilog="Example: rootfs-builder verify hello.tar")
@click.argument("image", metavar="IMAGE|DIR")
@options.as_json
@options.quiet
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None, /, *, image: str, as_json: bool, quiet: bool, debug: bool
) -> None:
    """Say what the programs in an image would not find when they start.

    IMAGE is an archive of docker, podman, skopeo or ours, or an OCI layout directory; DIR any other
    directory, taken as a root. Nothing is run. Exit code 4 says that something is missing.
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
        click.echo(f"{image}: {programs} dynamic programs find all they load, in {files} files")


def _reports(path: str) -> "list[Report]":
    from rootfs_builder import archives, verify
    from rootfs_builder.archives import packed
    from rootfs_builder.paths import decode, encode, printable
    from rootfs_builder.root import DirectoryRoot

    raw = encode(path)
    if not os.path.exists(raw):
        raise NotFoundError(f"{printable(path)}: no such image or directory")
    if not (os.path.isfile(raw) or os.path.isdir(raw)):
        raise InputError(f"{printable(path)}: a pipe or device; name a file or directory")
    try:
        if not os.path.isdir(raw):
            with open(raw, "rb") as file:
                return [_report(one) for one in archives.read(packed.of_archive(file))]
        directory = decode(os.path.realpath(raw))
        if os.path.exists(os.path.join(raw, b"oci-layout")):
            return [_report(one) for one in archives.read(packed.of_directory(directory))]
        return [verify.check(DirectoryRoot(directory))]
    except InputError as error:
        raise InputError(f"{printable(path)}: {error}") from error


def _report(image: "Packed") -> "Report":
    import tempfile

    from rootfs_builder import unpack, verify
    from rootfs_builder.plan import PlanRoot
    from rootfs_builder.recipe import DEFAULT_PATH

    def unpacked(scratch: BinaryIO) -> "Report":
        plan = unpack.read(image.layers, scratch)
        env = dict(one.partition("=")[::2] for one in image.env)
        return verify.check(
            PlanRoot(plan),
            start=next(iter((*image.entrypoint, *image.command)), ""),
            workdir=image.workdir,
            path=tuple(env.get("PATH", DEFAULT_PATH).split(":")),
            library_path=env.get("LD_LIBRARY_PATH", ""),
        )

    try:
        with tempfile.TemporaryFile() as scratch:
            return unpacked(scratch)
    except OSError as error:
        raise OutputError(
            f"{error.strerror} in {tempfile.gettempdir()}, where layers are unpacked; TMPDIR names "
            "another directory"
        ) from error
