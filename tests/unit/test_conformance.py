"""Every check of `tests/conformance.py` finds its break: one good archive, broken in one place.

The archive is written here by hand, header by header, without `rootfs_builder` and `tarfile`. It
is built in stages, and a break changes the value of one stage: all later stages (digests, sizes,
diff_ids) follow, so that the break is the only one.
"""

import copy
import gzip
import hashlib
import json
from pathlib import Path

import pytest

from tests import conformance

SCHEMAS = Path("/usr/share/gocode/src/github.com/opencontainers/image-spec/schema")
FULL = "docker.io/library/hello:latest"
OCI = "application/vnd.oci.image."
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
GZIP, PLAIN, ZSTD = (f"{OCI}layer.v1.tar{suffix}" for suffix in ("+gzip", "", "+zstd"))
CONFIG = {
    "created": "1970-01-01T00:00:00Z",
    "architecture": "arm",
    "variant": "v7",
    "os": "linux",
    "config": {
        "User": "65532:65532",
        "Env": ["PATH=/usr/bin", "EMPTY="],
        "Entrypoint": ["/usr/bin/hello"],
        "Cmd": ["-v"],
        "WorkingDir": "/srv",
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/data": {}},
        "Labels": {"a": "b"},
        "StopSignal": "SIGTERM",
    },
    "history": [{"created": "1970-01-01T00:00:00.5+01:00"}, {"empty_layer": True}, {}],
}


def entry(name, kind="0", **fields):
    """One tar entry; `pax` are records before it, `raw` are header bytes by their offset."""
    mode = {"5": 0o755, "2": 0o777}.get(kind, 0o644)
    plain = {"mode": mode, "uid": 0, "gid": 0, "mtime": 0, "link": "", "data": b""}
    return {"name": name, "kind": kind, **plain, "pax": {}, "raw": {}, **fields}


def layer_entries():
    capability = {"SCHILY.xattr.security.capability": "\0\0\0\2\0\4" + "\0" * 14}
    lower = [
        entry("tmp/", "5", mode=0o1777),
        entry("usr/", "5"),
        entry("usr/lib/", "5"),
        entry("lib", "2", link="usr/lib"),
        entry("usr/lib/libc.so", data=b"c" * 600, pax=capability | {"mtime": "1"}),
        entry("usr/lib/libc.so.6", "1", link="usr/lib/libc.so"),
        entry("pipe", "6"),
    ]
    upper = [
        entry("usr/", "5"),
        entry("x", pax={"path": "usr/" + "ä" * 120, "uid": str(1 << 30), "size": "3"}, data=b"abc"),
        entry("y", raw={345: b"usr"}),  # its directory stands in the prefix field
    ]
    return [lower, upper]


def block(fields, size):
    """A USTAR header (POSIX.1-2017 pax, "ustar Interchange Format")."""
    header = bytearray(512)
    numbers = {100: "mode", 108: "uid", 116: "gid", 136: "mtime"}
    parts = {at: b"%0*o\0" % (11 if at == 136 else 7, fields[key]) for at, key in numbers.items()}
    parts |= {0: fields["name"].encode(), 124: b"%011o\0" % size, 156: fields["kind"].encode()}
    parts |= {157: fields["link"].encode(), 257: b"ustar\x0000"} | fields["raw"]
    for at, part in parts.items():
        header[at : at + len(part)] = part
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 8 * 32)
    return bytes(header)


def record(key, value):
    """A PAX record: its length counts its own digits."""
    body = f" {key}={value}\n".encode()
    return next(b"%d" % n + body for n in range(len(body), 9999) if n == len(b"%d" % n + body))


def tar(entries):
    out = b""
    for fields in entries:
        if fields["pax"]:
            records = b"".join(record(*pair) for pair in fields["pax"].items())
            out += tar([entry("pax", "x", data=records)])[:-1024]
        data = fields["data"]
        out += block(fields, len(data)) + data + bytes(-len(data) % 512)
    return out + bytes(1024)


def blob(data, media_type):
    """A blob's descriptor and its member of the outer tar."""
    digest = hashlib.sha256(data).hexdigest()
    descriptor = {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}
    return descriptor, entry(f"blobs/sha256/{digest}", data=data)


