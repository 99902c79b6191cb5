"""SendGrid's event webhook, in the shapes that it documents: proved, kept once, refused where it is not its."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from kit.webhooks import FIREFOX, ID, KEY, ZOE, Events, Sent, Suppressed, one, tallies

from engine.db import Database
from engine.mail.providers.sendgrid import verify
from engine.mail.providers.told import BadSignature


async def by_sendgrid(http: httpx.AsyncClient, *batch: dict[str, Any], at: float | None = None) -> httpx.Response:
    body = json.dumps(batch).encode() + b"\r\n"
    stamp = str(int(at or time.time()))
    signature = b64encode(KEY.sign(stamp.encode() + body, ec.ECDSA(SHA256()))).decode()
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": signature,
        "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
        "Content-Type": "application/json",
    }
    return await http.post("/v1/email/sendgrid", content=body, headers=headers)


def sg(event: str, **fields: Any) -> dict[str, Any]:
    return {
        "email": ZOE, "timestamp": int(time.time()) - 60, "smtp-id": f"<{ID}>", "event": event, "category": "cat facts",
        "sg_event_id": f"id of {event} {sorted(fields)}", "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        **fields,
    }  # fmt: skip


GONE = {
    "reason": "550 5.1.1 The email account that you tried to reach does not exist",
    "status": "5.1.1",
    "type": "bounce",
}


@pytest.mark.parametrize(
    ("said", "name", "payload"),
    [
        (sg("delivered", response="250 OK"), "delivered", {"detail": "250 OK"}),
        (sg("deferred", response="421 4.7.0 try again later", attempt="5"), "delayed", {"detail": "421 4.7.0 try again later"}),
        (sg("bounce", **GONE), "bounced", {"kind": "hard", "code": "5.1.1", "diagnostic": GONE["reason"]}),
        (
            sg("bounce", type="blocked", reason="550 5.7.1 refused by policy", status="5.7.1"), "bounced",
            {"kind": "undetermined", "code": "5.7.1", "diagnostic": "550 5.7.1 refused by policy"},
        ),
        (
            sg("bounce", reason="rejected", status="5.0.0", bounce_classification="Invalid Address"), "bounced",
            {"kind": "hard", "code": "5.0.0", "diagnostic": "rejected"},
        ),
        (sg("dropped", reason="Bounced Address"), "bounced", {"kind": "hard", "code": "", "diagnostic": "Bounced Address"}),
        (
            sg("dropped", reason="Unsubscribed Address"), "bounced",
            {"kind": "undetermined", "code": "", "diagnostic": "Unsubscribed Address"},
        ),
        (sg("spamreport"), "complained", {}),
        (sg("unsubscribe"), "unsubscribed", {}),
        (sg("group_unsubscribe", asm_group_id=10), "unsubscribed", {}),
        (sg("open", useragent=FIREFOX, ip="255.255.255.255"), "opened", {"human": True}),
        (sg("open", useragent="Mozilla/5.0 (via ggpht.com GoogleImageProxy)"), "opened", {"human": False, "by": "Gmail's image proxy"}),
        (sg("open", useragent="Mozilla/5.0", sg_machine_open=True), "scanned", {"human": False, "by": "Apple Mail Privacy Protection"}),
        (sg("click", url="http://www.sendgrid.com/", useragent=FIREFOX), "clicked", {"link": "", "url": "http://www.sendgrid.com/"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
async def test_what_sendgrid_tells(
    http: httpx.AsyncClient, sent: Sent, events: Events, said: dict[str, Any], name: str, payload: dict[str, Any]
) -> None:
    sent(links=[])
    assert (await by_sendgrid(http, said)).json() == {"kept": 1, "repeats": 0, "passed": 0}
    assert (await by_sendgrid(http, said)).json() == {"kept": 0, "repeats": 1, "passed": 0}
    assert one(events) == (f"email.{name}", "1-1-0", payload)
    assert len([event for event in events() if event.name == f"email.{name}"]) == 1


async def test_sendgrids_batches_have_what_is_ours_and_what_is_not(
    http: httpx.AsyncClient, sent: Sent, events: Events, suppressed: Suppressed, sqlite: Database
) -> None:
    sent()
    batch = [
        sg("processed"),
        sg("bounce", **GONE),
        sg("click", url="https://shop.example/"),
        sg("cannonball"),
        sg("delivered", **{"smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>", "email": "who@nowhere.example"}),
    ]
    assert (await by_sendgrid(http, *batch)).json() == {"kept": 1, "repeats": 0, "passed": 3}
    assert [event.name for event in events()] == ["email.bounced"]
    assert suppressed() == [("email", ZOE, "hard bounce")]
    assert tallies(sqlite) == {
        "a click that our own link tells already": 1,
        "a send that is not ours": 1,
        "an event that says nothing to us: cannonball": 1,
    }


async def test_sendgrids_signature_is_verified(http: httpx.AsyncClient, sent: Sent, events: Events) -> None:
    sent()
    old = await by_sendgrid(http, sg("spamreport"), at=time.time() - 26 * 3600)
    assert (old.status_code, old.json()["code"]) == (403, "bad_signature")
    assert "not lately" in old.json()["message"]
    for signature in ("", "nonsense", b64encode(b"x" * 70).decode()):
        headers = {
            "X-Twilio-Email-Event-Webhook-Signature": signature,
            "X-Twilio-Email-Event-Webhook-Timestamp": str(int(time.time())),
        }
        response = await http.post("/v1/email/sendgrid", json=[sg("spamreport")], headers=headers)
        assert (response.status_code, response.json()["code"]) == (403, "bad_signature")
    assert events() == []


def test_sendgrids_signature_is_the_one_of_its_own_tests() -> None:
    # The vector of sendgrid-python, test/unit/test_eventwebhook.py; it is of 2020, which the age says
    key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
    signature = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
    dropped = {
        "email": "hello@world.com", "event": "dropped", "reason": "Bounced Address",
        "sg_event_id": "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",
        "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",
        "smtp-id": "<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>", "timestamp": 1600112492,
    }  # fmt: skip
    body = json.dumps([dropped], sort_keys=True, separators=(",", ":")).encode() + b"\r\n"
    with pytest.raises(BadSignature, match="signed at 2020-09-14"):
        verify(key, body, signature, "1600112502")
    with pytest.raises(BadSignature, match="does not fit"):
        verify(key, body.replace(b"hello", b"hallo"), signature, "1600112502")
    with pytest.raises(BadSignature, match="SENDGRID_KEY is no public key"):
        verify("nonsense", body, signature, "1600112502")
