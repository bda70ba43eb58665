"""An image, anybody's, and a command → it succeeds in there, or an error that says why."""

import os
from collections.abc import Sequence

from msgspec.structs import replace

from rootfs_builder import platforms
from rootfs_builder.choices import Network
from rootfs_builder.errors import VerificationError
from rootfs_builder.image import Config, Image
from rootfs_builder.image.unpack import Reader
from rootfs_builder.paths import printable
from rootfs_builder.pipeline import first_missing
from rootfs_builder.proof import exercise
from rootfs_builder.proof.sandbox import Command, Rootfs, command, rootfs


def of_directory(directory: str, words: Sequence[str], *, network: Network, seconds: float) -> None:
    """Run a command in a root directory, which stays as it is.

    Raises:
        VerificationError: it does not succeed; what it said, and what it missed.
        RootfsError: this system allows no way to run it.
    """
    with rootfs.over(directory) as root:
        _run(root, directory, _command(Config(), words, network), seconds)


def of_image(
    images: Sequence[Image],
    reader: Reader,
    words: Sequence[str],
    *,
    network: Network,
    seconds: float,
) -> None:
    """Run a command in the image for this machine, as its config says.

    Raises:
        VerificationError, RootfsError: see `of_directory`.
    """
    here = platforms.architecture(os.uname().machine)
    fits = [one for one in images if one.platform.architecture == here]
    chosen = (*fits, *images)[0]
    plan = reader.unpacked(chosen.layers).plan
    with rootfs.unpacked(plan) as root:
        _run(root, root.directory, _command(chosen.config, words, network), seconds)


def _command(config: Config, words: Sequence[str], network: Network) -> Command:
    found = command.of(config, tuple(words[1:]), entrypoint=words[0], network=network)
    return replace(found, capture=exercise.KEPT)


def _run(root: Rootfs, directory: str, wanted: Command, seconds: float) -> None:
    there = exercise.inside(root, wanted, seconds=seconds)
    if there.code == 0:
        return
    text = f"{printable(wanted.argv[0])}: {there.end}"
    missing = first_missing.find(directory, wanted, seconds=seconds)
    raise VerificationError(text + (missing.text if missing is not None else ""))
