"""Letters in the outbox: the files, the manifest, the rows."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest
from sqlalchemy import select

from engine.checking import SAMPLE
from engine.db import Database, table
from engine.links import Links
from engine.outgoing import Outgoing, Receipt
from engine.settings import Settings
from engine.tables import Letter
from engine.templates import Templates
from workers.channels import LetterChannel
from workers.channels.letter import MANIFEST

Compose = Callable[..., Outgoing]


@pytest.fixture
def letter(settings: Settings, templates: Templates, links: Links) -> LetterChannel:
    return LetterChannel(settings, templates, links)


async def send(channel: LetterChannel, run: str, *outgoing: Outgoing) -> list[Receipt]:
    async with channel.batch(run) as hand_over:
        return list(await asyncio.gather(*(hand_over(each) for each in outgoing)))


def manifest(settings: Settings, run: str) -> list[dict[str, str]]:
    with (settings.data / "outbox" / run / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        assert tuple(rows.fieldnames or ()) == MANIFEST
        return list(rows)


async def test_K5_a_run_has_a_file_and_a_row_for_each_letter_once(
    letter: LetterChannel, settings: Settings, compose: Compose
) -> None:
    pieces = [compose(letter, "win/note", f"{number}-1-0") for number in range(5)]
    assert all(receipt.status == "sent" for receipt in await send(letter, "spring", *pieces))
    before = (settings.data / "outbox" / "spring" / "manifest.csv").read_bytes()
    repeated = await send(letter, "spring", pieces[0], compose(letter, "win/note", "4-1-0"))
    assert [receipt.status for receipt in repeated] == ["sent", "sent"]
    assert (settings.data / "outbox" / "spring" / "manifest.csv").read_bytes() == before
    rows = manifest(settings, "spring")
    assert [row["sequence"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert {row["letter_id"] for row in rows} == {piece.key for piece in pieces}
    for row in rows:
        pdf = (settings.data / "outbox" / "spring" / row["file"]).read_bytes()
        assert sha256(pdf).hexdigest() == row["sha256"]
        assert (row["line_1"], row["line_3"], row["line_4"], row["pages"]) == ("Camille Martin", "75011 PARIS", "", "1")
        assert (row["country"], row["mail_class"]) == ("FR", "domestic")
    assert not list((settings.data / "outbox" / "spring").glob("*.part"))


async def test_a_row_is_kept_with_the_run_of_its_batch(
    letter: LetterChannel, compose: Compose, db: Database, links: Links
) -> None:
    outgoing = compose(letter, "win/note")

    def keep() -> None:
        with db.write() as conn:
            letter.keep(conn, [outgoing])

    async with letter.batch("win back/../x"):
        await asyncio.to_thread(keep)
        await asyncio.to_thread(keep)
    with db.read() as conn:
        (row,) = conn.execute(select(table(Letter))).all()
    assert (row.key, row.code, row.file) == ("7-1-0", links.code("7-1-0"), "7-1-0.pdf")
    assert row.run == "win-back-..-x"
    assert row.lines == ["Camille Martin", "12 avenue de la République", "75011 PARIS"]
    assert row.sha256 == sha256(outgoing.content.pdf).hexdigest()


async def test_a_cell_is_no_formula_and_abroad_is_international(
    letter: LetterChannel, settings: Settings, compose: Compose
) -> None:
    her = replace(SAMPLE, first_name="=HYPERLINK(1)", country="DE")
    await send(letter, "run", compose(letter, "win/note", recipient=her))
    (row,) = manifest(settings, "run")
    assert row["line_1"] == "'=HYPERLINK(1) Martin"
    assert (row["mail_class"], row["line_4"]) == ("international", "GERMANY")


async def test_an_outbox_that_can_not_be_written_defers(
    letter: LetterChannel, settings: Settings, compose: Compose
) -> None:
    settings.data.mkdir(parents=True, exist_ok=True)
    (settings.data / "outbox").write_text("in the way")
    (receipt,) = await send(letter, "run", compose(letter, "win/note"))
    assert receipt.status == "deferred"


def test_S3_no_postal_address_is_none(letter: LetterChannel) -> None:
    assert letter.address(SAMPLE) == "sample"
    assert letter.address(replace(SAMPLE, postcode=None)) is None


async def test_a_row_that_a_crash_tore_is_taken_off_and_the_run_goes_on(
    letter: LetterChannel, settings: Settings, compose: Compose
) -> None:
    await send(letter, "spring", compose(letter, "win/note", "1-1-0"))
    file = settings.data / "outbox" / "spring" / "manifest.csv"
    file.write_bytes(file.read_bytes() + b"2,2-1-0,2-1-0.pdf,1,Cami")
    await send(letter, "spring", compose(letter, "win/note", "2-1-0"))
    assert [(row["sequence"], row["letter_id"]) for row in manifest(settings, "spring")] == [
        ("1", "1-1-0"),
        ("2", "2-1-0"),
    ]
