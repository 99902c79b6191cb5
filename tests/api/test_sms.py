"""Text messages that come in, and receipts, in Twilio's shape."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from dsl.replies import first_word
from engine import consent, customers, messages
from engine.db import Database, table
from engine.events import StoredEvent
from engine.outgoing import Receipt
from engine.settings import Settings
from engine.sms.keywords import asked
from engine.sms.twilio import sign_twilio
from engine.tables import Message, MessageEvent

Events = Callable[[], list[StoredEvent]]
Sent = Callable[..., dict[str, Any]]
NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
ZOE = "+33612345678"


async def post(http: httpx.AsyncClient, settings: Settings, where: str, **form: str) -> httpx.Response:
    signature = sign_twilio(settings.public_url + where, form, settings.sms_token.get_secret_value())
    return await http.post(where, data=form, headers={"X-Twilio-Signature": signature})


async def say(
    http: httpx.AsyncClient, settings: Settings, text: str, sid: str = "SM1", sender: str = ZOE
) -> httpx.Response:
    return await post(
        http, settings, "/v1/sms/twilio/inbound", MessageSid=sid, From=sender, To="+33700000000", Body=text
    )


async def told(
    http: httpx.AsyncClient, settings: Settings, status: str, sid: str = "SM9", **more: str
) -> httpx.Response:
    return await post(http, settings, "/v1/sms/twilio/status", MessageSid=sid, MessageStatus=status, **more)


def granted(db: Database, customer: str) -> dict[str, bool]:
    with db.read() as conn:
        return {row.channel: row.granted for row in consent.of(conn, customer)}


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("STOP", "stop"),
        (" stop. ", "stop"),
        ("Stop please", "stop"),
        ("ARRÊT", "stop"),
        ("Se désabonner", "stop"),
        ("désabonner", "stop"),
        ("opt out", "stop"),
        ("Abmelden!", "stop"),
        ("START", "start"),
        ("aide", "help"),
        ("YES", None),
        ("please don't stop", None),
        ("", None),
        ("🍷", None),
        ("🛑", "stop"),
        ("S.T.O.P.", "stop"),
        ("ST\u200bOP", "stop"),
        ("ＳＴＯＰ", "stop"),
        ("please stop", "stop"),
        ("STOP 36105", "stop"),
        ("Unsubscribe please", "stop"),
        ("arrêtez s'il vous plaît", "stop"),
        ("Bitte abmelden", "stop"),
        ("Baja", "stop"),
        ("Basta!", "stop"),
        ("Afmelden aub", "stop"),
        ("SAIR", "stop"),
        ("cancelar, por favor", "stop"),
        ("СТОП", "stop"),
        ("opt-in", "start"),
        ("começar", "start"),
        ("Hilfe", "help"),
        ("AJUDA", "help"),
        ("end of the month is fine", None),
        ("cancel my table", None),
        ("nonstop", None),
        ("info on the wine?", None),
        ("thank you", None),
    ],
)
def test_words_that_ask_for_something(text: str, wish: str | None) -> None:
    assert asked(text) == wish


@pytest.mark.parametrize(("text", "word"), [("yes please", "YES"), ("«Oui»!", "OUI"), ("  é t é", "É"), ("…", "")])
def test_the_keyword_is_the_first_word_in_capitals(text: str, word: str) -> None:
    assert first_word(text) == word


async def test_a_reply_answers_the_newest_message_to_that_number(
    http: httpx.AsyncClient, settings: Settings, sent: Sent, events: Events
) -> None:
    sent("1-1-0", "sms", reserved_at=NOW)
    sent("2-1-0", "sms", reserved_at=NOW + timedelta(hours=1))
    sent("3-1-0", "sms", reserved_at=NOW + timedelta(hours=2), status="not_sent")
    sent("4-1-0", "sms", reserved_at=NOW + timedelta(hours=3), address="+33699999999")
    for _ in range(2):  # the gateway repeats what it doubts
        response = await say(http, settings, "Yes, gladly")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("application/xml")
    (event,) = events()
    assert (event.name, event.message_key, event.customer_id) == ("sms.replied", "2-1-0", "c1")
    assert event.payload == {"text": "Yes, gladly", "keyword": "YES"}


async def test_STOP_withdraws_at_once_and_START_gives_it_again(
    http: httpx.AsyncClient, settings: Settings, sent: Sent, events: Events, sqlite: Database
) -> None:
    sent("1-1-0", "sms")
    with sqlite.write() as conn:
        customers.put(conn, "c2", {"phone": ZOE}, NOW)
    for _ in range(2):
        assert (await say(http, settings, "Stop")).status_code == 200
    assert granted(sqlite, "c1") == granted(sqlite, "c2") == {"sms": False}
    assert sorted((e.name, e.customer_id) for e in events()) == [
        ("consent.withdrawn", "c1"),
        ("consent.withdrawn", "c2"),
        ("sms.stop", "c1"),
    ]
    await say(http, settings, "START", "SM2")
    assert granted(sqlite, "c1") == {"sms": True}


async def test_a_webhook_that_is_played_again_changes_nothing(
    http: httpx.AsyncClient, settings: Settings, sent: Sent, sqlite: Database
) -> None:
    """Twilio's signature holds for ever: an old START must not grant what she took back since."""
    sent("1-1-0", "sms")
    await say(http, settings, "START", "SM1")
    await say(http, settings, "STOP", "SM2")
    assert (await say(http, settings, "START", "SM1")).status_code == 200
    assert granted(sqlite, "c1") == {"sms": False}


