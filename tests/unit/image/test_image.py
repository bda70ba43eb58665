"""Images in the words of the image-spec: golden documents, one spelling each, the JSON schemas."""

import json
from pathlib import Path

import msgspec
import pytest

from rootfs_builder.image import (
    CONFIG,
    INDEX,
    LAYER_GZIP,
    MANIFEST,
    Config,
    Descriptor,
    History,
    Index,
    Manifest,
    Platform,
    RootFs,
    Settings,
    canonical,
)

SCHEMAS = Path("/usr/share/gocode/src/github.com/opencontainers/image-spec/schema")
A, B = ("sha256:" + letter * 64 for letter in "ab")

FULL_CONFIG = Config(
    architecture="arm",
    os="linux",
    variant="v7",
    created="1970-01-01T00:00:00Z",
    config=Settings(
        entrypoint=("/usr/local/bin/hello",),
        cmd=("-v", "ä"),
        env=("PATH=/bin", "EMPTY="),
        user="1:2",
        working_dir="/srv",
        labels={"b": "2", "a": "1"},
        exposed_ports={"80/tcp": {}},
        volumes={"/data": {}},
        stop_signal="SIGTERM",
    ),
    rootfs=RootFs((A,)),
    history=(History("1970-01-01T00:00:00Z", "rootfs-builder"),),
)
SMALL_CONFIG = Config("amd64", "linux", "1970-01-01T00:00:00Z", Settings(), RootFs(()), ())
FULL_MANIFEST = Manifest(
    Descriptor(CONFIG, A, 1), (Descriptor(LAYER_GZIP, B, 2),), {"b": "2", "a": "1"}
)
FULL_INDEX = Index((Descriptor(MANIFEST, A, 3, Platform("arm", "linux", "v7"), {"k": "v"}),))

GOLDEN = [
    (
        SMALL_CONFIG,
        (
            '{"architecture":"amd64","config":{},"created":"1970-01-01T00:00:00Z","history":[],'
            '"os":"linux","rootfs":{"diff_ids":[],"type":"layers"}}'
        ),
    ),
    (
        FULL_CONFIG,
        (
            '{"architecture":"arm","config":{"Cmd":["-v","ä"],"Entrypoint":["/usr/local/bin/hello"],'
            '"Env":["PATH=/bin","EMPTY="],"ExposedPorts":{"80/tcp":{}},"Labels":{"a":"1","b":"2"},'
            '"StopSignal":"SIGTERM","User":"1:2","Volumes":{"/data":{}},"WorkingDir":"/srv"},'
            '"created":"1970-01-01T00:00:00Z","history":[{"created":"1970-01-01T00:00:00Z",'
            f'"created_by":"rootfs-builder"}}],"os":"linux","rootfs":{{"diff_ids":["{A}"],'
            '"type":"layers"},"variant":"v7"}'
        ),
    ),
    (
        FULL_MANIFEST,
        (
            f'{{"annotations":{{"a":"1","b":"2"}},"config":{{"digest":"{A}","mediaType":"{CONFIG}",'
            f'"size":1}},"layers":[{{"digest":"{B}","mediaType":"{LAYER_GZIP}","size":2}}],'
            f'"mediaType":"{MANIFEST}","schemaVersion":2}}'
        ),
    ),
    (
        FULL_INDEX,
        (
            f'{{"manifests":[{{"annotations":{{"k":"v"}},"digest":"{A}","mediaType":"{MANIFEST}",'
            '"platform":{"architecture":"arm","os":"linux","variant":"v7"},"size":3}],'
            f'"mediaType":"{INDEX}","schemaVersion":2}}'
        ),
    ),
]
BY_NAME = pytest.mark.parametrize(
    ("document", "text"), GOLDEN, ids=["small config", "full config", "manifest", "index"]
)


@BY_NAME
def test_a_document_has_one_spelling(document, text):
    assert canonical(document).decode() == text


@BY_NAME
def test_a_document_reads_back(document, text):
    assert msgspec.json.decode(text, type=type(document)) == document


def test_equal_values_are_equal_bytes_whatever_the_order_of_their_keys():
    forwards = Settings(labels={"a": "1", "b": "2"})
    backwards = Settings(labels={"b": "2", "a": "1"})
    assert canonical(forwards) == canonical(backwards)
    assert canonical({"b": 1, "a": [{"d": 1, "c": 2}]}) == b'{"a":[{"c":2,"d":1}],"b":1}'


@pytest.mark.parametrize("digest", ["sha256:", A[:-1], A + "a", A.upper(), "md5:" + "a" * 64])
def test_a_digest_that_is_none_is_refused_when_read(digest):
    text = json.dumps({"mediaType": LAYER_GZIP, "digest": digest, "size": 1})
    with pytest.raises(msgspec.ValidationError, match=r"\$\.digest"):
        msgspec.json.decode(text, type=Descriptor)


@pytest.mark.parametrize(
    ("document", "schema", "required"),
    [
        (SMALL_CONFIG, "config-schema.json", "rootfs"),
        (FULL_CONFIG, "config-schema.json", "os"),
        (FULL_MANIFEST, "image-manifest-schema.json", "config"),
        (FULL_INDEX, "image-index-schema.json", "manifests"),
    ],
)
def test_the_image_specs_schemas_accept_it(document, schema, required):
    if not SCHEMAS.is_dir():
        pytest.skip("needs golang-github-opencontainers-image-spec-dev")
    from jsonschema import Draft4Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT4

    def by_base_name(uri):
        return Resource.from_contents(
            json.loads((SCHEMAS / uri.rpartition("/")[2]).read_text()), DRAFT4
        )

    validator = Draft4Validator(
        {"$ref": f"https://opencontainers.org/schema/{schema}"},
        registry=Registry(retrieve=by_base_name),
    )
    value = json.loads(canonical(document))
    assert list(validator.iter_errors(value)) == []
    del value[required]
    assert list(validator.iter_errors(value)) != []
