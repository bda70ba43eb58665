"""docs/article.md, from what was measured."""

import platform
import subprocess
from typing import Any

from scripts.quest.replay import Row, rows

ARTICLE = "https://jpetazzo.github.io/2020/02/01/quest-minimal-docker-images-part-1"
MEGA = 1_000_000


def said(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def machine() -> dict[str, str]:
    """The machine and what compiled and counted."""
    return {
        "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.machine()}",
        "gcc": said("gcc", "-dumpfullversion"),
        "go": said("go", "env", "GOVERSION").removeprefix("go"),
        "docker": said("docker", "version", "-f", "{{.Server.Version}}").partition("+")[0],
    }


def size(count: int) -> str:
    """Bytes as docker writes them."""
    return f"{count / MEGA:.2f} MB" if count >= MEGA else f"{count / 1e3:.0f} kB"


def outcome(found: dict[str, Any]) -> str:
    """Runs or fails, in a cell."""
    return "runs" if found["runs"] else "**fails**"


def cells(row: Row, found: dict[str, Any]) -> str:
    """A row of the first table."""
    here, ours = found["here"], found["ours"]
    return (
        f"| {row.title} | {row.article} | {size(here['image'])}, {outcome(here)} "
        f"| **{size(ours['image'])}**, {outcome(ours)} | {size(ours['archive'])} "
        f"| `{row.pack[0]}` |"
    )


def pitfall(row: Row, found: dict[str, Any]) -> str:
    """A section about a pitfall."""
    here, ours = found["here"], found["ours"]
    message = (
        here["says"].rpartition("unable to start container process: ")[2].removesuffix(": unknown.")
    )
    message = message or f"(no message; the exit code is {row.code})"
    fails = row.build or row.fails is not None
    where = "It fails here, too:" if fails else "Here it works:"
    typed = "\n".join([*row.pack, *row.use])
    return f"""\
### {row.title}

The article says: {row.article}. {where}

```text
{row.dockerfile.strip().replace("base:", "")}

{message}
```

With rootfs-builder (image {size(ours["image"])}, archive {size(ours["archive"])}); the last line is
the container's output:

```text
{typed}

{ours["says"]}
```

{row.note}
""".rstrip()


def render(data: dict[str, Any]) -> str:
    """The page."""
    table, pitfalls = rows()
    known = data["machine"]
    programs, archives = data["small"]["programs"], data["small"]["archives"]
    lines = "\n".join(cells(row, data["rows"][row.tag]) for row in table)
    sections = "\n\n".join(pitfall(row, data["pitfalls"][row.tag]) for row in pitfalls)
    costs = "\n".join(
        f"| `{name} -o hello hello.c` | {size(count)} |" for name, count in programs.items()
    )
    small = "\n".join(
        f"| `{name or 'no options'}` | {size(count)} |" for name, count in archives.items()
    )
    musl = data["rows"]["musl-alpine"]["ours"]
    best = min(archives, key=lambda name: archives[name])
    return f"""\
# The Quest, replayed

[The Quest for Minimal Docker Images, part 1][article] takes a hello world in C and in Go and
shrinks its image step by step. `scripts/article` builds and runs each of its examples, and the
same program with rootfs-builder. It also checks that examples that fail in the article fail here.

[article]: {ARTICLE}

The base images are built from Debian packages: `debian` replaces `ubuntu`, `compiler` replaces an
`ubuntu` with gcc, and `alpine` is busybox with musl. So sizes of images with a base differ from
those in the article. Image sizes are as shown by docker. Measured on {known["system"]}, with gcc
{known["gcc"]}, Go {known["go"]} and docker {known["docker"]}.

## The examples

Each image in the column rootfs-builder is built with two commands: the one in the last column, and
`rootfs-builder pack ./hello -o hello.tar`. There is no Dockerfile and no base image. Dynamically
linked programs stay dynamically linked.

| example | article | replayed | rootfs-builder | archive | compiled with |
|---|---:|---:|---:|---:|---|
{lines}

## A dynamic hello world in less than 940 kB

940 kB is the article's *static* program on scratch. A dynamic program needs glibc and its loader,
2.2 MB in the image. But the archive can be smaller than 940 kB:

| `rootfs-builder pack ./hello -o hello.tar` | archive |
|---|---:|
{small}

`{best}` is enough; [Formats](formats.md) lists the engines that read
zstd. With musl the same program is {size(musl["image"])} in the image and
{size(musl["archive"])} in the archive, without options.

## What static linking costs

Size of the program itself:

| command | program |
|---|---:|
{costs}

One static program is smaller than one dynamic program with its libraries. But every static program
contains its own copy of libc, and static glibc cannot load name services, locales or plugins of
another version. `pack` supports both.

## The pitfalls

{sections}
"""