def hybrid(changes=None):
    """The bytes of the good archive, or of one whose values at some stages are changed."""

    def at(stage, value):
        changed = changes[stage](value) if changes and stage in changes else None
        return value if changed is None else changed

    tars = [at(f"tar {n}", tar(at(f"layer {n}", e))) for n, e in enumerate(layer_entries())]
    packed = [gzip.compress(tars[0][:700]) + gzip.compress(tars[0][700:]), tars[1]]
    packed = [at(f"packed {n}", data) for n, data in enumerate(packed)]
    layers = [blob(packed[0], GZIP), blob(packed[1], PLAIN)]
    config = copy.deepcopy(CONFIG)
    diff_ids = [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in tars]
    config["rootfs"] = {"type": "layers", "diff_ids": diff_ids}
    config = at("config", config)
    beside = {"layers": conformance.dig(config, "rootfs", "diff_ids")}
    config = blob(at("config text", text(config)), f"{OCI}config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": f"{OCI}manifest.v1+json", "config": config[0]}
    manifest["layers"] = [descriptor for descriptor, _ in layers]
    manifest = blob(text(at("manifest", manifest)), f"{OCI}manifest.v1+json")
    names = {
        "io.containerd.image.name": FULL,
        "org.opencontainers.image.ref.name": "latest",
    }
    platform = {"architecture": "arm", "os": "linux", "variant": "v7"}
    manifests = [{**manifest[0], "platform": platform, "annotations": names}]
    index = {"schemaVersion": 2, "mediaType": f"{OCI}index.v1+json", "manifests": manifests}
    paths = [member["name"] for _, member in (config, *layers)]
    docker = [{"Config": paths[0], "RepoTags": [FULL], "Layers": paths[1:]}]
    beside["config"] = config[0]["digest"]
    members = [
        entry("oci-layout", data=text(at("layout", {"imageLayoutVersion": "1.0.0"}))),
        entry("index.json", data=at("index text", text(at("index", index)))),
        entry("manifest.json", data=text(at("docker", docker))),
        entry("blobs/", "5", mode=0o755),
        entry("blobs/sha256/", "5", mode=0o755),
        *(member for _, member in (manifest, config, *layers)),
        entry("rootfs-builder.json", data=text(at("beside", beside))),
    ]
    return at("file", tar(at("members", members)))


def text(document):
    return json.dumps(document).encode()


def put(path, value):
    """A change: this value at a path of keys and positions."""
    *way, last = [int(key) if key.isdigit() else key for key in path.split()]

    def change(document):
        for key in way:
            document = document[key]
        document[last] = value

    return change


def cut(path):
    """A change: nothing at a path of keys and positions."""
    *way, last = [int(key) if key.isdigit() else key for key in path.split()]

    def change(document):
        for key in way:
            document = document[key]
        del document[last]

    return change


def add(*entries, position=99):
    """A change: entries more in a tar."""
    return lambda present: [*present[:position], *entries, *present[position:]]


