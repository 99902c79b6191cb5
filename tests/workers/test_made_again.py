"""What was sent is made again from what was kept, to the byte, whatever was set or edited since (behaviours S4, K5)."""

from __future__ import annotations

import shutil
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from kit.engine import Engine
from kit.printing import OPENING, RUN, Desk
from sqlalchemy import update

from api.app import create_app
from dsl import Api, Arrows, Email, Feed, Final, Journey, Letter, after, marketing
from dsl.step import chart
from engine import keys
from engine.again import made_again
from engine.db import Database, table
from engine.errors import Conflict
from engine.feeds import personal
from engine.links import Links
from engine.png import png
from engine.settings import Settings
from engine.tables import Letter as Piece
from engine.tables import Message, PrintRun
from engine.templating.templates import Templates
from workers.registry import Registry

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="10" height="10" fill="{}"/></svg>'
LETTER = '= Hello\n\nDear #customer.first_name,\n#picture("dog.png", width: 2cm)\n#image("/t/cat.svg", width: 1cm)\n'


class Everywhere(Journey):
    """A mail, an item, a text and a letter."""

    enters = Api()
    purpose = marketing
    done = Final()

    @Email("t/plain")
    @Feed("t/feed")
    @Letter("t/framed")
    def mail(self) -> Arrows:
        yield after(days=1) >> self.done


class Framed(Journey):
    """A letter with pictures."""

    enters = Api()
    purpose = marketing
    done = Final()

    @Letter("t/framed")
    def letter(self) -> Arrows:
        yield after(days=1) >> self.done


@pytest.fixture
def desk(tmp_path: Path, templates: Path, sqlite: Database) -> Desk:
    (templates / "t" / "plain.en.html").write_text(
        "<!doctype html><html lang=en><head><title>Hi {{ customer.first_name }}</title></head><body><p>Your feed: {{ feed_url }}</p>"
        '<a href="{{ unsubscribe_url }}">no more</a></body></html>'
    )
    (templates / "t" / "plain.en.txt").write_text(
        "Own words, {{ customer.first_name }}: {{ link('https://a.example', 'a') }}\n"
    )
    (templates / "t" / "framed.en.typ").write_text(LETTER)
    (templates / "t" / "dog.png").write_bytes(png(SVG.format("red")))
    (templates / "t" / "cat.svg").write_text(SVG.format("blue"))
    engine = Engine(Settings(data=tmp_path / "var", journeys=templates), sqlite, None)  # type: ignore[arg-type]  # no Temporal
    registry = Registry()
    ir = engine.publish(Framed)
    every = engine.publish(Everywhere)
    for each in (ir, every):
        registry.add(chart(each))
    return Desk(engine.settings, engine, ir, registry)


async def test_S4_every_message_is_made_again_whatever_was_set_since(desk: Desk, templates: Path) -> None:
    links = Links(desk.settings.public_url, desk.settings.signing_key())
    desk.engine.customers("ann")
    with desk.database.write() as conn:
        personal.rotate(conn, links, "ann", OPENING)
    every = desk.engine.publish(Everywhere)
    assert (await desk.send("ann", ir=every)).not_sent == ()
    with desk.database.write() as conn:
        personal.rotate(conn, links, "ann", OPENING)
    (templates / "t" / "plain.en.txt").write_text("Other words")
    (templates / "t" / "plain.en.html").unlink()
    later = desk.settings.model_copy(
        update={"letter_layout": "DIN", "letter_sender": "Somebody\nElsewhere", "country": "DE"}
    )
    again: dict[str, Any] = {}
    with desk.database.read() as conn:
        for row in desk.engine.messages("ann"):
            made = made_again(conn, Templates.of(later), links, Message(**row._mapping))
            assert made is not None
            assert made.exact, row.channel
            again[row.channel] = made.content
    assert again["email"].text.startswith("Own words, Zoé: ")
    assert again["email"].title == "Hi Zoé"
    assert links.feed(links.feed_token("ann", 1)) in again["email"].html
    assert again["letter"].data["layout"] == "FR"
    assert (again["letter"].title, again["letter"].pages) == ("Hello", 1)


