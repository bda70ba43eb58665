"""Archives that ask for all memory, all time or all disk, or that no tar program has written.

Each case writes one archive. Those that take long to make, or hundreds of megabytes, are `big`.
"""

import gzip
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import zstandard

MiB = 1 << 20
ZEROS = bytes(10 * MiB)
PROGRAM = Path("/bin/true")  # a dynamic one: its loader reads the cache, and the list of preloads


class Case(NamedTuple):
    """An archive: what writes it into a file, and what reading it ends with.

    `code` is the exit code of inspect and of verify (None: any of ours), the sentence
    contains `words`.
    """

    write: Callable[[Path], None]
    code: int | None = 5
    words: str = "--no-limits lifts all limits"
    verify: int | None = -1  # where it is another than inspect's
    big: bool = False


CASES: dict[str, Case] = {}


def case(**more):
    """Put a function into the table: it yields the bytes of an archive."""

    def enter(function):
        def write(path):
            with path.open("wb") as file:
                file.writelines(function())

        CASES[function.__name__] = Case(write, **more)
        return function

    return enter


def header(name: bytes, size=0, kind=b"0", link=b"", fields=()):
    """A header that claims anything; `fields` are further ones: (offset, bytes)."""
    block = bytearray(512)
    block[: len(name)] = name
    block[100:124] = b"0000755\0" + b"0000000\0" * 2
    block[124:136] = b"%011o\0" % size if size < 8**11 else ((0x80 << 88) + size).to_bytes(12)
    block[136:148] = b"00000000000\0"
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257:265] = b"ustar\x0000"
    for at, data in fields:
        block[at : at + len(data)] = data
    block[148:156] = b"%06o\0 " % (sum(block) + 8 * 32)
    return bytes(block)


def member(name: bytes, data=b"", kind=b"0"):
    return header(name, len(data), kind) + data + bytes(-len(data) % 512)


def record(key: bytes, value: bytes):
    size = len(key) + len(value) + 3
    size += len(str(size + len(str(size))))
    return b"%d %s=%s\n" % (size, key, value)


def saved(layer: bytes, *, layers=1, **beside: bytes) -> Iterator[bytes]:
    """A `docker save` archive, with a document that says why its files are there."""
    config = json.dumps({"os": "linux", "config": {"Entrypoint": ["/program"]}}).encode()
    described = {
        "schema_version": 2,
        "config": f"sha256:{hashlib.sha256(config).hexdigest()}",
        "layers": [],
        "programs": [],
        "entries": [],
        "findings": [],
    }
    listed = [{"Config": "c.json", "Layers": ["l.tar"] * layers}]
    documents = {
        "manifest.json": json.dumps(listed).encode(),
        "rootfs-builder.json": json.dumps(described).encode(),
        "c.json": config,
        **beside,
    }
    for name, data in documents.items():
        yield member(name.encode(), data)
    yield member(b"l.tar", layer)
    yield bytes(1024)


def layout(index: object, *blobs: bytes) -> Iterator[bytes]:
    yield member(b"oci-layout", b"{}")
    yield member(b"index.json", json.dumps(index).encode())
    for one in blobs:
        yield member(f"blobs/sha256/{hashlib.sha256(one).hexdigest()}".encode(), one)
    yield bytes(1024)


def described(data: bytes, kind: str) -> dict[str, object]:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest, "size": len(data)}


def gzipped(parts: list[tuple[bytes, int]]) -> bytes:
    """Parts, each many times, as gzip members."""
    return b"".join(gzip.compress(data, mtime=0) * times for data, times in parts)


def small_image() -> tuple[bytes, bytes, bytes]:
    """The blobs of an image: manifest, config, layer."""
    layer = member(b"program", b"x") + bytes(1024)
    config = json.dumps({"os": "linux", "config": {"Entrypoint": ["/program"]}}).encode()
    manifest = {
        "config": described(config, "config.v1+json"),
        "layers": [described(layer, "layer.v1.tar")],
    }
    return json.dumps(manifest).encode(), config, layer


@case(code=0, words="")
def index_bomb():
    """60 times the same index, each of which has 60 times the next: 60^4 images that are one."""
    manifest, *blobs = small_image()
    blobs.append(manifest)
    listed = described(manifest, "manifest.v1+json")
    for _ in range(4):
        index = json.dumps({"manifests": [listed] * 60}).encode()
        blobs.append(index)
        listed = described(index, "index.v1+json")
    yield from layout({"manifests": [listed] * 60}, *blobs)


@case()
def index_names_10000():
    manifest, *blobs = small_image()
    listed = [
        {**described(manifest, "manifest.v1+json"), "annotations": {NAME: f"n{number}"}}
        for number in range(10_000)
    ]
    yield from layout({"manifests": listed}, manifest, *blobs)


