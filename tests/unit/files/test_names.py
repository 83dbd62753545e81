"""A name is made safe for keys, disks and headers, and stays recognisable."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.files import NAME_BYTES, sanitise_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("result.json", "result.json"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\Users\\x\\a.txt", "a.txt"),
        ("/", "file"),
        ("..", "file"),
        ("...", "file"),
        ("", "file"),
        (" \n\t", "file"),
        (".env", "env"),
        (".hidden.json", "hidden.json"),
        ("a\x00b\x1b.json", "a b .json"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("zero\u200bwidth\ufeff.txt", "zerowidth.txt"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("com1.tar.gz", "_com1.tar.gz"),
        ("LPT¹.txt", "_LPT¹.txt"),
        ("console.txt", "console.txt"),
        ('a<b>:c|d?e*f".txt', "a_b__c_d_e_f_.txt"),
        ("trailing.txt. . ", "trailing.txt"),
        ("  two   spaces .txt", "two spaces .txt"),
        ("cafe\u0301.txt", "café.txt"),
        ("отчёт 2026.json", "отчёт 2026.json"),
        ("emoji 👍🏽.png", "emoji 👍🏽.png"),
        ("half \ud83d.png", "half .png"),
        ("folder/", "folder"),
        ("a\uff0fb\uff3cc.txt", "a_b_c.txt"),
        ("a\u2044b\u2215c\uff1ad.txt", "a_b_c_d.txt"),
        ("\u2025", "file"),
        ("\uff0e\uff0e\u2026secret.txt", "secret.txt"),
        ("report….pdf", "report….pdf"),
        ("in\u00advi\u034fsi\u061cble\u3164.txt", "invisible.txt"),
        ("tagged\U000e0041\U000e0042.txt", "tagged.txt"),
        ("sun ☀\ufe0f.png", "sun ☀\ufe0f.png"),
        ("\ufe52\u200b..\u202e/..", "file"),
    ],
)
def test_a_name_is_made_safe_and_stays_recognisable(name: str, safe: str) -> None:
    assert sanitise_name(name) == safe


@pytest.mark.parametrize("unit", ["a", "é", "ж", "漢", "👍", "e\u0301", ". ", "../", "CON."])
@pytest.mark.parametrize("ending", [".json", ".tar.gz", "", ".", "." + "x" * 300, ".ж" * 150])
def test_any_name_becomes_a_short_safe_one_for_good(unit: str, ending: str) -> None:
    for count in (1, 99, 100, 195, 500):
        safe = sanitise_name(unit * count + ending)
        assert 0 < len(safe.encode()) <= NAME_BYTES
        assert not set(safe) & set('/\\<>:"|?*\0')
        assert not safe.startswith((".", " "))
        assert not safe.endswith((".", " "))
        assert unicodedata.normalize("NFC", safe) == safe
        assert sanitise_name(safe) == safe
        if ending == ".json":
            assert safe.endswith("json")


TRICKS = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            [
                "../",
                "..\\",
                "/",
                "C:",
                "\0",
                "con",
                "\u202e",
                "\u2025",
                "\uff0f",
                ".",
                " ",
                "\ufeff",
                "e\u0301",
                "\U000e0041",
            ]
        ),
    ),
    max_size=40,
).map("".join)


@given(TRICKS, st.integers(min_value=16, max_value=300))
def test_no_name_leads_out_of_its_folder_whatever_it_is_normalised_to(name: str, most: int) -> None:
    safe = sanitise_name(name, most)
    assert 0 < len(safe.encode()) <= most
    assert sanitise_name(safe, most) == safe
    assert unicodedata.normalize("NFC", safe) == safe
    for form in (safe, unicodedata.normalize("NFKC", safe), unicodedata.normalize("NFKD", safe)):
        assert not set(form) & set('/\\<>:"|?*\0')
        assert form.strip(" ") not in {"", ".", ".."}
        assert not form.startswith(".")
    assert not [char for char in safe if unicodedata.category(char) in {"Cc", "Cs"}]
    assert not [char for char in safe if unicodedata.bidirectional(char) in BIDI_CONTROLS]


BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
