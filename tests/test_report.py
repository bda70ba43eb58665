"""`report`: the page in a real browser, which judges what a person sees and may do with it."""

import html
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest

from tests import browser
from tests.test_bad_images import image, tar

AXE = Path(__file__).parent.parent / ".venv/npm/node_modules/axe-core/axe.min.js"
WIDTHS = (390, 800, 1440)
HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=document.title='owned'>",
    "{{ 7 * 7 }}",
    "'\"><svg onload=document.title='owned'>",
    "a\u202egnp.exe",
    "line\nbreak",
    "percent%41",
    "c++,#1;&=?.so",
)
SOME = """
#include <math.h>
#include <stdlib.h>
int main(int c, char **v) { return (int) cos(c) + mkstemp(v[0]); }
"""


class Reader(HTMLParser):
    """The tags of a page, and what is in its scripts."""

    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.scripts = []
        self._open = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = tag == "script"

    def handle_data(self, data):
        if self._open:
            self.scripts.append(data)
            self._open = False

    @property
    def data(self):
        return json.loads(self.scripts[0])


def paths(data):
    return [row[0] for row in data["files"]]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A tab of a browser of this module's own."""
    if browser.CHROMIUM is None:
        pytest.skip("no chromium")
    with browser.page(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def written(cli, cc, tmp_path):
    """The page of an image of `prog`, which we packed, with what changed since `old.tar`."""
    cc(SOME, name="prog", args=["-lm"])
    (tmp_path / "gone").write_bytes(b"x" * 3000)
    old = ("--add", "gone:/gone", "-e", "OLD=1")
    cli("pack", "prog", "-o", "old.tar", *old, check=True)
    cc(SOME.replace("cos(c)", "cos(c + 1)"), name="prog", args=["-lm"])
    cli("pack", "prog", "-o", "prog.tar", "--without", "temporary", "-e", "NEW=1", check=True)
    cli("report", "prog.tar", "-o", "prog.html", "--against", "old.tar", check=True)
    return tmp_path / "prog.html"


def test_the_page_has_every_path_its_bytes_and_reason(cli, written):
    (seen,) = json.loads(cli("inspect", "prog.tar", "--json", check=True).stdout)
    read = Reader(written.read_text())
    want = [one["path"] for one in seen["entries"] if one["kind"] != "dir"]
    assert [path for path in paths(read.data) if path in want] == want
    sizes = {row[0]: row[2] for row in read.data["files"]}
    assert sum(sizes.values()) == seen["totals"]["bytes"]
    for key in ("package", "reason", "layer", "directory", "change"):
        (groups,) = (one["groups"] for one in read.data["maps"] if one["key"] == key)
        assert sum(group[1] for group in groups) == seen["totals"]["bytes"]


def test_the_page_says_what_diff_says(cli, written):
    done = cli("diff", "old.tar", "prog.tar", "--json")
    told = json.loads(done.stdout)
    text = written.read_text()
    section = text[text.index('<section id="changes"') : text.index('<section id="files"')]
    shown = re.findall(r"<tr>(.*?)</tr>", section)
    for one in (*told["added"], *told["removed"], *told["changed"]):
        if one.get("kind") != "dir":
            assert [row for row in shown if f">{one['path']}<" in row], one
    assert "config.Env.OLD" in section
    assert "config.Env.NEW" in section
    (row,) = (row for row in shown if ">/gone<" in row)
    assert ">removed<" in row
    assert ">3.0 kB<" in row
    assert ">-3.0 kB<" in row
    (groups,) = (one["groups"] for one in Reader(text).data["maps"] if one["key"] == "change")
    assert {group[0] for group in groups} == {"changed", "unchanged"}


def test_against_the_same_image_nothing_differs(cli, written):
    cli("report", "prog.tar", "-o", "same.html", "--against", "prog.tar", check=True)
    assert "Nothing differs." in (written.parent / "same.html").read_text()
    missing = cli("report", "prog.tar", "-o", "x.html", "--against", "no.tar")
    assert missing.returncode == 3
    assert missing.stderr.startswith("rootfs-builder: no.tar: no such file")


def test_an_image_of_another_tool_has_its_layers_and_its_own_packages(cli, tmp_path):
    status = "Package: thing\nStatus: install ok installed\nVersion: 1.2\nArchitecture: all\n"
    layer = tar(
        ("usr/bin/thing", b"x" * 100),
        ("var/lib/dpkg/status", status.encode()),
        ("var/lib/dpkg/info/thing.list", b"/usr/bin/thing\n"),
    )
    (tmp_path / "x.tar").write_bytes(image(layer))
    done = cli("report", "x.tar", "-o", "x.html", check=True)
    assert done.stderr.startswith("x.html: ")
    data = Reader((tmp_path / "x.html").read_text()).data
    assert [one["key"] for one in data["maps"]] == ["package", "directory", "layer"]
    assert [row[:2] for row in data["packages"]] == [["thing", "1.2"]]
    assert "is absent" in data["absent"]


def test_names_in_an_image_are_text_and_nothing_else(cli, tmp_path):
    layer = tar(*((name, name.encode()) for name in HOSTILE))
    config = {"Env": [f"NAME={HOSTILE[0]}"], "Labels": {HOSTILE[1]: HOSTILE[3]}}
    (tmp_path / "x.tar").write_bytes(image(layer, config=config))
    cli("report", "x.tar", "-o", "x.html", check=True)
    text = (tmp_path / "x.html").read_text()
    read = Reader(text)
    assert [tag for tag, _ in read.tags].count("script") == 2
    assert not {tag for tag, _ in read.tags} & {"img", "svg", "iframe", "object"}
    assert not [key for _, attrs in read.tags for key in attrs if key.startswith("on")]
    assert "\u202e" not in text
    assert f"/{HOSTILE[2]}" in paths(read.data)
    assert f"NAME={HOSTILE[0]}" in html.unescape(text)


@pytest.mark.engines
def test_a_hostile_name_does_nothing_in_a_browser(cli, page, tmp_path):
    names = [name for name in HOSTILE if "/" not in name]
    layer = tar(*((f"{number}/{name}", b"x" * 5000) for number, name in enumerate(names)))
    (tmp_path / "x.tar").write_bytes(image(layer))
    cli("report", "x.tar", "-o", "x.html", check=True)
    show(page, tmp_path / "x.html")
    shown = page.evaluate("[...document.querySelectorAll('#rows button')].map(e => e.textContent)")
    assert "/0/<img src=x onerror=document.title='owned'>" in shown
    for number in range(len(names)):
        page.click(f"#rows tr:nth-child({number + 1}) button")
        path = page.evaluate("document.querySelector('#details .path').textContent")
        page.open("about:blank")
        show(page, tmp_path / "x.html", f"#{quote(path)}")
        assert page.evaluate("document.querySelector('#details .path').textContent") == path
    assert page.evaluate("document.title") == "x.tar · image report"
    assert page.complaints == []


def show(page, path, fragment=""):
    """Open a page, and see that it asks for nothing else."""
    page.open(f"file://{path}{fragment}")
    assert page.requests == [f"file://{path}"]
    assert page.complaints == []


def serious(page):
    """What axe-core finds, as (its rule, where)."""
    assert AXE.exists(), "scripts/test --engines installs it"
    page.evaluate(AXE.read_text() + "; 0")
    found = page.evaluate("axe.run().then(run => run.violations)")
    return [
        (one["id"], node["html"])
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def chain(page):
    return page.evaluate("[...document.querySelectorAll('.chain .path')].map(e => e.textContent)")


@pytest.mark.engines
def test_a_click_on_a_file_shows_the_chain_of_why(cli, page, written):
    show(page, written)
    libm = page.evaluate(
        "(e => e.dataset.file)([...document.querySelectorAll('.tile')]"
        ".find(e => e.textContent.startsWith('libm.so')))"
    )
    page.click(f'.tile[data-file="{libm}"]')
    path = page.evaluate("decodeURI(location.hash.slice(1))")
    told = json.loads(cli("why", "prog.tar", path, "--json", "-q", check=True).stdout)
    assert chain(page) == [one["path"] for one in told["chain"]]
    assert chain(page)[-1] == "/usr/local/bin/prog"
    page.click(".chain button")
    assert chain(page) == ["/usr/local/bin/prog"]
    assert (
        page.evaluate(
            "new Promise(done => { addEventListener('hashchange', () => done("
            "document.querySelector('#details .path').textContent)); history.back(); })"
        )
        == told["path"]
    )


@pytest.mark.engines
def test_a_link_to_a_file_selects_it(cli, page, written):
    (seen,) = json.loads(cli("inspect", "prog.tar", "--json", check=True).stdout)
    for one in seen["entries"]:
        if one["kind"] != "dir":
            show(page, written, f"#{quote(one['path'])}")
            told = json.loads(cli("why", "prog.tar", one["path"], "--json", "-q").stdout)
            assert len(chain(page)) == len(told["chain"])
            assert chain(page)[0] == one["path"]
            page.open("about:blank")


@pytest.mark.engines
def test_the_keyboard_reaches_every_tile_and_opens_a_group(page, written):
    page.size(1440)
    show(page, written)
    page.evaluate("document.querySelector('#map [tabindex=\"0\"]').focus()")
    before = page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.press("Home", 36)
    page.press("ArrowDown", 40)
    page.press("ArrowRight", 39)
    assert page.evaluate("document.activeElement.closest('#map') !== null")
    assert page.evaluate("document.querySelectorAll('#map [tabindex=\"0\"]').length") == 1
    assert page.evaluate("document.activeElement.textContent") != before
    page.evaluate("document.querySelector('.head').focus()")
    page.press("Enter", 13, "\r")
    assert page.evaluate("document.querySelectorAll('.group').length") == 1
    page.press("Escape", 27)
    assert page.evaluate("document.querySelectorAll('.group').length") > 1


@pytest.mark.engines
def test_another_width_does_not_take_the_focus_away(page, written):
    page.size(1440)
    show(page, written)
    page.evaluate("document.querySelector('#map [tabindex=\"0\"]').focus()")
    for width in (900, 600, 1200):
        page.size(width)
        drawn = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        page.evaluate(f"{drawn}.then(() => 0)")
        assert page.evaluate("document.activeElement.closest('#map') !== null"), width


@pytest.mark.engines
def test_the_search_finds_files_and_dims_the_others(page, written):
    show(page, written)
    page.evaluate(
        "(e => { e.value = 'libm.so'; e.dispatchEvent(new Event('input')); })"
        "(document.querySelector('#search'))"
    )
    rows = page.evaluate("[...document.querySelectorAll('#rows button')].map(e => e.textContent)")
    assert rows
    assert all("libm.so" in one for one in rows)
    assert page.evaluate("document.querySelectorAll('.tile.dim').length") > 0
    assert page.evaluate("document.querySelectorAll('.tile:not(.dim)').length") == 1


@pytest.mark.engines
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, written, scheme):
    page.scheme(scheme)
    for width in WIDTHS:
        page.size(width)
        show(page, written)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert serious(page) == []


@pytest.mark.engines
def test_axe_finds_nothing_serious_of_an_image_of_others(cli, page, tmp_path):
    (tmp_path / "x.tar").write_bytes(image(tar(*((f"d/{one}", b"x" * one) for one in range(300)))))
    cli("report", "x.tar", "-o", "x.html", check=True)
    page.size(800)
    show(page, tmp_path / "x.html")
    assert serious(page) == []


@pytest.mark.engines
def test_five_thousand_files_are_shown_in_less_than_a_second(cli, page, tmp_path):
    """Of the browser's CPU time, which a busy machine does not stretch as it does the clock's."""
    files = ((f"usr/share/{one % 70}/file-{one}", b"x" * (one * 7 % 9000)) for one in range(5000))
    (tmp_path / "x.tar").write_bytes(image(tar(*files)))
    cli("report", "x.tar", "-o", "x.html", check=True)
    page.size(1440)
    times = []
    for _ in range(3):
        page.open("about:blank")
        before = page.busy
        show(page, tmp_path / "x.html")
        page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        assert page.evaluate("document.querySelectorAll('.tile').length") > 300
        times.append(page.busy - before)
    assert 0 < min(times) < 1


@pytest.mark.engines
def test_the_page_of_ffmpeg_is_small(cli, tmp_path):
    cli("pack", shutil.which("ffmpeg"), "-o", "ffmpeg.tar", check=True)
    cli("report", "ffmpeg.tar", "-o", "ffmpeg.html", check=True)
    assert (tmp_path / "ffmpeg.html").stat().st_size < 500_000


def test_of_several_images_one_is_named(cli, tmp_path):
    each = [{"Config": f"{cpu}.json", "Layers": ["l.tar"]} for cpu in ("amd64", "arm64")]
    configs = {cpu: json.dumps({"os": "linux", "architecture": cpu}) for cpu in ("amd64", "arm64")}
    archive = tar(
        ("manifest.json", json.dumps(each).encode()),
        *((f"{cpu}.json", text.encode()) for cpu, text in configs.items()),
        ("l.tar", tar(("file", b"x"))),
    )
    (tmp_path / "x.tar").write_bytes(archive)
    done = cli("report", "x.tar", "-o", "x.html")
    assert done.returncode == 2
    assert "2 images are in it, for linux/amd64, linux/arm64" in done.stderr
    assert not (tmp_path / "x.html").exists()
    page = cli("report", "x.tar", "-o", "-", "--platform", "linux/arm64", check=True).stdout
    assert "linux/arm64" in page
    assert cli("report", "x.tar", "-o", "-", "--platform", "linux/s390x").returncode == 2
