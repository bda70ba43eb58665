"""Names that steer a terminal, or that are shown as other ones."""

import pytest

from rootfs_builder.paths import escape_control, parsed, printable

HIDDEN = [
    *map(chr, (0x1B, 0x7F, 0x85, 0x9B, 0xAD, 0x61C, 0xFEFF, 0xE0041)),
    *map(chr, (*range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070))),
]


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda one: f"{ord(one):04x}")
def test_what_is_hidden_is_printed_escaped(hidden):
    name = f"/a{hidden}b"
    shown = printable(name)
    assert shown.isascii()
    assert parsed(shown) == name
    number = ord(hidden)
    code = f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
    assert escape_control(name) == f"/a{code}b"


@pytest.mark.parametrize("text", ["/ä", "/日本", "/ab c", "/שלום", "/\U0001f600"])
def test_letters_of_every_script_are_printed_as_they_are(text):
    assert printable(text) == text
    assert escape_control(text) == text


def test_lines_and_tabs_of_a_message_stay():
    assert escape_control("a\n\tb\x1b") == "a\n\tb\\x1b"


def test_the_end_of_a_line_in_a_path_is_escaped():
    assert printable("a\n\tb") == "a%0A%09b"
