"""A report → its page: one HTML file that asks nobody for anything.

The markup is a jinja2 template that escapes all it is given; files and treemaps are JSON in it, of
which the script makes text nodes alone. A Content-Security-Policy allows this style and this script
by their digests, and nothing else: what an image could smuggle into the page would neither run nor
load.
"""

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup
from msgspec import Struct, json

from rootfs_builder.paths import escape_control
from rootfs_builder.version import __version__
from rootfs_builder.views import summary
from rootfs_builder.views.report import File, Map, PackageRow, Report

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Data(Struct, frozen=True):
    """What the script reads."""

    files: tuple[File, ...]
    packages: tuple[PackageRow, ...]
    texts: tuple[str, ...]
    layers: tuple[str, ...]
    maps: tuple[Map, ...]
    absent: str


def html(report: Report) -> bytes:
    """The page in UTF-8."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: escape_control(value) if type(value) is str else value,
    )
    environment.filters["bytes"] = summary.size
    environment.filters["growth"] = _growth
    environment.filters["direction"] = lambda count: "more" if count > 0 else "less"
    style, script = _asset("page.css"), _asset("page.js")
    text = environment.get_template("page.html").render(
        report=report,
        version=__version__,
        style=_verbatim(style),
        script=_verbatim(script),
        data=_verbatim(_data(report)),
        policy=_policy({"style-src": style, "script-src": script}),
    )
    return text.encode(errors="replace")


def _growth(count: int) -> str:
    """A number of bytes that there are more, or less: `+1.4 MB`."""
    sign = "+" if count > 0 else "-" if count < 0 else "±"
    return f"{sign}{summary.size(abs(count))}"


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _verbatim(text: str) -> Markup:
    """A text that is markup already: our own, or what `_data` has escaped."""
    return Markup(text)  # noqa: S704 - nothing of an image is in it


def _data(report: Report) -> str:
    """JSON that no parser of HTML takes for the end of the script that holds it."""
    data = _Data(
        files=report.files,
        packages=report.packages,
        texts=report.texts,
        layers=tuple(escape_control(one.created_by) for one in report.layers),
        maps=report.maps,
        absent=report.absent,
    )
    return json.encode(data).decode().replace("<", "\\u003c")


def _policy(allowed: "Mapping[str, str]") -> str:
    """The Content-Security-Policy (CSP3, 6.7.2.3) that allows these texts in the page."""
    words = ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "img-src data:"]
    for key, text in allowed.items():
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        words.append(f"{key} 'sha256-{digest}'")
    return "; ".join(words)
