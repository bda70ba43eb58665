"""The pages of the checkout → pages of the site: their places, fences and links."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
FENCE = re.compile(r"(?ms)^```([^\n]*)\n.*?^```$")
TOP = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "recipes/README.md": "folders/index.md",
}
RUN = ("sh", "console", "text", "")
FILES = ("*.svg", "*.schema.json", "*.png")


def places() -> dict[str, str]:
    """Each file of the checkout that the site has, and its place there."""
    found = dict(TOP)
    for path in sorted((CHECKOUT / "docs").rglob("*.md")):
        found[str(path.relative_to(CHECKOUT))] = str(path.relative_to(CHECKOUT / "docs"))
    for pattern in FILES:
        for path in sorted((CHECKOUT / "docs").glob(pattern)):
            found[str(path.relative_to(CHECKOUT))] = path.name
    for path in sorted((CHECKOUT / "recipes").glob("*/README.md")):
        found[str(path.relative_to(CHECKOUT))] = f"folders/{path.parent.name}.md"
        found[str(path.parent.relative_to(CHECKOUT))] = f"folders/{path.parent.name}.md"
    return found


def page(source: str, known: dict[str, str], code: str) -> str:
    """A page of the checkout as the site has it; `code` is the address of the sources."""
    text = (CHECKOUT / source).read_text()
    parts = []
    at = 0
    for block in FENCE.finditer(text):
        parts += [links(text[at : block.start()], source, known, code), fence(block)]
        at = block.end()
    return "".join([*parts, links(text[at:], source, known, code)])


def fence(block: re.Match[str]) -> str:
    """A block: the name of the file that it is becomes its title."""
    language, _, word = block[1].partition(" ")
    first = f'```{language} title="{word}"' if word and language not in RUN else f"```{language}"
    return first + block[0][block[0].index("\n") :]


def links(text: str, source: str, known: dict[str, str], code: str) -> str:
    """Links of a page, led to the site, or to the sources for what the site has not."""
    here = posixpath.dirname(known[source])

    def lead(found: re.Match[str]) -> str:
        before, target, anchor, after = found[1], found[2], found[3] or "", found[4]
        if "://" in target:
            return found[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if path in known:
            return f"{before}{posixpath.relpath(known[path], here or '.')}{anchor}{after}"
        return f"{before}{code}/{path}{after}"

    return LINK.sub(lead, text)


def write(folder: Path, code: str) -> Iterator[str]:
    """Write all pages and files; their places."""
    known = places()
    for source, place in known.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if source.endswith(".md"):
            path.write_text(page(source, known, code))
            yield place
        elif (CHECKOUT / source).is_file():
            path.write_bytes((CHECKOUT / source).read_bytes())