@pytest.mark.parametrize(
    ("language", "text", "says"),
    [
        ("fr", "HELP", "répondez STOP"),
        ("de", "Aide", "Antworten Sie STOP"),
        (None, "Ayuda!", "responda STOP"),
        (None, "info", "reply STOP"),
        ("ja", "HULP", "antwoord STOP"),
    ],
)
async def test_HELP_is_answered_in_her_language_else_in_the_words_own(
    http: httpx.AsyncClient, settings: Settings, sqlite: Database, language: str | None, text: str, says: str
) -> None:
    with sqlite.write() as conn:
        customers.put(conn, "c1", {"phone": ZOE, "language": language}, NOW)
    said = (await say(http, settings, text)).text
    assert f"<Message>{settings.mail_from.partition(' <')[0]}" in said
    assert says in said


async def test_a_reply_answers_what_came_from_the_number_that_it_goes_to(
    http: httpx.AsyncClient, settings: Settings, sent: Sent, events: Events
) -> None:
    """Several senders: the newest message is another number's."""
    sent("1-1-0", "sms", reserved_at=NOW, sender="+33700000000")
    sent("2-1-0", "sms", reserved_at=NOW + timedelta(hours=1), sender="+4915112345678")
    await say(http, settings, "Yes", "a")
    await post(http, settings, "/v1/sms/twilio/inbound", MessageSid="b", From=ZOE, To="+4915112345678", Body="Ja")
    await post(http, settings, "/v1/sms/twilio/inbound", MessageSid="c", From=ZOE, To="+15005550006", Body="Hm")
    assert [event.message_key for event in events()] == ["1-1-0", "2-1-0", None]
    sent("3-1-0", "sms", reserved_at=NOW, sender="MARCHAND")  # nobody can answer a name: it comes to any number
    await post(http, settings, "/v1/sms/twilio/inbound", MessageSid="d", From=ZOE, To="+15005550006", Body="Hm")
    assert events()[-1].message_key == "3-1-0"


async def test_a_picture_that_came_is_in_the_reply(http: httpx.AsyncClient, settings: Settings, events: Events) -> None:
    where = "/v1/sms/twilio/inbound"
    form = {"MediaUrl0": "https://api.example/m/1", "NumMedia": "1"}
    await post(http, settings, where, MessageSid="a", From=ZOE, To="+33700000000", Body="", **form)
    assert events()[0].payload == {"text": "", "keyword": "", "media": ["https://api.example/m/1"]}


async def test_HELP_is_answered_and_recorded_nowhere(
    http: httpx.AsyncClient, settings: Settings, events: Events
) -> None:
    assert "<Message>" in (await say(http, settings, "Aide")).text
    assert events() == []


async def test_a_text_from_a_stranger_is_kept(http: httpx.AsyncClient, settings: Settings, events: Events) -> None:
    assert (await say(http, settings, "who is this?", sender="+33611111111")).status_code == 200
    assert (events()[0].name, events()[0].customer_id) == ("sms.replied", None)


async def test_a_forged_webhook_is_refused(
    http: httpx.AsyncClient, settings: Settings, sent: Sent, events: Events
) -> None:
    sent("1-1-0", "sms")
    form = {"MessageSid": "SM1", "From": ZOE, "Body": "STOP"}
    for signature in (b"", b"nonsense", "é".encode()):
        response = await http.post("/v1/sms/twilio/inbound", data=form, headers=[(b"X-Twilio-Signature", signature)])
        assert (response.status_code, response.json()["code"]) == (403, "bad_signature")
    signed = sign_twilio(settings.public_url + "/v1/sms/twilio/inbound", form, settings.sms_token.get_secret_value())
    changed = {**form, "From": "+33600000000"}
    response = await http.post("/v1/sms/twilio/inbound", data=changed, headers={"X-Twilio-Signature": signed})
    assert response.status_code == 403
    assert events() == []


