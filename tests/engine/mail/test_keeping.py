"""What follows from a mail: rows, events, suppression, consent; once each, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kit.incoming import auto_reply, complaint, dsn, ours, postfix, reply
from sqlalchemy import select

from engine import consent, customers
from engine.db import Database, insert_new, table
from engine.events import since
from engine.gate import Candidate, judge
from engine.links import Links
from engine.mail import strays
from engine.mail.door import Door, Taken
from engine.mail.event import MailEvent, What
from engine.mail.keeping import Keeping
from engine.mail.providers.mailgun import first_time
from engine.settings import Settings
from engine.tables import Bounce, Customer, Message, MessageEvent, Suppression

NOW = datetime.now(UTC)
ZOE = "zoe@example.com"
OWN = "hello@parcours.example"


@pytest.fixture
def settings() -> Settings:
    return Settings(secret="a key of the tests", soft_bounces=3)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def links(settings: Settings) -> Links:
    return Links(settings.public_url, settings.signing_key())


@pytest.fixture
def take(db: Database, settings: Settings) -> Callable[..., Taken]:
    """Take a mail in, as the receiver does."""
    door = Door(settings)

    def taken(raw: bytes, to: str = OWN, sender: str | None = "") -> Taken:
        assert door.refusal(to) is None
        return door.take(db, raw, sender, to, "smtp")

    return taken


def sent(db: Database, *keys: str, **changes: Any) -> None:
    rows = [
        {
            "key": key, "enrolment_id": int(key.split("-")[0]), "customer_id": "zoe", "journey": "spring", "hash": "h",
            "state": "mail", "visit": 1, "arm": "treated", "channel": "email", "purpose": "marketing", "status": "sent",
            "address": ZOE, "cost": 0, "reserved_at": NOW - timedelta(hours=2), **changes,
        }
        for key in keys
    ]  # fmt: skip
    with db.write() as conn:
        insert_new(conn, Message, rows)


def told(db: Database) -> list[tuple[str, str | None, dict[str, Any]]]:
    with db.read() as conn:
        return [(event.name, event.message_key, dict(event.payload)) for event in since(conn, 0, 1000)]


def names(db: Database) -> list[str]:
    return [name for name, _, _ in told(db)]


def line(db: Database, key: str = "1-1-0") -> list[str]:
    rows = table(MessageEvent)
    with db.read() as conn:
        return list(conn.execute(select(rows.c.status).where(rows.c.key == key).order_by(rows.c.id)).scalars())


def message(db: Database, key: str = "1-1-0") -> Any:
    rows = table(Message)
    with db.read() as conn:
        return conn.execute(select(rows).where(rows.c.key == key)).one()


def suppressed(db: Database) -> list[tuple[str, str]]:
    rows = table(Suppression)
    with db.read() as conn:
        return [(row.address, row.reason) for row in conn.execute(select(rows))]


def verp(links: Links, key: str = "1-1-0") -> str:
    return f"{links.return_path(key)}@parcours.example"


def test_S5_a_hard_bounce_suppresses_the_address_for_every_journey(
    db: Database, links: Links, take: Callable[..., Taken]
) -> None:
    sent(db, "1-1-0")
    taken = [take(postfix("1-1-0", verp(links)), verp(links)).status for _ in range(3)]  # it did not hear our 250
    assert taken == ["kept", "repeat", "repeat"]
    assert suppressed(db) == [(ZOE, "hard bounce")]
    words = "550 5.1.1 <zoe@example.com>: Recipient address rejected: User unknown"
    assert told(db) == [("email.bounced", "1-1-0", {"kind": "hard", "code": "5.1.1", "diagnostic": words})]
    assert (message(db).status, message(db).reason) == ("failed", "hard bounce")
    assert line(db) == ["failed"]
    other = Candidate("9-1-0", 9, "zoe", "another", "h2", "offer", 1, "treated", "email", "transactional", ZOE)
    with db.read() as conn:
        assert judge(conn, [other])["9-1-0"].reason == "suppressed"


def test_C9_a_complaint_beats_consent_and_purpose(db: Database, links: Links, take: Callable[..., Taken]) -> None:
    sent(db, "1-1-0")
    with db.write() as conn:
        consent.grant(conn, "zoe", "email", "marketing", "api", NOW)
        consent.grant(conn, "zoe", "email", "transactional", "api", NOW)
    raw = complaint(ours("1-1-0", unsubscribe=links.unsubscribe("1-1-0")))
    assert [take(raw, "abuse@parcours.example").status for _ in range(2)] == ["kept", "repeat"]
    assert suppressed(db) == [(ZOE, "complaint")]
    assert names(db)[2:] == ["email.complained", "consent.withdrawn"]
    assert line(db) == ["complained"]
    receipt = Candidate("9-1-0", 9, "zoe", "orders", "h2", "receipt", 1, "treated", "email", "transactional", ZOE)
    with db.read() as conn:
        no = judge(conn, [receipt])["9-1-0"]
    assert (no.reason, no.detail["reason"]) == ("suppressed", "complaint")


def test_soft_bounces_are_counted_and_suppress_only_together(
    db: Database, links: Links, take: Callable[..., Taken]
) -> None:
    for number in (1, 2, 3):
        assert suppressed(db) == []
        key = f"{number}-1-0"
        sent(db, key)
        full = {"status": "5.2.2", "words": "552 5.2.2 mailbox full"}
        for _ in range(2):
            take(postfix(key, verp(links, key), **full), verp(links, key))
        assert message(db, key).reason == "soft bounce"
    assert suppressed(db) == [(ZOE, "soft bounces")]


def test_old_soft_bounces_and_what_is_not_the_addresss_doing_do_not_count(
    db: Database, links: Links, take: Callable[..., Taken]
) -> None:
    old = [
        {"key": f"8{n}-1-0", "address": ZOE, "kind": "soft", "proved": True, "source": "smtp", "at": NOW - timedelta(days=31)}
        for n in range(5)
    ]  # fmt: skip
    with db.write() as conn:
        insert_new(conn, Bounce, old)
    for number in range(1, 6):
        key = f"{number}-1-0"
        sent(db, key)
        words = {"status": "5.7.1", "words": "550 5.7.1 blocked by policy"} if number > 1 else {"status": "4.4.7"}
        take(postfix(key, verp(links, key), **words), verp(links, key))
    assert suppressed(db) == []
    assert {payload["kind"] for _, _, payload in told(db)} == {"soft", "undetermined"}


def test_a_bounce_that_proves_nothing_counts_as_soft_and_only_for_its_own_address(
    db: Database, take: Callable[..., Taken]
) -> None:
    for key in ("1-1-0", "2-1-0", "3-1-0"):
        sent(db, key)
    assert take(dsn(ours("1-1-0"), recipient="somebody@example.com")).status == "stray"
    assert take(dsn(ours("1-1-0"))).status == "kept"
    assert suppressed(db) == []
    assert message(db).status == "failed"
    for key in ("2-1-0", "3-1-0"):
        take(dsn(ours(key)))
    assert suppressed(db) == [(ZOE, "soft bounces")]


def test_delays_and_deliveries_are_known_and_move_only_forward(
    db: Database, links: Links, take: Callable[..., Taken]
) -> None:
    sent(db, "1-1-0", status="unknown")
    delay = postfix("1-1-0", verp(links), action="delayed", status="4.4.1", words="timed out")
    assert [take(delay, verp(links)).status for _ in range(2)] == ["kept", "repeat"]
    assert message(db).status == "sent", "it was in doubt, and a server has it"
    take(postfix("1-1-0", verp(links), action="delivered", status="2.0.0", words="250 ok"), verp(links))
    assert message(db).status == "delivered"
    take(postfix("1-1-0", verp(links)), verp(links))  # accepted first, sent back later
    assert message(db).status == "failed"
    assert line(db) == ["sent", "delayed", "delivered", "failed"]
    assert names(db) == ["email.delayed", "email.delivered", "email.bounced"]


def test_a_reply_is_an_answer_once_and_only_from_her_address_or_with_a_token(
    db: Database, links: Links, take: Callable[..., Taken]
) -> None:
    sent(db, "1-1-0")
    raw = reply("Yes, gladly", answers="1-1-0@parcours.example")
    assert [take(raw, sender=ZOE).status for _ in range(2)] == ["kept", "repeat"]
    assert told(db) == [("email.replied", "1-1-0", {"text": "Yes, gladly", "keyword": "YES"})]
    stranger = reply("No", answers="1-1-0@parcours.example", sender="x@evil.example", message_id="2@x.example")
    taken = take(stranger, sender="x@evil.example")
    assert (taken.status, "neither proves it" in taken.said) == ("stray", True)
    signed = f"{links.reply_to('1-1-0')}@parcours.example"
    other = reply("From my other address", sender="zoe@work.example", message_id="3@x.example")
    assert take(other, signed, "zoe@work.example").status == "kept"
    assert names(db) == ["email.replied"] * 2
    assert line(db) == ["replied"] * 2


def test_R12_an_out_of_office_note_is_no_answer_and_stands_in_the_time_line(
    db: Database, links: Links, take: Callable[..., Taken]
) -> None:
    sent(db, "1-1-0")
    note = auto_reply("Auto-Submitted: auto-replied\n", to=verp(links))
    assert take(note, verp(links), "").status == "kept"
    assert names(db) == ["email.auto_replied"]
    assert line(db) == ["auto_replied"]


def test_R12_an_out_of_office_note_to_our_office_is_hers_if_it_comes_from_her_address(
    db: Database, take: Callable[..., Taken]
) -> None:
    sent(db, "1-1-0")
    head, answers = "Auto-Submitted: auto-replied\n", "1-1-0@parcours.example"
    stranger = reply("Away", sender="x@evil.example", message_id="9@x.example", answers=answers, headers=head)
    assert take(stranger, sender="x@evil.example").status == "stray"
    assert take(reply("Away", answers=answers, headers=head), sender="zoe@example.com").status == "kept"
    assert names(db) == ["email.auto_replied"]


def test_unsubscribing_by_mail_withdraws_consent_by_token_by_address_and_by_word(
    db: Database, links: Links, take: Callable[..., Taken]
) -> None:
    to = "unsubscribe@parcours.example"

    def granted() -> bool:
        with db.read() as conn:
            return consent.of(conn, "zoe")[0].granted

    def grant() -> None:
        with db.write() as conn:
            customers.put(conn, "zoe", {"email": "Zoe@example.com"}, NOW)
            consent.grant(conn, "zoe", "email", "marketing", "api", NOW)

    sent(db, "1-1-0")
    by_token = reply("", to=to, subject=links.unsubscribe_token("1-1-0"), sender="x@y.example", message_id="1@x")
    for raw in (
        by_token,
        reply("please", to=to, subject="unsubscribe", message_id="2@x"),
        reply("STOP", to=to, answers="1-1-0@parcours.example", message_id="3@x"),
    ):
        grant()
        assert take(raw, to if b"STOP" not in raw else OWN, ZOE).status == "kept"
        assert not granted()
    grant()
    assert take(by_token, to, ZOE).status == "repeat"  # an old mail that comes again
    assert granted()
    stranger = reply("please", to=to, subject="unsubscribe", sender="who@nowhere.example")
    assert take(stranger, to, "who@nowhere.example").status == "stray"
    assert suppressed(db) == []


def test_what_belongs_to_no_send_is_kept_whole_with_its_reason_and_can_be_taken_again(
    db: Database, settings: Settings, take: Callable[..., Taken]
) -> None:
    sent(db, "1-1-0")
    raw = complaint(ours("1-1-0"))
    assert [take(raw, "abuse@parcours.example").status for _ in range(2)] == ["stray", "stray"]
    with db.read() as conn:
        (kept,) = strays.listed(conn)
        assert strays.get(conn, kept.id).raw == raw
    assert (kept.reason, kept.recipient, kept.subject) == (
        "a complaint in which nothing is signed by us", "abuse@parcours.example", "FW: Ten per cent off",
    )  # fmt: skip
    assert suppressed(db) == []
    with db.write() as conn:
        assert Door(settings).again(conn, kept.id).status == "kept"
        assert strays.listed(conn) == []
    assert suppressed(db) == [(ZOE, "complaint")]


def test_strays_are_forgotten_after_their_days(db: Database) -> None:
    with db.write() as conn:
        for days, number in ((90.0, b"1"), (90.0, b"2"), (0.0, b"3")):
            strays.keep(conn, number, "x", source="smtp", sender=None, recipient="a@b", days=days)
        assert [kept.raw for kept in strays.listed(conn)] == [b"3"]


def test_a_forged_return_path_is_refused_and_counted(db: Database, settings: Settings, links: Links) -> None:
    door = Door(settings)
    forged = verp(links, "1-1-0").replace("1-1-0", "2-1-0")
    for address in (forged, forged, "bounce+x@parcours.example", "hello@elsewhere.example", "nobody@parcours.example"):
        reason = door.refusal(address)
        assert reason is not None
        door.refuse(db, address, reason, "smtp")
    with db.read() as conn:
        assert [(tally.reason, tally.count) for tally in strays.tallies(conn)] == [
            ("no such address", 1),
            ("not a domain of ours", 1),
            ("the signature of this bounce address is not ours", 2),
            ("this is no bounce address of ours", 1),
        ]


@pytest.mark.parametrize(
    "address",
    ["postmaster", "<postmaster>", "Abuse@Parcours.example", "unsubscribe@parcours.example", "HELLO@parcours.EXAMPLE"],
)
def test_some_addresses_are_always_open(settings: Settings, address: str) -> None:
    if address.strip("<>") == "postmaster":
        assert Door(settings).refusal("@postmaster") is None
    else:
        assert Door(settings).refusal(address) is None


def test_a_return_path_outlives_mailers_that_fold_case(settings: Settings, links: Links) -> None:
    assert Door(settings).refusal(verp(links).upper()) is None


def test_a_providers_word_without_a_key_is_of_the_newest_send_to_the_address(db: Database, settings: Settings) -> None:
    sent(db, "1-1-0")
    sent(db, "2-1-0", reserved_at=NOW - timedelta(hours=1))
    sent(db, "3-1-0", reserved_at=NOW, status="not_sent")
    with db.write() as conn:
        customers.put(conn, "zoe", {"email": "Zoe@example.com"}, NOW)
        keeping = Keeping.of(settings)
        said = MailEvent("delivered", "p:1", "postmark", signed=True, recipient="ZOE@example.com")
        assert keeping.keep(conn, said) == "kept"
        assert keeping.keep(conn, replace(said, id="p:2", recipient="who@nowhere.example")) == "unknown"
        assert keeping.keep(conn, replace(said, id="p:3", signed=False)) == "unknown"
    assert message(db, "2-1-0").status == "delivered"


def test_times_of_the_wall_clock_are_kept_between_the_send_and_now(db: Database, settings: Settings) -> None:
    sent(db, "1-1-0")
    half = NOW - timedelta(hours=1)
    with db.write() as conn:
        for number, at in enumerate((half, NOW - timedelta(days=9), NOW + timedelta(days=9))):
            said = MailEvent("opened", f"x:{number}", "ses", "1-1-0", signed=True, at=at)
            Keeping.of(settings).keep(conn, said)
        moments = [event.at for event in since(conn, 0, 10)]
    assert abs(moments[0] - half) < timedelta(milliseconds=1)
    assert abs(moments[1] - (NOW - timedelta(hours=2))) < timedelta(milliseconds=1)
    assert NOW <= moments[2] <= datetime.now(UTC)


def test_a_bounce_that_comes_by_many_ways_at_once_is_kept_once(
    db: Database, links: Links, settings: Settings, take: Callable[..., Taken]
) -> None:
    sent(db, "1-1-0")

    def by_mail(_: int) -> str:
        return take(postfix("1-1-0", verp(links)), verp(links)).status

    def by_webhook(number: int) -> str:
        said = MailEvent("bounced", f"sg:{number}", "sendgrid", "1-1-0", signed=True, kind="hard", code="5.1.1")
        with db.write() as conn:
            return Keeping.of(settings).keep(conn, said)

    with ThreadPoolExecutor(6) as pool:
        outcomes = [*pool.map(by_mail, range(3)), *pool.map(by_webhook, range(3))]
    assert sorted(outcomes) == ["kept", *["repeat"] * 5]
    assert names(db) == ["email.bounced"]
    assert (line(db), suppressed(db)) == (["failed"], [(ZOE, "hard bounce")])


def test_a_softer_word_does_not_take_back_a_harder_one_and_the_harder_one_comes_through(
    db: Database, settings: Settings
) -> None:
    sent(db, "1-1-0")
    soft = MailEvent("bounced", "a", "ses", "1-1-0", signed=True, kind="soft", code="5.2.2")
    for said in (soft, replace(soft, id="b", kind="hard", code="5.1.1"), replace(soft, id="c")):
        with db.write() as conn:
            Keeping.of(settings).keep(conn, said)
    rows = table(Bounce)
    with db.read() as conn:
        assert [(row.kind, row.code) for row in conn.execute(select(rows))] == [("hard", "5.1.1")]
    assert suppressed(db) == [(ZOE, "hard bounce")]
    assert len(told(db)) == 1


def test_ids_as_long_as_a_provider_likes_fit(db: Database, settings: Settings) -> None:
    sent(db, "1-1-0")
    said = MailEvent("opened", "x" * 4000, "postmark", "1-1-0", signed=True)
    with db.write() as conn:
        assert [Keeping.of(settings).keep(conn, said) for _ in range(2)] == ["kept", "repeat"]


def test_a_token_of_mailgun_is_taken_once(db: Database) -> None:
    with db.write() as conn:
        assert [first_time(conn, token) for token in ("a", "b", "a")] == [True, True, False]


@pytest.mark.parametrize("what", ["replied", "auto_replied", "complained", "unsubscribed", "opened", "scanned"])
def test_what_comes_back_of_a_mail_in_doubt_ends_the_doubt(db: Database, settings: Settings, what: What) -> None:
    """The line broke after its text: nobody knew whether the server had it. The journey hears then that it went out."""
    sent(db, "1-1-0", status="unknown", reason="unknown", detail={"provider": "timed out"}, sent_awaited=True)
    sent(db, "2-1-0", status="unknown", reason="unknown", sent_awaited=True)
    said = MailEvent(what, "p:1", "postmark", key="1-1-0", signed=True, recipient=ZOE)
    keeping = Keeping.of(settings)
    with db.write() as conn:
        assert [keeping.keep(conn, said) for _ in range(2)] == ["kept", "repeat"]
        assert keeping.keep(conn, replace(said, id="p:2", signed=False, recipient="x@evil.example")) == "unknown"
    assert (message(db).status, message(db).reason, message(db).detail) == ("sent", None, None)
    assert line(db)[0] == "sent"
    assert names(db).count("email.sent") == 1
    assert message(db, "2-1-0").status == "unknown"


def test_a_saying_that_names_no_send_ends_no_doubt(db: Database, settings: Settings) -> None:
    sent(db, "1-1-0", status="unknown")
    people: dict[str, Any] = {"id": "zoe", "email": ZOE, "attributes": {}, "created_at": NOW, "updated_at": NOW}
    with db.write() as conn:
        insert_new(conn, Customer, [people])
        said = MailEvent("opened", "p:1", "postmark", signed=True, recipient=ZOE)
        assert Keeping.of(settings).keep(conn, said) == "kept"
    assert message(db).status == "unknown"
