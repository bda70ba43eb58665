"""An archive or layout → every way in which it breaks what it promises, one sentence each.

An outside checker: it shares no line with `rootfs_builder`, so no mistake can stand on both sides.
The promises are `facts/oci-archives.md` ("facts") and the OCI image-spec 1.1 ("spec"). The hard
part is the tar: `tarfile` forgives what other readers refuse, so headers are read block by block
(POSIX.1-2017 pax, "ustar Interchange Format"). A rule is the sentence said when its test fails.
"""

import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

Test = Callable[[Any], object]
Members = dict[str, bytes]
Documents = dict[str, Any]

BLOCK = 512
BLOB = "blobs/sha256/[0-9a-f]{64}"
COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh")
OCI = "application/vnd.oci.image."
INDEX, MANIFEST, CONFIG = (f"{OCI}{kind}.v1+json" for kind in ("index", "manifest", "config"))
LAYERS = tuple(f"{OCI}layer.v1.tar{suffix}" for suffix in ("", "+gzip", "+zstd"))
DOCKER = "application/vnd.docker."
DOCKER_MANIFEST = f"{DOCKER}distribution.manifest.v2+json"
DOCKER_CONFIG = f"{DOCKER}container.image.v1+json"
DOCKER_LAYERS = tuple(f"{DOCKER}image.rootfs.diff.tar{suffix}" for suffix in ("", ".gzip"))
SCHEMAS = {  # the documents, and the image-spec's schema of each
    "oci-layout": "image-layout-schema.json",
    "index.json": "image-index-schema.json",
    "manifest": "image-manifest-schema.json",
    "config": "config-schema.json",
}
FOLDERS = ("blobs/", "blobs/sha256/")
OUTER = {  # what stands beside the blobs, in each format
    "hybrid": ("oci-layout", "index.json", "manifest.json"),
    "oci": ("oci-layout", "index.json"),
    "docker": ("manifest.json",),
}
BESIDE = "rootfs-builder.json"  # no part of the image, and may be absent
POINTER = ("index.json", "manifests", 0)  # the image; further ones are its further names
NAME, REF_NAME = "io.containerd.image.name", "org.opencontainers.image.ref.name"
# distribution/reference: a host has a dot or a port or is localhost; docker.io names have two parts
HOST = r"(?:localhost|[a-z0-9-]+(?:\.[a-z0-9-]+)+|[a-z0-9.-]+:[0-9]+)"
PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REFERENCE = rf"(?!docker\.io/[^/]*$){HOST}(?:/{PART})+:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}"
PORT = r"[1-9][0-9]{0,4}/(?:tcp|udp|sctp)"
SIGNAL = r"SIG[A-Z0-9]+(?:[+-][0-9]+)?|[0-9]+"
TIME = r"([0-9]{4}(?:-[0-9]{2}){2}T[0-9]{2}(?::[0-9]{2}){2})(?:\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
AFTER_1_0 = {"mediaType", "artifactType", "subject", "variant", "os.version", "os.features"}

FIELDS = {"mode": (100, 8), "uid": (108, 8), "gid": (116, 8), "size": (124, 12), "mtime": (136, 12)}
PAX_NUMBERS = ("uid", "gid", "size", "mtime")
PAX_KEYS = ("path", "linkpath", "SCHILY.xattr.security.capability", *PAX_NUMBERS)
FILE, HARD_LINK, SYMLINK, DIRECTORY = "0", "1", "2", "5"


@dataclass(frozen=True)
class Entry:
    """A tar entry as a reader sees it: its USTAR header with the PAX records before it applied."""

    name: str
    path: str  # the name without the slash that marks a directory
    kind: str
    link: str
    numbers: dict[str, int]
    pax: dict[str, str]
    data: bytes = b""


def problems(archive: Path, shape: str = "hybrid") -> list[str]:
    """Every violation in an archive, or a directory, of a format; none if it is good."""
    documents, members, found = read_archive(archive, shape)
    found += document_problems(documents, shape) + blob_problems(documents, members, shape)
    found += beside_problems(documents, members)
    return found + layer_problems(documents, members)