async def test_receipts_move_the_message_forward_only(
    http: httpx.AsyncClient, settings: Settings, sent: Sent, events: Events, sqlite: Database
) -> None:
    sent("1-1-0", "sms", provider_id="SM9", status="unknown")
    for status in ("queued", "sent", "delivered", "delivered", "sent", "undelivered"):
        assert (await told(http, settings, status)).status_code == 204
    message, line = table(Message), table(MessageEvent)
    with sqlite.read() as conn:
        assert conn.execute(select(message.c.status)).scalar() == "delivered"
        assert list(conn.execute(select(line.c.status).order_by(line.c.id)).scalars()) == ["sent", "delivered"]
    assert [(event.name, event.message_key) for event in events()] == [("sms.delivered", "1-1-0")]


async def test_S5_a_dead_number_is_suppressed(
    http: httpx.AsyncClient,
    settings: Settings,
    sent: Sent,
    events: Events,
    suppressed: Callable[[], list[tuple[str, str, str]]],
) -> None:
    sent("1-1-0", "sms", provider_id="SM9")
    assert (await told(http, settings, "undelivered", ErrorCode="30005")).status_code == 204
    assert suppressed() == [("sms", ZOE, "unknown number")]
    assert [(event.name, event.payload) for event in events()] == [("sms.undelivered", {"detail": "error 30005"})]


@pytest.mark.parametrize("faster", [False, True])
async def test_who_unsubscribed_at_the_carrier_has_withdrawn(
    http: httpx.AsyncClient, settings: Settings, sent: Sent, events: Events, sqlite: Database, faster: bool
) -> None:
    """Twilio says so in its answer to the call, or, of a messaging service, in the callback."""
    sent("1-1-0", "sms", provider_id=None if faster else "SM9", status="sending" if faster else "sent")
    if faster:
        receipt = Receipt("rejected", detail="400 21610", unsubscribed=True)
        with sqlite.write() as conn:
            messages.settle(conn, [("1-1-0", receipt)], NOW)
    else:
        assert (await told(http, settings, "failed", ErrorCode="21610")).status_code == 204
    assert granted(sqlite, "c1") == {"sms": False}
    found = [(event.name, event.payload.get("channel")) for event in events() if event.name.startswith("consent")]
    assert found == [("consent.withdrawn", "sms")]


async def test_STOP_of_a_number_that_is_nobodys_suppresses_it_until_START(
    http: httpx.AsyncClient, settings: Settings, suppressed: Callable[[], list[tuple[str, str, str]]], sqlite: Database
) -> None:
    await say(http, settings, "STOP", "SM1")
    await say(http, settings, "STOP", "SM2", sender="36105")  # a short code has no phone
    assert suppressed() == [("sms", ZOE, "stopped")]
    with sqlite.write() as conn:
        customers.put(conn, "c2", {"phone": ZOE}, NOW)
    await say(http, settings, "START", "SM3")
    assert (suppressed(), granted(sqlite, "c2")) == ([], {"sms": True})
    await say(http, settings, "STOP", "SM1")
    assert suppressed() == [], "played again"


async def test_START_makes_no_dead_number_alive(
    http: httpx.AsyncClient, settings: Settings, suppressed: Callable[[], list[tuple[str, str, str]]], sqlite: Database
) -> None:
    with sqlite.write() as conn:
        consent.suppress(conn, "sms", ZOE, "landline", "provider", NOW)
    await say(http, settings, "STOP", "SM1")
    await say(http, settings, "START", "SM2")
    assert suppressed() == [("sms", ZOE, "landline")]


async def test_a_receipt_faster_than_our_own_record_is_found_by_key(
    http: httpx.AsyncClient, settings: Settings, sent: Sent, events: Events
) -> None:
    sent("1-1-0", "sms", status="reserved")
    where = "/v1/sms/twilio/status?key=1-1-0"
    assert (await post(http, settings, where, MessageSid="SM9", MessageStatus="delivered")).status_code == 204
    assert (await post(http, settings, where, MessageSid="SM8", MessageStatus="delivered")).status_code == 404
    assert (await told(http, settings, "delivered", sid="nobody's")).status_code == 404
    assert [event.name for event in events()] == ["sms.delivered"]


async def test_a_text_with_a_nul_in_it_says_stop_all_the_same(
    http: httpx.AsyncClient, settings: Settings, sent: Sent, sqlite: Database
) -> None:
    sent("1-1-0", "sms")
    assert (await say(http, settings, "Stop\x00")).status_code == 200
    assert granted(sqlite, "c1") == {"sms": False}
