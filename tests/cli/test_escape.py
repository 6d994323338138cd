"""Text from outside is printed and written to tables in a form that no terminal or spreadsheet acts on."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.escape import escape_cell, escape_message, escape_name
from tests.cli.prediction.odd_folder import original_name

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        (b"mole 1.jpg", "mole 1.jpg"),
        ("Läsion é 👍🏽 👩‍⚕️.jpg".encode(), "Läsion é 👍🏽 👩‍⚕️.jpg"),
        (b"latin1-\xe4.jpg", r"latin1-\xe4.jpg"),
        (b"new\nline\r\ttab\x1b[2J\x7f.jpg", r"new\x0aline\x0d\x09tab\x1b[2J\x7f.jpg"),
        ("\u202egpj.exe".encode(), r"\xe2\x80\xaegpj.exe"),
        (rb"back\slash \x0a.jpg", r"back\x5cslash \x5cx0a.jpg"),
    ],
)
def test_only_unprintable_characters_and_backslashes_of_a_name_are_escaped(name: bytes, escaped: str) -> None:
    assert escape_name(os.fsdecode(name)) == escaped
    assert original_name(escaped) == name


@given(st.binary(max_size=40))
def test_the_bytes_of_every_name_come_back(name: bytes) -> None:
    for escaped in (escape_name(os.fsdecode(name)), escape_cell(os.fsdecode(name))):
        assert original_name(escaped) == name
        assert not any(char < " " or "\x7f" <= char <= "\x9f" or char in BIDI for char in escaped)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
@pytest.mark.parametrize("before", ["", " ", "'", '"', "a;", "a, ", 'a;"'])
def test_no_cell_starts_a_formula(start: str, before: str) -> None:
    text = f"{before}{start}1+1.jpg"
    escaped = escape_cell(text)
    assert escaped.startswith(rf"{before}\x")
    assert original_name(escaped) == text.encode()


def test_a_cell_that_is_no_formula_stays_as_it_is() -> None:
    for text in ("2024-05-13 10:22:11.jpg", "a=b.jpg", "see_a_doctor", "The picture is damaged. Send another."):
        assert escape_cell(text) == text


def test_a_message_keeps_its_lines_and_backslashes() -> None:
    assert escape_message("C:\\a\nb\x1b[2J\u202e") == "C:\\a\nb\\x1b[2J\\xe2\\x80\\xae"
