"""Whether a package of a registry has brought a file: then everybody has it, keys and all.

npm says in `node_modules/.package-lock.json` which packages it has from where: one with
`integrity` is an archive of a registry (package-lock.json(5)). A wheel's `RECORD` has the digest of
each file (Recording installed projects, The RECORD file).
"""

import base64
import csv
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache

from rootfs_builder.filesystem.content import read
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.paths import SourcePath, decode

_NODE, _SITE = "/node_modules/", "/site-packages/"
_MOST = 64 << 20  # bytes of a list of packages
_METADATA = ".dist-info"
_COMPILED = re.compile(r"__pycache__/([^/.]+)\.[\w.-]+\.pyc$")  # PEP 3147


class Registries:
    """Answers for the files of one build."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._locked = lru_cache(maxsize=None)(self._read_locked)
        self._recorded = lru_cache(maxsize=None)(self._read_recorded)

    def has_brought(self, path: SourcePath) -> bool:
        """Whether the file at a resolved path is one of an archive, as far as its lists tell."""
        if _NODE in path:
            return self._is_of_npm(path)
        if _SITE in path:
            return self._is_of_wheel(path)
        return False

    def _is_of_npm(self, path: str) -> bool:
        project, _, inside = path.partition(_NODE)
        above, mark, last = inside.rpartition(_NODE)
        parts = last.split("/")
        package = "/".join(parts[: 2 if last.startswith("@") else 1])
        name = f"{_NODE}{above}{mark}{package}".lstrip("/")
        return parts[-1] != package and name in self._locked(f"{project}{_NODE}.package-lock.json")

    def _read_locked(self, path: str) -> frozenset[str]:
        """The directories of packages of a registry, from the project's on."""
        with suppress(AttributeError, RecursionError, TypeError, ValueError):  # it is no such list
            packages = json.loads(self._text(path) or "{}").get("packages", {})
            return frozenset(one for one, what in packages.items() if "integrity" in what)
        return frozenset()

    def _is_of_wheel(self, path: SourcePath) -> bool:
        """Whether it, or the source that it was compiled from, has the digest of a wheel's list."""
        path = SourcePath(_COMPILED.sub(r"\1.py", path))
        before, mark, inside = path.rpartition(_SITE)
        expected = self._recorded(f"{before}{mark}").get(inside)
        node = self._sources.lstat(path)
        if expected is None or node is None or node.kind != "file":
            return False
        digest = hashlib.sha256(read(self._sources.open(path))).digest()
        return expected == f"sha256={decode(base64.urlsafe_b64encode(digest)).rstrip('=')}"

    def _read_recorded(self, directory: str) -> dict[str, str]:
        """The digests of the files of wheels."""
        with suppress(csv.Error):
            return dict(self._records(directory))
        return {}

    def _records(self, directory: str) -> Iterator[tuple[str, str]]:
        for one in self._sources.list(SourcePath(directory.rstrip("/"))):
            if one.endswith(_METADATA):
                text = self._text(f"{directory}{one}/RECORD") or ""
                yield from ((row[0], row[1]) for row in csv.reader(text.splitlines()) if row[1:])

    def _text(self, path: str) -> str | None:
        node = self._sources.lstat(SourcePath(path))
        if node is None or node.kind != "file" or node.size > _MOST:
            return None
        return decode(read(self._sources.open(SourcePath(path))))