NAME = "manifests 0 annotations io.containerd.image.name"
TAG = "manifests 0 annotations org.opencontainers.image.ref.name"
EVIL = "sha256:" + "A" * 64
# the stage, and there: what is broken, how, and the words that tell it
BROKEN = {
    "file": [
        ("compressed outside", gzip.compress, "it is compressed"),
        ("one zero block", lambda f: f[:-512], "it does not end with two zero"),
        ("half a block", lambda f: f + bytes(100), "it does not end with two zero"),
        ("rubbish behind", lambda f: f + b"x" * 99, "it does not end with two zero"),
        ("cut short", lambda f: f[:-1100], "its last entry is cut short"),
        ("checksum", lambda f: b"O" + f[1:], "has a wrong checksum"),
    ],
    "members": [
        ("GNU magic", put("0 raw", {257: b"ustar  \0"}), "'oci-layout' is not USTAR"),
        ("mtime", put("0 raw", {136: b"1.5 "}), "has a mtime that is no octal integer"),
        ("base-256", put("0 raw", {108: b"\x80"}), "has a uid that is no octal integer"),
        ("PAX outside", put("0 pax", {"mtime": "1"}), "has PAX records and so is not USTAR"),
        ("member mode", put("1 mode", 0o600), "does not have the mode 0644"),
        ("member uid", put("1 uid", 1000), "'index.json' is not owned by 0:0"),
        ("member gid", put("1 gid", 1000), "'index.json' is not owned by 0:0"),
        ("a directory", add(entry("blobs/x/", "5")), "'blobs/x/' is not an expected member"),
        ("a file's place", put("3 kind", "0"), "'blobs/' is not a directory"),
        ("directory mode", put("3 mode", 0o644), "'blobs/' does not have the mode 0755"),
        (
            "no directory",
            lambda m: [*m[:3], *m[5:]],
            "the directories of the blobs do not come before them",
        ),
        ("./ names", put("0 name", "./oci-layout"), "'./oci-layout' is not an expected"),
        ("repositories", add(entry("repositories")), "'repositories' is not an expected"),
        ("member twice", lambda m: [*m, m[0]], "'oci-layout' is there twice"),
        ("no oci-layout", cut("0"), "'oci-layout' is missing"),
        ("no index.json", cut("1"), "'index.json' is missing"),
        ("no manifest.json", cut("2"), "'manifest.json' is missing"),
        ("extra blob", add(blob(b"x", "")[1]), "is an unreferenced blob"),
        ("blob changed", put("5 data", b"{}"), "digest is not that of the blob"),
        ("layer changed", put("8 data", bytes(1024)), "1's digest is not that of the blob"),
    ],
    "layout": [
        ("layout version", put("imageLayoutVersion", "2"), "oci-layout is not version 1.0.0 alone"),
        ("layout key", put("x", 1), "oci-layout is not version 1.0.0 alone"),
    ],
    "index text": [
        ("no JSON", lambda t: t[:-1], "index.json is not JSON"),
        ("not UTF-8", lambda t: t.replace(b"linux", b"\xff"), "index.json is not JSON"),
        ("deep JSON", lambda _: b"[" * 100_000, "index.json is not JSON"),
        ("index key twice", lambda t: b'{"mediaType": "",' + t[1:], "index.json has the same key"),
    ],
    "config text": [
        ("config key twice", lambda t: t.replace(b'"Cmd"', b'"User"'), "has the same key twice"),
    ],
    "index": [
        ("index version", put("schemaVersion", 1), "index.json: schemaVersion is not 2"),
        ("index version type", put("schemaVersion", 2.0), "index.json: schemaVersion is not 2"),
        ("index media type", put("mediaType", "x"), "index.json: mediaType is not that of an OCI"),
        ("no descriptor", put("manifests", []), "index.json: manifests is not one image"),
        (
            "two descriptors",
            lambda i: i["manifests"].append(i["manifests"][0]),
            "is not one image",
        ),
        ("no platform", cut("manifests 0 platform"), "index.json: the platform is not"),
        ("index os", put("manifests 0 platform os", "plan9"), "index.json: the platform is not"),
        ("index machine", put("manifests 0 platform architecture", "arm64"), "the platform is not"),
        ("index variant", cut("manifests 0 platform variant"), "index.json: the platform is not"),
        ("short name", put(NAME, "hello:latest"), "name is no full lowercase reference"),
        ("no library/", put(NAME, "docker.io/hello:latest"), "name is no full lowercase reference"),
        ("uppercase name", put(NAME, "docker.io/library/Hello:latest"), "is no full lowercase"),
        ("no tag", put(NAME, "docker.io/library/hello"), "name is no full lowercase reference"),
        ("no name", cut(NAME), "name is no full lowercase reference"),
        ("no annotations", cut("manifests 0 annotations"), "ref.name is not the bare tag"),
        ("full name as tag", put(TAG, FULL), "ref.name is not the bare tag"),
        ("other tag", put(TAG, "v1"), "ref.name is not the bare tag"),
        ("index digest form", put("manifests 0 digest", EVIL), "digest is not sha256:"),
        ("manifest size", put("manifests 0 size", 1), "size is not that"),
        ("manifest type", put("manifests 0 mediaType", "x/y"), "mediaType is not"),
    ],
    "manifest": [
        ("manifest version", put("schemaVersion", 1), "manifest: schemaVersion is not 2"),
        ("manifest media type", cut("mediaType"), "manifest: mediaType is not that of an OCI"),
        (
            "docker's media type",
            put("mediaType", "application/vnd.docker.distribution.manifest.v2+json"),
            "manifest: mediaType is not that of an OCI",
        ),
        ("no layers", put("layers", []), "manifest: layers is not a list of layers"),
        ("short digest", put("config digest", "sha256:" + "a" * 63), "digest is not sha256:"),
        ("sha512", put("layers 0 digest", "sha512:" + "a" * 128), "0's digest is not sha256:"),
        ("no digest", cut("layers 1 digest"), "1's digest is not sha256:"),
        ("blob missing", put("layers 0 digest", "sha256:" + "a" * 64), "0's blob is missing"),
        ("config size", put("config size", -1), "size is not that"),
        ("layer size", put("layers 1 size", "3"), "1's size is not that"),
        ("config type", put("config mediaType", "x/y"), "mediaType is not"),
        ("docker layer", put("layers 1 mediaType", DOCKER_LAYER), "layer 1's mediaType is not"),
    ],
    "docker": [
        ("short RepoTags", put("0 RepoTags", ["hello:latest"]), "manifest.json: RepoTags is"),
        ("two RepoTags", put("0 RepoTags", [FULL, FULL]), "manifest.json: RepoTags is"),
        ("uppercase RepoTags", put("0 RepoTags", [FULL.upper()]), "manifest.json: RepoTags is"),
        ("no RepoTags", cut("0 RepoTags"), "manifest.json: RepoTags is None"),
        ("other Config", put("0 Config", "config.json"), "manifest.json: Config is 'config.json'"),
        ("Layers reversed", lambda d: d[0]["Layers"].reverse(), "manifest.json: Layers is"),
        ("LayerSources", put("0 LayerSources", {}), "manifest.json: LayerSources is {}, not None"),
        ("two entries", lambda d: d * 2, "manifest.json is not one entry"),
        ("no entry", lambda _: {}, "manifest.json is not one entry"),
    ],
    "config": [
        ("no architecture", cut("architecture"), "architecture is no text"),
        ("empty os", put("os", ""), "os is no text"),
        ("rootfs type", put("rootfs type", "tar"), "rootfs type is not layers"),
        ("a diff_id less", cut("rootfs diff_ids 1"), "there are not as many diff_ids as layers"),
        ("other diff_id", put("rootfs diff_ids 1", "sha256:" + "a" * 64), "its diff_id is not"),
        ("Env without =", put("config Env", ["A"]), "Env has an entry that is not NAME=VALUE"),
        ("Env without name", put("config Env", ["=a"]), "Env has an entry that is not NAME=VALUE"),
        ("Env object", put("config Env", {}), "Env has an entry that is not NAME=VALUE"),
        ("Entrypoint text", put("config Entrypoint", "/a"), "Entrypoint is not a list of strings"),
        ("Cmd numbers", put("config Cmd", [1]), "Cmd is not a list of strings"),
        ("User by name", put("config User", "root"), "User is not digits or digits:digits"),
        ("group by name", put("config User", "0:root"), "User is not digits or digits:digits"),
        ("relative WorkingDir", put("config WorkingDir", "srv"), "WorkingDir is not absolute"),
        ("port", put("config ExposedPorts", {"80": {}}), "ExposedPorts has a key that is not like"),
        ("volume", put("config Volumes", {"data": {}}), "Volumes has a key that is not absolute"),
        ("label", put("config Labels", {"a": 1}), "Labels is not an object of strings"),
        ("signal", put("config StopSignal", "TERM"), "StopSignal is no signal"),
        ("created", put("created", "1970-01-01 00:00:00Z"), "created is not a time of RFC"),
        ("created month", put("created", "1970-13-01T00:00:00Z"), "created is not a time of RFC"),
        ("created zone", put("created", "1970-01-01T00:00:00"), "created is not a time of RFC"),
        ("history time", put("history 0 created", 0), "history is not a list of steps with times"),
        ("history object", put("history", {}), "history is not a list of steps with times"),
        ("history short", cut("history 2"), "there are not as many non-empty history entries"),
        ("history long", put("history 1 empty_layer", False), "not as many non-empty history"),
        ("nothing to run", put("config", {}), "there is neither Entrypoint nor Cmd"),
    ],
    "beside": [
        ("beside another config", put("config", EVIL), "is about another config"),
        ("beside other layers", cut("layers 1"), "is about other layers"),
    ],
    "tar 0": [
        ("layer end", lambda t: t[:-512], "it does not end with two zero blocks"),
        ("layer cut", lambda t: t[:3800], "its last entry is cut short"),
    ],
    "packed 0": [
        ("no gzip", lambda _: b"abc", "it cannot be decompressed"),
        ("gzip cut", lambda p: p[:-9], "it cannot be decompressed"),
        ("lost member", lambda p: gzip.compress(gzip.decompress(p)[:700]), "its diff_id is not"),
    ],
    "layer 0": [
        ("layer magic", put("0 raw", {257: b"ustar  \0"}), "'tmp/' is not USTAR"),
        ("path twice", add(entry("tmp/", "5")), "'tmp/' is there twice"),
        ("path twice as file", add(entry("tmp")), "'tmp' is there twice"),
        ("late parent", add(entry("a/b"), entry("a/", "5")), "'a/b' comes before its directory"),
        ("file as parent", add(entry("pipe/b")), "'pipe/b' comes before its directory"),
        ("no target", put("5 link", "usr/lib/no"), "is a hard link to no earlier file"),
        ("late target", lambda e: e.insert(3, e.pop(5)), "is a hard link to no earlier file"),
        ("directory as target", put("5 link", "tmp"), "is a hard link to no earlier file"),
        ("link mode", put("5 mode", 0o755), "is a hard link and 'usr/lib/libc.so' has another"),
        ("below a symlink", add(entry("lib/a")), "'lib/a' lies below a symlink"),
        ("before the symlink", add(entry("lib/a"), position=0), "'lib/a' lies below a symlink"),
        ("whiteout", add(entry("tmp/.wh.a")), "'tmp/.wh.a' would act as a whiteout"),
        ("opaque whiteout", add(entry(".wh..wh..opq")), "'.wh..wh..opq' would act as a whiteout"),
        ("PAX global", add(entry("g", "g", data=record("mtime", "1"))), "'g' is a PAX global"),
        ("GNU sparse", add(entry("s", "S")), "'s' is a GNU sparse entry"),
        ("GNU long name", add(entry("n", "L")), "'n' is of a kind that POSIX does not have"),
        ("PAX sparse", put("4 pax", {"GNU.sparse.major": "1"}), "PAX record 'GNU.sparse.major'"),
        ("PAX atime", put("4 pax", {"atime": "1"}), "PAX record 'atime', which is not"),
        ("PAX user xattr", put("4 pax", {"SCHILY.xattr.user.a": "1"}), "PAX record 'SCHILY.xattr"),
        ("PAX fraction", put("4 pax", {"mtime": "1.5"}), "has a PAX mtime that is not an integer"),
        ("PAX negative", put("4 pax", {"mtime": "-1"}), "has a PAX mtime that is not an integer"),
        ("PAX malformed", add(entry("p", "x", data=b"9 a=b\n")), "has a malformed PAX record"),
        ("mtime 2^33", put("4 pax", {"mtime": str(1 << 33)}), "has an mtime from 2^33 on"),
        ("uid", put("4 pax", {"uid": str(1 << 32)}), "has a uid above 2^32-2"),
        ("gid", put("4 pax", {"gid": str((1 << 32) - 1)}), "has a gid above 2^32-2"),
        ("block device", add(entry("d", "4")), "'d' is a device node"),
        ("character device", add(entry("d", "3")), "'d' is a device node"),
        ("absolute", add(entry("/a")), "'/a' has a name that is not plain"),
        ("dot", add(entry("./a")), "'./a' has a name that is not plain"),
        ("root", add(entry("./", "5")), "'./' has a name that is not plain"),
        ("dots", add(entry("tmp/../a")), "'tmp/../a' has a name that is not plain"),
        ("PAX dots", put("4 pax", {"path": "../a"}), "'../a' has a name that is not plain"),
        ("two slashes", add(entry("tmp//a")), "'tmp//a' has a name that is not plain"),
        ("directory name", add(entry("d", "5")), "'d' is a directory without a slash"),
        ("file name", add(entry("f/")), "'f/' has a slash and is no directory"),
        ("link with size", put("3 data", b"x"), "'lib' has a size and is no file"),
    ],
    "layer 1": [
        ("no parent", cut("0"), "'usr/y' comes before its directory 'usr/'"),
        ("target below", add(entry("usr/z", "1", link="usr/lib/libc.so")), "is a hard link to no"),
        ("deep below", add(entry("lib/a/b")), "'lib/a/b' lies below a symlink"),
        ("symlink replaced", add(entry("lib/", "5")), "'lib/' replaces a symlink of a layer below"),
    ],
}
GOOD = [
    ("config", cut("created")),
    ("config", cut("history")),
    ("config", cut("config Entrypoint")),
    ("config", put("config User", "0")),
    ("config", put("config StopSignal", "SIGRTMIN+3")),
    ("index", cut("mediaType")),
    ("manifest", put("annotations", {"a": "b"})),
    ("layer 0", put("4 pax", {"uid": str((1 << 32) - 2), "mtime": str((1 << 33) - 1)})),
    ("layer 1", add(entry("usr/ü", "2", link="../srv"))),
    ("layer 1", add(entry("lib"))),
    ("file", lambda f: f + bytes(10240)),
]
SCHEMA_BROKEN = {
    "layout": [("version", put("imageLayoutVersion", "2.0.0"), "oci-layout $.imageLayoutVersion")],
    "index": [("os", cut("manifests 0 platform os"), "index.json $.manifests[0].platform")],
    "manifest": [
        ("layers", put("layers", []), "manifest $.layers"),
        ("digest", put("layers 0 digest", "x"), "manifest $.layers[0].digest"),
    ],
    "config": [
        ("Env", put("config Env", [1]), "config $.config.Env[0]"),
        ("Volumes", put("config Volumes", {"/a": 1}), "config $.config.Volumes"),
    ],
}
OUTSIDE_BROKEN = {
    "layout": [("version", put("imageLayoutVersion", "one"), "oci-layout: opencontainers says")],
    "index": [("size", put("manifests 0 size", "1"), "index.json: opencontainers says")],
    "manifest": [("type", put("layers 0 mediaType", "x/y"), "layer mediaType x/y is invalid")],
    "config": [
        ("misspelt", put("config WorkDir", "/"), "WorkDir is not a valid json attribute"),
        ("created", put("created", "yesterday"), "config: opencontainers says"),
    ],
}
JUNK = (None, True, -1, 1.5, "", "x/y", [], {}, [None], {"a": None})


