"""What is written in a format has that format's documents, and reads back as the same image."""

import hashlib
import io
import json
import tarfile
from types import MappingProxyType

import pytest
from msgspec.structs import replace

from rootfs_builder import temporary
from rootfs_builder.errors import InputError, UsageError
from rootfs_builder.filesystem.content import BytesSource, read
from rootfs_builder.image import (
    LAYER,
    LAYER_ZSTD,
    Config,
    Descriptor,
    History,
    Index,
    Layer,
    Settings,
    archives,
    canonical,
    decode,
    digests,
    make,
)
from rootfs_builder.image.archives import members as archive_members
from rootfs_builder.image.archives import oci, sinks
from rootfs_builder.image.store import Store
from rootfs_builder.pipeline import destinations

NAME = "docker.io/library/hello:1.0"
BESIDE = {
    "hybrid": {"oci-layout", "index.json", "manifest.json"},
    "oci": {"oci-layout", "index.json"},
    "docker": {"manifest.json"},
}
BYTES = b"layer" * 1000
NOTHING = MappingProxyType({})


def image(*contents, name=NAME):
    """An image of blobs, which need not be tars; BYTES alone without."""
    layers = []
    for content in contents or (BYTES,):
        digest = digests.of_bytes(content)
        descriptor = Descriptor(LAYER, digest, len(content))
        layers.append(Layer(descriptor, digest, BytesSource(content), History(created_by="x")))
    config = Config(
        architecture="amd64",
        os="linux",
        created="1970-01-01T00:00:00Z",
        config=Settings(entrypoint=("/hello",)),
        history=tuple(layer.history for layer in layers),
    )
    return make(config, tuple(layers), names=(name,))


def archive(shape, made=None, beside=NOTHING):
    store = Store(io.BytesIO())
    sink = sinks.Archive(store, temporary.scratch)
    archives.write(made or image(), sink, shape=shape, beside=beside)
    assert sink.end() == len(store.file.getvalue())
    return store.file.getvalue()


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar if one.isfile()}


@pytest.fixture
def read_back(tmp_path):
    """The images of an archive."""
    with (tmp_path / "x.tar").open("w+b") as file:

        def run(data):
            file.write(data)
            file.seek(0)
            return archives.read(archive_members.of_archive(file))

        yield run


@pytest.mark.parametrize("shape", ["hybrid", "oci", "docker"])
def test_an_archive_has_the_documents_of_its_format_and_reads_back(shape, read_back):
    data = archive(shape)
    found = members(data)
    assert {name for name in found if not name.startswith("blobs/sha256/")} == BESIDE[shape]
    (back,) = read_back(data)
    made = image()
    assert (back.config, back.document, back.names) == (made.config, made.document, (NAME,))
    assert [layer.diff_id for layer in back.layers] == [layer.diff_id for layer in made.layers]
    assert [layer.history for layer in back.layers] == [layer.history for layer in made.layers]
    assert [read(layer.blob) for layer in back.layers] == [BYTES]
    assert back.platform == made.platform
    if shape != "docker":  # which has no manifest
        assert (back.digest, back.descriptor) == (made.digest, made.descriptor)
        assert [one.descriptor for one in back.layers] == [one.descriptor for one in made.layers]


@pytest.mark.parametrize("shape", ["hybrid", "oci", "docker"])
def test_what_was_read_is_written_again_byte_for_byte(shape, read_back):
    data = archive(shape, image(b"one", b"two" * 700, b"one"))
    (back,) = read_back(data)
    if shape == "docker":
        back = make(back.config, tuple(map(described, back.layers)), names=back.names)
    assert archive(shape, back) == data


def described(layer):
    """A layer of a `docker save` archive, which says nothing of it, as the others have it."""
    return replace(layer, descriptor=Descriptor(LAYER, layer.diff_id, layer.blob.size))


def test_a_config_of_others_keeps_what_we_do_not_know(read_back):
    document = {
        "architecture": "arm64",
        "author": "someone",
        "config": {"OnBuild": ["RUN x"], "Env": None, "Healthcheck": {"StartInterval": 5}},
        "history": [
            {"created": "2020-01-01T00:00:00Z", "comment": "c", "empty_layer": True},
            {"created_by": "made it"},
        ],
        "os": "linux",
        "os.features": ["x"],
        "rootfs": {"type": "layers", "diff_ids": [digests.of_bytes(BYTES)]},
    }
    raw = json.dumps(document).encode()
    (back,) = read_back(archive("docker", replace(image(), document=raw)))
    assert back.document == raw
    assert back.layers[0].history.created_by == "made it"
    again = json.loads(make(back.config, tuple(map(described, back.layers))).document)
    del document["config"]["Env"]  # null is the same as absent
    assert again == document


def test_a_layer_that_is_not_what_its_digest_says_is_not_adopted():
    made = image()
    wrong = replace(made.layers[0], blob=BytesSource(b"other"))
    with pytest.raises(InputError, match="has other bytes than its digest says"):
        archive("oci", replace(made, layers=(wrong,)))


