"""What comes back by e-mail moves customers: real mails out to a sink, answers in by the receiver's SMTP, a real server between."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from kit.engine import Engine
from kit.incoming import auto_reply, complaint, dsn, reply

from dsl import Api, Arrows, Bounce, Email, Final, Goal, Journey, after, always, marketing, transactional
from engine.settings import Settings
from engine.tables import Enrolment, Event, MessageEvent, Suppression
from workers.local.sink import Sink, messages
from workers.receiver import Receiver
from workers.server import free_port


class Offer(Journey):
    """A mail, and a way on for each thing that may come back."""

    enters = Api()
    again = always
    purpose = marketing
    won = Goal()
    gone = Final()
    full = Final()
    cross = Final()
    asked = Final()
    lapsed = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.replied.matching("oui|yes") >> self.won
        yield Email.replied >> self.asked
        yield Email.bounced.where(Bounce.kind == "hard") >> self.gone
        yield Email.bounced >> self.full
        yield Email.complained >> self.cross
        yield after(days=900) >> self.lapsed


class Receipt(Journey):
    """Another journey, whose mail is no marketing."""

    enters = Api()
    again = always
    purpose = transactional
    sent = Goal()
    refused = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.not_sent.because("suppressed") >> self.refused
        yield Email.replied >> self.sent
        yield after(days=900) >> self.sent


@pytest.fixture
def engine_settings(engine_settings: Settings) -> Settings:
    return engine_settings.model_copy(update={"mail_in_port": free_port(), "mail_in_domain": "back.example"})


@pytest.fixture
def receiver(engine: Engine) -> Iterator[Receiver]:
    with Receiver(engine.settings, engine.database) as running:
        yield running


async def written(engine: Engine, sink: Sink, customer: str, journey: type[Journey] = Offer) -> EmailMessage:
    """Let a customer in, and give the mail that she got."""
    ir = engine.publish(journey)
    if not engine.messages(customer):
        engine.customers(customer)
    before = len(list(messages(sink.folder)))
    engine.enter(ir, customer)
    await engine.until(lambda: len(list(messages(sink.folder))) > before)
    await engine.until(lambda: engine.messages(customer)[-1].status == "sent")
    return list(messages(sink.folder))[-1].read()


def post(receiver: Receiver, raw: bytes, to: str, sender: str = "") -> None:
    with smtplib.SMTP(receiver.host, receiver.port, "mx.example.com", timeout=60) as smtp:
        smtp.sendmail(sender, [to.strip("<>")], raw)


def report(mail: EmailMessage, **changes: str) -> bytes:
    """A bounce of the mail that she got, as a receiving server makes it."""
    return dsn(mail.as_string(), **changes)


async def until_ended(engine: Engine, customer: str, reason: str) -> None:
    await engine.until(lambda: engine.enrolment(customer).end_reason)
    assert engine.enrolment(customer).end_reason == reason


async def test_S5_a_hard_bounce_moves_her_and_no_journey_writes_to_the_address_again(
    engine: Engine, sink: Sink, receiver: Receiver
) -> None:
    mail = await written(engine, sink, "ann")
    for _ in range(2):
        post(receiver, report(mail), mail["Return-Path"])
    await until_ended(engine, "ann", "gone")
    assert [row.address for row in engine.rows(Suppression)] == ["ann@example.com"]
    ir = engine.publish(Receipt)
    engine.enter(ir, "ann")
    await engine.until(lambda: len(engine.messages("ann")) == 2)
    second = engine.messages("ann", journey="receipt")[0]
    await engine.until(lambda: engine.messages("ann", journey="receipt")[0].status == "not_sent")
    assert second.reason == "suppressed"
    assert len(list(messages(sink.folder))) == 1
    assert [event.name for event in engine.rows(Event)].count("email.bounced") == 1


async def test_a_full_mailbox_moves_her_by_the_other_arrow(engine: Engine, sink: Sink, receiver: Receiver) -> None:
    mail = await written(engine, sink, "ann")
    later = report(mail, action="delayed", status="4.2.2", words="452 4.2.2 mailbox full")
    post(receiver, later, mail["Return-Path"])
    await engine.until(lambda: engine.rows(MessageEvent, status="delayed"))
    post(receiver, report(mail, status="5.2.2", words="552 5.2.2 mailbox full"), mail["Return-Path"])
    await until_ended(engine, "ann", "full")
    assert engine.rows(Suppression) == []


async def test_C9_a_complaint_moves_her_and_stops_mail_of_every_purpose(
    engine: Engine, sink: Sink, receiver: Receiver
) -> None:
    mail = await written(engine, sink, "ann")
    post(receiver, complaint(mail.as_string()), "abuse@parcours.example", "fbl@provider.example")
    await until_ended(engine, "ann", "cross")
    ir = engine.publish(Receipt)
    engine.enter(ir, "ann")
    await engine.until(lambda: [m for m in engine.messages("ann", journey="receipt") if m.status == "not_sent"])
    (second,) = engine.messages("ann", journey="receipt")
    assert (second.reason, second.detail["reason"]) == ("suppressed", "complaint")


async def test_R3_a_reply_answers_its_own_mail_and_leaves_other_journeys_waiting(
    engine: Engine, sink: Sink, receiver: Receiver
) -> None:
    first = await written(engine, sink, "ann")
    second = await written(engine, sink, "ann", Receipt)
    answer = reply("Thanks!", answers=str(second["Message-ID"]).strip("<>"), sender="ann@example.com")
    post(receiver, answer, "hello@parcours.example", "ann@example.com")
    await engine.until(
        lambda: [e for e in engine.rows(Enrolment, customer_id="ann") if e.journey == "receipt" and e.ended_at]
    )
    assert [e.state for e in engine.rows(Enrolment, customer_id="ann") if e.journey == "offer"] == ["mail"]
    answer = reply(
        "Oui, volontiers", answers=str(first["Message-ID"]).strip("<>"), sender="ann@example.com", message_id="2@x"
    )
    post(receiver, answer, "hello@parcours.example", "ann@example.com")
    await engine.until(
        lambda: [e for e in engine.rows(Enrolment, customer_id="ann") if e.journey == "offer" and e.end_reason == "won"]
    )


async def test_R3_her_program_answers_the_reply_address_and_that_alone_finds_the_mail(
    engine: Engine, sink: Sink, receiver: Receiver
) -> None:
    mail = await written(engine, sink, "ann")
    to = str(mail["Reply-To"].addresses[0].addr_spec)
    bare = b"From: ann@elsewhere.example\r\nTo: " + to.encode() + b"\r\nSubject: Re\r\n\r\nOui, volontiers\r\n"
    post(receiver, bare, to, "ann@elsewhere.example")  # from another address of hers, and naming no mail
    await until_ended(engine, "ann", "won")
    (event,) = engine.rows(Event, name="email.replied")
    assert (event.customer_id, event.payload["text"]) == ("ann", "Oui, volontiers")


async def test_R12_an_out_of_office_note_leaves_her_waiting_and_what_she_says_then_counts(
    engine: Engine, sink: Sink, receiver: Receiver
) -> None:
    mail = await written(engine, sink, "ann")
    key = str(mail["Message-ID"]).strip("<>")
    note = auto_reply("Auto-Submitted: auto-replied\n", to=mail["Return-Path"], answers=key)
    post(receiver, note, mail["Return-Path"], "")
    await engine.until(lambda: [e for e in engine.rows(Event, name="email.auto_replied") if e.fate == "unheard"])
    assert engine.at("ann") == "mail"
    answer = reply("What does it cost?", answers=key, sender="ann@example.com")
    post(receiver, answer, "hello@parcours.example", "ann@example.com")
    await until_ended(engine, "ann", "asked")