def schema_problems(archive: Path, schemas: Path) -> list[str]:
    """What the JSON schemas refuse; they name each other by base name (spec, schema/)."""
    from jsonschema import Draft4Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT4

    def by_base_name(uri: str) -> Resource[Any]:
        return Resource(json.loads((schemas / Path(uri).name).read_text()), DRAFT4)

    registry: Registry[Any] = Registry(retrieve=by_base_name)
    documents, _, _ = read_archive(archive)
    found = []
    for name, schema in SCHEMAS.items():
        errors = Draft4Validator({"$ref": schema}, registry=registry).iter_errors(documents[name])
        found += [f"{name} {error.json_path}: {error.message}" for error in errors]
    return found


def outside_reader_problems(archive: Path) -> list[str]:
    """What opencontainers 0.0.15 refuses in the subset of v1.0 (facts, "Who checks what").

    It alone refuses keys that no specification knows, such as a misspelt `WorkDir`.
    """
    from opencontainers.image import v1
    from opencontainers.logger import bot

    documents, _, found = read_archive(archive)
    readers = zip(SCHEMAS, (v1.ImageLayout, v1.Index, v1.Manifest, v1.Image), strict=True)
    for name, reader in readers:
        said: list[str] = []
        bot.log_handler = [lambda message, said=said: said.append(message["msg"])]
        try:
            reader().load(subset_1_0(documents[name]))
        except (SystemExit, Exception) as error:  # noqa: BLE001 - it raises whatever it trips over
            found.append(f"{name}: opencontainers says {'; '.join(said) or repr(error)}")
        finally:
            bot.log_handler = [bot.text_handler]
    return found


def subset_1_0(document: Any) -> Any:
    """A document without what came after v1.0 or from docker, and without `NAME=` in Env."""
    if not isinstance(document, dict):
        return document
    document = {key: value for key, value in document.items() if key not in AFTER_1_0}
    if isinstance(config := document.get("config"), dict):
        config = {key: value for key, value in config.items() if key != "Healthcheck"}
        env = [value for value in items(config, "Env") if not str(value).endswith("=")]
        document["config"] = config | ({"Env": env} if env else {})
    return document


# --- tests of single values ---


def dig(value: Any, *keys: str | int) -> Any:
    """What stands at the end of a path of keys and positions; None where there is no such path."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def items(value: Any, *keys: str | int) -> list[Any]:
    """The list at the end of such a path; an empty one where there is none."""
    return found if isinstance(found := dig(value, *keys), list) else []


def texts(value: object, pattern: str = ".*", kind: type = list) -> bool:
    """Whether it is a list of strings, or a dict with keys, that each match as a whole."""
    return isinstance(value, kind) and all(
        isinstance(item, str) and re.fullmatch(pattern, item, re.DOTALL) for item in value
    )


def text(value: object, pattern: str = ".+") -> bool:
    """Whether it is a string that matches as a whole."""
    return texts([value], pattern)


def is_time(value: object) -> bool:
    """Whether it is a time of RFC 3339, section 5.6; capitals, because Go takes no others."""
    if not isinstance(value, str) or not (parts := re.fullmatch(TIME, value)):
        return False
    try:
        return bool(datetime.fromisoformat(parts[1] + parts[2]))
    except ValueError:
        return False


def are_steps(value: object) -> bool:
    """Whether it is a history: objects, each with such a time or none (spec, config.md)."""
    return isinstance(value, list) and all(
        isinstance(step, dict) and maybe(is_time)(step.get("created")) for step in value
    )


def are_labels(value: object) -> bool:
    """Whether it is an object that holds strings alone (spec, config.md "Labels")."""
    return isinstance(value, dict) and texts([*value.values()])


def maybe(test: Callable[..., object], *args: object) -> Test:
    """The same test, for a value that may be absent."""
    return lambda value: value is None or test(value, *args)


def equals(expected: object) -> Test:
    """A test for exactly this value."""
    return lambda value: type(value) is type(expected) and value == expected


def one(value: object) -> bool:
    """Whether it is a list of one thing."""
    return len(items(value)) == 1


def of_one_image(value: object) -> bool:
    """Whether it is a list of descriptors that differ in their names alone."""
    found = [{**one, "annotations": None} for one in items(value) if isinstance(one, dict)]
    names = [json.dumps(dig(one, "annotations")) for one in items(value)]
    same = all(one == found[0] for one in found) and len(found) == len(names) > 0
    return same and len(set(names)) == len(names)


def sha256(data: bytes) -> str:
    """The only digest that we write (spec, descriptor.md "SHA-256")."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def blob_path(descriptor: Any) -> str:
    """Where the layout keeps what a descriptor points at; no name for a malformed digest."""
    path = f"blobs/{dig(descriptor, 'digest')}".replace(":", "/", 1)
    return path if text(path, BLOB) else ""