def test_a_blob_that_another_algorithm_names_goes_into_a_directory_and_not_into_an_archive(
    tmp_path,
):
    digest = "sha512:" + hashlib.sha512(BYTES).hexdigest()
    layer = image().layers[0]
    layer = replace(layer, descriptor=replace(layer.descriptor, digest=digest))
    made = make(image().config, (layer,), names=(NAME,))
    with pytest.raises(InputError, match="named by their SHA-256"):
        archive("oci", made)
    archives.write(made, sinks.Directory(str(tmp_path)), shape="oci", beside={})
    (back,) = archives.read(archive_members.of_directory(str(tmp_path)))
    assert back.layers[0].descriptor.digest == digest
    assert read(back.layers[0].blob) == BYTES


def test_an_image_of_docker_save_can_be_written_as_any_other(read_back, tmp_path):
    (back,) = read_back(archive("docker", image(b"one", b"two" * 700)))
    (tmp_path / "y.tar").write_bytes(archive("oci", back))
    with (tmp_path / "y.tar").open("rb") as file:
        (again,) = archives.read(archive_members.of_archive(file))
        assert [read(layer.blob) for layer in again.layers] == [b"one", b"two" * 700]
    assert again.document == back.document


def test_a_format_that_is_none_is_refused():
    with pytest.raises(UsageError, match="members: not a format; one of hybrid, oci"):
        archive("members")


def test_keys_that_look_like_ours_are_labels_like_others():
    config = replace(image().config, config=Settings(labels={"//extra": "x"}), extra={"author": 1})
    document = json.loads(canonical(config))
    assert document["config"] == {"Labels": {"//extra": "x"}}
    assert document["author"] == 1
    assert decode(canonical(config), Config) == config


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (b'{"config": {"Labels": {"a": null, "b": "c"}}}', {"b": "c"}),
        (b'{"config": {"Labels": {}}}', {}),
    ],
)
def test_null_is_absent_in_tables_too(document, found):
    assert decode(document, Config).config.labels == found


def test_a_platform_need_not_be_whole():
    index = decode(b'{"manifests": [{"platform": {"architecture": "arm64"}}]}', Index)
    assert index.manifests[0].platform.architecture == "arm64"


def test_a_history_that_is_not_that_of_the_layers_is_made_again():
    made = image(b"one", b"two")
    assert len(make(made.config, made.layers[:1]).config.history) == 1
    assert make(made.config, made.layers).config.history == made.config.history


def test_docker_has_no_media_type_for_zstd():
    layer = image().layers[0]
    layer = replace(layer, descriptor=replace(layer.descriptor, media_type=LAYER_ZSTD))
    with pytest.raises(InputError, match="docker has no media type"):
        make(image().config, (layer,), docker_types=True)


def written(folder, shape, beside=NOTHING):
    folder.mkdir()
    sink = sinks.Directory(str(folder))
    archives.write(image(), sink, shape=shape, beside=beside)
    return sink


def test_a_directory_takes_no_blob_that_is_not_what_its_digest_says(tmp_path):
    made = image()
    wrong = replace(made.layers[0], blob=BytesSource(b"other"))
    with pytest.raises(InputError, match="has other bytes than its digest says"):
        archives.write(
            replace(made, layers=(wrong,)),
            sinks.Directory(str(tmp_path)),
            shape="oci",
            beside={},
        )


def test_a_directory_has_the_files_of_the_oci_archive(tmp_path):
    written(tmp_path / "layout", "oci")
    assert files(tmp_path / "layout") == members(archive("oci"))


def test_a_directory_of_skopeo_reads_back(tmp_path):
    written(tmp_path / "dir", "skopeo_dir")
    (back,) = archives.read(archive_members.of_directory(str(tmp_path / "dir")))
    assert (back.digest, back.config_digest) == (image().digest, image().config_digest)


def test_further_members_are_beside_the_documents(tmp_path):
    extra = {"rootfs-builder.json": b"{}"}
    assert members(archive("docker", beside=extra))["rootfs-builder.json"] == b"{}"
    written(tmp_path / "layout", "oci", extra)
    assert (tmp_path / "layout/rootfs-builder.json").read_bytes() == b"{}"


def test_a_format_that_is_no_archive_of_blobs_replaces_what_the_store_wrote():
    store = Store(io.BytesIO())
    store.add(BYTES)
    sink = sinks.Archive(store, temporary.scratch)
    sink.replace([b"abc", b"def"])
    assert sink.end() == 6
    assert store.file.getvalue() == b"abcdef"


def test_the_descriptor_is_the_one_of_the_index():
    index = json.loads(members(archive("oci"))["index.json"])
    assert index["manifests"] == [json.loads(canonical(one)) for one in oci.described(image())]


def test_archives_with_the_same_bytes_have_one_seal_and_others_another():
    def seal(shape="hybrid", beside=NOTHING, made=None):
        return destinations.seal(made or image(), shape, beside)

    assert seal() == seal()
    others = [
        seal("oci"),
        seal("docker"),
        seal(made=image(name="docker.io/library/hello:1.1")),
        seal(made=image(b"x")),
        seal(beside={"a": b"b"}),
        seal(beside={"a": b"c"}),
        seal(beside={"ab": b""}),
    ]
    assert len({seal(), *others}) == 1 + len(others)
