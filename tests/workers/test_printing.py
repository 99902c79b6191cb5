"""Print runs: what is in them, until when a letter can be withdrawn, their files, and what the post brings back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from kit.engine import Engine
from kit.printing import OPENING, RUN, Desk, Onward, Paper
from pypdf import PdfReader
from sqlalchemy import update

from dsl.step import chart
from engine import consent, endings, imports, journeys
from engine.db import Database, table
from engine.errors import Conflict, Invalid, NotFound
from engine.letters import post, returns
from engine.letters import runs as print_runs
from engine.letters.returns import Returned
from engine.links import Links
from engine.settings import Settings
from engine.tables import Customer, Event, Message, MessageEvent, PrintRun, Suppression
from engine.tables import Letter as Piece
from workers.printing import Printing
from workers.registry import Registry


@pytest.fixture
def desk(tmp_path: Path, templates: Path, db: Database) -> Desk:
    settings = Settings(data=tmp_path / "var", journeys=templates)
    registry = Registry()
    engine = Engine(settings, db, None)  # type: ignore[arg-type]  # no Temporal in these tests
    ir = engine.publish(Paper)
    onward = engine.publish(Onward)
    registry.add(chart(ir))
    registry.add(chart(onward))
    return Desk(settings, engine, ir, registry)


def text_of(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(pdf)).pages]


async def test_K5_a_run_is_files_of_a_hundred_in_the_order_of_postage_and_the_same_bytes_again(desk: Desk) -> None:
    people = [f"c{number:03}" for number in range(130)]
    desk.engine.customers(*people)
    places = [("FR", "69003"), ("DE", "10115"), ("FR", "13001"), ("BE", "1000"), ("FR", "01000")]
    with desk.database.write() as conn:
        rows = table(Customer)
        for number, customer in enumerate(people):
            country, code = places[number % 5]
            conn.execute(update(rows).where(rows.c.id == customer).values(country=country, postcode=code))
    outcome = await desk.send(*people)
    assert outcome.not_sent == ()
    assert not (desk.settings.data / "outbox").exists()
    assert await desk.print() == 1

    rows = desk.manifest()
    assert [row["sequence"] for row in rows] == [str(number) for number in range(1, 131)]
    keys = [(row["country"] != "FR", row["country"], row["line_3"]) for row in rows]
    assert keys == sorted(keys)
    assert [row["country"] for row in rows] == ["FR"] * 78 + ["BE"] * 26 + ["DE"] * 26
    assert {row["mail_class"] for row in rows if row["country"] == "FR"} == {"domestic"}
    assert {row["mail_class"] for row in rows if row["country"] != "FR"} == {"international"}
    assert [row["file"] for row in rows] == ["letters-001.pdf"] * 100 + ["letters-002.pdf"] * 30
    folder = desk.settings.data / "outbox" / RUN
    assert sorted(path.name for path in folder.iterdir()) == ["letters-001.pdf", "letters-002.pdf", "manifest.csv"]
    pages = {name: text_of((folder / name).read_bytes()) for name in ("letters-001.pdf", "letters-002.pdf")}
    assert len(pages["letters-001.pdf"]) == 100
    links = Links(desk.settings.public_url, desk.settings.signing_key())
    for row in rows:  # each piece has its own answer code (K5), where the manifest says it is
        page = pages[row["file"]][int(row["first_page"]) - 1]
        assert Links.show_code(links.code(row["letter_id"])) in page.replace(" ", "")
        assert row["line_3"] in page
        assert row["sha256"] == sha256((folder / row["file"]).read_bytes()).hexdigest()
    for name in pages:
        assert b"pdfaid:part>2<" in (folder / name).read_bytes()

    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    with desk.database.write() as conn:  # as after a crash before the rows were written
        conn.execute(update(table(Piece)).values(status="closed"))
        conn.execute(update(table(PrintRun)).values(status="closed"))
    assert await desk.print(OPENING + timedelta(hours=9)) == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert await desk.print(OPENING + timedelta(hours=10)) == 0
    (run,) = desk.engine.rows(PrintRun)
    assert (run.name, run.status, run.letters, run.pages) == (RUN, "handed over", 130, 130)
    assert [file["letters"] for file in run.files] == [100, 30, 130]
    message = desk.engine.messages("c000")[0]
    assert (message.status, message.cost) == ("sent", desk.settings.letter_cost)
    assert message.provider_id.startswith(f"{RUN}/letters-00")


async def test_K5_a_letter_can_be_withdrawn_until_the_cut_off(desk: Desk) -> None:
    desk.engine.customers("ann", "ben", "cat")
    await desk.send("ann", "ben", "cat")
    key = desk.letter("ann").key
    now = OPENING + timedelta(hours=1)
    with desk.database.write() as conn:
        assert post.withdraw_one(conn, key, "changed her mind", now).status == "withdrawn"
        assert post.withdraw_one(conn, key, "again", now).reason == "changed her mind"
    assert await desk.print(OPENING + timedelta(hours=5, minutes=59)) == 0
    assert await desk.print() == 1
    assert {row["letter_id"] for row in desk.manifest()} == {desk.letter("ben").key, desk.letter("cat").key}
    (message,) = desk.engine.messages("ann")
    assert (message.status, message.reason, message.cost) == ("not_sent", "changed her mind", 0)
    with desk.database.write() as conn, pytest.raises(Conflict, match="it is handed over with the run 2026-03-02-1600"):
        post.withdraw_one(conn, desk.letter("ben").key, "too late", now)
    with desk.database.write() as conn, pytest.raises(NotFound):
        post.withdraw_one(conn, "9-9-9", "", now)


@pytest.mark.parametrize(
    ("what", "reason"),
    [("answer", "moved on"), ("killed", "killed"), ("consent", "consent withdrawn"), ("suppressed", "suppressed")],
)
async def test_K5_who_buys_says_no_or_is_ended_before_the_cut_off_gets_no_letter(
    desk: Desk, what: str, reason: str
) -> None:
    desk.engine.customers("ann", "ben")
    await desk.send("ann", "ben")
    now = OPENING + timedelta(minutes=5)
    if what == "answer":
        await desk.move("ann", "answer", "won")
    else:
        with desk.database.write() as conn:
            if what == "killed":
                endings.end(conn, [desk.engine.enrolment("ann").id], "killed", now)
            elif what == "consent":
                consent.withdraw(conn, "ann", "letter", "marketing", "test", now)
            else:
                (mail,) = desk.engine.messages("ann")
                consent.suppress(conn, "letter", mail.address or "", "deceased", "test", now)
    assert await desk.print() == 1
    assert [row["letter_id"] for row in desk.manifest()] == [desk.letter("ben").key]
    assert (desk.letter("ann").status, desk.letter("ann").reason) == ("withdrawn", reason)
    assert (desk.engine.messages("ann")[0].status, desk.engine.messages("ann")[0].reason) == ("not_sent", reason)
    assert "withdrawn" in [each.status for each in desk.engine.rows(MessageEvent, key=desk.letter("ann").key)]


@pytest.mark.parametrize("cause", ["timer", "then"])
async def test_a_box_that_is_left_without_an_answer_sends_its_letter_all_the_same(desk: Desk, cause: str) -> None:
    desk.engine.customers("ann")
    ir = desk.ir if cause == "timer" else desk.engine.publish(Onward)
    await desk.send("ann", ir=ir)
    await desk.move("ann", cause, "lapsed" if cause == "timer" else "done", ir)
    assert desk.engine.enrolment("ann").ended_at is not None
    assert await desk.print() == 1
    assert len(desk.manifest()) == 1


async def test_L5_letters_of_a_journey_that_is_off_wait_for_a_later_run(desk: Desk) -> None:
    desk.engine.customers("ann")
    await desk.send("ann")
    with desk.database.write() as conn:
        journeys.switch(conn, "paper", False, "test", "", OPENING)
    assert await desk.print() == 1
    assert not (desk.settings.data / "outbox").exists()
    assert (desk.letter("ann").status, desk.letter("ann").run) == ("open", "2026-03-03-1600")
    with desk.database.write() as conn:
        journeys.switch(conn, "paper", True, "test", "", OPENING)
    assert await desk.print(OPENING + timedelta(days=1, hours=7)) == 1
    assert len(desk.manifest("2026-03-03-1600")) == 1


async def test_a_letter_after_the_cut_off_is_with_the_next_run(desk: Desk) -> None:
    desk.engine.customers("ann", "ben", "cat")
    await desk.send("ann")
    await desk.send("ben", moment=OPENING + timedelta(hours=6))
    assert await desk.print() == 1
    with desk.database.write() as conn:  # a clock that lags: its run is closed already
        row: dict[str, Any] = {
            "key": "8-1-0", "code": "CDFHJCDFHJ", "customer_id": "cat", "enrolment_id": 8, "template_hash": "x", "data": {},
            "lines": [], "country": "FR", "postcode": "", "missing": "", "at": OPENING,
        }  # fmt: skip
        post.keep(conn, desk.settings, [row], OPENING)
    assert [desk.letter(customer).run for customer in ("ann", "ben", "cat")] == [
        RUN,
        "2026-03-03-1600",
        "2026-03-03-1600",
    ]


async def test_one_letter_that_cant_be_printed_is_told_and_the_rest_goes_out(desk: Desk, templates: Path) -> None:
    """At the send it is an arrow's `not_sent`; what breaks later fails alone, at the cut-off."""
    (templates / "t" / "letter.en.typ").write_text("Hello #customer.pets.at(0)", "utf-8")
    desk.engine.customers("ann", attributes={"pets": []})
    desk.engine.customers("ben", attributes={"pets": ["Rex 🦊"]})
    desk.engine.customers("cat", attributes={"pets": ["Tom"]})
    outcome = await desk.send("ann", "ben", "cat")
    assert outcome.not_sent == (0,)
    (message,) = desk.engine.messages("ann")
    assert (message.status, message.reason) == ("not_sent", "template")
    assert "t/letter.en.typ:1" in message.detail["error"]
    assert desk.letter("ben").missing == "🦊"
    with desk.database.write() as conn:
        data: dict[str, Any] = {**desk.letter("cat").data, "customer": {"pets": []}}
        conn.execute(update(table(Piece)).where(table(Piece).c.customer_id == "cat").values(data=data))
    assert await desk.print() == 1
    assert [row["letter_id"] for row in desk.manifest()] == [desk.letter("ben").key]
    assert desk.letter("cat").status == "failed"
    (failed,) = desk.engine.messages("cat")
    assert failed.status == "failed"
    assert "array index out of bounds" in failed.reason


