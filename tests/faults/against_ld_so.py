"""Damaged programs and libraries, and what the real loader says of them, in a chroot.

Both refuse, or both load the same libraries in the same order. What only mapping shows is no
defect: pages that are not there, addresses that are taken, a loader that crashes; we look at what a
file says, and map nothing.
"""

import re

from rootfs_builder.elf import Dependency
from rootfs_builder.errors import RootfsError
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.loader.resolution import Rejected
from tests.faults import damage
from tests.faults.subjects import Subject, regions, root
from tests.loader import oracle

_WARNINGS = (": weak version `", "no version information available")  # the program starts
_NOT_FOUND = "cannot open shared object file"
STRICT = "tables that end behind the file are refused, where ld.so would read what it mapped"
_STRICT = re.compile(r"file too short: a segment|is cut off|has no end")
MAPPED = "the loader fails while it maps or relocates, where the tables are sound"
_MAPPING = re.compile(
    r"cannot map|failed to map|cannot allocate|cannot change memory|cannot create shared"
    r"|Inconsistency detected|cannot enable executable|cannot apply|zero-fill|out of memory"
)


# The kernel fills the last page of a program with zeros, where ld.so leaves bytes of the file.
STARTED = "the kernel starts the program: it reads PT_INTERP, and not what ld.so --list looks at"
_STARTED_FOR = re.compile(
    r"nonzero padding in e_ident|object file has no|PT_INTERP is malformed|has no string table"
    r"|ELF file (?:version|data encoding|OS ABI|ABI version)"
)


HIDDEN = "ld.so --list does not show what a FILTER or AUXILIARY puts in front of the program itself"


class AgainstLdSo(Subject):
    """The program or a library is damaged, never the loader or libc, which run."""

    name = "mutated ELF against the real ld.so --list"
    short = "ld.so"

    def __init__(self, folder):
        super().__init__(folder)
        self.top = root(self.folder)
        self.exception = ""
        self.found = ()
        self._in_front = False  # whether the program has such a tag
        paths = [self.top / "usr/bin/prog", *self.top.rglob("libx.so.1"), *self.top.rglob("libm.*")]
        real = [one for one in paths if not one.is_symlink()]
        self.wholes = {one: (one.read_bytes(), [*regions(one)]) for one in real}

    def lay(self, chance):
        """A damaged file; both are asked at once."""
        for path, (data, _) in self.wholes.items():
            path.write_bytes(data)
        self.laid = chance.choices([*self.wholes], (3, 3, 1)[: len(self.wholes)])[0]
        data, places = self.wholes[self.laid]
        self.laid.write_bytes(damage.damaged(data, chance, places))
        self.exception = ""
        theirs = self._theirs()
        ours = self._ours()
        self.found = self._difference(ours, theirs)
        return ((),)

    def _theirs(self):
        try:
            return oracle.glibc(str(self.top), "/usr/bin/prog")
        except oracle.subprocess.TimeoutExpired:
            return oracle.Trace(error="crashed: it does not end")

    def _ours(self):
        self._in_front = False
        try:
            link_map = oracle.start(self.top, "/usr/bin/prog", loader=oracle.GLIBC)
            elf_files = ElfFiles(DirectoryRoot(str(self.top)))
            itself = elf_files.header(elf_files.walker.walk(oracle.GLIBC).real)
            other = link_map.loader.rejected(link_map.program.elf.header, itself)
            if other is not None and other.reason in (Rejected.OTHER_CLASS, Rejected.OTHER_MACHINE):
                return oracle.Trace(error="for another kind of machine: see needs/startup.py")
            kinds = {kind for kind, _ in link_map.program.elf.dependencies}
            self._in_front = bool(kinds - {Dependency.NEEDED})
            return oracle.ours(link_map)
        except RootfsError as error:
            return oracle.Trace(error=str(error))

    def _difference(self, ours, theirs):
        """What differs, or ()."""
        lines = theirs.error.splitlines()
        said = [one for one in lines if not any(word in one for word in _WARNINGS)]
        crashed = not theirs.error and not theirs.found and not theirs.missing
        if said or crashed:
            skipped = bool(said) and said[0].startswith(_NOT_FOUND)  # a program it passes over
            if ours.error or (skipped and ours.missing):
                return ()
            if crashed or _MAPPING.search(said[0]):
                self.exception = MAPPED
            elif self._is_of_program(said[0]):
                self.exception = STARTED
            return (f"ours takes what ld.so refuses: {_plain(said[0] if said else '')}",)
        if ours.error:
            self.exception = STRICT if _STRICT.search(ours.error) else ""
            if self._is_of_program(ours.error):
                self.exception = STARTED
            return (f"ours refuses what ld.so takes: {_plain(ours.error)}",)
        self.exception = HIDDEN if self._in_front else ""
        if _opened(ours) != _opened(theirs):
            return ("libraries differ",)
        if ours.missing != theirs.missing:
            return ("missing libraries differ",)
        return ()

    def _is_of_program(self, said):
        """Whether the program itself is refused, for what a kernel sees otherwise."""
        return self.laid.name == "prog" and _STARTED_FOR.search(said) is not None

    def wrong(self, words, code):
        """See Subject."""
        del words, code
        return self.found


def _opened(trace):
    """The paths of libraries, less the loader: it shows itself as PT_INTERP does, or not at all."""
    return [path for _, path in trace.found if path != oracle.GLIBC]


def _plain(text):
    """A message without names and numbers."""
    line = text.splitlines()[0] if text else "it crashes"
    return re.sub(r"/\S+|0x\w+|\d+", "*", line)[:120]
