"""What is damaged, and what is done with it: ELF files, archives, texts, caches.

A `Subject` lays out sound input in a folder once; `lay` damages it by chance and gives the command
lines to run on it. Whatever a run must leave as it was is restored first.
"""

import os
import random
import shutil
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

from elftools.elf.elffile import ELFFile

from tests.faults import damage, documents, runs, texts

SOURCE = """\
#include <dlfcn.h>
#include <locale.h>
#include <math.h>
#include <netdb.h>
int x(void);
int main(int n, char **v) {
    setlocale(LC_ALL, "");
    dlopen("libx.so.1", RTLD_NOW);
    return x() + (int)sin(n) + (gethostbyname(v[0]) != 0);
}
"""
LIBRARY = 'int x(void) { return 1; } int y(void) { return 2; } const char t[] = "/etc/x.conf";'
VERSIONS = "V_1 { global: x; local: *; }; V_2 { global: y; } V_1;"
MAX_REGION = 20_000  # bytes of a section: larger ones are code and data


def tool(*words, cwd=None):
    """Our own command line in a process of its own, where it must work."""
    done = subprocess.run(
        [*runs.TOOL, *words], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def compiled(source, result, *args):
    """A program or library."""
    command = ["gcc", "-g", "-x", "c", "-", "-x", "none", "-o", result, *args]
    subprocess.run(command, input=source, text=True, check=True)


def root(folder):
    """A root with a program, its libraries and loader: its path."""
    script = folder / "x.map"
    script.write_text(VERSIONS)
    library = folder / "libx.so.1"
    compiled(
        *(LIBRARY, library, "-shared", "-fPIC", "-Wl,-soname,libx.so.1"),
        f"-Wl,--version-script={script}",
    )
    compiled(SOURCE, folder / "prog", library, "-lm", "-Wl,-rpath,$ORIGIN/../lib")
    top = folder / "root"
    (top / "usr").mkdir(parents=True)
    tool("stage", folder / "prog", "-L", folder, "-o", folder / "staged", "--at", "/usr/bin/prog")
    shutil.copytree(folder / "staged", top, symlinks=True, dirs_exist_ok=True)
    (top / "usr/local/lib/libx.so.1").rename(top / "usr/lib/libx.so.1")
    tool("verify", top)
    return top


class Subject(ABC):
    """Input that is damaged: `name` in the table, `short` for a command line."""

    name = ""
    short = ""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.laid = self.folder / "mutant"

    @abstractmethod
    def lay(self, chance):
        """Damage it: the command lines to run."""

    def check(self, *commands):
        """Sound input must pass: damage would show nothing in what is refused at once."""
        for words in commands:
            tool(*words)

    def wrong(self, words, code):
        """What is wrong with how a command line ended, besides exceptions."""
        del words, code
        return ()


class Elf(Subject):
    """The program, a library or the loader of a root is damaged; every reader has its turn."""

    name = "mutated ELF programs, libraries, loaders"
    short = "elf"

    def __init__(self, folder):
        super().__init__(folder)
        self.top = root(self.folder)
        files = ("usr/bin/prog", "libx.so.1", "libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2")
        self.wholes = {}
        for name in files:
            path = next(one for one in self.top.rglob(Path(name).name) if not one.is_symlink())
            self.wholes[path] = path.read_bytes(), [*regions(path)]

    def lay(self, chance):
        """One file is damaged, the others are sound; two verbs."""
        paths = list(self.wholes)
        chosen = chance.choices(paths, (4, 3, 1, 2, 2))[0]
        for path, (data, _) in self.wholes.items():
            path.write_bytes(data)
        data, places = self.wholes[chosen]
        mutant = damage.damaged(data, chance, places)
        chosen.write_bytes(mutant)
        self.laid = chosen
        program, out = f"{self.top}/usr/bin/prog", f"{self.folder}/out.tar"
        inside = ("--sysroot", str(self.top))
        packed = ("pack", program, *inside, "-o", out, "--no-cache", "--compression", "none")
        verbs = (
            ("verify", str(self.top)),
            packed,
            ("rules", "--match", program, *inside),
            (*packed, "--strip"),
            ("why", program, "libm.so.6", *inside),
        )
        return ("tree", program, *inside), chance.choices(verbs, (4, 3, 2, 1, 1))[0]


def regions(path):
    """Where the tables of an ELF file are: (offset, size)."""
    with path.open("rb") as stream:
        file = ELFFile(stream)
        yield 0, 64
        yield file["e_phoff"], file["e_phnum"] * file["e_phentsize"]
        yield file["e_shoff"], file["e_shnum"] * file["e_shentsize"]
        for section in file.iter_sections():
            if section["sh_type"] not in ("SHT_NOBITS", "SHT_NULL"):
                yield section["sh_offset"], min(section["sh_size"], MAX_REGION)


class Archives(Subject):
    """An image's headers, streams or documents are damaged, with digests made right again."""

    name = "mutated archives (headers, streams, documents)"
    short = "archives"

    def __init__(self, folder):
        super().__init__(folder)
        self.laid = self.folder / "image.tar"
        top = root(self.folder)
        program = f"{top}/usr/bin/prog"
        tool("pack", program, "--sysroot", top, "-o", self.folder / "base.tar", "--no-cache")
        large = documents.read((self.folder / "base.tar").read_bytes())
        self.parts = (documents.small(), documents.small(), documents.small(), large)
        for one in self.parts[-2:]:
            self.laid.write_bytes(documents.written(one, random.Random(1)))
            self.check(*self._commands(one))

    def lay(self, chance):
        """A damaged archive, and a verb or two that read it."""
        parts = documents.damaged(chance.choice(self.parts), chance)
        self.laid.write_bytes(documents.written(parts, chance))
        verify, *others = self._commands(parts)
        return verify, chance.choice(others)

    def _commands(self, parts):
        archive = str(self.laid)
        yield "verify", archive
        yield "inspect", archive
        yield "inspect", "-v", "--json", archive
        if parts.record is not None:
            yield "why", archive, "prog"


class Texts(Subject):
    """Rules, recipes, and what programs and package managers of a root have written."""

    name = "mutated rules, recipes, dpkg, rpm, apk, caches, passwd"
    short = "texts"

    def __init__(self, folder):
        super().__init__(folder)
        self.top = root(self.folder)
        self.sound = {}
        for name, data in texts.found():
            self.sound[name] = data
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        # Without root's rights the cache stays the one that `stage` wrote.
        subprocess.run(["/sbin/ldconfig", "-r", self.top], check=False, capture_output=True)
        self.sound["root/etc/ld.so.cache"] = (self.top / "etc/ld.so.cache").read_bytes()
        for name in ("my.toml", "recipe/rootfs.toml", "root/etc/passwd"):
            self.check(*self._commands(name))

    def lay(self, chance):
        """One text is damaged; the verbs that read it."""
        name = chance.choice(list(self.sound))
        for other, data in self.sound.items():
            (self.folder / other).write_bytes(data)
        self.laid = self.folder / name
        whole = self.sound[name]
        binary = chance.random() < 0.4 or b"\0" in whole
        harm = damage.damaged if binary else damage.damaged_text
        self.laid.write_bytes(harm(whole, chance))
        return self._commands(name, chance.random() < 0.5)

    def _commands(self, name, verify=True):
        """What reads a text."""
        program, inside = f"{self.top}/usr/bin/prog", ("--sysroot", str(self.top))
        if name == "my.toml":
            rules = ("--rules", str(self.folder / name))
            return ("rules", *rules), ("rules", "--match", program, *inside, *rules)
        out = ("-o", f"{self.folder}/out.tar", "--no-cache", "--compression", "none")
        if name.startswith("recipe"):
            # Whatever the text says by now: it writes there alone.
            there = ("--set", f"output={self.folder}/out.tar")
            return (("build", "--no-cache", "-j", "1", *there, str(self.folder / name)),)
        options = ("--layers", "package", "-u", "me", "--nss", "keep")
        return (
            ("pack", program, *inside, *out, *options),
            ("verify", str(self.top)) if verify else ("tree", program, *inside),
        )


class Caches(Subject):
    """Cache entries are damaged or swapped: the archive must stay the same."""

    name = "cache entries damaged, in each other's place"
    short = "cache"

    def __init__(self, folder):
        super().__init__(folder)
        compiled(SOURCE.replace("x() +", ""), self.folder / "prog", "-lm")
        self.home, self.kept = self.folder / "cache", self.folder / "kept"
        os.environ["XDG_CACHE_HOME"] = str(self.home)
        self.words = ("pack", str(self.folder / "prog"), "-o", str(self.folder / "x.tar"))
        tool(*self.words)
        shutil.copytree(self.home, self.kept)
        self.right = (self.folder / "x.tar").read_bytes()
        found = sorted(path for path in self.kept.rglob("*") if path.is_file())
        self.entries = [one.relative_to(self.kept) for one in found]

    def lay(self, chance):
        """A few of the entries are other bytes; then the archive is packed anew."""
        shutil.rmtree(self.home)
        shutil.copytree(self.kept, self.home)
        (self.folder / "x.tar").unlink(missing_ok=True)
        for _ in range(chance.choice((1, 1, 2, 4))):
            entry, other = chance.choice(self.entries), chance.choice(self.entries)
            self.laid = self.home / entry
            data = (self.kept / entry).read_bytes()
            how = chance.randrange(6)
            if how < 2:
                data = (self.kept / other).read_bytes()
            elif how == 2:
                data = chance.choice((b"", b"\0" * 4, b"\0" * 8, b"\0" * len(data)))
            else:
                data = damage.damaged(data, chance)
            self.laid.write_bytes(data)
        return (self.words,)

    def wrong(self, words, code):
        """The archive must be there, with the right bytes."""
        del words
        if code != 0:
            return (f"exit {code}",)
        same = (self.folder / "x.tar").read_bytes() == self.right
        return () if same else ("exit 0 and another archive",)


SUBJECTS = {one.short: one for one in (Elf, Archives, Texts, Caches)}


def chance(short, seed, number):
    """What damages the `number`-th case: the same for a seed."""
    return random.Random(f"{short} {seed} {number}")