def written(folder, archive):
    path = folder / "hello.tar"
    path.write_bytes(archive)
    return path


def rows(broken):
    return [
        pytest.param(stage, change, words, id=f"{stage}: {name}")
        for stage, changes in broken.items()
        for name, change, words in changes
    ]


def places(document, way=""):
    """The path of every value in a document."""
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in pairs:
        yield f"{way} {key}"
        if isinstance(value, dict | list):
            yield from places(value, f"{way} {key}")


def test_the_good_archive_has_no_problems(tmp_path):
    archive = written(tmp_path, hybrid())
    assert conformance.problems(archive) == []
    assert conformance.outside_reader_problems(archive) == []


@pytest.mark.parametrize(("stage", "change"), GOOD)
def test_what_is_allowed_is_no_problem(tmp_path, stage, change):
    archive = written(tmp_path, hybrid({stage: change}))
    assert conformance.problems(archive) == []
    assert conformance.outside_reader_problems(archive) == []


@pytest.mark.parametrize(("stage", "change", "words"), rows(BROKEN))
def test_a_break_is_told(tmp_path, stage, change, words):
    found = conformance.problems(written(tmp_path, hybrid({stage: change})))
    assert [sentence for sentence in found if words in sentence], found


def test_every_rule_has_a_break(tmp_path):
    breaks = [{stage: change} for stage, rows in BROKEN.items() for _, change, _ in rows]
    told = [conformance.problems(written(tmp_path, hybrid(change))) for change in breaks]
    said = "\n".join(sentence for found in told for sentence in found)
    values = [f"{path.replace(' ', ': ', 1)} {words}" for path, words, _ in conformance.VALUE_RULES]
    entries = [words for words, _ in conformance.MEMBER_RULES + conformance.ENTRY_RULES]
    assert [sentence for sentence in values + entries if sentence not in said] == []


