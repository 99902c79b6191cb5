"""Raw mails into what they say: reports of the standard and of others, complaints, replies, machines, junk."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from quopri import encodestring
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.incoming import auto_reply, complaint, dsn, ours, postfix, qmail, reply

from engine.links import Links
from engine.mail.door import Door
from engine.mail.envelope import envelope
from engine.mail.event import MailEvent
from engine.mail.reading import Reader, Stray
from engine.settings import Settings

KEY = "12-3-0"
LINKS = Links("https://journeys.example", b"a key")
READER = Reader(LINKS, frozenset({"parcours.example"}))
VERP = f"{LINKS.return_path(KEY)}@parcours.example"
OWN = "hello@parcours.example"


def read(raw: bytes, to: str = OWN, envelope_from: str | None = None) -> Sequence[MailEvent] | Stray:
    return READER.read(raw, to, envelope_from, "smtp")


def one(raw: bytes, to: str = OWN, envelope_from: str | None = None) -> MailEvent:
    found = read(raw, to, envelope_from)
    assert not isinstance(found, Stray), found.reason
    (event,) = found
    return event


def test_a_report_of_the_standard_finds_its_send_by_the_return_path() -> None:
    event = one(postfix(KEY, VERP), VERP, "")
    assert (event.what, event.key, event.signed, event.kind) == ("bounced", KEY, True, "hard")
    assert (event.code, event.recipient) == ("5.1.1", "zoe@example.com")
    assert event.detail == "550 5.1.1 <zoe@example.com>: Recipient address rejected: User unknown"


@pytest.mark.parametrize("returned", ["message/rfc822", "text/rfc822-headers"])
def test_a_report_to_another_address_names_its_send_by_our_message_id_and_proves_nothing(returned: str) -> None:
    event = one(dsn(ours(KEY), returned=returned))
    assert (event.what, event.key, event.signed) == ("bounced", KEY, False)


def test_a_token_of_ours_in_what_is_returned_proves_it() -> None:
    for original in (ours(KEY, VERP), ours(KEY, unsubscribe=LINKS.unsubscribe(KEY))):
        event = one(dsn(original))
        assert (event.key, event.signed) == (KEY, True)
    forged = ours(KEY, unsubscribe=LINKS.unsubscribe("9-9-9").replace("9-9-9", KEY))
    assert not one(dsn(forged)).signed


@pytest.mark.parametrize(
    ("action", "status", "words", "what", "kind"),
    [
        ("failed", "5.2.2", "552 5.2.2 mailbox full", "bounced", "soft"),
        ("failed", "4.4.7", "delivery time expired", "bounced", "soft"),
        ("failed", "5.7.1", "550 5.7.1 message refused by policy", "bounced", "undetermined"),
        ("failed", "5.0.0", "550 5.1.1 user unknown", "bounced", "hard"),
        ("delayed", "4.4.1", "connection timed out", "delayed", None),
        ("delivered", "2.0.0", "250 ok", "delivered", None),
        ("FAILED (final)", "5.1.1", "", "bounced", "hard"),
        ("relayed", "2.0.0", "250 ok", None, None),
    ],
)
def test_action_and_status_say_what_became_of_it(
    action: str, status: str, words: str, what: str | None, kind: str | None
) -> None:
    found = read(postfix(KEY, VERP, action=action, status=status, words=words), VERP, "")
    if what is None:
        assert not isinstance(found, Stray)
        assert [event.what for event in found] == ["auto_replied"]
    else:
        assert not isinstance(found, Stray)
        assert [(event.what, event.kind) for event in found] == [(what, kind)]


@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
def test_a_report_in_utf_8_is_read_however_it_is_encoded(encoding: str) -> None:
    """RFC 6533: the same fields, of another type, which Python's parser takes for a mail."""
    head, _, rest = postfix(KEY, VERP, words="550 5.2.2 Boîte pleine").partition(b"message/delivery-status\n")
    fields, _, tail = rest.removeprefix(b"\n").partition(b"\n--")
    encoded = {"8bit": bytes, "base64": encodebytes, "quoted-printable": encodestring}[encoding](fields)
    kind = f"message/global-delivery-status\nContent-Transfer-Encoding: {encoding}\n\n".encode()
    event = one(head + kind + encoded + b"\n--" + tail, VERP, "")
    assert (event.what, event.kind, event.code, event.recipient) == ("bounced", "soft", "5.2.2", "zoe@example.com")
    assert event.detail == "550 5.2.2 Boîte pleine"


