"""Descriptions of small ELF files, and the linker that makes them: each once in a session.

A NEEDED entry is made by linking with an empty library of that SONAME, so any text can be one. What
no linker writes is patched into its result: `retag` renames dynamic tags, `patch` replaces bytes.
"""

import hashlib
import struct
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

NEEDED, RPATH, AUXILIARY = 1, 15, 0x7FFFFFFD
_SYSTEM = Path("/usr/lib/x86_64-linux-musl")


@dataclass(frozen=True)
class Elf:
    """`links` are linked with as they are; `args` go to the linker."""

    needed: tuple[str, ...] = ()
    soname: str | None = None
    rpath: str | None = None
    runpath: str | None = None
    args: tuple[str, ...] = ()
    links: tuple["Elf", ...] = ()
    source: str = ""
    script: str = ""
    compiler: str = "gcc"
    bits: int = 64
    interpreter: str = ""
    libc: tuple[str, ...] = ()
    retag: tuple[tuple[int, int], ...] = ()
    patch: tuple[tuple[int | bytes, bytes], ...] = field(default=())
    cut: int | None = None


def library(*needed, **options):
    return Elf(needed, **options)


def program(*needed, **options):
    options = {"interpreter": "/lib64/ld-linux-x86-64.so.2", **options}
    return Elf(needed, **{"source": "void _start(void) {}", **options})


def flawed(elf, *patch, cut=None):
    """The same file with bytes put at offsets, or cut short."""
    return replace(elf, patch=(*elf.patch, *patch), cut=cut)


class Linker:
    """Makes files out of descriptions, in a directory of its own."""

    def __init__(self, directory):
        self._directory = directory

    def make(self, elf):
        """The path of the file that `elf` describes."""
        result = self._file(elf, ".so")
        if not result.exists():
            self._link(elf, result)
        return result

    def _file(self, value, suffix):
        return self._directory / (hashlib.sha256(repr(value).encode()).hexdigest()[:20] + suffix)

    def compile(self, source, *, bits=64, compiler="gcc"):
        """An object file."""
        result = self._file((source, bits, compiler), ".o")
        if not result.exists():
            command = [compiler, f"-m{bits}", "-fPIC", "-x", "c", "-", "-c", "-o", result]
            _run(command, input=source, text=True)
        return result

    def _link(self, elf, result):
        command = ["ld", "-m", "elf_x86_64" if elf.bits == 64 else "elf_i386", "-o", result]
        command += ["--no-as-needed", "--hash-style=gnu", "-z", "max-page-size=4096"]
        command += ["-pie", "-dynamic-linker", elf.interpreter] if elf.interpreter else ["-shared"]
        if elf.soname is not None:
            command += ["-soname", elf.soname]
        for kind, path in (("--disable-new-dtags", elf.rpath), ("--enable-new-dtags", elf.runpath)):
            if path is not None:
                command += [kind, "-rpath", path]
        if elf.script:
            script = self._file(elf.script, ".map")
            script.write_text(elf.script)
            command.append(f"--version-script={script}")
        compiled = self.compile(elf.source, bits=elf.bits, compiler=elf.compiler)
        command += [*self._start_files(elf), compiled, *elf.args]
        command += [self.make(one) for one in (*map(_stub(elf), elf.needed), *elf.links)]
        _run([*command, *elf.libc])
        result.write_bytes(_altered(elf, result.read_bytes()))

    @staticmethod
    def _start_files(elf):
        if not elf.libc or not elf.interpreter:
            return []
        found = _run([elf.compiler, "-print-file-name=Scrt1.o"], text=True).stdout.strip()
        directory = _SYSTEM if "musl" in elf.compiler else Path(found).parent
        return [directory / "Scrt1.o", directory / "crti.o", directory / "crtn.o"]


def _stub(elf):
    return lambda name: Elf(soname=name, bits=elf.bits)


def _run(command, **options):
    done = subprocess.run(command, capture_output=True, check=False, **options)
    assert done.returncode == 0, (command, done.stderr)
    return done


def _altered(elf, data):
    data = bytearray(data)
    for place, new in elf.patch:
        start = place if isinstance(place, int) else data.index(place)
        data[start : start + len(new)] = new
    for old, new in elf.retag:
        start = data.index(struct.pack("<Q", old), _dynamic(data))
        data[start : start + 8] = struct.pack("<Q", new)
    return bytes(data[: elf.cut])


def _dynamic(data):
    """The file offset of the dynamic segment of a 64-bit file."""
    start, count = struct.unpack_from("<32xQ16xH", data)
    for at in range(start, start + 56 * count, 56):
        kind, _, offset = struct.unpack_from("<IIQ", data, at)
        if kind == 2:
            return offset
    raise AssertionError
