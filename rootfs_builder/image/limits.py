"""What an image of others may cost to read, and what it has cost so far.

An archive of some kilobytes can ask for all memory, all time or all disk. The limits lie far above
what images have; each one is compared in one place, where what it limits is read.
"""

import sys

from msgspec import Struct
from msgspec.structs import fields

from rootfs_builder.errors import LimitError

OPTION = "--no-limits"  # lifts them all
LIFTED = f"; {OPTION} lifts all limits"


class Limits(Struct, frozen=True):
    """The most that one archive, or directory, may have; bytes where nothing else is said.

    `images` counts an image once for each of its names, `depth` indexes in indexes, `members`
    those of the archive and of its layers, `entries` the paths of the unpacked trees, `paths`
    the bytes of those, and `steps` what is looked up to find where those lead. The headers of one
    member (`header`), a document and a content that is `whole` are read into memory at once. See
    `Meter.unpack` for the last five.
    """

    images: int = 1_000
    depth: int = 8
    layers: int = 500
    members: int = 500_000
    entries: int = 500_000
    paths: int = 64 << 20
    steps: int = 10_000_000
    header: int = 1 << 20  # docker takes no more (Go, archive/tar)
    headers: int = 64 << 20
    document: int = 4 << 20  # registries take no more (distribution-spec, "Pushing Manifests")
    documents: int = 32 << 20
    whole: int = 64 << 20
    unpacked: int = 256 << 30
    floor: int = 64 << 20
    zeros: int = 1 << 30
    factor: int = 8
    ratio: int = 100


NO_LIMITS = Limits(*(sys.maxsize for _ in fields(Limits)))


class Meter:
    """What reading one archive of `size` bytes has cost, all its images together.

    A directory has no size of its own: there it is what its layers have, as `blob` is told.
    """

    def __init__(self, limits: Limits | None = None, size: int | None = None) -> None:
        self.limits = limits or Limits()
        self._size = size
        self._blobs = 0
        self._counts: dict[str, int] = {}
        self._unpacked = {False: 0, True: 0}  # True: zeros
        self._compressed = 0

    def count(self, limit: str, what: str, more: int = 1) -> None:
        """Count towards a limit of all the archive; `what` names what is counted, in the plural.

        Raises:
            LimitError: there are more than the limit.
        """
        found = self._counts.get(limit, 0) + more
        self._counts[limit] = found
        self.compare(limit, what, found)

    def compare(self, limit: str, what: str, found: int) -> None:
        """Compare one thing with its limit; raises LimitError."""
        most: int = getattr(self.limits, limit)
        if found > most:
            raise refusal(what, found, most)

    @property
    def members(self) -> int:
        """How many members of the archive and its layers were read so far."""
        return self._counts.get("members", 0)

    def blob(self, size: int) -> None:
        """Count a blob that is read, for an archive whose size is not known."""
        self._blobs += size

    def unpack(self, more: int, compressed: int = 0, *, zeros: bool = False) -> None:
        """Count bytes that came out of a decompressor, which took `compressed` bytes for them.

        Or holes of a sparse file, which are `zeros`: these cost no disk and are counted apart. Of
        either there may be `limits.unpacked` bytes, and no more than the largest of: `floor`, of
        zeros `zeros`; `factor` times the archive; `ratio` times what was decompressed so far, of
        the archive at most. So a bomb ends early, and a large image is read.

        Raises:
            LimitError: there are more.
        """
        self._unpacked[zeros] += more
        self._compressed += compressed
        limits, found = self.limits, self._unpacked[zeros]
        floor = limits.zeros if zeros else limits.floor
        if found <= floor:
            return
        size = self._blobs if self._size is None else self._size
        often = limits.ratio * min(self._compressed, size)
        most = min(limits.unpacked, max(floor, limits.factor * size, often))
        if found > most:
            what = f"{'zero ' if zeros else ''}bytes that an archive of {size:,} bytes unpacks to"
            raise refusal(what, found, most)


def refusal(what: str, found: int, most: int) -> LimitError:
    """The error for more than the limit."""
    sentence = f"{found:,} {what} are more than the limit of {most:,}"
    return LimitError(f"{sentence}{LIFTED}")
