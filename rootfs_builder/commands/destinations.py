"""Where the result of `pack` goes: a file, stdout, or an OCI layout's directory; and files beside.

`-o oci:DIR` is the one spelling with a prefix that we share with skopeo; what else others put
behind -o gets the line that works.
"""

import os
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from rootfs_builder.errors import OutputError, UsageError
from rootfs_builder.paths import decode, encode, printable

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from collections.abc import Callable, Iterator, Mapping

    from rootfs_builder.cache import Cache
    from rootfs_builder.image import Image
    from rootfs_builder.image.store import Store
    from rootfs_builder.plan import Plan
    from rootfs_builder.recipe.reference import Reference

_LAYOUT = "oci:"
_BY_TIMES = "MAKELEVEL"  # make is at work: what kept its time would be made again for ever


def kept(depfile: str | None) -> bool:
    """Whether files with the same bytes stay: who has a depfile and is not make looks at that."""
    return depfile is not None and _BY_TIMES not in os.environ


def check_stdout(output: str, *, as_json: bool) -> None:
    """Refuse an archive on a stdout that is for something else."""
    if output == "-" and sys.stdout.isatty():
        raise UsageError(
            "-o -: an archive is not for a terminal; redirect it: … -o - | docker load"
        )
    if output == "-" and as_json:
        raise UsageError("-o - and --json: stdout takes one of them")


def shape(output: str, given: str | None) -> str:
    """The format of what goes to `output`, where `given` is the user's word for it.

    Raises:
        UsageError: nothing can be written there, or not in this format.
    """
    from rootfs_builder.recipe.destination import Destination

    return Destination.parse(output).format(given)


def check(plan: "Plan", files: "Mapping[str, str | None]") -> None:
    """Refuse `pack ./hello -o hello`, which would replace the program, and one file for two.

    `files` are those that will be written, by their options.
    """
    from rootfs_builder.filesystem.root import FileSource

    seen: dict[str, str] = {}
    for option, path in files.items():
        if path is None or (option == "-o" and (path == "-" or path.startswith(_LAYOUT))):
            continue
        if path in {"", "-"} and option != "-o":
            raise UsageError(f"{option}: name a file; stdout has the name and digest")
        shown = printable(path)
        other = seen.setdefault(decode(os.path.realpath(encode(path))), option)
        if other != option:
            raise UsageError(f"{other} {shown}: {option} names the same file; name another")
        try:
            info = os.stat(encode(path))
        except OSError:
            continue
        for entry in plan.entries:
            source = entry.content
            if isinstance(source, FileSource) and source.stamp[:2] == (info.st_dev, info.st_ino):
                raise UsageError(
                    f"{option} {shown}: would be overwritten, and goes into the image as "
                    f"{printable(entry.path)}; name another file"
                )


class Job(NamedTuple):
    """An image that `build` packs into a store, and what it is to be written as.

    `more` gives further members of the archive, or files of the directory; `threads` compress.
    """

    build: "Callable[[Store], Image]"
    more: "Callable[[Image], Mapping[str, bytes]]"
    shape: str
    name: "Reference"
    cache: "Cache"
    threads: int | None = None

    def built(self, stream: BinaryIO, *, anew: bool = False) -> "tuple[Image, Store]":
        """The image, and a store in `stream` for its blobs, which may have to be filled."""
        from rootfs_builder.image.store import Store

        store = Store(stream, self.cache, threads=self.threads, anew=anew)
        return self.build(store), store

    def filled(self, store: "Store") -> "Store":
        """A store that has all blobs, even if the cache has lost some."""
        return store if store.fill() else self.built(store.file, anew=True)[1]

    def documents(self, image: "Image") -> dict[str, bytes]:
        """What stands beside the blobs."""
        from rootfs_builder.image.archives import written

        more = self.more(image)
        return written.documents(image, name=self.name, shape=self.shape, extra=more)


def write(output: str, job: Job, *, keep: bool = False) -> "tuple[Image, int]":
    """Build an image and write it to `output`: the image, and how many bytes it takes there.

    With `keep` an archive that has the same bytes stays as it is.
    """
    if output == "-":
        return _to_stdout(job)
    if output.startswith(_LAYOUT):
        return _to_directory(output.removeprefix(_LAYOUT), job)
    return _to_file(output, job, keep=keep)


def _to_file(output: str, job: Job, *, keep: bool) -> "tuple[Image, int]":
    """What the last run wrote there is not written again if this one would write the same."""
    from rootfs_builder import output as outputs
    from rootfs_builder.commands.memory import LastOutput
    from rootfs_builder.image.archives import written

    last = LastOutput(job.cache, output)
    with outputs.file(output, keep=keep) as file:
        image, store = job.built(file.stream)
        documents = job.documents(image)
        identity = written.identity(image, documents)
        if not (last.was(identity, file.stamp) and file.stay()):
            written.archive(job.filled(store), documents)
    last.keep(identity, file.stamp)
    return image, file.stamp[2]


def _to_directory(output: str, job: Job) -> "tuple[Image, int]":
    import tempfile

    from rootfs_builder import output as outputs
    from rootfs_builder.image.archives import written

    with outputs.layout(output) as directory:
        with tempfile.TemporaryFile(dir=encode(directory)) as stream:
            image, store = job.built(stream)
            written.directory(job.filled(store), job.documents(image), directory)
        return image, sum(blob.size for blob in store.blobs.values())


def _to_stdout(job: Job) -> "tuple[Image, int]":
    """The archive is complete before its first byte is written."""
    import shutil  # 10 ms with tempfile, for this case alone
    import tempfile

    from rootfs_builder.image.archives import written

    try:
        directory = tempfile.gettempdir()
    except FileNotFoundError as error:
        raise OutputError(
            "-o -: no directory can be written that could keep the archive until it is complete; "
            "TMPDIR names one"
        ) from error
    with tempfile.TemporaryFile(dir=directory) as stream:
        try:
            image, store = job.built(stream)
            written.archive(job.filled(store), job.documents(image))
            size = stream.tell()
            stream.seek(0)
        except OSError as error:
            raise OutputError(
                f"-o -: {error.strerror} in {directory}, where the archive is kept until it is "
                "complete; TMPDIR names another directory"
            ) from error
        shutil.copyfileobj(stream, sys.stdout.buffer, 1 << 20)
        sys.stdout.buffer.flush()
        return image, size


@contextmanager
def beside(
    files: "Mapping[str, str | None]", *, keep: bool
) -> "Iterator[Callable[[str, bytes], None]]":
    """What takes the content of each file, by its option: they are there when all is done."""
    from rootfs_builder import output as outputs

    with ExitStack() as stack:
        streams = {
            option: stack.enter_context(outputs.file(path, keep=keep)).stream
            for option, path in files.items()
            if path is not None
        }

        def fill(option: str, content: bytes) -> None:
            if option in streams:
                streams[option].write(content)
                streams[option].flush()  # a full disk shows now, before anything is renamed

        yield fill
