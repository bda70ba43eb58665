"""The programs that are packed."""

from dataclasses import dataclass

HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); }\n'


@dataclass(frozen=True, kw_only=True)
class Program:
    """What is packed, and how its image shows that it runs."""

    about: str
    path: str  # in the working folder or absolute; * for a version
    make: str = ""  # compiles it from HELLO on stdin
    arguments: tuple[str, ...] = ()
    says: str  # a regex, searched in the container's stdout


PROGRAMS = {
    "hello": Program(
        about="hello world in C",
        make="gcc -O2 -x c - -o hello",
        path="hello",
        says="^hello$",
    ),
    "hello-static": Program(
        about="hello world in C, static, glibc",
        make="gcc -O2 -static -x c - -o hello-static",
        path="hello-static",
        says="^hello$",
    ),
    "hello-musl": Program(
        about="hello world in C, static, musl",
        make="musl-gcc -O2 -static -x c - -o hello-musl",
        path="hello-musl",
        says="^hello$",
    ),
    "curl": Program(
        about="Debian's curl",
        path="/usr/bin/curl",
        arguments=("--version",),
        says="^curl [0-9]",
    ),
    "postgres": Program(
        about="Debian's PostgreSQL server",
        path="/usr/lib/postgresql/*/bin/postgres",
        arguments=("--version",),
        says="^postgres .*[0-9]",
    ),
    "ffmpeg": Program(
        about="Debian's ffmpeg",
        path="/usr/bin/ffmpeg",
        arguments=("-version",),
        says="^ffmpeg version",
    ),
}