# --- documents and blobs ---


def read_archive(archive: Path, shape: str = "hybrid") -> tuple[Documents, Members, list[str]]:
    """The five documents, the members, and what is wrong with the tar (spec, image-layout.md)."""
    found: list[str] = []
    if archive.is_dir():
        files = [path for path in archive.rglob("*") if not path.is_dir()]
        members = {str(path.relative_to(archive)): path.read_bytes() for path in files}
        found += [f"{name!r} is missing" for name in OUTER[shape] if name not in members]
    else:
        try:
            tar = archive.read_bytes()
        except OSError as error:
            nothing = dict.fromkeys((*SCHEMAS, *OUTER["hybrid"]))
            return nothing, {}, [f"the archive cannot be read: {error}"]
        found += ["it is compressed"] if tar.startswith(COMPRESSED) else []
        entries, more = read_tar(tar)
        more += member_problems(entries, shape)
        found += [f"outer tar: {said}" for said in more]
        members = {entry.name: entry.data for entry in entries if entry.name not in FOLDERS}
    members |= absent(members, shape)
    documents = {name: read_json(name, members, found) for name in OUTER["hybrid"]}
    for name, *pointer in (("manifest", *POINTER), ("config", "manifest", "config")):
        documents[name] = read_json(blob_path(dig(documents, *pointer)), members, found)
    return documents, members, found


def absent(members: Members, shape: str) -> Members:
    """What a hybrid would have beside this, so that one set of rules is for all formats."""
    if shape == "hybrid":
        return {}
    found: list[str] = []
    if shape == "oci":
        pointer = dig(read_json("index.json", members, found), *POINTER[1:])
        manifest = read_json(blob_path(pointer), members, found)
        entry = {
            "Config": blob_path(dig(manifest, "config")),
            "RepoTags": [
                dig(one, "annotations", NAME)
                for one in items(read_json("index.json", members, found), "manifests")
            ],
            "Layers": [blob_path(layer) for layer in items(manifest, "layers")],
        }
        return {"manifest.json": json.dumps([entry]).encode()}
    entry = dig(read_json("manifest.json", members, found), 0)
    named = {"manifest.json", BESIDE, dig(entry, "Config"), *items(entry, "Layers")}
    config = read_json(str(dig(entry, "Config")), members, found)
    keys = ("os", "architecture", "variant")
    platform = {key: config[key] for key in keys if dig(config, key) is not None}
    tags = items(entry, "RepoTags") or ["None"]
    manifests = [
        {
            "mediaType": DOCKER_MANIFEST,
            "digest": sha256(data),
            "size": len(data),
            "platform": platform,
            "annotations": {NAME: str(full), REF_NAME: str(full).rpartition(":")[2]},
        }
        for full in tags
        for name, data in members.items()
        if name not in named
    ]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    layout = {"imageLayoutVersion": "1.0.0"}
    return {"oci-layout": json.dumps(layout).encode(), "index.json": json.dumps(index).encode()}


