"""`rootfs-builder minimize`: leave out of an image what a command does not need."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from rootfs_builder.choices import SUCCESSES
from rootfs_builder.commands import documents, options, terminal
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import InputError, UsageError

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from collections.abc import Callable, Iterable, Iterator

    from rootfs_builder.choices import Network, Success
    from rootfs_builder.filesystem.patterns import Pattern
    from rootfs_builder.image.found import Found
    from rootfs_builder.image.provenance import Record
    from rootfs_builder.pipeline.minimizing import Minimized
    from rootfs_builder.views.documents import images as documented

_MOST = 10  # lines of what went, and of what stays; -v has all


@click.command(
    cls=Verb, epilog="Example: rootfs-builder minimize app.tar -o small.tar -- app --selftest"
)
@click.argument("image", metavar="IMAGE", shell_complete=options.file_names)
@options.archive
@click.option("-t", "--tag", metavar="NAME[:TAG]", help="The image's new name.")
@click.option(
    "--keep",
    multiple=True,
    metavar="GLOB",
    help="Keep matching paths, as in .dockerignore: etc/**, **/*.conf.",
)
@click.option(
    "--success",
    type=click.Choice(SUCCESSES),
    default="stdout",
    help="Success is exit code 0 and the same output (the default), or exit code 0.",
)
@click.option(
    "--aggressive",
    is_flag=True,
    help="Also leave out files of other programs, and the entrypoint.",
)
@click.option("--timeout", metavar="TIME", help="Longest time for one run of the command.")
@click.option(
    "--network",
    type=click.Choice(("none", "host")),
    default="none",
    help="Network of the command: only loopback (the default), or the host's.",
)
@options.as_json("minimize")
@options.quiet
@options.verbose
@options.no_limits
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    image: str,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    no_limits: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Leave out of an image each file that a command does not need to succeed.

    The command after -- (default: what the image starts) is run in the image again and again,
    without an engine. It must fail if a file that matters is missing, so let it check its work. The
    remaining files resolve as before, and the config stays. IMAGE is as for inspect.
    """
    del debug
    options.check_stdout(given["output"], as_json=as_json)
    from rootfs_builder.image import found as images

    with images.at(image, "minimize", no_limits=no_limits) as found:
        if len(found.images) != 1:
            count = len(found.images) or "no"
            raise InputError(f"{count} images are in it; minimize takes one")
        with terminal.tally("runs", quiet=quiet) as tried:
            done = _minimized(found, cmd, tried, **given)
    if not quiet:
        for line in _lines(done, verbose=verbose):
            terminal.say((line,))
    if as_json:
        documents.show(_document(done))
    else:
        name = "@".join((*done.image.names[:1], done.image.digest))
        click.echo(name, err=given["output"] == "-")


def _minimized(
    found: "Found",
    cmd: tuple[str, ...] | None,
    tried: "Callable[[int], None]",
    *,
    output: str,
    tag: str | None,
    keep: tuple[str, ...],
    success: "Success",
    aggressive: bool,
    timeout: str | None,
    network: "Network",
) -> "Minimized":
    from msgspec.structs import replace

    from rootfs_builder.pipeline import minimizing
    from rootfs_builder.proof.sandbox import command as commands
    from rootfs_builder.recipe import reference, values

    image = found.images[0]
    wanted = commands.of(image.config, cmd, entrypoint=None if cmd is None else "", network=network)
    seconds = None if timeout is None else values.duration(timeout) / 10**9
    with found.reader() as reader:
        return minimizing.minimize(
            image,
            reader,
            replace(wanted, seconds=seconds),
            output,
            record=_record(found),
            success=success,
            keep=tuple(map(_pattern, keep)),
            aggressive=aggressive,
            names=None if tag is None else (str(reference.parse(tag)),),
            epoch=options.epoch(),
            tried=tried,
        )


def _record(found: "Found") -> "Record | None":
    """What is known of the reasons of an image's files; None where we did not write it."""
    from rootfs_builder.errors import NotFoundError
    from rootfs_builder.image import provenance

    try:
        return provenance.load(found.record, found.images, found.meter)
    except NotFoundError:
        return None


def _pattern(text: str) -> "Pattern":
    from rootfs_builder.filesystem import patterns

    try:
        found = patterns.parse(text)
    except ValueError as error:
        raise UsageError(f"--keep {text}: {error}") from None
    if found is None or found.keeps:
        raise UsageError(f"--keep {text!r}: not a pattern; etc/**, **/*.conf, usr/share/zoneinfo")
    return found


def _lines(done: "Minimized", *, verbose: bool) -> "Iterator[str]":
    """What went and why the rest stays, for a person."""
    most = None if verbose else _MOST
    size = sum(entry.size for entry in done.gone)
    yield f"gone: {len(done.gone):,} of {len(done.before.entries):,} paths, {size:,} bytes"
    if verbose:
        yield from (f"  {entry.size:>13,}  {entry.path}" for entry in done.gone)
    else:
        yield from _directories(done)
    count = len(done.kept)
    yield f"left: {count:,} paths, {done.plan.size:,} bytes of {done.before.size:,}"
    sizes = {entry.path: entry.size for entry in done.plan.entries}
    files = [one for one in done.kept if verbose or sizes.get(one.path)]
    files.sort(key=lambda one: -sizes[one.path])
    yield from (f"  {sizes[one.path]:>13,}  {one.path}: {one.sentence}" for one in files[:most])
    if len(files) > len(files[:most]):
        yield f"  {len(files) - _MOST:>13,}  more files; -v lists all"
    mean = 1000 * done.seconds / done.trials
    yield f"trials: {done.trials:,}, {mean:.0f} ms each; none of the {count:,} paths can go"


def _directories(done: "Minimized") -> "Iterator[str]":
    """Where most bytes went from."""
    sizes: Counter[str] = Counter()
    for entry in done.gone:
        sizes["/".join(entry.path.split("/")[:4])] += entry.size
    largest: Iterable[tuple[str, int]] = sizes.most_common(_MOST)
    yield from (f"  {size:>13,}  {path}" for path, size in largest if size)


def _document(done: "Minimized") -> "documented.Smaller":
    from rootfs_builder.paths import printable
    from rootfs_builder.views.documents import images

    return images.Smaller(
        digest=done.image.digest,
        config=done.image.config_digest,
        trials=done.trials,
        bytes_before=done.before.size,
        bytes=done.plan.size,
        gone=tuple(printable(entry.path) for entry in done.gone),
        kept=tuple(images.Kept(printable(one.path), one.sentence) for one in done.kept),
    )
