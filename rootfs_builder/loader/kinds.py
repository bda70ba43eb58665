"""The first and last bytes of a file → what it is, where it is not what it seems to be.

One table: magic → what to say, and what to type. Most of these the kernel does not start. A few it
does, but what they load is hidden in them, so that the image lacks it: those are a warning.
Sources: each format's own specification or, where that is its code, the code; file(1)'s magic.
"""

import re
from collections.abc import Callable

from msgspec import Struct

from rootfs_builder.filesystem.content import Source
from rootfs_builder.paths import name, parent, printable

DOCKERFILE = rb"(?i)(?:\s*#[^\n]*\n|\s*\n|ARG[^\n]*\n)*FROM[ \t]+\S"
_HEAD, _TAIL = 4096, 8192  # bytes; PyInstaller's magic stands before the section headers


class Kind(Struct, frozen=True):
    """A row of the table: what tells a kind, all of which must hold, and what to say of it.

    Any of `magic` begins at byte `at` of the file, or at most `within` bytes after it; if that is
    below 0, anywhere in its last bytes. `pattern` is a regular expression for the first bytes.
    `suffixes` are ends of its name, `beside` is a name in its directory.

    `text` is what it is, a semicolon, and what to do, with {named}, the path as it was given,
    {folder} and {base}, its parts, and {stem}, the latter without a suffix. `command` is what runs
    it, a program with its arguments. The kernel `starts` it all the same; the way out is then
    --include-lib where `include_lib` says so.
    """

    text: str
    magic: tuple[bytes, ...] = ()
    at: int = 0
    within: int = 0
    pattern: bytes = b""
    suffixes: tuple[str, ...] = ()
    beside: str = ""
    command: str = ""
    starts: bool = False
    include_lib: bool = False

    @property
    def what(self) -> str:
        """What it is, without the advice."""
        return self.text.partition(";")[0]

    def sentence(self, named: str) -> str:
        """What to say of the file that was named so."""
        import shlex  # for what is rarely said

        base = name(named)
        stem = base.partition(".")[0] or base
        parts = {"named": named, "folder": parent(named) if "/" in named else ".", "base": base}
        words = {key: shlex.quote(printable(one)) for key, one in {**parts, "stem": stem}.items()}
        if not self.command:
            return self.text.format(**words)
        program, _, arguments = self.command.partition(" ")
        line = f"$(command -v {program}) --add {{named}}:/{{base}} -o {{stem}}.tar -- {arguments}"
        return f"{self.text}: rootfs-builder pack {line}".format(**words)


_TEXT = rb"(?!#!)[^\x00]*\Z"
_UNPACK = "and name the program that is in it"
_ZIP = b"PK\x03\x04"
_PYINSTALLER = b"MEI\x0c\x0b\n\x0b\x0e"