@case()
def index_same_image_100000():
    manifest, *blobs = small_image()
    listed = described(manifest, "manifest.v1+json")
    yield from layout({"manifests": [listed] * 100_000}, manifest, *blobs)


@case(code=0, words="")
def index_same_image_10000():
    manifest, *blobs = small_image()
    listed = described(manifest, "manifest.v1+json")
    yield from layout({"manifests": [listed] * 10_000}, manifest, *blobs)


NAME = "org.opencontainers.image.ref.name"


@case(words="bytes that an archive of")
def deep_parents():
    def named(number):
        path = f"{number:05}/{'d/' * 1990}f".encode()
        data = record(b"path", path)
        return member(b"x", data, b"x") + header(b"f")

    layer = b"".join(map(named, range(20_000))) + bytes(1024)
    yield from saved(gzip.compress(layer, 9, mtime=0))


@case(words="bytes of paths")
def deep_parents_200():
    def named(number):
        data = record(b"path", f"{number:05}/{'d/' * 1990}f".encode())
        return member(b"x", data, b"x") + header(b"f")

    yield from saved(gzip.compress(b"".join(map(named, range(200))) + bytes(1024), mtime=0))


@case(code=0, words="", verify=4)
def pax_global_50k_keys():
    keys = b"".join(record(b"a%05d" % number, b"") for number in range(50_000))
    members = (
        member(b"x", record(b"comment", b"c"), b"x") + header(b"f%04d" % number)
        for number in range(3_000)
    )
    layer = member(b"g", keys, b"g") + b"".join(members) + bytes(1024)
    yield from saved(gzip.compress(layer, mtime=0))


def loader_path() -> str:
    found = re.search(rb"\0?(/lib[^\0]*/ld-[^\0]+)\0", PROGRAM.read_bytes())
    assert found is not None
    return found[1].decode()


def started(*members: bytes, loader: bytes | None = None) -> Iterator[bytes]:
    """An image with a real program and its loader."""
    path = loader_path()
    found = member(path[1:].encode(), Path(path).read_bytes()) if loader is None else loader
    layer = b"".join((member(b"program", PROGRAM.read_bytes()), found, *members, bytes(1024)))
    yield from saved(gzip.compress(layer, mtime=0))


@case(code=0, words="", verify=None)
def ld_cache_bomb():
    """40,000 entries that name one string of 1 MB without an end."""
    import struct

    count, text = 40_000, b"x" * 1_000_000
    start = 48 + 24 * count
    head = struct.pack("<20sIIB3xI12x", b"glibc-ld.so.cache1.1", count, len(text), 2, 0)
    rows = b"".join(
        struct.pack("<IIIIQ", 0x303, start + number, start + number, 0, 0)
        for number in range(count)
    )
    yield from started(member(b"etc/ld.so.cache", head + rows + text))


@case(code=0, words="", verify=None)
def ld_preload_bomb():
    yield from started(member(b"etc/ld.so.preload", b"#\n" * (4 * MiB)))


def sparse(name: bytes, size: int, data=b"") -> bytes:
    """A sparse file in PAX's form 0.1, whose only part is at its start."""
    places = b"0,%d" % len(data)
    records = record(b"GNU.sparse.size", b"%d" % size) + record(b"GNU.sparse.map", places)
    return member(b"x", records, b"x") + member(name, data)


@case(words="bytes that an archive of")
def sparse_1tb():
    yield from saved(sparse(b"program", 1 << 40, b"end") + bytes(1024))


@case(words="bytes that an archive of")
def sparse_20gb_loader():
    data = Path(loader_path()).read_bytes()
    yield from started(loader=sparse(loader_path()[1:].encode(), 20 << 30, data))


@case(words="a damaged loader: larger than 16 MiB", code=0, verify=4, big=True)
def sparse_600mb_loader_of_a_large_archive():
    """The archive is large enough for the hole: what is read whole has a limit of its own."""
    noise = hashlib.shake_256(b"noise").digest(100 * MiB)
    parts = (
        member(b"program", PROGRAM.read_bytes()),
        sparse(loader_path()[1:].encode(), 600 << 20, Path(loader_path()).read_bytes()),
        member(b"noise", noise),
        bytes(1024),
    )
    yield from saved(b"".join(parts))


@case(words="bytes that an archive of")
def sparse_8eb():
    size = (1 << 63) - 1
    fields = [(386, b"%011o\0" % 0 * 2), (483, ((0x80 << 88) + size).to_bytes(12))]
    yield from saved(header(b"program", 0, b"S", fields=fields) + bytes(1024))


@case(code=1, words="layer 1 is damaged: program: it is cut off in a header")
def sparse_old_extended_eof():
    fields = [(386, b"%011o\0" % 0 * 2), (482, b"\1"), (483, b"%011o\0" % 10)]
    yield from saved(header(b"program", 0, b"S", fields=fields))


