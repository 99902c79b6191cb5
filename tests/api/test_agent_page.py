"""The agents' page: without scripts, as a form-filling client; and in a real browser, where there is one."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from kit.calls import make, task, tasks_of
from kit.serving import serving

from engine import keys
from engine.calls import tasks as call_tasks
from engine.db import Database, insert_new
from engine.tables import Customer, Message

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture
def waiting(sqlite: Database) -> Database:
    """Two calls wait; the first is Zoé's, who got a mail last week."""
    now = datetime.now(UTC) - timedelta(minutes=1)
    times: dict[str, Any] = {"created_at": now, "updated_at": now, "due_at": now}
    person: dict[str, Any] = {
        "id": "4711",
        "first_name": "Zoé",
        "last_name": "<b>Lefèvre</b>",
        "zone": "Europe/Paris",
        "attributes": {},
    }
    mail = {
        "key": "7-1-0", "enrolment_id": 7, "customer_id": "4711", "journey": "win_back", "hash": "h", "state": "discount",
        "visit": 1, "arm": "treated", "channel": "email", "purpose": "marketing", "status": "sent", "cost": 0,
        "reserved_at": now - timedelta(days=7),
    }  # fmt: skip
    with sqlite.write() as conn:
        insert_new(conn, Customer, [person | {"created_at": now, "updated_at": now}])
        insert_new(conn, Message, [mail])
    make(
        sqlite,
        task("8-1-0", customer_id="4711", value=900, script="<p>Good day</p>", **times),
        task("9-1-0", **times),
        now=now,
    )
    return sqlite


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Keeps cookies, follows redirects, runs no script."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1:8000", follow_redirects=True
    ) as client:
        yield client


