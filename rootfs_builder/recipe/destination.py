"""`-o`: the text of an output → where an image is written.

An archive FILE, `-` for stdout, or `oci:DIR` for an OCI layout directory: the one spelling with a
prefix that we share with skopeo. For other tools' spellings, the message has the one that works.
"""

from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.choices import Format
from rootfs_builder.errors import Mistake, UsageError
from rootfs_builder.paths import printable
from rootfs_builder.recipe.values import absolute

_LAYOUT = "oci:"
_INDEX = "index.json"
_STDOUT = frozenset({"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})
_ARCHIVES: dict[str, Format] = {  # what skopeo and podman call them
    "oci-archive": "oci",
    "docker-archive": "docker",
}
_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".zip")  # of an archive, which no directory is
_OTHERS = (".gz", ".tgz", ".bz2", ".xz", ".zst", ".zip")


class DestinationKind(Enum):
    """The kinds of output."""

    ARCHIVE = "archive"
    STDOUT = "stdout"
    LAYOUT = "layout"


class Destination(Struct, frozen=True):
    """Where an image is written; `path` is the archive or the layout's directory, "" for stdout."""

    kind: DestinationKind
    path: str

    @classmethod
    def parse(cls, text: str) -> "Destination":
        """Read FILE, `-` or another name of stdout, or `oci:DIR`.

        Raises:
            UsageError: another tool's spelling, or a tag after the directory.
        """
        if text in _STDOUT:
            return cls(DestinationKind.STDOUT, "")
        if not text.startswith(_LAYOUT):
            check_spelling(text)
            return cls(DestinationKind.ARCHIVE, text)
        directory, colon, tag = text.removeprefix(_LAYOUT).partition(":")
        if colon:
            raise _mistake(text, f"set the tag with -t: -o {_LAYOUT}{directory} -t NAME:{tag}")
        return cls(DestinationKind.LAYOUT, directory)

    def __str__(self) -> str:
        """The text that `parse` reads."""
        return {
            DestinationKind.ARCHIVE: "",
            DestinationKind.STDOUT: "-",
            DestinationKind.LAYOUT: _LAYOUT,
        }[self.kind] + self.path

    @property
    def is_stdout(self) -> bool:
        """Whether the archive goes to stdout."""
        return self.kind is DestinationKind.STDOUT

    @property
    def is_layout(self) -> bool:
        """Whether it is an OCI layout directory."""
        return self.kind is DestinationKind.LAYOUT

    @property
    def target(self) -> str:
        """The file whose time tells a build tool when the image was written, "" for stdout."""
        return f"{self.path.rstrip('/')}/{_INDEX}" if self.is_layout else self.path

    @property
    def misnomer(self) -> str:
        """What to say of an archive whose name promises another format; else empty."""
        suffix = next((one for one in _OTHERS if self.path.endswith(one)), "")
        if self.kind is not DestinationKind.ARCHIVE or not suffix:
            return ""
        shown = printable(self.path)
        return (
            f"{shown}: a tar archive; only its layers are compressed; name it "
            f"{shown.removesuffix(suffix).removesuffix('.tar')}.tar"
        )

    def under(self, directory: str) -> "Destination":
        """The same, with a relative path taken from `directory`."""
        return self if self.is_stdout else replace(self, path=absolute(self.path, directory))

    def format(self, requested: Format | None = None) -> Format:
        """The format that is written, by default the one that every engine reads.

        Raises:
            UsageError: `requested` cannot be written there.
        """
        if not self.is_layout:
            return requested or "hybrid"
        if requested not in {None, "oci"}:
            what = f"a directory is an OCI layout; --format {requested} needs a FILE"
            raise _mistake(str(self), what)
        return "oci"


def check_spelling(output: str) -> None:
    """Refuse the spellings of other tools, for an output that is a file or a directory.

    Raises:
        UsageError: what to type instead.
    """
    transport, colon, target = output.partition(":")
    if colon and transport in _ARCHIVES:
        what = f"name the file alone: -o {target} --format {_ARCHIVES[transport]}"
        raise _mistake(output, what)
    if output.startswith(_LAYOUT):
        raise _mistake(output, f"an OCI layout is what pack writes: pack … -o {output}")
    if colon and transport in {"docker", "docker-daemon", "containers-storage"}:
        what = "no file; name a file, and copy it there: skopeo copy oci-archive:x.tar"
        raise _mistake(output, f"{what} {output}")
    if output.startswith(("type=", "dest=")):
        path = dict(part.partition("=")[::2] for part in output.split(",")).get("dest") or "x"
        raise _mistake(output, f"docker's spelling; name the path alone: -o {path}")


def check_directory(output: str) -> None:
    """Refuse a directory with the name of an archive.

    Raises:
        UsageError: what to type instead.
    """
    check_spelling(output)
    if output.endswith(_SUFFIXES):
        what = "stage writes a directory; an archive is what pack writes: pack … -o"
        raise _mistake(output, f"{what} {output}; for a directory of that name: -o {output}/")


def _mistake(output: str, what: str) -> UsageError:
    return UsageError(Mistake("-o", what, output))