async def test_S3_an_address_that_cant_be_delivered_to_says_why(desk: Desk) -> None:
    desk.engine.customers("ann", postcode="690")
    outcome = await desk.send("ann")
    assert outcome.not_sent == (0,)
    (message,) = desk.engine.messages("ann")
    assert (message.status, message.reason) == ("not_sent", "address missing")
    assert message.detail["lacks"].startswith("'690' is no postcode of FR")


async def test_K6_a_letter_that_came_back_suppresses_the_address_and_the_next_is_not_sent(
    desk: Desk, tmp_path: Path
) -> None:
    desk.engine.customers("ann", "ben")
    await desk.send("ann", "ben")
    await desk.print()
    weeks = OPENING + timedelta(weeks=5)
    key, code = desk.letter("ann").key, desk.letter("ben").code
    file = tmp_path / "returns.csv"
    file.write_text(
        f"letter_id;code;reason;at\n{key};;moved away;2026-04-01\n;{Links.show_code(code).lower()};;\n;;?;\n9-9-9;;x;\n;AAA;;\n"
        f"{key};;twice;\n{desk.letter('ben').key};;;2030-01-01\n",
        "utf-8",
    )
    first, done = (imports.read("returns", desk.database, file, weeks, "Europe/Paris") for _ in range(2))
    assert [(each.read, each.new, each.rejected) for each in (first, done)] == [(7, 2, 4), (7, 0, 4)]
    assert done.rejected_file is not None
    reasons = [row["reason"] for row in returns.rejected(done.rejected_file)]
    assert reasons[0].startswith("the row names no letter")
    assert reasons[3].startswith("a return can't be of the future")
    assert [(row.status, row.reason) for row in (desk.letter("ann"), desk.letter("ben"))] == [
        ("returned", "moved away"),
        ("returned", "undeliverable"),
    ]
    events = desk.engine.rows(Event, name="letter.returned")
    assert {(event.customer_id, event.message_key) for event in events} == {
        ("ann", key),
        ("ben", desk.letter("ben").key),
    }
    assert events[0].payload["reason"] in {"moved away", "undeliverable"}
    wrote_to = {row.address for row in desk.engine.rows(Message, channel="letter")}
    assert {row.address for row in desk.engine.rows(Suppression, channel="letter")} == wrote_to
    assert len(wrote_to) == 2

    onward = desk.engine.publish(Onward)
    desk.engine.customers("ben", address="9 quai Claude Bernard", postcode="69007")  # he has moved
    outcome = await desk.send("ann", "ben", moment=weeks, ir=onward)
    assert outcome.not_sent == (0,)
    assert [message.reason for message in desk.engine.messages("ann", journey="onward")] == ["suppressed"]
    assert [message.status for message in desk.engine.messages("ben", journey="onward")] == ["sent"]


async def test_K6_a_letter_that_was_never_handed_over_cant_come_back(desk: Desk) -> None:
    desk.engine.customers("ann")
    await desk.send("ann")
    with desk.database.write() as conn, pytest.raises(Invalid, match="was never handed over: it is open"):
        returns.came_back(conn, Returned(desk.letter("ann").key, "moved", OPENING), OPENING)


async def test_a_batch_performed_twice_and_two_printers_at_once_make_one_letter(desk: Desk) -> None:
    desk.engine.customers("ann")
    await desk.send("ann")
    with desk.database.write() as conn:
        print_runs.close(conn, desk.settings, RUN, OPENING + timedelta(hours=7))
        print_runs.close(conn, desk.settings, RUN, OPENING + timedelta(hours=8))
    late = desk.at(OPENING + timedelta(hours=7))
    await asyncio.gather(*(Printing(late, desk.database).round() for _ in range(2)))
    assert len(desk.manifest()) == 1
    told = [each.status for each in desk.engine.rows(MessageEvent, key=desk.letter("ann").key)]
    assert told.count("handed over") == 1