def token(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


async def sign_in(browser: httpx.AsyncClient, database: Database, scope: str = "tasks") -> httpx.Response:
    return await browser.post("/agent/sign-in", data={"who": "Inès", "key": keys.create(database, "desk", [scope])})


async def press(browser: httpx.AsyncClient, page: httpx.Response, button: str, **fields: str) -> httpx.Response:
    return await browser.post(f"/agent/{button}", data={"csrf": token(page), **fields})


async def test_a_day_at_the_desk(browser: httpx.AsyncClient, waiting: Database) -> None:
    assert "Your name" in (await browser.get("/agent")).text
    page = await sign_in(browser, waiting)
    assert "<strong>2</strong> waiting" in page.text
    page = await press(browser, page, "next", queue="retention")
    for shown in (
        "Zoé &lt;b&gt;Lefèvre&lt;/b&gt;",
        "<p>Good day</p>",
        "+33612345678",
        "win back: discount",
        "call 1 of 3",
    ):
        assert shown in page.text
    page = await press(browser, page, "accept")
    assert "On the phone" in page.text
    page = await press(browser, page, "wrap")
    assert "Writing up" in page.text
    assert tasks_of(waiting)["8-1-0"].status == "wrapping"
    page = await press(browser, page, "finish", outcome="", notes="Likes mornings")
    assert page.status_code == 422
    assert "Likes mornings" in page.text, "what she wrote is not lost"
    page = await press(browser, page, "finish", outcome="interested", notes="Likes mornings")
    assert "Done: Interested." in page.text
    done = tasks_of(waiting)["8-1-0"]
    assert (done.status, done.outcome, done.notes, done.worker) == ("completed", "interested", "Likes mornings", "Inès")
    assert done.duration_s is not None

    page = await press(browser, page, "next", queue="retention")
    page = await press(browser, page, "callback", at="15:00", date=f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}")
    assert "Will be called back on" in page.text
    assert "at 15:00 (Europe/Paris)" in page.text
    assert tasks_of(waiting)["9-1-0"].attempts == 1
    page = await press(browser, page, "next", queue="retention")
    assert "Nothing is due" in page.text
    page = await press(browser, page, "sign-out")
    assert "Your name" in page.text


async def test_a_call_that_reached_nobody_comes_back_and_one_can_be_given_back(
    browser: httpx.AsyncClient, waiting: Database
) -> None:
    page = await press(browser, await sign_in(browser, waiting), "next", queue="retention", skills="language:fr, wine")
    assert "Given back." in (await press(browser, page, "reject")).text
    page = await press(browser, page, "next", queue="retention", skills="")
    page = await press(browser, page, "finish", outcome="busy")
    assert "Busy: the task comes back later." in page.text
    assert tasks_of(waiting)["8-1-0"].status == "pending"
    page = await press(browser, page, "next", queue="retention")
    await press(browser, page, "sign-out")
    assert tasks_of(waiting)["9-1-0"].status == "pending", "who signs out holds nothing"


async def test_K4_the_page_says_that_the_customer_has_left(browser: httpx.AsyncClient, waiting: Database) -> None:
    page = await press(browser, await sign_in(browser, waiting), "next", queue="retention")
    page = await press(browser, page, "accept")
    beat = {"x-csrf-token": token(page)}
    assert (await browser.post("/agent/call/heartbeat", headers=beat)).json() == {
        "status": "assigned",
        "withdrawn": False,
    }
    with waiting.write() as conn:
        call_tasks.withdraw(conn, ["8-1-0"], datetime.now(UTC))
    assert (await browser.post("/agent/call/heartbeat", headers=beat)).json() == {
        "status": "assigned",
        "withdrawn": True,
    }
    assert 'role="alert" hidden' not in (await browser.get("/agent")).text
    page = await press(browser, page, "finish", outcome="refused")
    page = await press(browser, page, "next", queue="retention")
    with waiting.write() as conn:
        call_tasks.withdraw(conn, ["9-1-0"], datetime.now(UTC))
    assert (await browser.post("/agent/call/heartbeat", headers={"x-csrf-token": token(page)})).status_code == 410
    assert "no longer yours" in (await press(browser, page, "accept")).text


async def test_nobody_gets_in_without_a_key_or_from_another_site(browser: httpx.AsyncClient, waiting: Database) -> None:
    for who, key in (("Inès", "pk_guessed"), ("", keys.create(waiting, "desk", ["tasks"])), ("Inès", "")):
        assert (await browser.post("/agent/sign-in", data={"who": who, "key": key})).status_code == 403
    assert (await sign_in(browser, waiting, "ingest")).status_code == 403
    assert "Your name" in (await browser.post("/agent/next", data={"queue": "retention"})).text  # led to the form
    page = await sign_in(browser, waiting)
    cookie = next(header for header in page.history[0].headers.get_list("set-cookie"))
    assert {"HttpOnly", "SameSite=strict", "Path=/agent"} <= set(cookie.split("; "))
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    for forged in ("", "x", "é"):
        answer = await browser.post("/agent/next", data={"queue": "retention", "csrf": forged})
        assert (answer.status_code, answer.json()["code"]) == (403, "bad_token")
    assert {row.status for row in tasks_of(waiting).values()} == {"pending"}
    value = browser.cookies["parcours_agent"]
    body, _, signature = value.partition(".")
    browser.cookies.clear()

    async def shown(cookie: str) -> str:
        return (await browser.get("/agent", headers=[(b"cookie", b"parcours_agent=" + cookie.encode())])).text

    for forged in (f"{body[:-4]}AAAA.{signature}", f"{body}.{signature[:-1]}x", "", ".", "é.é", body):
        assert "Your name" in await shown(forged)
        browser.cookies.clear()
    assert "Which queue?" in await shown(value)
    keys.revoke(waiting, keys.every(waiting)[-1].prefix)
    browser.cookies.clear()
    assert "Your name" in await shown(value), "a revoked key ends its sessions"


async def test_what_the_page_loads_is_there(browser: httpx.AsyncClient) -> None:
    for name, kind in (("agent.css", "text/css"), ("agent.js", "text/javascript"), ("agent.svg", "image/svg+xml")):
        answer = await browser.get(f"/{name}")
        assert answer.headers["content-type"].startswith(kind)
    assert (await browser.get("/agent/nothing")).status_code == 405


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    with serving(app) as served:
        yield served.url


@pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no chromium: no browser test")
def test_in_a_browser_by_keyboard_alone(url: str, waiting: Database) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  # only where there is a browser

    key = keys.create(waiting, "desk", ["tasks"])
    troubles: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 390, "height": 844})
        page.set_default_timeout(60_000)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(f"{url}/agent")
        page.keyboard.type("Inès")
        page.keyboard.press("Tab")
        page.keyboard.type(key)
        page.keyboard.press("Enter")
        page.wait_for_selector(".keys [data-next]")
        page.keyboard.press("n")
        page.wait_for_selector(".keys [data-key=s]")
        page.keyboard.press("s")
        page.wait_for_selector(".keys [data-key=e]")
        page.wait_for_selector("#clock:not([hidden])")
        wide: int = page.evaluate("document.documentElement.scrollWidth")
        page.keyboard.press("2")
        assert page.is_checked("input[value=refused]")
        page.keyboard.press("e")
        page.wait_for_selector(".dot.wrapping")
        page.wait_for_selector(".keys")
        page.fill("#notes", "n s 1")  # keys are text while she writes
        page.focus("input[value=interested]")
        page.keyboard.press("2")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=Done: Refused.")
        chromium.close()
    assert troubles == []
    assert wide == 390, "nothing stands out on a phone"
    done = tasks_of(waiting)["8-1-0"]
    assert (done.outcome, done.notes) == ("refused", "n s 1")
