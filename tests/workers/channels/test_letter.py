"""The letter channel: a message is a piece of the open run, once; what can't be printed is known before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from engine.db import Database, table
from engine.links import Links
from engine.outgoing import Outgoing, Paper
from engine.settings import Settings
from engine.tables import Letter, PrintRun, TemplateVersion
from engine.templating.checking import SAMPLE
from engine.templating.templates import Templates
from workers.channels import LetterChannel

Compose = Callable[..., Outgoing]


@pytest.fixture
def letter(settings: Settings, templates: Templates, links: Links) -> LetterChannel:
    return LetterChannel(settings, templates, links)


def test_a_letter_is_kept_once_in_the_run_that_is_open(
    letter: LetterChannel, compose: Compose, db: Database, links: Links
) -> None:
    outgoing = compose(letter, "win/note")
    with db.write() as conn:
        letter.keep(conn, [outgoing])
        letter.keep(conn, [outgoing])
        letter.keep(conn, [])
    with db.read() as conn:
        (row,) = conn.execute(select(table(Letter))).all()
        (run,) = conn.execute(select(table(PrintRun))).all()
        (version,) = conn.execute(select(table(TemplateVersion))).all()
    assert (row.key, row.code, row.status, row.run) == ("7-1-0", links.code("7-1-0"), "open", "2026-03-01-1600")
    assert row.lines == ["Camille Martin", "12 avenue de la République", "75011 PARIS"]
    assert (row.country, row.postcode, row.missing) == ("FR", "75011", "")
    assert (run.name, run.status, run.cut_off_at) == (row.run, "open", datetime(2026, 3, 1, 15, tzinfo=UTC))
    assert version.hash == row.template_hash
    assert "Dear #customer.first_name" in version.source


def test_S3_no_postal_address_is_none_and_says_why(letter: LetterChannel) -> None:
    assert isinstance(letter, Paper)
    place = letter.address(SAMPLE) or ""
    assert place.startswith("sample @")
    assert letter.address(replace(SAMPLE, address=f" {SAMPLE.address} ".upper())) == place, (
        "as it is written matters not"
    )
    assert letter.address(replace(SAMPLE, city="Elsewhere")) != place
    assert letter.lacks(SAMPLE) == ""
    assert letter.address(replace(SAMPLE, postcode=None)) is None
    assert letter.lacks(replace(SAMPLE, postcode=None)) == "there is no postcode"


def test_a_proof_names_the_letters_that_cant_be_printed(
    letter: LetterChannel, compose: Compose, templates: Templates
) -> None:
    (templates.folder / "win" / "pets.en.typ").write_text("= Pets\n\nFor #customer.pets.at(0)\n", "utf-8")
    kept = replace(SAMPLE, attributes={"pets": ["Rex"]})
    good = [compose(letter, "win/pets", f"{number}-1-0", recipient=kept) for number in range(5)]
    bad = [
        compose(letter, "win/pets", f"9-{number}-0", recipient=replace(SAMPLE, attributes={"pets": []}))
        for number in (1, 2)
    ]
    assert letter.proof(good) == {}
    wrong = letter.proof([*good[:2], bad[0], *good[2:], bad[1]])
    assert set(wrong) == {"9-1-0", "9-2-0"}
    assert wrong["9-1-0"].startswith("win/pets.en.typ:3: array index out of bounds")
