"""Postmark's webhooks, in the shapes that it documents: known by their login, kept once."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from kit.incoming import reply
from kit.webhooks import FIREFOX, ID, ZOE, Events, Sent, one, tallies

from api.app import create_app
from engine.db import Database
from engine.settings import Settings

LOGIN = ("parcours", "secret")


def pm(record: str, **fields: Any) -> dict[str, Any]:
    return {
        "RecordType": record, "MessageStream": "outbound", "ServerID": 1234, "Tag": "Test",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Metadata": {"parcours": "1-1-0"}, **fields,
    }  # fmt: skip


def bounce(kind: str, **fields: Any) -> dict[str, Any]:
    return pm(
        "Bounce", ID=42, Type=kind, TypeCode=1, Name=kind, Email=ZOE, From="hello@parcours.example",
        Description="The server was unable to deliver your message (ex: unknown user, mailbox not found).",
        Details=fields.pop("Details", "smtp;550 5.1.1 The email account does not exist."),
        BouncedAt="2026-05-04T16:33:54.9070259Z", DumpAvailable=True, Inactive=True, CanActivate=True, Subject="x", **fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "name", "payload"),
    [
        (
            pm("Delivery", Recipient=ZOE, DeliveredAt="2026-05-04T16:33:54.9070259Z", Details="250 ok"), "delivered",
            {"detail": "250 ok"},
        ),
        (
            bounce("HardBounce"), "bounced",
            {"kind": "hard", "code": "5.1.1", "diagnostic": "smtp;550 5.1.1 The email account does not exist."},
        ),
        (bounce("SoftBounce", Details="5.2.2 full"), "bounced", {"kind": "soft", "code": "5.2.2", "diagnostic": "5.2.2 full"}),
        (bounce("Transient", Details="4.4.1 later"), "delayed", {"detail": "4.4.1 later"}),
        (bounce("AutoResponder", Details="away"), "auto_replied", {"detail": "away"}),
        (bounce("Unknown", Details="550 no such user"), "bounced", {"kind": "hard", "code": "", "diagnostic": "550 no such user"}),
        (pm("SpamComplaint", ID=43, Email=ZOE, Details="Test spam complaint"), "complained", {"detail": "Test spam complaint"}),
        (pm("Open", Recipient=ZOE, UserAgent=FIREFOX, FirstOpen=True, ReceivedAt="2026-05-04T17:00:00Z"), "opened", {"human": True}),
        (pm("Click", Recipient=ZOE, OriginalLink="https://x.example/"), "clicked", {"link": "", "url": "https://x.example/"}),
        (
            pm("SubscriptionChange", Recipient=ZOE, Origin="Recipient", SuppressSending=True, SuppressionReason="ManualSuppression"),
            "unsubscribed", {},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
async def test_what_postmark_tells(
    http: httpx.AsyncClient, sent: Sent, events: Events, said: dict[str, Any], name: str, payload: dict[str, Any]
) -> None:
    sent(links=[])
    assert (await http.post("/v1/email/postmark", json=said, auth=LOGIN)).json() == {
        "kept": 1,
        "repeats": 0,
        "passed": 0,
    }
    assert (await http.post("/v1/email/postmark", json=said, auth=LOGIN)).json()["repeats"] == 1
    assert one(events) == (f"email.{name}", "1-1-0", payload)


async def test_postmark_is_known_by_its_login(
    http: httpx.AsyncClient, sent: Sent, events: Events, sqlite: Database
) -> None:
    sent()
    for login in (("nobody", ""), ("parcours", "wrong"), ("", "")):
        refused = await http.post("/v1/email/postmark", json=bounce("HardBounce"), auth=login)
        assert (refused.status_code, refused.json()["code"]) == (401, "bad_login")
    odd: list[Any] = [bounce("Subscribe"), pm("NewThing"), {}, [], "x", {"RecordType": 7, "Metadata": []}]
    for said in odd:
        assert (await http.post("/v1/email/postmark", json=said, auth=LOGIN)).json()["passed"] == 1
    assert (await http.post("/v1/email/postmark", content=b"{", auth=LOGIN)).json()["code"] == "bad_json"
    assert (await http.post("/v1/email/postmark", content=b"[" * 100_000, auth=LOGIN)).json()["code"] == "bad_json"
    assert events() == []
    assert tallies(sqlite)["an event that says nothing to us: Bounce Subscribe"] == 1


async def test_postmark_brings_mails_in(http: httpx.AsyncClient, sent: Sent, events: Events) -> None:
    sent()
    said = {
        "OriginalRecipient": "hello@parcours.example",
        "RawEmail": reply("Yes", answers=ID).decode(),
        "TextBody": "Yes",
    }
    assert (await http.post("/v1/email/postmark/inbound", json=said, auth=LOGIN)).json()["kept"] == 1
    assert one(events)[0] == "email.replied"
    assert (await http.post("/v1/email/postmark/inbound", json={}, auth=LOGIN)).json()["passed"] == 1


async def test_what_no_database_can_hold_costs_no_bounce_and_no_mail(
    http: httpx.AsyncClient, sent: Sent, events: Events
) -> None:
    """A provider cuts a server's words in the middle of an emoji, and a mail may hold anything: a 400 would lose it."""
    sent()
    long = "9" * 5000
    said = bounce("HardBounce", Details=f"5.1.1 no such user\x00 \ud83d {long}") | {"ID": int("7" * 400)}
    body = json.dumps(said).replace('"Tag"', f'"Odd": [{long}, NaN, 1e999], "Tag"')
    assert (await http.post("/v1/email/postmark", content=body, auth=LOGIN)).json()["kept"] == 1
    assert one(events)[2]["diagnostic"].startswith("5.1.1 no such user  999")
    raw = reply("Yes \x00 please", answers=ID, message_id="9@x.example").decode()
    mail = json.dumps({"OriginalRecipient": "hello@parcours.example", "RawEmail": raw + "\ud83d"})
    assert (await http.post("/v1/email/postmark/inbound", content=mail, auth=LOGIN)).json()["kept"] == 1
    assert [event.name for event in events()] == ["email.bounced", "email.replied"]


async def test_providers_that_are_not_set_up_are_refused(sqlite: Database, tmp_path: Any) -> None:
    bare = create_app(Settings(data=tmp_path / "var"), sqlite)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(bare), base_url="http://127.0.0.1:8000") as http:
        for where in ("ses", "sendgrid", "mailgun", "mailgun/mime", "postmark", "postmark/inbound"):
            refused = await http.post(f"/v1/email/{where}", json={})
            assert (refused.status_code, refused.json()["code"]) == (403, "not_set_up"), where
            assert "PARCOURS_" in refused.json()["message"]
