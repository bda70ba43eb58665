"""An image as its parts, to be damaged one by one and put together with digests that are right.

`Parts` are the documents and the layers, not compressed. `written` makes an archive of them in any
format and compression, so that damage in a layer's tar is found by whoever reads that tar, and not
by a digest before.
"""

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, replace

import zstandard

from tests.faults import damage
from tests.faults.damage import BLOCK

OCI = "application/vnd.oci.image."
CODECS = {"": bytes, "+gzip": lambda data: gzip.compress(data, 1, mtime=0)}
CODECS["+zstd"] = zstandard.ZstdCompressor(1).compress


@dataclass(frozen=True)
class Parts:
    """Layers as tars, config and our record, if any, as JSON; `raw` is what else is damaged."""

    layers: tuple[bytes, ...]
    config: object
    record: object
    raw: str = ""


def digest(data):
    """As documents spell it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def read(archive):
    """The parts of an archive that we wrote."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = {one.name: tar.extractfile(one).read() for one in tar if one.isfile()}
    index = json.loads(members["index.json"])
    manifest = json.loads(_blob(members, index["manifests"][0]))
    layers = tuple(gzip.decompress(_blob(members, one)) for one in manifest["layers"])
    config = json.loads(_blob(members, manifest["config"]))
    return Parts(layers, config, json.loads(members["rootfs-builder.json"]))


def _blob(members, descriptor):
    return members[f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}"]


def small():
    """An image made by hand, with one of each kind of entry."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for name, kind, text in (
            ("usr", tarfile.DIRTYPE, ""),
            ("usr/bin", tarfile.DIRTYPE, ""),
            ("usr/bin/prog", tarfile.REGTYPE, "#!/bin/sh\nexit\n"),
            ("bin", tarfile.SYMTYPE, "usr/bin"),
            ("usr/bin/sh", tarfile.LNKTYPE, "usr/bin/prog"),
            ("usr/" + "long/" * 40 + "name", tarfile.REGTYPE, "x" * 600),
            ("etc/.wh.passwd", tarfile.REGTYPE, ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o755
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = text
            content = text if kind == tarfile.REGTYPE else ""
            if kind == tarfile.REGTYPE:
                info.pax_headers = {"SCHILY.xattr.security.capability": "\1\0\0\2" + "\0" * 16}
            info.size = len(content)
            layer.addfile(info, io.BytesIO(content.encode()))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/bin/prog"], "Cmd": ["x"], "Env": ["PATH=/bin", "A=b"]}
        | {
            "WorkingDir": "/usr",
            "User": "1:1",
            "Labels": {"a": "b"},
            "ExposedPorts": {"80/tcp": {}},
        },
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "x"}],
    }
    return Parts((tar.getvalue(),), config, None)


def damaged(parts, chance):
    """One part is damaged, or what `written` makes of them will be."""
    how = chance.randrange(10)
    layers = list(parts.layers)
    at = chance.randrange(len(layers))
    if how < 4:
        layers[at] = damage.damaged_tar(layers[at], chance)
    elif how == 4:
        layers[at] = damage.damaged(layers[at], chance)
    elif how == 5:
        return replace(parts, config=_damaged_copy(parts.config, chance))
    elif how == 6 and parts.record is not None:
        return replace(parts, record=_damaged_copy(parts.record, chance))
    else:
        return replace(parts, raw=chance.choice(("stream", "manifest", "index", "outer", "bytes")))
    return replace(parts, layers=tuple(layers))


def _damaged_copy(document, chance):
    return damage.damaged_document(json.loads(json.dumps(document)), chance)


def _encoded(document, chance):
    """JSON; what is no JSON, such as a number with no end, is written as Python does."""
    text = json.dumps(document, ensure_ascii=chance.random() < 0.5)
    return text.encode("utf-8", "surrogatepass")


def written(parts, chance):
    """An archive of the parts: hybrid, OCI or `docker save`."""
    kind = chance.choice([*CODECS])
    plain = parts.layers
    blobs = [CODECS[kind](one) for one in plain]
    if parts.raw == "stream":
        blobs[-1] = damage.damaged(blobs[-1], chance)
    config = _with_ids(parts.config, [*map(digest, plain)])
    members, described = {}, []
    for blob in blobs:
        described.append(_descriptor(members, f"{OCI}layer.v1.tar{kind}", blob))
    head = _descriptor(members, f"{OCI}config.v1+json", _encoded(config, chance))
    manifest = {"schemaVersion": 2, "mediaType": f"{OCI}manifest.v1+json"}
    manifest |= {"config": head, "layers": described}
    if parts.raw == "manifest":
        manifest = _damaged_copy(manifest, chance)
    one = _descriptor(members, f"{OCI}manifest.v1+json", _encoded(manifest, chance))
    index = {"schemaVersion": 2, "manifests": [one]}
    docker = [{"Config": _path(head), "Layers": [*map(_path, described)], "RepoTags": ["x:1"]}]
    if parts.raw == "index":
        index, docker = _damaged_copy(index, chance), _damaged_copy(docker, chance)
    shape = chance.randrange(3)
    if shape != 1:
        members["manifest.json"] = _encoded(docker, chance)
    if shape != 2:
        members["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
        members["index.json"] = _encoded(index, chance)
    if parts.record is not None:
        record = _about(parts.record, head["digest"])
        members["rootfs-builder.json"] = _encoded(record, chance)
    return _damaged_whole(_tar(members), parts.raw, chance)


def _with_ids(config, ids):
    """A config that is about these layers, where it is one."""
    rootfs = config.get("rootfs", {"type": "layers"}) if isinstance(config, dict) else None
    return {**config, "rootfs": {**rootfs, "diff_ids": ids}} if isinstance(rootfs, dict) else config


def _about(record, digest):
    """A record that is about this config, where it says of which it is."""
    return (
        {**record, "config": digest} if isinstance(record, dict) and "config" in record else record
    )


def _damaged_whole(archive, raw, chance):
    if raw == "outer":
        return damage.damaged_tar(archive, chance)
    if raw == "bytes":
        return damage.damaged(archive, chance, [(0, BLOCK), (len(archive) - 8 * BLOCK, 8 * BLOCK)])
    return archive


def _descriptor(members, kind, data):
    one = {"mediaType": kind, "digest": digest(data), "size": len(data)}
    members[_path(one)] = data
    return one


def _path(descriptor):
    return f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}"


def _tar(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()