@pytest.mark.parametrize(
    ("length", "words"), [(2, None), (1, "its diff_id is not"), (0, "it cannot be decompressed")]
)
def test_a_zstd_layer_is_read_over_all_its_frames(tmp_path, length, words):
    zstandard = pytest.importorskip("zstandard")

    def pack(layer):
        parts = (layer[:700], layer[700:])[:length]
        return b"".join(zstandard.ZstdCompressor().compress(part) for part in parts) or b"rubbish"

    changes = {"packed 1": pack, "manifest": put("layers 1 mediaType", ZSTD)}
    found = conformance.problems(written(tmp_path, hybrid(changes)))
    assert found == [] if words is None else any(words in sentence for sentence in found)


HEALTH = put("config Healthcheck", {"Test": ["CMD", "/usr/bin/hello"]})
DOCKER = "application/vnd.docker."


def as_docker(manifest):
    """Docker's media types in a manifest."""
    manifest["mediaType"] = f"{DOCKER}distribution.manifest.v2+json"
    manifest["config"]["mediaType"] = f"{DOCKER}container.image.v1+json"
    for layer, suffix in zip(manifest["layers"], (".gzip", ""), strict=True):
        layer["mediaType"] = f"{DOCKER}image.rootfs.diff.tar{suffix}"


