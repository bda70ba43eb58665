"""`rootfs-builder verify`: resolve the programs of an image, whoever made it."""

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from rootfs_builder.choices import NETWORKS
from rootfs_builder.commands import documents, options
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import Mistake, UsageError, VerificationError

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.choices import Network
    from rootfs_builder.filesystem.root import Root
    from rootfs_builder.image import Image
    from rootfs_builder.image.unpack import Reader
    from rootfs_builder.plan.verify import Report
    from rootfs_builder.views.documents.programs import Verified


@click.command(cls=Verb, epilog="Example: rootfs-builder verify hello.tar")
@click.argument("image", metavar="IMAGE|DIR", shell_complete=options.file_names)
@click.option(
    "--network",
    type=click.Choice(NETWORKS),
    default="none",
    help="Network of the command: only loopback (the default), or the host's.",
)
@options.timeout
@options.as_json("verify")
@options.quiet
@options.no_limits
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    image: str,
    network: "Network",
    timeout: str,
    as_json: bool,
    quiet: bool,
    no_limits: bool,
    debug: bool,
) -> None:
    """Check that an image's programs find their linked libraries.

    IMAGE is as for inspect; DIR is any other directory, taken as a root. Nothing is run, so
    libraries that a program opens later are not checked. Exit code 4 means that something is
    missing.

    A command after -- is then run in the image, without an engine. If it fails, the exit code is 4,
    and its output and the files that it did not find are shown.
    """
    del debug
    seconds = _seconds(cmd, timeout)
    reports = _reports(image, quiet=quiet, no_limits=no_limits)
    problems = [problem for report in reports for problem in report.problems]
    unchecked = () if quiet or as_json else dict.fromkeys(o for r in reports for o in r.unchecked)
    for one in unchecked:
        click.echo(f"warning: not checked: {one}", err=True)
    if as_json:
        documents.show([_document(one) for one in reports])
    if problems:
        raise VerificationError("\n".join(problems))
    if cmd:
        _run(image, cmd, network=network, seconds=seconds, no_limits=no_limits)
    if not quiet and not as_json:
        programs = sum(report.programs for report in reports)
        files = sum(report.files for report in reports)
        found = f"{programs} dynamic programs find their linked libraries, in {files} files"
        click.echo(f"{image}: {found if programs else 'its programs are static, or scripts'}")


def _document(one: "Report") -> "Verified":
    from rootfs_builder.views.documents.programs import Verified

    return Verified(one.programs, one.files, tuple(one.problems), tuple(one.unchecked))


def _seconds(cmd: tuple[str, ...] | None, timeout: str) -> float:
    """How long a command may take; what is about one is refused where there is none."""
    if cmd == ():
        raise UsageError("say what to run: rootfs-builder verify hello.tar -- hello --selftest")
    context = click.get_current_context()
    for name in ("network", "timeout") if cmd is None else ():
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise UsageError(Mistake(f"--{name}", "needs a command to run after --"))
    return options.seconds(timeout)


def _run(
    path: str, cmd: tuple[str, ...], *, network: "Network", seconds: float, no_limits: bool
) -> None:
    """Run a command in the image, which must succeed.

    Raises:
        VerificationError: it does not; what it said, and the first file that it missed.
    """
    from rootfs_builder.image import found as images
    from rootfs_builder.pipeline import verification

    if path == "-":
        raise UsageError("a command needs a file or directory; stdin is read once")
    with images.at(path, "verify", no_limits=no_limits) as found:
        if found.directory and not found.images:
            verification.of_directory(found.directory, cmd, network=network, seconds=seconds)
            return
        with found.reader() as reader:
            verification.of_image(found.images, reader, cmd, network=network, seconds=seconds)


def _reports(path: str, *, quiet: bool, no_limits: bool) -> "list[Report]":
    from rootfs_builder.commands.spinner import spinning
    from rootfs_builder.filesystem.root import DirectoryRoot
    from rootfs_builder.image import found as images

    with (
        spinning(quiet=quiet) as spinner,
        images.at(path, "verify", no_limits=no_limits) as found,
    ):
        if found.directory and not found.images:
            if no_limits:
                raise UsageError("--no-limits: only IMAGE has limits, not DIR")
            return [_of_directory(spinner.opened(DirectoryRoot(found.directory)))]
        spinner.reading(found)
        with found.reader() as reader:
            return [_report(one, reader) for one in found.images]


def _of_directory(root: "Root") -> "Report":
    from rootfs_builder.plan import verify
    from rootfs_builder.recipe import DEFAULT_PATH

    return verify.check(root, path=tuple(DEFAULT_PATH.split(":")))


def _report(image: "Image", reader: "Reader") -> "Report":
    from rootfs_builder.image import provenance
    from rootfs_builder.loader import preload
    from rootfs_builder.plan import PlanRoot, verify
    from rootfs_builder.recipe import DEFAULT_PATH

    settings = image.config.config
    environment = settings.environment
    return verify.check(
        PlanRoot(provenance.unpacked(image, None, reader).plan),
        start=next(iter(settings.command), ""),
        workdir=settings.working_dir or "/",
        path=tuple(environment.get("PATH", DEFAULT_PATH).split(":")),
        library_path=environment.get("LD_LIBRARY_PATH", ""),
        preload=preload.names(environment.get("LD_PRELOAD", "")),
    )