def read_json(name: str, members: Members, found: list[str]) -> Any:
    """A member as JSON, or None; what is wrong with it is added to `found` (RFC 8259)."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            found.append(f"{name} has the same key twice in one object")
        return dict(pairs)

    try:
        return json.loads(members.get(name, b"null").decode(), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        found.append(f"{name} is not JSON: {error}")
        return None


# facts, "The default", "Config"; spec, image-layout.md, image-index.md, manifest.md, config.md
VALUE_RULES: tuple[tuple[str, str, Test], ...] = (
    ("oci-layout", "is not version 1.0.0 alone", equals({"imageLayoutVersion": "1.0.0"})),
    ("index.json schemaVersion", "is not 2", equals(2)),
    ("index.json mediaType", "is not that of an OCI index", maybe(equals(INDEX))),
    ("index.json manifests", "is not one image, with a descriptor a name", of_one_image),
    ("manifest.json", "is not one entry", one),
    ("manifest schemaVersion", "is not 2", equals(2)),
    ("manifest layers", "is not a list of layers", items),
    ("config architecture", "is no text", text),
    ("config os", "is no text", text),
    ("config created", "is not a time of RFC 3339", maybe(is_time)),
    ("config history", "is not a list of steps with times of RFC 3339", maybe(are_steps)),
    ("config rootfs type", "is not layers", equals("layers")),
    ("config config Env", "has an entry that is not NAME=VALUE", maybe(texts, "[^=]+=.*")),
    ("config config Entrypoint", "is not a list of strings", maybe(texts)),
    ("config config Cmd", "is not a list of strings", maybe(texts)),
    ("config config User", "is not digits or digits:digits", maybe(text, "[0-9]+(:[0-9]+)?")),
    ("config config WorkingDir", "is not absolute", maybe(text, "/.*")),
    ("config config ExposedPorts", "has a key that is not like 80/tcp", maybe(texts, PORT, dict)),
    ("config config Volumes", "has a key that is not absolute", maybe(texts, "/.*", dict)),
    ("config config Labels", "is not an object of strings", maybe(are_labels)),
    ("config config StopSignal", "is no signal", maybe(text, SIGNAL)),
)


def docker_types(documents: Documents, shape: str) -> bool:
    """Whether the media types are docker's: podman keeps a health check with them alone (facts)."""
    health = dig(documents, "config", "config", "Healthcheck")
    return shape == "docker" or (shape == "hybrid" and health is not None)


def document_problems(documents: Documents, shape: str) -> list[str]:
    """What is wrong in each document and between them (facts, "The default", "Config")."""
    found = [
        f"{path.replace(' ', ': ', 1)} {sentence}"
        for path, sentence, holds in VALUE_RULES
        if not holds(dig(documents, *path.split()))
    ]
    docker = docker_types(documents, shape)
    if dig(documents, "manifest", "mediaType") != (DOCKER_MANIFEST if docker else MANIFEST):
        found.append(
            f"manifest: mediaType is not that of {'a docker' if docker else 'an OCI'} manifest"
        )
    found += name_problems(documents)
    config = documents["config"]
    layers = len(items(documents, "manifest", "layers"))
    if not items(config, "config", "Entrypoint") and not items(config, "config", "Cmd"):
        found.append("config: there is neither Entrypoint nor Cmd")
    if len(items(config, "rootfs", "diff_ids")) != layers:
        found.append("config: there are not as many diff_ids as layers")
    history = items(config, "history")
    if history and len([1 for step in history if not dig(step, "empty_layer")]) != layers:
        found.append("config: there are not as many non-empty history entries as layers")
    keys = ("os", "architecture", "variant")
    if any(dig(documents, *POINTER, "platform", key) != dig(config, key) for key in keys):
        found.append("index.json: the platform is not that of the config")
    return found