@pytest.fixture
async def http(desk: Desk) -> Any:
    key = keys.create(desk.database, "tests", ["read"])
    transport = httpx.ASGITransport(create_app(desk.settings, desk.database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", auth=(key, "")) as client:
        yield client


def _with(desk: Desk, **settings: Any) -> httpx.AsyncClient:
    """A client of an API with other settings."""
    key = keys.create(desk.database, f"more {sorted(settings)}", ["read"])
    app = create_app(desk.settings.model_copy(update=settings), desk.database)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", auth=(key, ""))


FILE = f"/v1/print-runs/{RUN}/files/letters-001.pdf"
MANIFEST = f"/v1/print-runs/{RUN}/files/manifest.csv"


async def printed(desk: Desk) -> dict[str, bytes]:
    desk.engine.customers("ann", "ben")
    desk.engine.customers("cat", country="DE", postcode="10115", city="Berlin")
    assert (await desk.send("ann", "ben", "cat")).not_sent == ()
    assert await desk.print() == 1
    return {path.name: path.read_bytes() for path in (desk.settings.data / "outbox" / RUN).iterdir()}


async def test_K5_a_runs_files_hang_on_no_setting_and_no_template_of_today(
    desk: Desk, http: httpx.AsyncClient, templates: Path
) -> None:
    before = await printed(desk)
    (templates / "t" / "framed.en.typ").write_text("Something else")
    assert (await http.get(FILE)).content == before["letters-001.pdf"]
    async with _with(
        desk, mail_from="Other <a@b.example>", country="DE", letter_layout="DIN", currency="USD", zone="Asia/Tokyo"
    ) as other:
        assert (await other.get(FILE)).content == before["letters-001.pdf"]
        assert (await other.get(MANIFEST)).content == before["manifest.csv"]
        letters = (await other.get(f"/v1/print-runs/{RUN}/letters")).json()
    assert [letter["sequence"] for letter in letters] == [1, 2, 3]


@pytest.mark.parametrize(("file", "code"), [("dog.png", "unprintable"), ("cat.svg", "unprintable")])
async def test_K5_a_picture_that_is_gone_is_named(
    desk: Desk, http: httpx.AsyncClient, templates: Path, file: str, code: str
) -> None:
    await printed(desk)
    (templates / "t" / file).unlink()
    answer = await http.get(FILE)
    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert f"t/{file} is no longer there" in answer.json()["message"]
    assert (await http.get(MANIFEST)).status_code == 200


async def test_K5_a_picture_that_changed_is_named_and_no_other_bytes_are_given(
    desk: Desk, http: httpx.AsyncClient, templates: Path
) -> None:
    before = await printed(desk)
    dog = templates / "t" / "dog.png"
    was = dog.read_bytes()
    dog.write_bytes(png(SVG.format("green")))
    answer = await http.get(FILE)
    assert (answer.status_code, answer.json()["code"]) == (409, "file_changed")
    assert "t/dog.png has changed since" in answer.json()["message"]
    assert "cat.svg" not in answer.json()["message"]
    dog.write_bytes(was)
    assert (await http.get(FILE)).content == before["letters-001.pdf"]
    with desk.database.write() as conn:  # as a later release would find it
        made_of = {**desk.engine.rows(PrintRun)[0].made_of, "setter": "Typst 0.1"}
        files = [{"name": "letters-001.pdf", "letters": 3, "pages": 3, "sha256": sha256(b"other").hexdigest()}]
        conn.execute(update(table(PrintRun)).values(made_of=made_of, files=files))
    answer = await http.get(FILE)
    assert "it was set by Typst 0.1, and this is Typst" in answer.json()["message"]


async def test_K5_what_was_printed_before_a_crash_is_what_counts(
    desk: Desk, http: httpx.AsyncClient, templates: Path
) -> None:
    """The print house may have the folder: after a crash before the rows were written, they follow it, not a picture's new face."""
    before = await printed(desk)
    with desk.database.write() as conn:
        conn.execute(update(table(Piece)).values(status="closed", sequence=None, file=None, pages=None))
        conn.execute(update(table(PrintRun)).values(status="closed", files=None))
    dog = templates / "t" / "dog.png"
    was = dog.read_bytes()
    dog.unlink()
    assert await desk.print(OPENING + timedelta(hours=8)) == 1
    (run,) = desk.engine.rows(PrintRun)
    assert {each["name"]: each["sha256"] for each in run.files} == {
        name: sha256(content).hexdigest() for name, content in before.items()
    }
    assert sorted(letter.sequence for letter in desk.engine.rows(Piece)) == [1, 2, 3]
    dog.write_bytes(was)
    assert (await http.get(FILE)).content == before["letters-001.pdf"]


async def test_a_folder_of_another_run_is_not_taken_for_this_one(desk: Desk) -> None:
    desk.engine.customers("ann", "ben")
    await desk.send("ann")
    await desk.print()
    outbox = desk.settings.data / "outbox"
    await desk.send("ben", moment=OPENING + timedelta(days=1))
    shutil.copytree(outbox / RUN, outbox / "2026-03-03-1600")
    with pytest.raises(Conflict, match="2026-03-03-1600 is there, and has other letters than the run: move it away"):
        await desk.print(OPENING + timedelta(days=1, hours=7))
    shutil.rmtree(outbox / "2026-03-03-1600")
    assert await desk.print(OPENING + timedelta(days=1, hours=7)) == 1
    assert [row["letter_id"] for row in desk.manifest("2026-03-03-1600")] == [desk.letter("ben").key]
