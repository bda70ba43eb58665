"""The site has a page for all there is, and a reference that names all that the program knows."""

import json
import re
import subprocess
import tomllib

import pytest

from rootfs_builder.commands import VERBS
from rootfs_builder.findings import Code
from rootfs_builder.needs import rules
from scripts.website import __main__ as website
from scripts.website import reference
from tests.pages import CHECKOUT


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    website.write(folder)
    return folder


def test_every_page_is_in_the_navigation_once(site):
    nav = tomllib.loads((site / "zensical.toml").read_text())["project"]["nav"]
    named = [
        path for part in nav for pages in part.values() for one in pages for path in one.values()
    ]
    pages = {str(path.relative_to(site / "docs")) for path in (site / "docs").rglob("*.md")}
    assert sorted(named) == sorted(pages)


def test_no_link_leads_out_of_the_site_by_a_relative_path(site):
    for page in (site / "docs").rglob("*.md"):
        for link in re.findall(
            r"\]\(([^)#\s]+)", re.sub(r"(?ms)^```.*?^```$", "", page.read_text())
        ):
            assert "://" in link or (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_reference_of_the_command_line_names_every_option(cli):
    text = reference.cli()
    for verb in VERBS:
        shown = cli(verb, "--help", check=True).stdout
        section = text.split(f"\n## {verb}\n", 1)[1].split("\n## ", 1)[0]
        for option in re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)", shown):
            assert option in section, verb


def test_the_other_references_name_every_key_rule_and_finding():
    schema = json.loads((CHECKOUT / "docs/rootfs.schema.json").read_text())["$defs"]
    text = reference.recipe()
    assert all(f"`{key}`" in text for about in schema.values() for key in about["properties"])
    text = reference.all_rules()
    assert all(f"| `{rule.name}` |" in text for rule in rules.load())
    lines = reference.as_json().splitlines()
    for code in Code:
        assert any(re.match(rf"\| `{code}` \| \w", line) for line in lines), code


def test_the_entry_for_schemastore_has_the_address_of_the_documentation():
    urls = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["urls"]
    entry = json.loads((CHECKOUT / "packaging/schemastore.json").read_text())
    assert entry["url"] == f"{urls['Documentation']}rootfs.schema.json"


@pytest.mark.engines
def test_the_site_is_built_without_a_warning_and_its_search_finds_what_people_look_for():
    subprocess.run([CHECKOUT / "scripts/site"], check=True, capture_output=True)
    found = (CHECKOUT / "build/site/search.json").read_text()
    for words in ("certificate", "venv", "no such file or directory"):
        assert words in found