def test_a_bounce_of_a_form_of_its_own_is_read_too() -> None:
    event = one(qmail(), VERP, "")
    assert (event.what, event.key, event.kind, event.code) == ("bounced", KEY, "hard", "5.1.1")
    assert isinstance(read(qmail(), OWN, ""), Stray)  # it names no send of ours


def test_a_complaint_is_believed_by_a_token_of_ours() -> None:
    event = one(complaint(ours(KEY, unsubscribe=LINKS.unsubscribe(KEY))), "abuse@parcours.example")
    assert (event.what, event.key, event.recipient) == ("complained", KEY, "zoe@example.com")
    assert event.detail == "abuse, told by SomeGenerator/1.0"
    assert isinstance(read(complaint(ours(KEY))), Stray)  # anybody could have written that Message-ID
    assert read(complaint(ours(KEY, VERP), feedback="not-spam")) == []
    assert one(complaint(ours(KEY, VERP), feedback="opt-out")).what == "unsubscribed"


def test_a_reply_is_what_she_wrote_without_what_she_quoted() -> None:
    event = one(reply("Yes, gladly!\n\nZoé", answers=f"{KEY}@parcours.example", headers="Content-Language: en-GB\n"))
    assert (event.what, event.key, event.signed) == ("replied", KEY, False)
    assert event.payload == {"text": "Yes, gladly!\n\nZoé", "keyword": "YES", "language": "en"}
    assert event.recipient == "zoe@example.com"


def test_a_reply_above_outlooks_line_is_cut_there_on_every_python() -> None:
    below = f"{'_' * 40}\nFrom: Parcours\nTo: Zoé\nSubject: Ten per cent off\n\nBonjour."
    for gap in ("\n\n", "\n\n\n"):  # the tests let no warning pass, and Python 3.13 has one for the library's own way
        assert (
            one(reply(f"Oui, merci !{gap}{below}", answers=f"{KEY}@parcours.example")).payload["text"] == "Oui, merci !"
        )


def test_a_reply_to_the_signed_address_needs_no_header() -> None:
    event = one(reply("Oui"), f"{LINKS.reply_to(KEY)}@parcours.example")
    assert (event.key, event.signed) == (KEY, True)
    assert isinstance(read(reply("Oui")), Stray)
    assert isinstance(read(reply("Oui", answers=f"{KEY}@elsewhere.example")), Stray)


def test_a_reply_in_html_or_another_charset_is_read() -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["In-Reply-To"] = "zoe@example.com", OWN, f"<{KEY}@parcours.example>"
    mail.set_content("<html><body><p>Très <b>volontiers</b></p></body></html>", subtype="html", charset="iso-8859-15")
    assert one(mail.as_bytes()).payload["text"] == "Très volontiers"
    junk = b"From: zoe@example.com\r\nIn-Reply-To: <12-3-0@parcours.example>\r\nContent-Type: text/plain; charset=x-klingon"
    junk += b"\r\n\r\nOui \xe9\xff\r\n"
    assert one(junk).payload["keyword"] == "OUI"


@pytest.mark.parametrize(
    ("headers", "subject"),
    [
        ("Auto-Submitted: auto-replied\n", "Re: x"),
        ("Auto-Submitted: auto-generated; owner-email=x\n", "Re: x"),
        ("X-Autoreply: yes\n", "Re: x"),
        ("Precedence: auto_reply\n", "Re: x"),
        ("Precedence: bulk\n", "Re: x"),
        ("", "Out of Office: Ten per cent off"),
        ("", "Automatic reply: Ten per cent off"),
        ("", "Réponse automatique : Ten per cent off"),
        ("", "=?utf-8?q?R=C3=A9ponse_automatique_=3A_x?="),
        ("", "Abwesenheitsnotiz: Ten per cent off"),
        ("List-Id: <friends.example.com>\n", "Re: x"),
        ("X-Spamarrest-Challenge: 1\n", "Re: x"),
        ("Auto-Submitted: auto-replied\n", "Please confirm your message"),
    ],
)
def test_R12_a_machines_reply_is_never_an_answer(headers: str, subject: str) -> None:
    for to in (OWN, VERP, f"{LINKS.reply_to(KEY)}@parcours.example"):
        raw = auto_reply(headers, to=to, subject=subject, answers=f"{KEY}@parcours.example")
        event = one(raw, to, "zoe@example.com")
        assert (event.what, event.key) == ("auto_replied", KEY)