def zstd_layer(size: int) -> bytes:
    frame = zstandard.compress(ZEROS)
    front = zstandard.compress(header(b"program", size))
    return front + frame * (size // len(ZEROS)) + zstandard.compress(bytes(1024))


@case(words="bytes that an archive of")
def zstd_10gb_layer():
    yield from saved(zstd_layer(len(ZEROS) * 1000))


@case(words="bytes that an archive of")
def gzip_10gb_layer():
    size = len(ZEROS) * 1000
    yield from saved(gzipped([(header(b"program", size), 1), (ZEROS, 1000), (bytes(1024), 1)]))


def whole(pattern: bytes) -> Iterator[bytes]:
    """A tar with one file of 10 GB, compressed as a whole."""
    times = 10_000 * MiB // len(pattern)
    head = header(b"program", times * len(pattern))
    yield gzipped([(head, 1), (pattern, times), (bytes(1024), 1)])


@case(words="bytes that an archive of")
def gzip_10gb_whole_file():
    yield from whole(ZEROS)


@case(words="bytes that an archive of")
def gzip_10gb_of_no_zeros():
    yield from whole(b"A" * len(ZEROS))


@case(words="bytes that an archive of")
def gzip_10gb_layer_of_no_zeros():
    letters = b"A" * len(ZEROS)
    size = len(ZEROS) * 1000
    yield from saved(gzipped([(header(b"program", size), 1), (letters, 1000), (bytes(1024), 1)]))


@case(words="layers of an image")
def same_layer_1000_times():
    layer = gzipped([(header(b"program", 50 * MiB), 1), (bytes(50 * MiB), 1), (bytes(1024), 1)])
    yield from saved(layer, layers=1000)


@case(code=0, words="")
def same_layer_400_times():
    layer = gzipped([(header(b"program", 50 * MiB), 1), (bytes(50 * MiB), 1), (bytes(1024), 1)])
    yield from saved(layer, layers=400)


def headers(count: int) -> Iterator[bytes]:
    for number in range(0, count, 10_000):
        yield b"".join(header(b"f%07d" % each) for each in range(number, number + 10_000))


@case(words="members of the archive", big=True)
def members_1e6():
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6, mtime=0) as stream:
        for piece in headers(1_000_000):
            stream.write(piece)
        stream.write(bytes(1024))
    yield from saved(out.getvalue())


@case(words="members of the archive", big=True)
def outer_members_1e6():
    yield from headers(1_000_000)
    yield from saved(member(b"program") + bytes(1024))


@case(words="bytes of manifest.json")
def json_lists_32mb():
    lists = b"[" + b"[]," * (10 << 20) + b"[]]"
    yield from saved(b"", **{"manifest.json": lists})


@case(code=1, words="manifest.json: damaged")
def json_lists_4mb():
    lists = b"[" + b"[]," * (1 << 20) + b"[]]"
    yield from saved(b"", **{"manifest.json": lists})


@case(words="bytes of rootfs-builder.json", verify=0, big=True)
def record_250mb():
    layer = member(b"program", b"x") + bytes(1024)
    yield from saved(layer, **{"rootfs-builder.json": b" " * (250 * MiB)})


CHAINED = "more than 100 headers for one member"


@case(code=1, words=CHAINED)
def pax_chain_1000():
    one = member(b"x", record(b"comment", b"c"), b"x")
    yield from saved(one * 1000 + header(b"program") + bytes(1024))


@case(code=1, words=CHAINED)
def pax_global_chain_1000():
    one = member(b"x", record(b"comment", b"c"), b"g")
    yield from saved(one * 1000 + header(b"program") + bytes(1024))


@case(code=1, words=CHAINED)
def longname_chain_1000():
    one = member(b"x", b"n" * 200, b"L")
    yield from saved(one * 1000 + header(b"program") + bytes(1024))


@case(code=1, words=CHAINED)
def outer_pax_chain_1000():
    yield member(b"x", record(b"comment", b"c"), b"x") * 1000
    yield from saved(header(b"program") + bytes(1024))


@case(words="steps of paths")
def links_in_circles():
    """Members behind chains of links, each of which is long."""

    def longs():
        for number in range(40):
            target = f"{'d/../' * 700}l{number + 1}".encode()
            yield member(b"x", record(b"linkpath", target), b"x")
            yield header(b"l%d" % number, 0, b"2")
        for number in range(20_000):
            yield header(b"l0/f%d" % number)
            yield header(b"m%d" % number, 0, b"2", b"x")

    yield from saved(gzip.compress(b"".join(longs()) + bytes(1024), mtime=0))


def written(name: str, folder: Path) -> Path:
    """The archive of a case, made once for a folder."""
    path = folder / f"{name}.tar"
    if not path.exists():
        CASES[name].write(path)
    return path
