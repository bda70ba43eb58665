"""What a check has found → SARIF 2.1.0, as code hosts show it, and JUnit's XML, as CI does.

A file of the image is a URI below the base IMAGE; what is about the image as a whole is at its
archive. In JUnit a rule is a test.
"""

import re
from xml.etree import ElementTree as ET

from msgspec import json

from rootfs_builder.paths import encode, parsed
from rootfs_builder.version import __version__
from rootfs_builder.views.policy.checking import Checked, Violation

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_BASE = "IMAGE"
_UNRESERVED = re.compile(rb"[^A-Za-z0-9/._~-]")
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def sarif(found: Checked) -> bytes:
    """The SARIF log."""
    numbers = {one.name: number for number, one in enumerate(found.rules)}
    log = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "rootfs-builder",
                        "version": __version__,
                        "rules": [
                            {"id": one.name, "shortDescription": {"text": one.because}}
                            for one in found.rules
                        ],
                    }
                },
                "originalUriBaseIds": {_BASE: {"description": {"text": "The image's root."}}},
                "results": [
                    {
                        "ruleId": one.rule,
                        "ruleIndex": numbers[one.rule],
                        "level": "error",
                        "message": {"text": one.reason},
                        "locations": [{"physicalLocation": {"artifactLocation": _at(found, one)}}],
                    }
                    for one in found.violations
                ],
            }
        ],
    }
    return json.format(json.encode(log), indent=2) + b"\n"


def _at(found: Checked, one: Violation) -> dict[str, str]:
    if not one.path:
        return {"uri": _uri(found.image)}
    return {"uri": _uri(one.path.lstrip("/")), "uriBaseId": _BASE}


def _uri(path: str) -> str:
    """A path as a relative URI (RFC 3986); a colon would end a scheme."""
    return _UNRESERVED.sub(lambda one: b"%%%02X" % one[0][0], encode(parsed(path))).decode()


def junit(found: Checked) -> bytes:
    """The XML document of one test suite."""
    broken = {one.rule for one in found.violations}
    suite = ET.Element(
        "testsuite",
        name=_xml(found.image),
        tests=str(len(found.rules)),
        failures=str(len(broken)),
        errors="0",
    )
    for rule in found.rules:
        case = ET.SubElement(suite, "testcase", classname="policy", name=_xml(rule.name))
        lines = [str(one) for one in found.violations if one.rule == rule.name]
        if lines:
            failure = ET.SubElement(case, "failure", message=_xml(rule.because))
            failure.text = _xml("\n".join(lines))
    ET.indent(suite)
    return bytes(ET.tostring(suite, encoding="utf-8", xml_declaration=True)) + b"\n"


def _xml(text: str) -> str:
    """A text without the characters that no XML document may have."""
    return _NO_XML.sub("\ufffd", text)