def name_problems(documents: Documents) -> list[str]:
    """Whether every reader finds the same name and the same blobs (facts, "Names")."""
    names, found = [], []
    for one in items(documents, *POINTER[:-1]):
        name, tag = (dig(one, "annotations", key) for key in (NAME, REF_NAME))
        names.append(name)
        if not text(name, REFERENCE):
            found.append(f"index.json: {NAME} is no full lowercase reference with a tag: {name!r}")
        if tag != str(name).rpartition(":")[2]:
            found.append(f"index.json: {REF_NAME} is not the bare tag: {tag!r}")
    expected = {
        "RepoTags": names,
        "Config": blob_path(dig(documents, "manifest", "config")),
        "Layers": [blob_path(layer) for layer in items(documents, "manifest", "layers")],
    }
    entry = dig(documents, "manifest.json", 0)
    keys = sorted({*expected, *(entry if isinstance(entry, dict) else ())})
    return found + [
        f"manifest.json: {key} is {dig(entry, key)!r}, not {expected.get(key)!r}"
        for key in keys
        if dig(entry, key) != expected.get(key)
    ]


def blob_problems(documents: Documents, members: Members, shape: str) -> list[str]:
    """Each descriptor against its blob (spec, descriptor.md); each blob has a descriptor."""
    layers = items(documents, "manifest", "layers")
    manifest_type, config_type, layer_types = MANIFEST, CONFIG, LAYERS
    if docker_types(documents, shape):
        manifest_type, config_type, layer_types = DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYERS
    descriptors = [
        ("index.json: the manifest's", dig(documents, *POINTER), (manifest_type,)),
        ("manifest: the config's", dig(documents, "manifest", "config"), (config_type,)),
        *((f"manifest: layer {at}'s", layer, layer_types) for at, layer in enumerate(layers)),
    ]
    found = []
    for whose, descriptor, types in descriptors:
        path, size = blob_path(descriptor), dig(descriptor, "size")
        blob = members.get(path)
        if dig(descriptor, "mediaType") not in types:
            found.append(f"{whose} mediaType is not one of {', '.join(types)}")
        if not path:
            found.append(f"{whose} digest is not sha256: and 64 lowercase hex digits")
        elif blob is None:
            found.append(f"{whose} blob is missing")
        elif dig(descriptor, "digest") != sha256(blob):
            found.append(f"{whose} digest is not that of the blob")
        if blob is not None and (type(size) is not int or size != len(blob)):
            found.append(f"{whose} size is not that of the blob")
    known = {*OUTER["hybrid"], BESIDE, *(blob_path(descriptor) for _, descriptor, _ in descriptors)}
    return found + [f"{name!r} is an unreferenced blob" for name in members if name not in known]


def beside_problems(documents: Documents, members: Members) -> list[str]:
    """The document that travels along is about this image."""
    found: list[str] = []
    beside = read_json(BESIDE, members, found)
    if beside is None:
        return found
    if dig(beside, "config") != dig(documents, "manifest", "config", "digest"):
        found.append(f"{BESIDE} is about another config")
    if dig(beside, "layers") != dig(documents, "config", "rootfs", "diff_ids"):
        found.append(f"{BESIDE} is about other layers")
    return found


def layer_problems(documents: Documents, members: Members) -> list[str]:
    """Each layer's tar and diff_id (facts, "Layer tar"; spec, layer.md, config.md "diff_ids")."""
    diff_ids = items(documents, "config", "rootfs", "diff_ids")
    links: set[str] = set()
    found = []
    for at, layer in enumerate(items(documents, "manifest", "layers")):
        blob = members.get(blob_path(layer), b"")
        try:
            tar = unpack(blob, str(dig(layer, "mediaType")))
        except (OSError, EOFError, zlib.error, ImportError) as error:
            found.append(f"layer {at}: it cannot be decompressed: {error}")
            continue
        if dig(diff_ids, at) != sha256(tar):
            found.append(f"layer {at}: its diff_id is not the digest of its tar")
        entries, said = read_tar(tar)
        said += entry_problems(entries, ENTRY_RULES) + order_problems(entries, links)
        found += [f"layer {at}: {sentence}" for sentence in said]
        links -= {entry.path for entry in entries}
        links |= {entry.path for entry in entries if entry.kind == SYMLINK}
    return found


def unpack(blob: bytes, media_type: str) -> bytes:
    """A layer's tar out of any number of gzip members or zstd frames (spec, layer.md)."""
    if media_type.endswith(("+gzip", ".gzip")):
        return gzip.decompress(blob)
    if not media_type.endswith("+zstd"):
        return blob
    import zstandard

    try:
        source = io.BytesIO(blob)
        return zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True).read()
    except zstandard.ZstdError as error:
        raise OSError(str(error)) from error


