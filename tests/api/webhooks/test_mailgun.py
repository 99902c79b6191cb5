"""Mailgun's webhooks, in the shapes that it documents: proved, kept once, and a token comes once."""

from __future__ import annotations

import hmac
import time
from hashlib import sha256
from typing import Any

import httpx
import pytest
from kit.incoming import reply
from kit.webhooks import FIREFOX, ID, ZOE, Events, Sent, one, tallies

from engine.db import Database
from engine.links import Links


def signed(once: str = "t1", at: float | None = None, key: str = "mailgun-key") -> dict[str, str]:
    stamp = str(int(at or time.time()))
    return {
        "timestamp": stamp,
        "token": once,
        "signature": hmac.new(key.encode(), f"{stamp}{once}".encode(), sha256).hexdigest(),
    }


def mg(event: str, **fields: Any) -> dict[str, Any]:
    return {
        "event": event, "id": f"id of {event}", "timestamp": time.time() - 60, "log-level": "info", "recipient": ZOE,
        "message": {"headers": {"to": ZOE, "message-id": ID, "from": "hello@parcours.example", "subject": "x"}, "size": 1},
        "envelope": {"sender": "hello@parcours.example", "targets": ZOE, "transport": "smtp"}, **fields,
    }  # fmt: skip


REFUSED = {"code": 550, "message": "5.1.1 User unknown", "description": "", "enhanced-code": "5.1.1", "attempt-no": 1}
REMEMBERED = {"code": 605, "message": "", "description": "Not delivering to previously bounced address"}


@pytest.mark.parametrize(
    ("said", "name", "payload"),
    [
        (mg("delivered", **{"delivery-status": {"code": 250, "message": "OK"}}), "delivered", {"detail": "OK"}),
        (
            mg("failed", severity="permanent", reason="bounce", **{"delivery-status": REFUSED}), "bounced",
            {"kind": "hard", "code": "5.1.1", "diagnostic": "5.1.1 User unknown"},
        ),
        (
            mg("failed", severity="permanent", reason="suppress-bounce", **{"delivery-status": REMEMBERED}), "bounced",
            {"kind": "hard", "code": "", "diagnostic": REMEMBERED["description"]},
        ),
        (
            mg("failed", severity="temporary", reason="generic", **{"delivery-status": {"code": 452, "message": "4.2.2 mailbox full"}}),
            "delayed", {"detail": "4.2.2 mailbox full"},
        ),
        (
            mg("rejected", reject={"reason": "Sandbox", "description": ""}), "bounced",
            {"kind": "undetermined", "code": "", "diagnostic": "Sandbox"},
        ),
        (mg("complained"), "complained", {}),
        (mg("unsubscribed"), "unsubscribed", {}),
        (mg("opened", **{"client-info": {"user-agent": FIREFOX, "bot": ""}}), "opened", {"human": True}),
        (
            mg("opened", **{"client-info": {"user-agent": "Mozilla/5.0", "bot": "apple"}}), "scanned",
            {"human": False, "by": "Apple Mail Privacy Protection"},
        ),
        (mg("clicked", url="https://shop.example/"), "clicked", {"link": "", "url": "https://shop.example/"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
async def test_what_mailgun_tells(
    http: httpx.AsyncClient, sent: Sent, events: Events, said: dict[str, Any], name: str, payload: dict[str, Any]
) -> None:
    sent(links=[])
    body = {"signature": signed(), "event-data": said}
    assert (await http.post("/v1/email/mailgun", json=body)).json() == {"kept": 1, "repeats": 0, "passed": 0}
    again = {"signature": signed("t2"), "event-data": said}
    assert (await http.post("/v1/email/mailgun", json=again)).json() == {"kept": 0, "repeats": 1, "passed": 0}
    assert one(events) == (f"email.{name}", "1-1-0", payload)


async def test_mailguns_token_comes_once_whatever_body_it_comes_with(
    http: httpx.AsyncClient, sent: Sent, events: Events
) -> None:
    sent()
    proof = signed()
    assert (
        await http.post("/v1/email/mailgun", json={"signature": proof, "event-data": mg("accepted")})
    ).status_code == 200
    replayed = await http.post("/v1/email/mailgun", json={"signature": proof, "event-data": mg("complained")})
    assert (replayed.status_code, replayed.json()["code"]) == (406, "replayed")
    for wrong in (
        signed("t3", at=time.time() - 26 * 3600),
        signed("t4", key="other"),
        {},
        "nonsense",
        {**signed(), "token": "x"},
    ):
        refused = await http.post("/v1/email/mailgun", json={"signature": wrong, "event-data": mg("complained")})
        assert (refused.status_code, refused.json()["code"]) == (403, "bad_signature")
    assert events() == []


async def test_mailgun_brings_mails_in(
    http: httpx.AsyncClient, links: Links, sent: Sent, events: Events, sqlite: Database
) -> None:
    sent()
    to = f"{links.reply_to('1-1-0')}@parcours.example"
    form = {**signed(), "recipient": to, "sender": ZOE, "body-mime": reply("Très volontiers !", to=to).decode()}
    assert (await http.post("/v1/email/mailgun/mime", data=form)).json() == {"kept": 1, "repeats": 0, "passed": 0}
    assert one(events) == ("email.replied", "1-1-0", {"text": "Très volontiers !", "keyword": "TRÈS"})
    other = {**signed("t2"), "recipient": "who@parcours.example", "sender": ZOE, "body-mime": "x"}
    assert (await http.post("/v1/email/mailgun/mime", data=other)).json()["passed"] == 1
    assert tallies(sqlite) == {"no such address": 1}


async def test_a_mail_that_holds_a_nul_is_brought_in_all_the_same(
    http: httpx.AsyncClient, links: Links, sent: Sent, events: Events, sqlite: Database
) -> None:
    sent()
    to = f"{links.reply_to('1-1-0')}@parcours.example"
    mime = reply("Yes\x00!", to=to).decode()
    form = {**signed(), "recipient": to, "sender": f"{ZOE}\x00", "body-mime": mime}
    assert (await http.post("/v1/email/mailgun/mime", data=form)).json()["kept"] == 1
    parts = {**signed("t2"), "recipient": "\x00who@parcours.example", "sender": ZOE}
    file = {"body-mime": ("mime", b"x\x00", "application/octet-stream")}
    assert (await http.post("/v1/email/mailgun/mime", data=parts, files=file)).json()["passed"] == 1
    assert one(events)[0] == "email.replied"
    assert tallies(sqlite) == {"no such address": 1}
