"""`rootfs-builder inspect`: what is in an image, whoever made it."""

import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from rootfs_builder.commands import documents, options, terminal
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import InputError
from rootfs_builder.paths import escape_control

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.image.provenance import EntryRecord
    from rootfs_builder.views.inspection import Inspection

_LARGEST = 10
_LABEL = 8  # columns
_SETTINGS = {  # keys of the config (image-spec, config.md), as they are shown
    "Env": "env",
    "User": "user",
    "WorkingDir": "workdir",
    "ExposedPorts": "port",
    "Volumes": "volume",
    "Labels": "label",
    "Healthcheck": "health",
    "StopSignal": "stop",
}


@click.command(cls=Verb, epilog="Example: rootfs-builder inspect hello.tar")
@click.argument("image", metavar="IMAGE", shell_complete=options.file_names)
@options.as_json("inspect")
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
) -> None:
    """Show what is in an image: config, layers, files, owners, sizes, and reasons.

    IMAGE is an archive or layout directory of docker save, docker export, podman, skopeo (also dir:
    and oci:) or rootfs-builder, compressed or not, or - for stdin. Only images by rootfs-builder
    have the reasons.
    """
    del debug
    options.no_command(cmd, "inspect")
    from rootfs_builder.commands.spinner import spinning
    from rootfs_builder.image import found as images
    from rootfs_builder.views import inspection

    with (
        spinning(quiet=quiet) as spinner,
        images.at(image, "inspect", no_limits=no_limits) as found,
    ):
        spinner.reading(found)
        if not found.images:
            raise InputError("no image is in it; `verify` takes any directory")
        with found.reader() as reader:
            seen = [
                inspection.of(packed, found.record_of(packed), reader) for packed in found.images
            ]
    if as_json:
        documents.show(seen)
        return
    for number, one in enumerate(seen):
        if number:
            click.echo()
        for line in _screen(one, verbose=verbose):
            click.echo(terminal.wrapped(line) if sys.stdout.isatty() else line)
        if one.absent and not quiet:
            click.echo(escape_control(one.absent), err=True)


def _screen(one: "Inspection", *, verbose: bool) -> Iterator[str]:
    """The lines for a person."""
    findings = [f"{said.level} {said.text}" for said in one.findings]
    files = _every(one) if verbose else _largest(one)
    for number, section in enumerate((_config(one), _layers(one), _kinds(one), files, findings)):
        for place, text in enumerate(section):
            if number and not place:
                yield ""
            yield escape_control(text).replace("\n", "\\n")


def _config(one: "Inspection") -> Iterator[str]:
    yield _line("image", ", ".join((*one.names, one.platform)))
    if one.digest:
        yield _line("digest", one.digest)
    if one.config_digest:
        yield _line("config", one.config_digest)
    settings = one.config.get("config") or {}
    words = [*(settings.get("Entrypoint") or ()), *(settings.get("Cmd") or ())]
    if words:
        yield _line("starts", shlex.join(words))
    for key, label in _SETTINGS.items():
        for text in _texts(settings.get(key)):
            yield _line(label, text)
    if one.tool:
        yield _line("tool", f"{one.tool.name} {one.tool.version}")


def _line(label: str, text: str) -> str:
    return f"{label:<{_LABEL}}{text}"


def _texts(value: Any) -> Iterator[str]:
    """The values of one setting, a line each."""
    if isinstance(value, dict):
        import json

        for key, one in value.items():
            text = one if isinstance(one, str) else json.dumps(one)
            yield f"{key}={text}" if one else str(key)
    elif isinstance(value, list):
        yield from map(str, value)
    elif value:
        yield str(value)


def _layers(one: "Inspection") -> Iterator[str]:
    yield f"{'layer':<6}{'digest':<14}{'bytes':>14}{'unpacked':>15}{'files':>7}  content"
    for number, layer in enumerate(one.layers):
        short = (layer.digest or layer.diff_id).rpartition(":")[2][:12]
        sizes = f"{layer.size:>14,}{layer.unpacked:>15,}{layer.files:>7,}"
        yield f"{number:<6}{short:<14}{sizes}  {layer.created_by}".rstrip()


def _kinds(one: "Inspection") -> Iterator[str]:
    from rootfs_builder.views import summary

    return summary.kinds((file.reasons[0].kind, file.size or 0) for file in _contents(one))


def _contents(one: "Inspection") -> "list[EntryRecord]":
    """The files, each once."""
    return [file for file in one.entries if file.kind == "file" and not file.hardlink]


def _largest(one: "Inspection") -> Iterator[str]:
    files = sorted(_contents(one), key=lambda file: (-(file.size or 0), file.path))
    for file in files[:_LARGEST]:
        yield f"{file.size:>15,}  {file.path}"
    if len(files) > _LARGEST:
        yield f"{len(files) - _LARGEST:>15,}  more files; -v lists all, with owners and reasons"


def _every(one: "Inspection") -> Iterator[str]:
    from rootfs_builder.image import provenance

    for file in one.entries:
        mark = {"dir": "d", "symlink": "l"}.get(file.kind, "-")
        owner = f"{file.uid}:{file.gid}"
        more = f" -> {file.target}" if file.target else ""
        more += f" = {file.hardlink}" if file.hardlink else ""
        more += f" {file.capabilities}" if file.capabilities else ""
        more += f" [{file.package.name} {file.package.version}]" if file.package else ""
        why = provenance.reason(file.reasons[0]).sentence
        yield f"{mark}{file.mode} {owner:<9}{file.size or 0:>13,} {file.path}{more}: {why}"
