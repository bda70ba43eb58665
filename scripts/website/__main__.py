"""Write the pages of the site into a folder, with the configuration that builds it."""

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

from scripts.website import reference, sources
from scripts.website.sources import CHECKOUT

FEATURES = (
    *("navigation.tabs", "navigation.indexes", "navigation.top", "navigation.footer"),
    *("content.code.copy", "search.highlight", "toc.follow"),
)


def navigation(written: set[str]) -> list[tuple[str, list[list[str]]]]:
    """The sections of the navigation; all pages must be in it, and it in the pages."""
    data = tomllib.loads((CHECKOUT / "docs/nav.toml").read_text())
    sections = [(one["title"], one["pages"]) for one in data["section"]]
    recipes = sorted(page for page in written if page.startswith("folders/"))
    named = {path for _, pages in sections for _, path in pages}
    for kind, some in (
        ("not in docs/nav.toml", written - named - {*recipes}),
        ("none", named - written),
    ):
        if some:
            sys.exit(f"pages: {kind}: {', '.join(sorted(some))}")
    more = [[Path(page).stem, page] for page in recipes if page not in named]
    return [(title, [*pages, *more] if title == "Guides" else pages) for title, pages in sections]


def configuration(sections: list[tuple[str, list[list[str]]]], urls: dict[str, str]) -> str:
    """zensical.toml: paths are made relative to the folder that it is in."""
    lines = [
        "[project]",
        'site_name = "rootfs-builder"',
        'site_description = "A Linux program and exactly the files it needs, as a container image"',
        f'site_url = "{urls["Documentation"]}"',
        f'repo_url = "{urls["Source"]}"',
        'copyright = "Apache-2.0"',
        "nav = [",
    ]
    for title, pages in sections:
        inner = ", ".join(f'{{ "{name}" = "{path}" }}' for name, path in pages)
        lines.append(f'    {{ "{title}" = [{inner}] }},')
    features = ", ".join(f'"{one}"' for one in FEATURES)
    lines += ["]", "", "[project.theme]", 'variant = "modern"', f"features = [{features}]"]
    for scheme, media, icon in (("default", "light", "sun"), ("slate", "dark", "moon")):
        lines += [
            *("", "[[project.theme.palette]]", f'media = "(prefers-color-scheme: {media})"'),
            f'scheme = "{scheme}"',
            f'toggle.icon = "lucide/{icon}"',
            'toggle.name = "Switch between light and dark"',
        ]
    return "\n".join([*lines, ""])


def write(folder: Path) -> None:
    """Write all that the site is built of."""
    urls: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"][
        "urls"
    ]
    pages = folder / "docs"
    written = set(sources.write(pages, urls["Source"]))
    for place, make in reference.PAGES.items():
        (pages / place).parent.mkdir(parents=True, exist_ok=True)
        (pages / place).write_text(make())
        written.add(place)
    (folder / "zensical.toml").write_text(configuration(navigation(written), urls))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)


if __name__ == "__main__":
    main()
