"""Letters a second: the engine's whole way, from the batch to the files of a run, against bare Typst; alternating in one run.

Bare Typst is what a script would do: one compilation for each letter, of the
same template, the data prepared before the clock starts, each PDF written to a folder. Ours is everything: customers read,
letters composed (with their QR codes), tried, gated and kept on SQLite; then the run closed, set, written with its manifest
and handed over. Seconds are of processor time; quote the ratio, not the letters: machines are noisy.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typst
from sqlalchemy import insert

from dsl.ir import IR, After, Arrow, Entry, State
from dsl.step import chart
from engine.db import Database, chunked, table
from engine.enrolments import Applicant, enter
from engine.journeys import publish, switch
from engine.letters.composing import Letters
from engine.letters.glyphs import FONTS
from engine.letters.typesetting import Piece, program
from engine.links import Links
from engine.outgoing import Recipient
from engine.settings import Settings
from engine.steps import people
from engine.tables import Consent, Customer
from engine.templating.templates import Templates
from workers.batch import Batch, Item
from workers.channels import LetterChannel
from workers.printing import Printing
from workers.sending import Sending

__all__ = ["measure"]

LETTERS = 500
OPENING = datetime(2026, 3, 2, 9, tzinfo=UTC)
TEMPLATE = "win_back/voucher"
JOURNEYS = Path(__file__).parents[1] / "journeys"


def one_letter() -> IR:
    """A letter, and a wait."""
    arrows = (Arrow(After(1_209_600), "done"),)
    states = (State("letter", "letter", arrows, template=TEMPLATE), State("done", "final"))
    return IR(name="paper", title="Paper", purpose="marketing", entry=Entry("api"), states=states)


def customers(count: int) -> list[dict[str, Any]]:
    """Customers with addresses of their own."""
    return [
        {
            "id": f"c{number}", "first_name": f"Ada {number}", "last_name": "Lefèvre", "address": f"{number} rue des Lilas",
            "postcode": f"{10_000 + number:05}", "city": "Lyon", "country": "FR", "language": "en", "attributes": {},
            "created_at": OPENING, "updated_at": OPENING,
        }
        for number in range(count)
    ]  # fmt: skip


def at(settings: Settings, moment: datetime) -> Settings:
    """The settings with the clock set."""
    return settings.model_copy(update={"time_real_origin": datetime.now(UTC), "time_origin": moment})


async def ours(folder: Path, count: int) -> float:
    """Letters a second of the engine."""
    settings = Settings(data=folder, journeys=JOURNEYS)
    database = Database(settings.database_url)
    database.migrate()
    ir = one_letter()
    word = {"channel": "letter", "purpose": "marketing", "granted": True, "at": OPENING, "source": "bench"}
    rows = customers(count)
    with database.write() as conn:
        conn.execute(insert(table(Customer)), rows)
        conn.execute(insert(table(Consent)), [word | {"customer_id": row["id"]} for row in rows])
        publish(conn, ir, "benchmark", OPENING)
        switch(conn, ir.name, True, "benchmark", "", OPENING)
        enter(conn, ir, [Applicant(row["id"], f"api:{row['id']}", None, OPENING) for row in rows], OPENING)
    opened = at(settings, OPENING)
    links = Links(settings.public_url, settings.signing_key())
    channel = LetterChannel(opened, Templates.of(opened), links)
    sending = Sending(opened, database, {"letter": channel})
    begun = time.process_time()
    for numbers in chunked(range(1, count + 1), settings.batch_size):
        items = tuple(Item(number, 1, ()) for number in numbers)
        with database.read() as conn:
            who = people(conn, list(numbers))
        await sending.send(Batch(ir.hash, "send", 0, (), items, opened.clock.now_ms()), chart(ir), who)
    await Printing(at(settings, OPENING + timedelta(days=1)), database).round()
    seconds = time.process_time() - begun
    (manifest,) = (folder / "outbox").glob("*/manifest.csv")
    made = len(manifest.read_text("utf-8").splitlines()) - 1
    database.close()
    if made != count:
        raise RuntimeError(f"{made} letters were printed, not {count}")
    return count / seconds


def bare(folder: Path, count: int) -> float:
    """Letters a second of Typst alone."""
    templates = Templates(JOURNEYS)
    letters = Letters(templates, Links("http://127.0.0.1:8000", b"a key"), ["Parcours", "1 rue du Parcours"])
    template = templates.find(TEMPLATE, "letter", "en")
    prepared: list[tuple[bytes, dict[str, str]]] = []
    for row in customers(count):
        names = {name: value for name, value in row.items() if name in Recipient.__dataclass_fields__}
        content = letters.compose(Recipient(zone="UTC", **names), TEMPLATE, f"{row['id']}-1-0", {"now": OPENING})
        prepared.append(program(Piece(template, content.data or {})))
    compiler = typst.Compiler(font_paths=[FONTS], ignore_system_fonts=True)
    begun = time.process_time()
    for number, (source, inputs) in enumerate(prepared):
        pdf = compiler.compile(
            source, format="pdf", pdf_standards="a-2b", root=JOURNEYS, timestamp=OPENING, sys_inputs=inputs
        )
        (folder / f"{number}.pdf").write_bytes(pdf if isinstance(pdf, bytes) else b"")
    return count / (time.process_time() - begun)


def measure(rounds: int) -> Mapping[str, Any]:
    """Alternate the two; medians."""
    mine: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            mine.append(asyncio.run(ours(Path(folder), LETTERS)))
        with tempfile.TemporaryDirectory() as folder:
            theirs.append(bare(Path(folder), LETTERS))
    return {
        "letters": LETTERS,
        "ours_per_second": round(statistics.median(mine)),
        "typst_per_second": round(statistics.median(theirs)),
        "ratio": round(statistics.median(a / b for a, b in zip(mine, theirs, strict=True)), 2),
    }
