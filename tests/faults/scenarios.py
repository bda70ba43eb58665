"""The jobs in which a fault strikes: a folder each, what is there before, and what may be after.

A `Bench` is a folder for one scenario: `in/` is read, `out/` has an older output, and the cache,
home and TMPDIR of its runs are in it. It is laid out so that any number of runs start from the same
state, and so that equal runs give equal bytes.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests import trees
from tests.faults import runs

SOURCE = '#include <stdio.h>\nint main(void) { puts("hello %d"); return 0; }\n'
OLDER = b"an older output\n"
RECIPE = """\
executables = [{{ from = "copy", path = "{name}" }}]
output = "../out/{name}.tar"
label = {{ number = "{name}" }}

[[step]]
name = "copy"
run = "cp ../in/hello {name}"
"""


@dataclass(frozen=True)
class Scenario:
    """A command line; `outputs` are what it writes in `out/`.

    `cached` keeps the cache of an earlier run, `warm` the outputs too; with `changed` that run saw
    another program. `apart` says that outputs take their places one after the other, so that an
    error may leave some of them new, and `fresh` that they must not be there before.
    """

    name: str
    words: tuple[str, ...]
    outputs: tuple[str, ...] = ("x.tar",)
    cached: bool = False
    warm: bool = False
    changed: bool = False
    apart: bool = False
    fresh: bool = False
    layout: bool = False

    @property
    def uses_cache(self):
        """Whether a run leaves something that a later one takes."""
        return self.words[0] != "stage" and "--no-cache" not in self.words


PACK = ("pack", "in/hello", "-o")
BESIDE = ("--iidfile", "out/id", "--metadata-file", "out/meta.json")
SCENARIOS = (
    Scenario("nocache", (*PACK, "out/x.tar", "--no-cache")),
    Scenario("cold", (*PACK, "out/x.tar")),
    Scenario("warm", (*PACK, "out/x.tar"), cached=True, warm=True),
    Scenario("changed", (*PACK, "out/x.tar"), cached=True, changed=True),
    Scenario("stage", ("stage", "in/hello", "-o", "out/tree"), ("tree",), fresh=True),
    Scenario("build", ("build", "-j", "2", "a", "b"), ("a.tar", "b.tar"), apart=True),
    Scenario("oci-new", (*PACK, "oci:out/l", "--no-cache"), ("l",), fresh=True, layout=True),
    Scenario("oci-replaced", (*PACK, "oci:out/l", "--no-cache"), ("l",), layout=True),
    Scenario(
        "beside",
        (*PACK, "out/x.tar", *BESIDE, "--no-cache"),
        ("x.tar", "id", "meta.json"),
        apart=True,
    ),
    Scenario(
        "kept",
        (*PACK, "out/x.tar", *BESIDE, "--depfile", "out/x.d"),
        ("x.tar", "id", "meta.json", "x.d"),
        cached=True,
        warm=True,
        apart=True,
    ),
    Scenario("strip", (*PACK, "out/x.tar", "--no-cache", "--strip")),
)


class Bench:
    """A folder in which one scenario runs again and again."""

    def __init__(self, folder, scenario):
        self.folder = Path(folder)
        self.scenario = scenario
        self.env = runs.environment(folder)
        for name in ("in", "out", "tmp", "home", "old"):
            (self.folder / name).mkdir(parents=True)
        self._compile(1 if scenario.changed else 2)
        for name in ("a", "b"):
            (self.folder / name).mkdir()
            (self.folder / name / "rootfs.toml").write_text(RECIPE.format(name=name))
        self._older()
        if scenario.cached:
            self.run()
        if scenario.changed:
            self._compile(2)
        self._keep("cache")
        self.arrange()
        first = self.run()
        assert first.code == 0, first
        self.stdout = first.stdout
        self.after = self.seen()
        self.rest = self.others()
        if not scenario.warm:
            self.arrange()
        self.before = self.seen()
        self.known = ((self.before, self.others()), (self.after, self.rest))

    def _compile(self, number):
        command = ["gcc", "-g", "-x", "c", "-", "-o", self.folder / "in/hello"]
        subprocess.run(command, input=SOURCE % number, text=True, check=True)

    def _older(self):
        """What is in `out/` before: a file of other bytes, or the layout of another image."""
        if self.scenario.layout and not self.scenario.fresh:
            words = ("pack", "in/hello", "-o", "oci:out/l", "--label", "of=before", "--no-cache")
            assert self.run(words).code == 0
        elif not self.scenario.fresh:
            for name in self.scenario.outputs:
                (self.folder / "out" / name).write_bytes(OLDER)
        self._keep("out")

    def _keep(self, name):
        """Remember a directory, for `arrange`."""
        kept = self.folder / "old" / name
        if (self.folder / name).exists():
            shutil.copytree(self.folder / name, kept, symlinks=True)

    def arrange(self):
        """Lay out the state before a run; a warm one is what an ordinary run leaves."""
        names = ["tmp"]
        if not self.scenario.warm:
            names += ["out", "cache"]
        for name in names:
            shutil.rmtree(self.folder / name, ignore_errors=True)
            if (self.folder / "old" / name).exists():
                shutil.copytree(self.folder / "old" / name, self.folder / name, symlinks=True)
        for name in ("tmp", "out"):
            (self.folder / name).mkdir(exist_ok=True)

    def run(self, words=None, prefix=(), limits=None):
        """Run the scenario's command line, or another one; `prefix` is a command before it."""
        return runs.run(
            (*prefix, *runs.TOOL, *(words or self.scenario.words)),
            cwd=self.folder,
            env=self.env,
            limits=limits,
        )

    def again(self):
        """The next ordinary run, by somebody who takes a finished tree away first."""
        tree = self.folder / "out" / self.scenario.outputs[0]
        if self.scenario.fresh and not self.scenario.layout and tree.exists():
            shutil.rmtree(tree)
        return self.run()

    def seen(self):
        """Each output as a tree of files with the hashes of their contents."""
        found = trees.of_directory(self.folder / "out")
        return {name: self._output(name, found) for name in self.scenario.outputs}

    def _output(self, name, found):
        kept = {
            path: words
            for path, words in found.items()
            if path == f"/{name}" or path.startswith(f"/{name}/")
        }
        return self._of_layout(name, kept) if self.scenario.layout else kept

    def _of_layout(self, name, kept):
        """A layout less the blobs that nothing refers to: they are no part of its image."""
        top = self.folder / "out" / name
        try:
            wanted = _reachable(top, json.loads((top / "index.json").read_bytes()))
        except OSError:
            return kept
        return {
            path: words
            for path, words in kept.items()
            if "/blobs/sha256/" not in path or path.endswith("/") or path[-64:] in wanted
        }

    def others(self):
        """Every path in `out/` that is not an output, and every path in TMPDIR."""
        found = trees.of_directory(self.folder / "out")
        mine = tuple(f"/{name}" for name in self.scenario.outputs)
        strays = [
            f"out{path}"
            for path in found
            if not path.startswith(tuple(f"{one}/" for one in mine)) and path not in mine
        ]
        if self.scenario.layout:
            whole = {path for path in found if path.startswith(mine)}
            for output in self.seen().values():
                whole -= output.keys()
            strays += [f"out{path}" for path in whole]
        strays += [f"tmp{path}" for path in trees.of_directory(self.folder / "tmp")]
        return sorted(strays)


def _reachable(top, document):
    """The hex digests of all blobs that a document of a layout leads to."""
    found = set()
    for one in [*document.get("manifests", ()), *document.get("layers", ())] + [
        document[key] for key in ("config",) if isinstance(document.get(key), dict)
    ]:
        name = one.get("digest", "").removeprefix("sha256:")
        if not name:
            continue
        found.add(name)
        if "manifest" in one["mediaType"]:
            found |= _reachable(top, json.loads((top / "blobs/sha256" / name).read_bytes()))
    return found
