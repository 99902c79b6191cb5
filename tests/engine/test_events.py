"""Events are kept once, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from engine.db import Database, insert_new
from engine.events import Incoming, accept, answer, sent_as, since
from engine.tables import Message

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


def incoming(ids: Sequence[str], name: str = "shop.purchased") -> list[Incoming]:
    return [Incoming(ident, name, NOW, "c1", payload={"id": ident}) for ident in ids]


def test_R4_an_id_is_kept_once_whenever_it_comes(db: Database) -> None:
    with db.write() as conn:
        assert sorted(accept(conn, incoming(["a", "b", "a"]), NOW)) == ["a", "b"]
    with db.write() as conn:
        assert accept(conn, incoming(["b", "c"], "other.name"), NOW) == ["c"]
        assert accept(conn, [], NOW) == []
    with db.read() as conn:
        assert [(event.id, event.name) for event in since(conn, 0, 10)] == [
            ("a", "shop.purchased"),
            ("b", "shop.purchased"),
            ("c", "other.name"),
        ]


def test_R4_many_processes_send_the_same_events_at_once(db: Database) -> None:
    ids = [f"e{number}" for number in range(300)]

    def send(_: int) -> list[str]:
        with db.write() as conn:
            return accept(conn, incoming(ids), NOW)

    with ThreadPoolExecutor(5) as pool:
        new = [ident for found in pool.map(send, range(5)) for ident in found]
    assert sorted(new) == sorted(ids)


def test_many_events_are_kept_in_their_order(db: Database) -> None:
    ids = [f"e{number:05}" for number in range(2500)]
    with db.write() as conn:
        assert len(accept(conn, incoming(ids), NOW)) == 2500
    with db.read() as conn:
        assert [event.id for event in since(conn, 0, 5000)] == ids
        second = since(conn, since(conn, 0, 10)[-1].seq, 5, customer_id="c1")
    assert [event.id for event in second] == ids[10:15]


def test_what_is_rolled_back_was_never_kept(db: Database) -> None:
    with db.engine.connect() as conn:
        accept(conn, incoming(["a"]), NOW)
        conn.rollback()
    with db.read() as conn:
        assert since(conn, 0, 10) == []


def test_an_answer_belongs_to_its_send_and_counts_once(db: Database) -> None:
    row = {
        "key": "1-1-0", "enrolment_id": 1, "customer_id": "c1", "journey": "j", "hash": "h", "state": "s", "visit": 1,
        "arm": "treated", "channel": "sms", "purpose": "marketing", "status": "sent", "address": "+331", "cost": 0,
        "reserved_at": NOW,
    }  # fmt: skip
    with db.write() as conn:
        insert_new(conn, Message, [row])
        found = sent_as(conn, "1-1-0")
        assert found is not None
        assert (found.key, found.links) == ("1-1-0", [])
        assert sent_as(conn, "9-9-9") is None
        assert answer(conn, found, "replied", NOW, source="sms", event_id="x")
        assert not answer(conn, found, "replied", NOW, source="sms", event_id="x")
        (event,) = since(conn, 0, 10)
    assert (event.id, event.name, event.message_key, event.customer_id) == ("parcours:x", "sms.replied", "1-1-0", "c1")