def test_the_null_sender_is_a_machine_and_no_auto_submitted_is_a_person() -> None:
    raw = reply("Yes", answers=f"{KEY}@parcours.example")
    assert one(raw, OWN, "").what == "auto_replied"
    for headers, subject in (("Auto-Submitted: no\n", "Re: x"), ("", "Auto insurance?"), ("", "Automatic watches")):
        raw = reply("Yes", answers=f"{KEY}@parcours.example", headers=headers, subject=subject)
        assert one(raw, OWN, "zoe@example.com").what == "replied"


def test_a_mail_to_unsubscribe_names_its_send_by_the_token_in_its_subject() -> None:
    to = "unsubscribe@parcours.example"
    event = one(reply("", to=to, subject=LINKS.unsubscribe_token(KEY)), to)
    assert (event.what, event.key, event.signed) == ("unsubscribed", KEY, True)
    forged = LINKS.unsubscribe_token("1-1-0").replace("1-1-0", KEY)
    event = one(reply("please", to=to, subject=forged), to)
    assert (event.what, event.key, event.recipient) == ("unsubscribed", None, "zoe@example.com")
    assert isinstance(read(auto_reply("Auto-Submitted: auto-replied\n", to=to), to), Stray)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("STOP", "unsubscribed"),
        ("Unsubscribe please", "unsubscribed"),
        ("désabonner", "unsubscribed"),
        ("Stop!\n\nZoé Lefèvre", "unsubscribed"),
        ("Stop by on Monday", "replied"),
        ("Stop\n\nit, you two. What does the red one cost?", "replied"),
        ("Please don't stop", "replied"),
    ],
)
def test_a_reply_that_only_asks_for_no_more_mail_unsubscribes(text: str, what: str) -> None:
    assert one(reply(text, answers=f"{KEY}@parcours.example")).what == what


def test_what_comes_to_a_return_path_and_is_no_bounce_is_kept_for_somebody_to_look_at() -> None:
    found = read(reply("Hello?", to=VERP), VERP, "zoe@example.com")
    assert isinstance(found, Stray)


BROKEN = [
    b"",
    b"\x00\xff\xfe",
    b"From: \xff\xfe\r\nSubject: =?utf-8?b?!!!?=\r\n\r\n\x00",
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\n",
    b'Content-Type: multipart/mixed; boundary="\r\n\r\n--',
    b'Content-Type: text/plain; charset="\xff"\r\nContent-Transfer-Encoding: base64\r\n\r\n====',
    b"Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n",
    b"Subject: =?iso-2022-jp?b?GyRC?=\r\nFrom: =?x?q?a?= <a@b>\r\n\r\nx",
    b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(3000)),
]  # fmt: skip


@pytest.mark.parametrize("raw", BROKEN, ids=range(len(BROKEN)))
def test_broken_mails_are_read_or_set_aside(raw: bytes) -> None:
    for to in (OWN, VERP, "unsubscribe@parcours.example"):
        read(raw, to, "")
        read(raw, to, "a@b.example")


@given(st.binary(max_size=600), st.sampled_from([OWN, VERP, "unsubscribe@parcours.example"]))
def test_no_bytes_raise(raw: bytes, to: str) -> None:
    read(raw, to)


@settings(max_examples=200)
@given(st.data())
def test_no_cut_or_changed_mail_raises(data: st.DataObject) -> None:
    raw = bytearray(
        data.draw(
            st.sampled_from(
                [postfix(KEY, VERP), complaint(ours(KEY, VERP)), qmail(), reply("Oui"), auto_reply("", to=OWN)]
            )
        )
    )
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=8))
        if not raw:
            break
    read(bytes(raw), data.draw(st.sampled_from([OWN, VERP])), data.draw(st.sampled_from(["", "a@b.example"])))


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"From: " + b"(" * 100_000, id="comments"),
        pytest.param(b"From: a@b.example\r\nTo: " + b"(" * 100_000, id="to"),
        pytest.param(b"From: a@b.example\r\nSubject: " + b"=?utf-8?q?a?= " * 200_000, id="words"),
        pytest.param(b"From: " + b"<" * 50_000 + b"@" * 50_000, id="angles"),
    ],
)
def test_headers_without_an_end_cost_no_time_and_raise_nothing(head: bytes, tmp_path: Path) -> None:
    """Two hundred thousand encoded words took most of a minute."""
    raw = head + b"\r\n\r\nHello\r\n"
    since = process_time()
    assert isinstance(read(raw), Stray)
    assert envelope(raw, "", None, Door(Settings(data=tmp_path))).sender is None
    assert process_time() - since < 10