# Of each table the first that fits counts, so a special one stands before a general one.
ELF_KINDS = (
    Kind(
        "an AppImage, which mounts itself, and no container lets it; unpack it with "
        "{folder}/{base} --appimage-extract, and name the program in squashfs-root",
        magic=(b"AI\x01", b"AI\x02"),
        at=8,
    ),
    Kind("a program for FreeBSD; name one that is compiled for Linux", magic=(b"\x09",), at=7),
    Kind(
        "compressed by UPX, so that nothing shows what it needs, and if that is a library it does "
        "not start; restore it first: upx -d {named}",
        magic=(b"UPX!",),
        at=64,
        within=448,  # behind the program headers
        starts=True,
    ),
    Kind(
        "made by PyInstaller, which looks for its files in _internal next to it; add the whole "
        "folder: --add {folder}:/opt/{stem} --at /opt/{stem}/{base}",
        magic=(_PYINSTALLER,),
        at=-1,
        within=_TAIL,
        beside="_internal",
        starts=True,
    ),
    Kind(
        "made by PyInstaller in one file, so that nothing shows what the libraries in it need; of "
        "the C library's most need --include-lib libm.so.6",
        magic=(_PYINSTALLER,),
        at=-1,
        within=_TAIL,
        starts=True,
        include_lib=True,
    ),
)
KINDS = (
    Kind("the file is empty; was it built?", pattern=rb"\Z"),
    Kind(
        "a script that begins with a byte order mark, so that the kernel does not see its #!; "
        r"remove it: sed -i '1s/^\xef\xbb\xbf//' {named}",
        magic=(b"\xef\xbb\xbf#!",),
    ),
    Kind("text in UTF-16; save it as UTF-8", magic=(b"\xff\xfe", b"\xfe\xff")),
    Kind(
        "a Windows library, or a program for .NET; name the program without .dll next to it",
        magic=(b"MZ",),
        suffixes=(".dll",),
    ),
    Kind("a Windows program; name a program compiled for Linux", magic=(b"MZ",)),
    Kind(
        "a Java class; name what runs it",
        pattern=rb"\xca\xfe\xba\xbe..\0[\x2d-\xff]",
        command="java -cp / {stem}",
    ),
    Kind(
        "a macOS program; name a program compiled for Linux",
        magic=(
            *(b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe"),
            *(b"\xfe\xed\xfa\xcf", b"\xfe\xed\xfa\xce", b"\xca\xfe\xba\xbe"),
        ),
    ),
    Kind(
        "a WebAssembly module; name what runs it",
        magic=(b"\0asm",),
        command="wasmtime /{base}",
    ),
    Kind(
        "Python's bytecode; name what runs it",
        pattern=rb"..\r\n[\0-\3]\0\0\0",
        command="python3 /{base}",
    ),
    Kind("Lua's bytecode; name what runs it", magic=(b"\x1bLua",), command="lua /{base}"),
    Kind("LLVM's bitcode; compile it: clang {named} -o {stem}", magic=(b"BC\xc0\xde",)),
    Kind(
        f"a Debian package; install it, or unpack it: dpkg-deb -x {{named}} {{stem}}, {_UNPACK}",
        magic=(b"!<arch>\ndebian-binary",),
    ),
    Kind(
        "a static library, which is object files; link it into a program",
        magic=(b"!<arch>\n", b"!<thin>\n"),
    ),
    Kind(
        f"an RPM package; install it, or unpack it: rpm2cpio {{named}} | cpio -idm, {_UNPACK}",
        magic=(b"\xed\xab\xee\xdb",),
    ),
    Kind(
        "a Python wheel; install it into a virtual environment, and name a command of that",
        magic=(_ZIP,),
        suffixes=(".whl",),
    ),
    Kind(
        "a jar; name what runs it",
        magic=(_ZIP,),
        suffixes=(".jar", ".war"),
        command="java -jar /{base}",
    ),
    Kind(
        "a jar; name what runs it",
        pattern=rb"PK\x03\x04.*META-INF/MANIFEST\.MF",
        command="java -jar /{base}",
    ),
    Kind(
        "a Python zipapp without a #! line; name what runs it",
        pattern=rb"PK\x03\x04.*__main__\.py",
        command="python3 /{base}",
    ),
    Kind(
        f"a zip archive; unpack it: unzip {{named}}, {_UNPACK}",
        magic=(_ZIP, b"PK\x05\x06"),
    ),
    Kind(f"a tar archive; unpack it: tar -xf {{named}}, {_UNPACK}", magic=(b"ustar",), at=257),
    *(
        Kind(text.format(program), magic=(magic,), suffixes=suffixes)
        for program, magic, suffix in (
            ("gzip", b"\x1f\x8b", "gz"),
            ("bzip2", b"BZh", "bz2"),
            ("xz", b"\xfd7zXZ\0", "xz"),
            ("zstd", b"\x28\xb5\x2f\xfd", "zst"),
        )
        for text, suffixes in (
            (
                f"a compressed tar archive; unpack it: tar -xf {{{{named}}}}, {_UNPACK}",
                (f".tar.{suffix}", f".t{suffix}"),
            ),
            ("compressed by {0}; restore it: {0} -d {{named}}", ()),
        )
    ),
    Kind(
        f"a 7z archive; unpack it: 7z x {{named}}, {_UNPACK}",
        magic=(b"7z\xbc\xaf\x27\x1c",),
    ),
    Kind(
        f"a squashfs image, such as a snap; unpack it: unsquashfs {{named}}, {_UNPACK}",
        magic=(b"hsqs",),
    ),
    *(
        Kind(
            f"{what} without a #! line, which says what runs it; write one, or name that",
            pattern=_TEXT,
            suffixes=suffixes,
            command=f"{command} /{{base}}",
        )
        for what, command, suffixes in (
            ("Python", "python3", (".py",)),
            ("JavaScript", "node", (".js", ".cjs", ".mjs")),
            ("Ruby", "ruby", (".rb",)),
            ("Perl", "perl", (".pl",)),
            ("PHP", "php", (".php",)),
            ("Lua", "lua", (".lua",)),
            ("Tcl", "tclsh", (".tcl",)),
            ("R", "Rscript", (".R", ".r")),
            ("awk", "awk -f", (".awk",)),
            ("a script", "bash", (".bash",)),
            ("a script", "sh", (".sh",)),
        )
    ),
    Kind(
        "a Dockerfile, whose steps an engine runs; name the program itself",
        pattern=DOCKERFILE,
    ),
    Kind(
        "text that is not a script: its first line has no #!; if it is source, name the program "
        "that is compiled from it",
        pattern=_TEXT,
    ),
    Kind("no ELF file and no script; name a compiled program"),
)


class Sample(Struct, frozen=True):
    """What is looked at of a file: its path as it was given, its first and its last bytes."""

    named: str
    head: bytes
    tail: bytes

    def kind(self, exists: Callable[[str], bool]) -> Kind | None:
        """What it is; None of a script, and of an ELF file of which nothing else is to be said.

        `exists` answers whether a name is in its directory.
        """
        if self.head.startswith(b"#!"):
            return None
        table = ELF_KINDS if self.head.startswith(b"\x7fELF") else KINDS
        return next((one for one in table if self._is(one) and _has(one, exists)), None)

    def _is(self, kind: Kind) -> bool:
        """Whether its name and bytes are those of a kind."""
        if kind.suffixes and not self.named.endswith(kind.suffixes):
            return False
        if kind.magic:
            data, start = (self.head, kind.at) if kind.at >= 0 else (self.tail, 0)
            found = (data.find(one, start, start + kind.within + len(one)) for one in kind.magic)
            if max(found) < 0:
                return False
        return not kind.pattern or re.match(kind.pattern, self.head, re.DOTALL) is not None


def _has(kind: Kind, exists: Callable[[str], bool]) -> bool:
    return not kind.beside or exists(kind.beside)


def sample(source: Source, named: str) -> Sample:
    """What is looked at of the file at `source`."""
    with source.open() as content:
        tail = content[max(0, source.size - _TAIL) : source.size]
        return Sample(named, content[0:_HEAD], tail)
