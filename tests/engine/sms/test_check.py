"""What is said of text messages before one is sent: letters with their places, pictures, prices."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsl.problems import render
from engine.settings import Settings
from engine.sms.check import sms_costs, sms_problems, sms_remarks
from engine.templating.checking import Use
from engine.templating.templates import Templates

USES = [Use("tea/hello", "sms"), Use("tea/mail", "email")]


def templates(folder: Path, text: str, language: str = "en") -> Templates:
    (folder / "tea").mkdir(exist_ok=True)
    (folder / "tea" / f"hello.{language}.txt").write_text(text, "utf-8")
    return Templates(folder)


def test_each_letter_that_gsm_lacks_is_told_once_with_its_place(tmp_path: Path) -> None:
    text = (
        "{# ça ne compte pas #}\n"
        '{% if customer.first_name %}L’été est là – enfin… {{ "Ça va" }}{% endif %}\n'
        "La fête, la fête 🦊 c`est ici {{ 'bientôt' }}, venez nous voir en passant\n"
    )
    found = sms_remarks(templates(tmp_path, text), USES)
    assert [(each.line, each.source[each.column - 1], each.help) for each in found] == [
        (3, "ê", "write e"),
        (3, "🦊", "leave it out"),
        (3, "`", "write '"),
        (3, "ô", "write o"),
    ]
    told = render(found[0])
    assert told.startswith("warning: 'ê' is no letter of GSM's alphabet: with it a text message has 70 characters")
    assert "hello.en.txt:3:5\n" in told
    assert "it is sent, and paid, as 2 messages; without such letters as 1" in told


def test_a_plain_text_is_remarked_on_by_nobody(tmp_path: Path) -> None:
    made = templates(tmp_path, "Déjà vu à la crème? Ça va: {{ customer.first_name }} — “100 €”\n")
    assert sms_remarks(made, USES) == []
    assert sms_problems(made, USES) == []


@pytest.mark.parametrize(
    ("media", "says"),
    [
        ("leaf.jpg", None),
        ("https://cdn.example/leaf.jpg", None),
        ("{{ brand.url }}/leaf.jpg", None),
        ("none.jpg", "there is no picture 'tea/none.jpg'"),
        ("large.jpg", "has 5,000,001 bytes; carriers take 5,000,000"),
        ("leaf.pdf", "no picture's file"),
    ],
)
def test_a_picture_must_be_there_and_not_too_large(tmp_path: Path, media: str, says: str | None) -> None:
    made = templates(tmp_path, f"---\nmedia: {media}\n---\nTea\n")
    (tmp_path / "tea" / "leaf.jpg").write_bytes(b"x")
    (tmp_path / "tea" / "large.jpg").write_bytes(b"x" * 5_000_001)
    found = sms_problems(made, USES)
    assert [error.code for error in found] == ([] if says is None else ["J160"])
    if says is not None:
        assert says in found[0].message
        assert found[0].line == 2


def test_costs_are_by_where_a_text_goes(tmp_path: Path) -> None:
    made = templates(tmp_path, "---\nmedia: https://cdn.example/leaf.jpg\n---\nTea, {{ customer.first_name }}\n")
    templates(tmp_path, "Fête " * 20, "fr")
    settings = Settings(data=tmp_path, sms_prices="49=7500", sms_mms="1=2000")

    def told(number: str) -> list[tuple[str, int, str, int, int]]:
        costs = sms_costs(settings, made, USES, number)
        return [(each.file[-6:-4], each.characters, each.alphabet, each.segments, each.cost) for each in costs]

    assert told("+33") == [("en", 41, "GSM-7", 1, 4500), ("fr", 99, "UCS-2", 2, 9000)]
    assert told("+4915123456789") == [("en", 41, "GSM-7", 1, 7500), ("fr", 99, "UCS-2", 2, 15_000)]
    assert told("+12125550123") == [("en", 12, "GSM-7", 0, 2000), ("fr", 99, "UCS-2", 2, 9000)]


def test_a_template_that_is_broken_is_left_to_the_check_of_templates(tmp_path: Path) -> None:
    for text in ("{% if %}", "{{ nobody }}", "---\npicture: x\n---\nTea"):
        made = templates(tmp_path, text)
        assert sms_costs(Settings(data=tmp_path), made, USES, "+33") == []
        assert sms_remarks(made, USES) == []
        assert sms_problems(made, USES) == []
