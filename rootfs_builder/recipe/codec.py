"""How layers are compressed, as an option: the compressor and its level."""

from msgspec import Struct

from rootfs_builder.choices import Compression

LEVELS = {"gzip": range(1, 13), "zstd": range(1, 23)}
DEFAULT_LEVELS = {"gzip": 6, "zstd": 3, "none": 0}


class Codec(Struct, frozen=True):
    """How a layer is compressed; the level is one of the compressor's own, 0 for none."""

    name: Compression = "gzip"
    level: int = DEFAULT_LEVELS["gzip"]


GZIP = Codec()
