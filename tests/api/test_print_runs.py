"""Print runs over the API: looked at, withdrawn from, fetched; and what came back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from api.app import create_app
from engine import keys
from engine.db import Database, insert_new, table
from engine.events import StoredEvent
from engine.letters import post
from engine.letters import runs as print_runs
from engine.letters.printing import Printer, templates_of
from engine.links import Links
from engine.outgoing import Outgoing
from engine.settings import Settings
from engine.tables import Journey, Letter, Message, Suppression, TemplateVersion
from engine.templating.checking import SAMPLE, SAMPLE_FACTS
from engine.templating.templates import Templates
from workers.channels import LetterChannel

Events = Callable[[], list[StoredEvent]]
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
RUN = "2026-03-02-1600"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "note.en.typ").write_text("= A note\n\nDear #customer.first_name,\n", "utf-8")
    return Settings(data=tmp_path / "var", journeys=tmp_path / "journeys")


@pytest.fixture
async def client(settings: Settings, sqlite: Database) -> Any:
    key = keys.create(sqlite, "tests", ["read", "operate"])
    transport = httpx.ASGITransport(create_app(settings, sqlite), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", auth=(key, "")) as client:
        yield client


@pytest.fixture
def keep(settings: Settings, sqlite: Database, links: Links, sent: Callable[..., Any]) -> Callable[..., None]:
    """Keep letters in the open run, as the worker does."""
    channel = LetterChannel(settings, Templates.of(settings), links)

    def keep(*letters: str) -> None:
        for key in letters:
            sent(key, "letter")
        with sqlite.write() as conn:
            row: dict[str, Any] = {
                "name": "j",
                "title": "J",
                "doc": "",
                "hash": "0",
                "code_hash": "0",
                "knobs": [],
                "version": 1,
                "is_on": True,
                "audience_read_at": None,
            }
            insert_new(conn, Journey, [row])
            for key in letters:
                content = channel.render(SAMPLE, "note", key, SAMPLE_FACTS)
                channel.keep(conn, [Outgoing(key, "letter", 1, "j", "s", "marketing", SAMPLE, "sample", content, AT)])

    return keep


def handed_over(settings: Settings, sqlite: Database) -> None:
    now = AT + timedelta(hours=7)
    with sqlite.write() as conn:
        conn.execute(table(Letter).update().values(status="closed"))
        run = print_runs.get(conn, RUN)
        letters = print_runs.letters_of(conn, RUN, settings.country, "closed")
        printer = Printer(settings.journeys, settings.country, Templates.of(settings).brand)
        printed = printer.run(RUN, letters, templates_of(conn, letters), run.cut_off_at)
        conn.execute(table(print_runs.PrintRun).update().values(status="closed"))
        post.hand_over(conn, RUN, printed.placed, 100, now)
        print_runs.finish(conn, RUN, printed.listed(), len(letters), printed.pages, now, printed.made_of)


async def test_a_run_is_looked_at_and_a_letter_withdrawn_until_it_is_closed(
    client: httpx.AsyncClient, keep: Callable[..., None], settings: Settings, sqlite: Database
) -> None:
    keep("1-1-0", "2-1-0")
    (run,) = (await client.get("/v1/print-runs")).json()
    assert (run["name"], run["status"], run["letters"]) == (RUN, "open", {"open": 2})
    letter = (await client.get("/v1/letters/1-1-0")).json()
    assert (letter["status"], letter["lines"][-1], letter["file"]) == ("open", "75011 PARIS", None)
    assert (await client.get("/v1/letters/1-1-0/pdf")).content.startswith(b"%PDF-")
    early = await client.get(f"/v1/print-runs/{RUN}/files/manifest.csv")
    assert (early.status_code, early.json()["code"]) == (409, "not_handed_over")
    withdrawn = await client.post("/v1/letters/1-1-0/withdraw", json={"reason": "moved"})
    assert (withdrawn.json()["status"], withdrawn.json()["reason"]) == ("withdrawn", "moved")
    assert (await client.post("/v1/letters/1-1-0/withdraw")).json()["reason"] == "moved"
    assert (await client.get(f"/v1/print-runs/{RUN}")).json()["letters"] == {"open": 1, "withdrawn": 1}
    with sqlite.write() as conn:
        conn.execute(table(Letter).delete().where(table(Letter).c.key == "1-1-0"))
    handed_over(settings, sqlite)
    late = await client.post("/v1/letters/2-1-0/withdraw")
    assert (late.status_code, late.json()["code"]) == (409, "run_closed")


async def test_K5_a_runs_files_are_the_same_bytes_over_the_api(
    client: httpx.AsyncClient, keep: Callable[..., None], settings: Settings, sqlite: Database
) -> None:
    keep("1-1-0", "2-1-0")
    handed_over(settings, sqlite)
    run = (await client.get(f"/v1/print-runs/{RUN}")).json()
    assert [file["name"] for file in run["files"]] == ["letters-001.pdf", "manifest.csv"]
    for file in run["files"]:
        got = await client.get(f"/v1/print-runs/{RUN}/files/{file['name']}")
        assert sha256(got.content).hexdigest() == file["sha256"]
    assert [row["key"] for row in (await client.get(f"/v1/print-runs/{RUN}/letters")).json()] == ["1-1-0", "2-1-0"]
    assert (await client.get(f"/v1/print-runs/{RUN}/files/..%2F..%2Fsecret")).status_code == 404
    assert (await client.get("/v1/print-runs/2020-01-01-1600")).status_code == 404


async def test_what_cannot_be_printed_any_more_says_why_and_the_manifest_needs_no_printing(
    client: httpx.AsyncClient, keep: Callable[..., None], settings: Settings, sqlite: Database
) -> None:
    keep("1-1-0")
    handed_over(settings, sqlite)
    with sqlite.write() as conn:
        conn.execute(table(TemplateVersion).update().values(source="#panic()"))
    for path in ("letters/1-1-0/pdf", f"print-runs/{RUN}/files/letters-001.pdf"):
        answer = await client.get(f"/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, "unprintable")
        assert "panic" in answer.json()["message"]
    assert (await client.get(f"/v1/print-runs/{RUN}/files/manifest.csv")).status_code == 200


@pytest.mark.parametrize("form", [False, True])
async def test_K6_returns_by_csv_are_events_and_suppress_once(
    client: httpx.AsyncClient,
    keep: Callable[..., None],
    settings: Settings,
    sqlite: Database,
    links: Links,
    events: Events,
    form: bool,
) -> None:
    keep("1-1-0", "2-1-0")
    handed_over(settings, sqlite)
    content = f"letter_id,code,reason\n1-1-0,,moved\n,{Links.show_code(links.code('2-1-0'))},\n9-9-9,,x\n".encode()
    for new in (2, 0):
        sending: dict[str, Any] = {"files": {"file": ("r.csv", content, "text/csv")}} if form else {"content": content}
        response = await client.post("/v1/letters/returns.csv", **sending)
        assert response.status_code == 200, response.text
        told = response.json()
        assert (told["read"], told["new"]) == (3, new)
        assert told["rejected"][0]["reason"] == "there is no such letter"
    assert [event.name for event in events()] == ["letter.returned"] * 2
    with sqlite.read() as conn:
        (row,) = conn.execute(select(table(Suppression))).all()
    with sqlite.read() as conn:
        wrote_to = conn.execute(select(table(Message).c.address).where(table(Message).c.key == "1-1-0")).scalar_one()
    assert (row.channel, row.address) == ("letter", wrote_to)


@pytest.mark.parametrize(
    ("content", "status"), [(b"", 400), (b"who,why\n1,2\n", 400), (b"\xff\xfe\x00", 400), (b"x" * (3 << 20), 413)]
)
async def test_a_returns_file_that_is_none_says_why(client: httpx.AsyncClient, content: bytes, status: int) -> None:
    response = await client.post("/v1/letters/returns.csv", content=content)
    assert response.status_code == status
    assert response.json()["message"]