def test_a_health_check_has_docker_media_types(tmp_path):
    found = conformance.problems(written(tmp_path, hybrid({"config": HEALTH})))
    for whose in ("manifest:", "index.json: the manifest's", "manifest: the config's"):
        assert [sentence for sentence in found if sentence.startswith(whose)], found
    index = put("manifests 0 mediaType", f"{DOCKER}distribution.manifest.v2+json")
    good = {"config": HEALTH, "manifest": as_docker, "index": index}
    assert conformance.problems(written(tmp_path, hybrid(good))) == []


def only(*names):
    """A change: of what stands beside the blobs, these members alone."""

    def change(members):
        return [one for one in members if one["name"] in names or one["name"].startswith("blobs/")]

    return change


@pytest.mark.parametrize(
    ("shape", "changes"),
    [
        ("oci", {"members": only("oci-layout", "index.json")}),
        ("docker", {"members": only("manifest.json"), "manifest": as_docker}),
    ],
)
def test_each_format_is_told_from_the_others(tmp_path, shape, changes):
    archive = written(tmp_path, hybrid(changes))
    assert conformance.problems(archive, shape) == []
    for other in {"hybrid", "oci", "docker"} - {shape}:
        assert conformance.problems(archive, other) != []
    assert (
        conformance.problems(
            written(tmp_path, hybrid({key: changes[key] for key in changes if key != "members"})),
            shape,
        )
        != []
    )