# --- tar ---


def read_tar(tar: bytes) -> tuple[list[Entry], list[str]]:
    """The entries of a tar, and what is wrong with its blocks (POSIX.1-2017 pax, ustar format)."""
    entries: list[Entry] = []
    found: list[str] = []
    pax: dict[str, str] = {}
    at = 0
    while len(header := tar[at : at + BLOCK]) == BLOCK and any(header):
        entry, complaints = read_header(header, pax)
        size = entry.numbers["size"]
        data = tar[at + BLOCK : at + BLOCK + size]
        at += BLOCK + -(-size // BLOCK) * BLOCK
        pax, more = read_pax(data) if entry.kind == "x" else ({}, [])
        entries += [] if entry.kind == "x" else [replace(entry, data=data)]
        found += [f"{entry.name!r} {complaint}" for complaint in complaints + more]
    if at > len(tar):
        found.append("its last entry is cut short")
    elif len(end := tar[at:]) < 2 * BLOCK or len(end) % BLOCK or any(end):
        found.append("it does not end with two zero blocks")
    return entries, found


def read_header(header: bytes, pax: dict[str, str]) -> tuple[Entry, list[str]]:
    """One header block with its PAX records applied, and what a strict reader refuses in it."""
    cut = [header[at:end].split(b"\0")[0] for at, end in ((0, 100), (157, 257), (345, 500))]
    name, link, prefix = (part.decode("utf-8", "surrogateescape") for part in cut)
    name = pax.get("path", f"{prefix}/{name}" if prefix else name)
    fields = {key: header[at : at + size].strip(b"\0 ") for key, (at, size) in FIELDS.items()}
    wrong = [key for key, field in fields.items() if not re.fullmatch(rb"[0-7]+", field)]
    found = [f"has a {key} that is no octal integer" for key in wrong]
    numbers = {key: 0 if key in wrong else int(field, 8) for key, field in fields.items()}
    numbers |= {key: int(pax[key]) for key in PAX_NUMBERS if key in pax}
    if header[257:265] != b"ustar\x0000":
        found.append("is not USTAR")
    total = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    if header[148:156].strip(b"\0 ").lstrip(b"0") != b"%o" % total:
        found.append("has a wrong checksum")
    kind, link = chr(header[156]).replace("\0", FILE), pax.get("linkpath", link)
    return Entry(name, name.removesuffix("/"), kind, link, numbers, pax), found


def read_pax(data: bytes) -> tuple[dict[str, str], list[str]]:
    """Records "LENGTH KEY=VALUE", and what is not plain in them (facts, "Layer tar" 6)."""
    pax: dict[str, str] = {}
    found: list[str] = []
    while data:
        length = re.match(rb"([0-9]{1,9}) (?=[^=]+=)", data)
        end = int(length[1]) if length else 0
        if not length or data[end - 1 : end] != b"\n":
            return pax, [*found, "has a malformed PAX record"]
        record, data = data[length.end() : end - 1], data[end:]
        key, _, content = record.decode("utf-8", "surrogateescape").partition("=")
        if key not in PAX_KEYS:
            found.append(f"has the PAX record {key!r}, which is not a plain one")
        elif key in PAX_NUMBERS and not re.fullmatch("[0-9]{1,20}", content):
            found.append(f"has a PAX {key} that is not an integer from 0 on")
        else:
            pax[key] = content
    return pax, found


# What every reader of the archive takes (facts, "The default")
MEMBER_RULES: tuple[tuple[str, Test], ...] = (
    (
        "is not an expected member",
        lambda e: e.name in {*FOLDERS, *OUTER["hybrid"], BESIDE} or text(e.name, BLOB),
    ),
    ("is not a regular file", lambda e: e.kind == FILE or e.name in FOLDERS),
    ("is not a directory", lambda e: e.kind == DIRECTORY or e.name not in FOLDERS),
    ("has PAX records and so is not USTAR", lambda e: not e.pax),
    ("does not have the mode 0644", lambda e: e.numbers["mode"] == 0o644 or e.name in FOLDERS),
    ("does not have the mode 0755", lambda e: e.numbers["mode"] == 0o755 or e.name not in FOLDERS),
    ("is not owned by 0:0", lambda e: e.numbers["uid"] == e.numbers["gid"] == 0),
)

# facts, "Layer tar" 5 to 9, and names that every reader takes alike
ENTRY_RULES: tuple[tuple[str, Test], ...] = (
    ("has a name that is not plain", lambda e: not {"", ".", ".."} & {*e.path.split("/")}),
    ("is a directory without a slash", lambda e: e.kind != DIRECTORY or e.name != e.path),
    ("has a slash and is no directory", lambda e: e.kind == DIRECTORY or e.name == e.path),
    ("would act as a whiteout", lambda e: "/.wh." not in f"/{e.name}"),
    ("is a PAX global header", lambda e: e.kind != "g"),
    ("is a GNU sparse entry", lambda e: e.kind != "S"),
    ("is a device node", lambda e: e.kind not in "34"),
    ("is of a kind that POSIX does not have", lambda e: e.kind in "0123456gS"),
    ("has a size and is no file", lambda e: e.kind not in "123456" or not e.numbers["size"]),
    ("has an mtime from 2^33 on", lambda e: e.numbers["mtime"] < 1 << 33),
    ("has a uid above 2^32-2", lambda e: e.numbers["uid"] < (1 << 32) - 1),
    ("has a gid above 2^32-2", lambda e: e.numbers["gid"] < (1 << 32) - 1),
)


def entry_problems(entries: list[Entry], rules: tuple[tuple[str, Test], ...]) -> list[str]:
    """The rules that single entries break."""
    return [f"{e.name!r} {sentence}" for e in entries for sentence, holds in rules if not holds(e)]


def member_problems(entries: list[Entry], shape: str) -> list[str]:
    """The outer tar: which members, and with which headers (facts, "The default")."""
    names = [entry.name for entry in entries]
    found = [f"{name!r} is missing" for name in OUTER[shape] if name not in names]
    more = {*OUTER["hybrid"]} - {*OUTER[shape]}
    found += [f"{name!r} is of another format" for name in names if name in more]
    found += [f"{name!r} is there twice" for name in sorted({*names}) if names.count(name) > 1]
    before = [name for name in names if name in FOLDERS or name.startswith("blobs/")][:2]
    if before != list(FOLDERS):  # skopeo would make them for root, and fail as anybody else
        found.append("the directories of the blobs do not come before them")
    return found + entry_problems(entries, MEMBER_RULES)


def order_problems(entries: list[Entry], below: set[str]) -> list[str]:
    """Paths against each other and the symlinks of the layers below (facts, "Layer tar" 1 to 4)."""
    seen: dict[str, Entry] = {}
    links = below | {entry.path for entry in entries if entry.kind == SYMLINK}
    found = []
    for entry in entries:
        parent = entry.path.rpartition("/")[0]
        parts = entry.path.split("/")
        target = seen.get(entry.link) if entry.kind == HARD_LINK else entry
        if entry.path in seen:
            found.append(f"{entry.name!r} is there twice")
        if parent and not (parent in seen and seen[parent].kind == DIRECTORY):
            found.append(f"{entry.name!r} comes before its directory {parent + '/'!r}")
        if links & {"/".join(parts[:depth]) for depth in range(1, len(parts))}:
            found.append(f"{entry.name!r} lies below a symlink")
        if entry.kind == DIRECTORY and entry.path in below:
            found.append(f"{entry.name!r} replaces a symlink of a layer below")
        if target is None or (target is not entry and target.kind == DIRECTORY):
            found.append(f"{entry.name!r} is a hard link to no earlier file: {entry.link!r}")
        elif target.numbers["mode"] != entry.numbers["mode"]:
            found.append(f"{entry.name!r} is a hard link and {entry.link!r} has another mode")
        seen[entry.path] = entry
    return found
