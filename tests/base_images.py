"""Images of others, written by Python's own tarfile: what a base or a sysroot may look like."""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
_LAYERS = {
    (DOCKER, "gzip"): "application/vnd.docker.image.rootfs.diff.tar.gzip",
    (DOCKER, "none"): "application/vnd.docker.image.rootfs.diff.tar",
    (OCI, "gzip"): "application/vnd.oci.image.layer.v1.tar+gzip",
    (OCI, "zstd"): "application/vnd.oci.image.layer.v1.tar+zstd",
    (OCI, "none"): "application/vnd.oci.image.layer.v1.tar",
}


def layer(*members):
    """A tar: `("etc/", 0o755[, uid])`, `("lib", "-> usr/lib")`, `("bin/x", b"…"[, 0o755])`."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, what, *more in members:
            info = tarfile.TarInfo(name.rstrip("/"))
            info.mode = more[0] if more else 0o644
            if name.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, what
                info.uid = more[0] if more else 0
                tar.addfile(info)
            elif isinstance(what, str):
                info.type, info.linkname = tarfile.SYMTYPE, what.removeprefix("-> ")
                tar.addfile(info)
            else:
                info.size = len(what)
                tar.addfile(info, io.BytesIO(what))
    return data.getvalue()


def of_tree(root):
    """A tar of a directory, as root's."""

    def owned(info):
        info.uid = info.gid = 0
        info.uname, info.gname, info.mtime = "", "", 0
        return info

    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for path in sorted(root.iterdir()):
            tar.add(path, path.name, filter=owned)
    return data.getvalue()


def config(layers, settings=None, *, history=None, **more):
    """A config document; `settings` is its `config`."""
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": settings or {},
        "rootfs": {"type": "layers", "diff_ids": [_digest(one) for one in layers]},
        **({} if history is None else {"history": history}),
        **more,
    }


def write(path, layers, settings=None, *, kind=OCI, compression="gzip", name="", **more):
    """An OCI layout as a tar; the layers' digests, the lowest first."""
    blobs = {}
    document = config(layers, settings, **more)
    described = []
    for one in layers:
        packed = _compressed(one, compression)
        described.append(_add(blobs, packed, _LAYERS[kind, compression]))
    words = "docker.container.image" if kind == DOCKER else "oci.image.config"
    of_config = _add(blobs, json.dumps(document).encode(), f"application/vnd.{words}.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": of_config,
        "layers": described,
    }
    top = _add(blobs, json.dumps(manifest).encode(), kind)
    if name:
        top["annotations"] = {"io.containerd.image.name": name}
    _tar(
        path,
        {
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "index.json": json.dumps({"schemaVersion": 2, "manifests": [top]}).encode(),
            **blobs,
        },
    )
    return [one["digest"] for one in described]


def save(path, layers, settings=None, *, names=("base:1",), **more):
    """What `docker save` of the classic store writes: plain layers, and no manifest."""
    files = {f"{number}/layer.tar": one for number, one in enumerate(layers)}
    document = json.dumps(config(layers, settings, **more)).encode()
    saved = [{"Config": "c.json", "RepoTags": list(names), "Layers": list(files)}]
    _tar(path, {**files, "c.json": document, "manifest.json": json.dumps(saved).encode()})
    return [_digest(one) for one in layers]


def _digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _add(blobs, data, media_type):
    blobs[f"blobs/sha256/{_digest(data)[7:]}"] = data
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}


def _compressed(data, compression):
    if compression == "gzip":
        return gzip.compress(data, 1, mtime=0)
    if compression == "zstd":
        return subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout
    return data


def _tar(path, files):
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def read(path):
    """The config and manifest of the one image in an archive, and its blobs by digest."""
    with tarfile.open(path) as tar:
        files = {one.name: tar.extractfile(one).read() for one in tar if one.isfile()}
    blobs = {f"sha256:{name[13:]}": data for name, data in files.items() if "sha256/" in name}
    (top,) = json.loads(files["index.json"])["manifests"]
    manifest = json.loads(blobs[top["digest"]])
    return json.loads(blobs[manifest["config"]["digest"]]), manifest, blobs


def members(blob):
    """The names in a layer, with their kinds, modes and owners."""
    data = gzip.decompress(blob) if blob[:2] == b"\x1f\x8b" else blob
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {
            one.name: (
                {tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "link"}.get(one.type, "file"),
                one.mode,
                (one.uid, one.gid),
                tar.extractfile(one).read() if one.isreg() else one.linkname,
            )
            for one in tar
        }