def test_a_missing_archive_is_told(tmp_path):
    assert "the archive cannot be read" in conformance.problems(tmp_path / "none.tar")[0]


@pytest.mark.parametrize("stage", ["layout", "index", "docker", "manifest", "config"])
def test_junk_in_a_document_is_never_raised(tmp_path, stage):
    documents = []
    hybrid({stage: documents.append})
    for path in [*places(documents[0])]:
        for junk in JUNK:
            archive = written(tmp_path, hybrid({stage: put(path, junk)}))
            conformance.problems(archive)
            conformance.outside_reader_problems(archive)


def test_a_damaged_file_is_never_raised(tmp_path):
    good = hybrid()
    for at in range(0, len(good), 61):
        assert conformance.problems(written(tmp_path, good[:at])) != []
        conformance.problems(
            written(tmp_path, good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :])
        )


@pytest.mark.engines
@pytest.mark.skipif(
    not SCHEMAS.is_dir(), reason="needs Debian's golang-github-opencontainers-image-spec-dev"
)
class TestSchemas:
    def test_take_the_good_archive(self, tmp_path):
        assert conformance.schema_problems(written(tmp_path, hybrid()), SCHEMAS) == []

    @pytest.mark.parametrize(("stage", "change", "words"), rows(SCHEMA_BROKEN))
    def test_refuse_a_break(self, tmp_path, stage, change, words):
        found = conformance.schema_problems(written(tmp_path, hybrid({stage: change})), SCHEMAS)
        assert [sentence for sentence in found if words in sentence], found


@pytest.mark.parametrize(("stage", "change", "words"), rows(OUTSIDE_BROKEN))
def test_the_outside_reader_refuses_a_break(tmp_path, stage, change, words):
    found = conformance.outside_reader_problems(written(tmp_path, hybrid({stage: change})))
    assert [sentence for sentence in found if words in sentence], found
