"""Amazon SES through SNS, in the shapes that it documents: proved by certificate, of topics of ours, kept once."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from kit.amazon import CERTIFICATE, TOPIC, Amazon
from kit.incoming import reply
from kit.webhooks import FIREFOX, ID, ZOE, Events, Sent, one, tallies

from engine.db import Database
from engine.links import Links
from engine.mail.providers.sns import Sns


def mail_of_ses(**fields: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-05-04T09:00:00.000Z", "source": "hello@parcours.example", "sendingAccountId": "123456789012",
        "messageId": "00000138111222aa-33322211-cccc-cccc-cccc-ddddaaaa0680-000000", "destination": [ZOE],
        "headersTruncated": False, "headers": [{"name": "Message-ID", "value": f"<{ID}>"}],
        "commonHeaders": {"from": ["hello@parcours.example"], "to": [ZOE], "messageId": f"<{ID}>", "subject": "x"}, **fields,
    }  # fmt: skip


def ses_bounce(
    kind: str, sub: str = "General", status: str = "5.1.1", words: str = "smtp; 550 5.1.1 user unknown"
) -> dict[str, Any]:
    return {
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": kind, "bounceSubType": sub, "reportingMTA": "dns; email.example.com",
            "bouncedRecipients": [{"emailAddress": ZOE, "status": status, "action": "failed", "diagnosticCode": words}],
            "timestamp": "2026-05-04T09:01:00.000Z", "feedbackId": "00000138111222aa-000000", "remoteMtaIp": "127.0.2.0",
        },
        "mail": mail_of_ses(),
    }  # fmt: skip


FULL = {"emailAddress": ZOE, "status": "4.2.2", "diagnosticCode": "smtp; 452 full"}


def published(event: str, about: str, **fields: Any) -> dict[str, Any]:
    return {"eventType": event, about: {"timestamp": "2026-05-04T09:01:00.000Z", **fields}, "mail": mail_of_ses()}


@pytest.mark.parametrize(
    ("said", "name", "payload"),
    [
        (ses_bounce("Permanent"), "bounced", {"kind": "hard", "code": "5.1.1", "diagnostic": "550 5.1.1 user unknown"}),
        (
            ses_bounce("Transient", "MailboxFull", "5.2.2", "smtp; 552 full"), "bounced",
            {"kind": "soft", "code": "5.2.2", "diagnostic": "552 full"},
        ),
        (
            ses_bounce("Transient", "ContentRejected", "5.6.0", "smtp; 554 no"), "bounced",
            {"kind": "undetermined", "code": "5.6.0", "diagnostic": "554 no"},
        ),
        (
            ses_bounce("Undetermined", "Undetermined", "", "smtp; 550 no such user"), "bounced",
            {"kind": "hard", "code": "", "diagnostic": "550 no such user"},
        ),
        (
            {"notificationType": "Complaint", "mail": mail_of_ses(), "complaint": {
                "complainedRecipients": [{"emailAddress": ZOE}], "complaintFeedbackType": "abuse",
                "userAgent": "AnyCompany Feedback Loop (V0.01)",
                "timestamp": "2026-05-04T12:00:00.000Z", "feedbackId": "000001378603177f-18c07c78"}},
            "complained", {"detail": "abuse"},
        ),
        (
            {"notificationType": "Delivery", "mail": mail_of_ses(), "delivery": {
                "timestamp": "2026-05-04T09:00:10.000Z", "recipients": [ZOE], "smtpResponse": "250 ok:  Message 64111812 accepted"}},
            "delivered", {"detail": "250 ok:  Message 64111812 accepted"},
        ),
        (
            published("DeliveryDelay", "deliveryDelay", delayType="MailboxFull", delayedRecipients=[FULL]),
            "delayed", {"detail": "452 full"},
        ),
        (published("Reject", "reject", reason="Bad content"), "bounced", {"kind": "undetermined", "code": "", "diagnostic": "Bad content"}),
        (published("Open", "open", userAgent=FIREFOX, ipAddress="192.0.2.1"), "opened", {"human": True}),
        (published("Open", "open", userAgent="Mozilla/5.0"), "scanned", {"human": False, "by": "Apple Mail Privacy Protection"}),
        (published("Click", "click", link="https://x.example/", userAgent=FIREFOX), "clicked", {"link": "", "url": "https://x.example/"}),
        (published("Subscription", "subscription", contactList="all", source="UnsubscribeHeader"), "unsubscribed", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
async def test_what_amazon_ses_tells(
    http: httpx.AsyncClient,
    amazon: Amazon,
    sent: Sent,
    events: Events,
    said: dict[str, Any],
    name: str,
    payload: dict[str, Any],
) -> None:
    sent(links=[])
    for version, kept in (("1", 1), ("2", 0)):  # the same message, by either version of the signature
        response = await http.post("/v1/email/ses", json=amazon.message(said, version=version))
        assert (response.status_code, response.json()["kept"]) == (200, kept)
    assert one(events) == (f"email.{name}", "1-1-0", payload)
    assert amazon.fetched == [CERTIFICATE]  # once


async def test_ses_finds_its_send_by_the_return_path_too(
    http: httpx.AsyncClient, amazon: Amazon, links: Links, sent: Sent, events: Events
) -> None:
    sent("7-1-0")
    said = ses_bounce("Permanent")
    said["mail"] = mail_of_ses(source=f"{links.return_path('7-1-0')}@parcours.example", commonHeaders={})
    await http.post("/v1/email/ses", json=amazon.message(said))
    assert one(events)[1] == "7-1-0"


async def test_a_message_that_is_not_amazons_or_of_another_topic_is_refused(
    http: httpx.AsyncClient, amazon: Amazon, sent: Sent, events: Events
) -> None:
    sent()
    good = amazon.message(ses_bounce("Permanent"))
    evil = "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-1.pem"
    forged: list[Any] = [
        {**good, "Message": json.dumps(ses_bounce("Permanent", "NoEmail"))},
        {**good, "Signature": ""},
        {**good, "SignatureVersion": "3"},
        {**good, "Type": "Greeting"},
        amazon.message(ses_bounce("Permanent"), TopicArn="arn:aws:sns:eu-west-1:666666666666:parcours"),
        {**good, "SigningCertURL": evil},
        {**good, "SigningCertURL": "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"},
        {
            **good,
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem?x=http://evil.example",
        },
        {**good, "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/somebodys-bucket.pem"},
        {**good, "SigningCertURL": f"https://user@evil.example/{CERTIFICATE}"},
        {},
        [],
    ]
    for wrong in forged:
        refused = await http.post("/v1/email/ses", json=wrong)
        assert (refused.status_code, refused.json()["code"]) == (403, "bad_signature"), wrong
    assert set(amazon.fetched) <= {CERTIFICATE}
    assert events() == []


async def test_a_certificate_that_is_over_or_can_not_be_had(
    http: httpx.AsyncClient, app: FastAPI, amazon: Amazon, sent: Sent, events: Events
) -> None:
    sent()
    good = amazon.message(ses_bounce("Permanent"))
    amazon.down = True
    later = await http.post("/v1/email/ses", json=good)
    assert (later.status_code, later.json()["code"]) == (503, "amazon_unavailable")  # SNS comes again
    amazon.down = False
    over = Amazon(lasts=timedelta(days=-1))
    app.state.email = replace(app.state.email, sns=Sns(TOPIC, over.get))
    assert (await http.post("/v1/email/ses", json=good)).status_code == 403
    assert events() == []


async def test_a_subscription_is_confirmed_at_amazon_and_nowhere_else(http: httpx.AsyncClient, amazon: Amazon) -> None:
    url = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"
    words = "You have chosen to subscribe to the topic."
    asked = {"kind": "SubscriptionConfirmation", "Token": "2336412f37"}
    good = await http.post("/v1/email/ses", json=amazon.message(words, SubscribeURL=url, **asked))
    assert (good.status_code, amazon.fetched) == (200, [CERTIFICATE, url])
    for elsewhere in (
        "https://evil.example/?Action=ConfirmSubscription&Token=1",
        url.replace("ConfirmSubscription", "DeleteTopic"),
    ):
        refused = await http.post("/v1/email/ses", json=amazon.message(words, SubscribeURL=elsewhere, **asked))
        assert refused.status_code == 403
    other = amazon.message(words, SubscribeURL=url, TopicArn="arn:aws:sns:eu-west-1:666666666666:x", **asked)
    assert (await http.post("/v1/email/ses", json=other)).status_code == 403
    assert amazon.fetched == [CERTIFICATE, url]


async def test_ses_brings_mails_in_and_says_things_in_words(
    http: httpx.AsyncClient, amazon: Amazon, sent: Sent, events: Events, sqlite: Database
) -> None:
    sent()
    raw = reply("Yes", answers=ID)
    received = {
        "notificationType": "Received", "mail": {"source": ZOE, "destination": ["hello@parcours.example"]},
        "receipt": {"recipients": ["hello@parcours.example"], "action": {"type": "SNS", "topicArn": TOPIC, "encoding": "BASE64"}},
        "content": b64encode(raw).decode(),
    }  # fmt: skip
    assert (await http.post("/v1/email/ses", json=amazon.message(received))).json()["kept"] == 1
    assert one(events)[0] == "email.replied"
    words = amazon.message("Successfully validated SNS topic for Amazon SES event publishing.")
    assert (await http.post("/v1/email/ses", json=words)).json()["passed"] == 1
    assert tallies(sqlite) == {"an event that says nothing to us: a message in words": 1}
