"""What is written in a format has that format's documents, and reads back as the image."""

import io
import json
import tarfile
from types import MappingProxyType

import pytest

from rootfs_builder.filesystem.root import read
from rootfs_builder.image import (
    CONFIG,
    LAYER,
    MANIFEST,
    Config,
    Descriptor,
    Image,
    Manifest,
    Platform,
    RootFs,
    Settings,
    archives,
    canonical,
)
from rootfs_builder.image.archives import packed, written
from rootfs_builder.image.store import Store
from rootfs_builder.recipe.reference import Reference

NAME = Reference("docker.io", "library/hello", "1.0")
BESIDE = {
    "hybrid": {"oci-layout", "index.json", "manifest.json"},
    "oci": {"oci-layout", "index.json"},
    "docker": {"manifest.json"},
}
LAYER_BYTES = b"layer" * 1000


def image(store):
    """An image of one blob, which need not be a tar."""
    layer = store.add(LAYER_BYTES)
    config = Config(
        architecture="amd64",
        os="linux",
        created="1970-01-01T00:00:00Z",
        config=Settings(entrypoint=("/hello",)),
        rootfs=RootFs((layer.digest,)),
        history=(),
    )
    config_blob = store.add(canonical(config))
    manifest = Manifest(
        Descriptor(CONFIG, config_blob.digest, config_blob.size),
        (Descriptor(LAYER, layer.digest, layer.size),),
    )
    blob = store.add(canonical(manifest))
    platform = Platform("amd64", "linux")
    return Image(Descriptor(MANIFEST, blob.digest, blob.size, platform), manifest, config)


def archive(shape, **options):
    store = Store(io.BytesIO())
    written.archive(store, written.documents(image(store), name=NAME, shape=shape, **options))
    return store.file


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def members(file):
    with tarfile.open(fileobj=file) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar if one.isfile()}


@pytest.mark.parametrize("shape", ["hybrid", "oci", "docker"])
def test_an_archive_has_the_documents_of_its_format_and_reads_back(shape, tmp_path):
    data = archive(shape).getvalue()
    found = members(io.BytesIO(data))
    assert {name for name in found if not name.startswith("blobs/sha256/")} == BESIDE[shape]
    (tmp_path / "x.tar").write_bytes(data)
    with (tmp_path / "x.tar").open("rb") as file:
        (back,) = archives.read(packed.of_archive(file))
        assert back.entrypoint == ("/hello",)
        assert [read(layer) for layer in back.layers] == [LAYER_BYTES]


def test_a_directory_has_the_files_of_the_oci_archive(tmp_path):
    with (tmp_path / "store").open("w+b") as file:
        store = Store(file)
        (tmp_path / "layout").mkdir()
        documents = written.documents(image(store), name=NAME, shape="oci")
        written.directory(store, documents, str(tmp_path / "layout"))
    assert files(tmp_path / "layout") == members(io.BytesIO(archive("oci").getvalue()))


def test_further_members_stand_beside_the_documents(tmp_path):
    extra = {"rootfs-builder.json": b"{}"}
    found = members(io.BytesIO(archive("docker", extra=extra).getvalue()))
    assert found["rootfs-builder.json"] == b"{}"
    with (tmp_path / "store").open("w+b") as file:
        store = Store(file)
        documents = written.documents(image(store), name=NAME, shape="oci", extra=extra)
        written.directory(store, documents, str(tmp_path))
    assert (tmp_path / "rootfs-builder.json").read_bytes() == b"{}"


def test_the_descriptor_is_the_one_of_the_index():
    store = Store(io.BytesIO())
    made = image(store)
    written.archive(store, written.documents(made, name=NAME, shape="oci"))
    index = json.loads(members(io.BytesIO(store.file.getvalue()))["index.json"])
    assert index["manifests"] == [json.loads(canonical(written.descriptor(made, NAME)))]


def identity(shape="hybrid", name=NAME, extra=MappingProxyType({})):
    made = image(Store(io.BytesIO()))
    return written.identity(made, written.documents(made, name=name, shape=shape, extra=extra))


def test_archives_with_the_same_bytes_have_one_identity_and_others_another():
    assert identity() == identity()
    others = [
        identity("oci"),
        identity("docker"),
        identity(name=Reference("docker.io", "library/hello", "1.1")),
        identity(extra={"a": b"b"}),
        identity(extra={"a": b"c"}),
        identity(extra={"ab": b""}),
    ]
    assert len({identity(), *others}) == 1 + len(others)
