"""The packers: each is the text of its whole job, as a user would type it.

A job is run by `sh -eu` in an empty folder, with an empty XDG_CACHE_HOME. Its variables: $program
is the path of the program and $name the last word of that; $image is what to call the image; $files
is a folder with the files that our image of the program has, for what measures the machine and not
a packer.
"""

from dataclasses import dataclass
from typing import Literal

OURS = "rootfs-builder"
IMAGE = "image.tar"


@dataclass(frozen=True, kw_only=True)
class Packer:
    """One way to make an image, or a floor: what no way can be quicker than."""

    job: str
    before: str = ""  # a job too, done in the same folder, unmeasured
    gives: Literal["archive", "docker", "podman", "file", "nothing"]
    output: str = ""  # the name of the archive, or of the file
    version: str  # a command whose output has the version in it
    programs: tuple[str, ...] = ()  # which it packs; all, if none is named

    @property
    def is_image(self) -> bool:
        """Whether an image comes out, and not a floor."""
        return self.gives in {"archive", "docker", "podman"}

    def packs(self, program: str) -> bool:
        """Whether it is measured with a program."""
        return not self.programs or program in self.programs


def definition(packer: Packer) -> dict[str, str]:
    """What the data file keeps of it: figures are of these words and no others."""
    return {"gives": packer.gives, "before": packer.before, "job": packer.job}


COPY = """\
mkdir root
cp "$program" root/
ldd "$program" | grep -o '/[^ ]*' | xargs -r cp -L --parents -t root
"""
TAR = """\
ldd "$program" | grep -o '/[^ ]*' |
    tar -chf - -C "$(dirname "$program")" "$name" -C / -T - |
"""
BUILDAH = """\
container=$(buildah from scratch)
buildah copy -q "$container" root /
buildah config --entrypoint "[\\"/$name\\"]" "$container"
"""
PACK = 'rootfs-builder pack "$program" -o image.tar -t "$image"'
# Some 1 MB, which differs each time: what stands behind an ELF file's end harms nobody.
APP = 'cp "$program" app\nhead -c 700000 /dev/urandom >>app\n'
PACK_APP = 'rootfs-builder pack ./app -o image.tar -t "$image"\n'
OUR_VERSION = "rootfs-builder --version"

PACKERS = {
    OURS: Packer(
        job=PACK,
        gives="archive",
        output=IMAGE,
        version=OUR_VERSION,
    ),
    f"{OURS}, warm cache, unchanged": Packer(
        before=PACK,
        job=PACK,
        gives="archive",
        output=IMAGE,
        version=OUR_VERSION,
    ),
    f"{OURS}, warm cache, archive deleted": Packer(
        before=f"{PACK}\nrm image.tar\n",
        job=PACK,
        gives="archive",
        output=IMAGE,
        version=OUR_VERSION,
        programs=("ffmpeg",),
    ),
    f"{OURS}, warm cache, program rebuilt": Packer(
        before=f"{APP}{PACK_APP}{APP}",
        job=PACK_APP,
        gives="archive",
        output=IMAGE,
        version=OUR_VERSION,
        programs=("ffmpeg",),
    ),
    f"{OURS} --no-cache": Packer(
        job=f"{PACK} --no-cache",
        gives="archive",
        output=IMAGE,
        version=OUR_VERSION,
        programs=("hello", "ffmpeg"),
    ),
    f"{OURS} --compression zstd": Packer(
        job=f"{PACK} --no-cache --compression zstd",
        gives="archive",
        output=IMAGE,
        version=OUR_VERSION,
        programs=("ffmpeg",),
    ),
    f"{OURS} --compression-level 1": Packer(
        job=f"{PACK} --no-cache --compression-level 1",
        gives="archive",
        output=IMAGE,
        version=OUR_VERSION,
        programs=("ffmpeg",),
    ),
    "dockerize2 --output-oci": Packer(
        job='dockerize --output-oci image.tar -t "$image" "$program"',
        gives="archive",
        output=IMAGE,
        version="dockerize --version",
    ),
    "dockerize2": Packer(
        job='dockerize -t "$image" "$program"',
        gives="docker",
        version="dockerize --version",
    ),
    "docker build": Packer(
        job=COPY
        + """\
printf 'FROM scratch\\nCOPY root /\\nENTRYPOINT ["/%s"]\\n' "$name" >Dockerfile
DOCKER_BUILDKIT=0 docker build -q --no-cache -t "$image" .
""",
        gives="docker",
        version="docker version --format '{{.Server.Version}}'",
    ),
    "tar, docker import": Packer(
        job=TAR + '    docker import -c "ENTRYPOINT [\\"/$name\\"]" - "$image"\n',
        gives="docker",
        version="docker version --format '{{.Server.Version}}'",
    ),
    "tar, podman import": Packer(
        job=TAR + '    podman import -q -c "ENTRYPOINT [\\"/$name\\"]" - "$image"\n',
        gives="podman",
        version="podman --version",
    ),
    "buildah": Packer(
        job=COPY
        + BUILDAH
        + 'buildah commit -q --rm "$container" docker-archive:image.tar:$image\n',
        gives="archive",
        output=IMAGE,
        version="buildah --version",
    ),
    "buildah, gzip": Packer(
        job=COPY
        + BUILDAH
        + 'buildah commit -q --rm -D=false "$container" oci-archive:image.tar:$image\n',
        gives="archive",
        output=IMAGE,
        version="buildah --version",
    ),
    "umoci": Packer(
        job=COPY
        + """\
umoci init --layout oci
umoci new --image oci
umoci insert --image oci root /
umoci config --image oci --config.entrypoint "/$name"
cd oci && tar -cf ../image.tar *
""",
        gives="archive",
        output=IMAGE,
        version="umoci --version",
    ),
    "tar | sha256sum": Packer(
        job='tar -cf - -C "$files" . | sha256sum',
        gives="nothing",
        version="tar --version",
    ),
    "tar | pigz -6": Packer(
        job='tar -cf - -C "$files" . | pigz -6 >files.tar.gz',
        gives="file",
        output="files.tar.gz",
        version="pigz --version",
    ),
    "tar | zstd -3 -T2": Packer(
        job='tar -cf - -C "$files" . | zstd -q -3 -T2 >files.tar.zst',
        gives="file",
        output="files.tar.zst",
        version="zstd --version",
    ),
}
