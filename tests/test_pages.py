"""The documentation is true: its commands run, in a fresh folder, and its options exist."""

import re

import pytest

from rootfs_builder.commands import VERBS
from tests import pages
from tests.pages import CHECKOUT, PAGES

HERE = [page for page in PAGES if any(block.where == "" for block in pages.blocks(page))]
OTHERS = {  # of other programs: pip, docker, our own scripts
    *(
        "--cap-add",
        "--chown",
        "--pid",
        "--image",
        "--output-oci",
        "--break-system-packages",
        "--device",
        "--from",
        "--init",
    ),
    *("--engines", "--only", "--quick", "--render", "--without-peer"),
    *("--nodaemonize", "--omit", "--print-module-deps", "--target", "--tmpfs"),
}


@pytest.mark.long
@pytest.mark.parametrize("page", HERE, ids=str)
def test_the_commands_of_a_page_run_in_a_fresh_folder(page, tmp_path):
    pages.Reader(tmp_path).follow(page, {""})


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_block_is_run_or_a_file_or_said_to_be_text(page):
    for block in pages.blocks(page):
        assert block.file or block.where in ("", "engines", "debian") or block.language == "text"
    text = pages.FENCED.sub("", (CHECKOUT / page).read_text())
    assert not re.search(r"(?m)^(    |\t)\S", text), "an indented block, which nobody runs"
    assert "```" not in text


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_to_files_and_headings(page):
    text = pages.FENCED.sub("", (CHECKOUT / page).read_text())
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = (CHECKOUT / page).parent / path if path else CHECKOUT / page
        assert target.exists(), link
        titles = re.findall(r"(?m)^#+ (.*)$", target.read_text()) if heading else []
        assert not heading or heading in {anchor(title) for title in titles}, link


def anchor(title):
    """What GitHub calls a heading in a link."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def test_every_option_that_the_text_names_exists(cli):
    """Those in blocks are shown to exist by running them."""
    helps = "".join(cli(*verb, "--help").stdout for verb in ([], *([verb] for verb in VERBS)))
    for page in PAGES:
        prose = pages.FENCED.sub("", (CHECKOUT / page).read_text())
        named = re.findall(r"(?<![\w-])--[a-z][a-z-]*", prose)
        unknown = {option for option in named if option not in helps} - OTHERS
        assert not unknown, page
