"""A print provider with Lob's API: letters given to it once, whatever breaks, and its webhooks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from kit.engine import Engine
from kit.printing import OPENING, RUN, Desk, Paper
from pypdf import PdfReader
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.app import create_app
from dsl.step import chart
from engine.db import Database
from engine.letters.lob import sign_lob, verify_lob
from engine.settings import Settings
from engine.tables import Event, Message, PrintRun, Suppression
from workers.local.post_office import PostOffice
from workers.registry import Registry
from workers.server import free_port


class Flaky:
    """A post office in front of which answers can be put: (status, headers), or a reply that is lost after the letter was taken."""

    def __init__(self, office: PostOffice) -> None:
        self.office = office
        self.first: list[tuple[int, dict[str, str]] | tuple[int, dict[str, str], object] | str] = []
        self.inner = office.app()
        self.calls = 0

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/letters", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        self.calls += 1
        what = self.first.pop(0) if self.first else None
        if isinstance(what, tuple):
            said = what[2] if len(what) == 3 else {"error": {"message": "no", "code": "x"}}
            return JSONResponse(said, status_code=what[0], headers=what[1])
        transport = httpx.ASGITransport(self.inner)
        async with httpx.AsyncClient(transport=transport, base_url="http://office") as client:
            headers = {name: value for name, value in request.headers.items() if name != "host"}
            reply = await client.post("/v1/letters", content=await request.body(), headers=headers)
        if what == "lost":
            return Response("gateway", status_code=502)
        return Response(reply.content, status_code=reply.status_code, media_type="application/json")


@pytest.fixture
async def flaky(tmp_path: Path) -> AsyncIterator[tuple[Flaky, str]]:
    made = Flaky(PostOffice(tmp_path / "post", "secret"))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(made.app(), host="127.0.0.1", port=port, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield made, f"http://127.0.0.1:{port}"
    server.should_exit = server.force_exit = True
    await serving


@pytest.fixture
def desk(tmp_path: Path, templates: Path, db: Database, flaky: tuple[Flaky, str]) -> Desk:
    settings = Settings.model_validate(
        {"data": tmp_path / "var", "journeys": templates, "letter_provider": flaky[1], "letter_token": "secret"}
    )
    registry = Registry()
    engine = Engine(settings, db, None)  # type: ignore[arg-type]  # no Temporal in these tests
    ir = engine.publish(Paper)
    registry.add(chart(ir))
    return Desk(settings, engine, ir, registry)


async def test_S1_each_letter_is_taken_once_whatever_breaks(desk: Desk, flaky: tuple[Flaky, str]) -> None:
    made, _ = flaky
    desk.engine.customers("ann", "ben", "cat")
    await desk.send("ann", "ben", "cat")
    made.first = ["lost"]  # it was taken, and we did not hear of it
    assert await desk.print() == 0
    (run,) = desk.engine.rows(PrintRun)
    assert run.status == "closed"
    assert len(made.office.letters) == 1
    made.first = [(429, {"Retry-After": "3"}), (500, {})]
    assert await desk.print() == 0
    assert await desk.print() == 0
    assert await desk.print() == 1
    letters = made.office.letters
    assert sorted(letter["key"] for letter in letters) == sorted(desk.letter(c).key for c in ("ann", "ben", "cat"))
    assert {desk.letter(c).provider_id for c in ("ann", "ben", "cat")} == {letter["id"] for letter in letters}
    for letter in letters:
        assert len(PdfReader(made.office.folder / f"{letter['id']}.pdf").pages) == 1
        assert letter["to"]["to[name]"] == "Zoé Lefèvre"
    (run,) = desk.engine.rows(PrintRun)
    assert (run.name, run.status, run.letters) == (RUN, "handed over", 3)
    assert {message.cost for message in desk.engine.rows(Message)} == {desk.settings.letter_cost}
    assert await desk.print() == 0
    assert made.calls == 6
    assert not (desk.settings.data / "outbox").exists()


async def test_an_address_goes_in_its_parts_at_home_and_abroad(desk: Desk, flaky: tuple[Flaky, str]) -> None:
    made, _ = flaky
    desk.engine.customers("ann")
    abroad: dict[str, Any] = {"country": "US", "city": "Austin", "postcode": "78701", "attributes": {"region": "Texas"}}
    desk.engine.customers("ben", **abroad, address="Floor 2\n100 Congress Ave")
    desk.engine.customers("cat", country="GB", city="London", postcode="sw1a 1aa", address="10 Downing Street")
    await desk.send("ann", "ben", "cat")
    await desk.print()
    sent = {letter["key"]: {n[3:-1]: v for n, v in letter["to"].items()} for letter in made.office.letters}
    assert {customer: sent[desk.letter(customer).key] for customer in ("ann", "ben", "cat")} == {
        "ann": {"name": "Zoé Lefèvre", "address_line1": "3 rue des Lilas", "address_city": "Lyon", "address_zip": "69003",
                "address_country": "FR"},
        "ben": {"name": "Zoé Lefèvre", "address_line1": "Floor 2", "address_line2": "100 Congress Ave", "address_city": "Austin",
                "address_state": "TX", "address_zip": "78701", "address_country": "US"},
        "cat": {"name": "Zoé Lefèvre", "address_line1": "10 Downing Street", "address_city": "London",
                "address_zip": "SW1A 1AA", "address_country": "GB"},
    }  # fmt: skip
    assert {name: value for name, value in made.office.letters[0]["from"].items() if "address" in name} == {
        "from[address_line1]": "1 rue du Parcours", "from[address_city]": "Paris", "from[address_zip]": "75001",
        "from[address_country]": "FR",
    }  # fmt: skip


async def test_a_letter_that_the_provider_refuses_fails_alone(desk: Desk, flaky: tuple[Flaky, str]) -> None:
    made, _ = flaky
    desk.engine.customers("ann", "ben")
    await desk.send("ann", "ben")
    made.first = [(422, {})]
    assert await desk.print() == 1
    statuses = sorted((desk.letter(c).status, desk.letter(c).reason) for c in ("ann", "ben"))
    assert statuses == [("failed", "422 x no"), ("handed over", None)]


async def test_an_error_of_another_shape_is_told_as_it_is(desk: Desk, flaky: tuple[Flaky, str]) -> None:
    made, _ = flaky
    said: list[object] = [{"error": "no such street"}, {"error": ["x"]}, {"error": None}, [], "no"]
    customers = ("ann", "ben", "cat", "dan", "eve")
    desk.engine.customers(*customers)
    await desk.send(*customers)
    made.first = [(422, {}, each) for each in said]
    assert await desk.print() == 1
    assert {desk.letter(customer).status for customer in customers} == {"failed"}
    reasons = sorted(str(desk.letter(customer).reason) for customer in customers)
    assert reasons == ['422 "no"', "422 []", "422 no such street", '422 {"error":["x"]}', '422 {"error":null}']


async def test_a_wrong_key_fails_nothing_and_waits(desk: Desk, flaky: tuple[Flaky, str]) -> None:
    made, _ = flaky
    desk.engine.customers("ann")
    await desk.send("ann")
    made.first = [(401, {})]
    assert await desk.print() == 0
    assert desk.letter("ann").status == "closed"
    assert await desk.print() == 1


async def test_K6_what_the_provider_says_later_is_heard_once(desk: Desk, flaky: tuple[Flaky, str]) -> None:
    made, _ = flaky
    desk.engine.customers("ann", "ben")
    await desk.send("ann", "ben")
    await desk.print()
    settings = desk.at(OPENING + timedelta(days=20))
    port = free_port()
    app = create_app(settings, desk.database)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # as above
        await asyncio.sleep(0.01)
    hook = f"http://127.0.0.1:{port}/hooks/letters/lob"
    ann, ben = desk.letter("ann").provider_id, desk.letter("ben").provider_id
    try:
        for _ in range(2):
            assert (await made.office.says(ann, "letter.returned_to_sender", hook)).status_code == 204
            assert (await made.office.says(ben, "letter.delivered", hook)).status_code == 204
        assert (await made.office.says(ben, "postcard.created", hook)).status_code == 204
        assert (await made.office.says("ltr_x", "letter.delivered", hook)).status_code == 404
        async with httpx.AsyncClient() as client:
            body = json.dumps({"event_type": {"id": "letter.delivered"}, "reference_id": ann}).encode()
            old = str(round((time.time() - 3600) * 1000))
            for stamp, signature in (
                (old, sign_lob(body, old, "secret")),
                (str(round(time.time())), "00"),
                ("x", sign_lob(body, "x", "secret")),
            ):
                headers = {"Lob-Signature": signature, "Lob-Signature-Timestamp": stamp}
                assert (await client.post(hook, content=body, headers=headers)).status_code == 403
            stamp = str(round(time.time()))
            headers = {"Lob-Signature": sign_lob(b"[]", stamp, "secret"), "Lob-Signature-Timestamp": stamp}
            assert (await client.post(hook, content=b"[]", headers=headers)).status_code == 400
    finally:
        server.should_exit = server.force_exit = True
        await serving
    assert [(event.name, event.customer_id) for event in desk.engine.rows(Event, name="letter.returned")] == [
        ("letter.returned", "ann")
    ]
    assert [event.customer_id for event in desk.engine.rows(Event, name="letter.delivered")] == ["ben"]
    (mail,) = desk.engine.rows(Message, channel="letter", customer_id="ann")
    assert [row.address for row in desk.engine.rows(Suppression)] == [mail.address]
    assert desk.letter("ann").status == "returned"
    assert desk.engine.messages("ben")[0].status == "delivered"


def test_a_signature_is_lobs() -> None:
    stamp = str(round(time.time() * 1000))
    assert verify_lob(b"{}", stamp, sign_lob(b"{}", stamp, "s"), "s")
    assert not verify_lob(b"{} ", stamp, sign_lob(b"{}", stamp, "s"), "s")
    assert not verify_lob(b"{}", stamp, sign_lob(b"{}", stamp, "t"), "s")
