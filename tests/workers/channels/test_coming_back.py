"""What a mail carries so that what comes back finds it: the reply address, the return path, and what each provider gives back."""

from __future__ import annotations

import json
from collections.abc import Callable
from email import message_from_bytes, policy
from email.utils import parseaddr
from typing import Any

import pytest

from engine.links import Links
from engine.mail.door import Door
from engine.mail.event import MailEvent
from engine.mail.providers import mailgun, postmark, sendgrid, ses
from engine.mail.providers.told import Names
from engine.outgoing import Outgoing
from engine.settings import Settings
from engine.templating.templates import Templates
from workers.channels import EmailChannel
from workers.channels.mime import Sender, mail_bytes
from workers.local.sink import Sink, messages

Compose = Callable[..., Outgoing]
Head = Callable[[str], Any]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"mail_in_domain": "Back.Shop.example", "smtp_timeout": 30.0})


async def sent(settings: Settings, templates: Templates, links: Links, compose: Compose, sink: Sink) -> Any:
    channel = EmailChannel(settings.model_copy(update={"smtp_port": sink.port}), templates, links)
    async with channel.batch() as send:
        assert (await send(compose(channel, "win/mail"))).status == "sent"
    await channel.close()
    (mail,) = messages(sink.folder)
    return mail.read()


async def test_with_a_domain_of_its_own_whatever_comes_back_goes_there(
    settings: Settings, templates: Templates, compose: Compose, sink: Sink
) -> None:
    links = Links(settings.public_url, settings.signing_key())
    mail = await sent(settings, templates, links, compose, sink)
    name, reply = parseaddr(mail["Reply-To"])
    assert (name, reply) == ("Marchand & Söhne", f"{links.reply_to('7-1-0')}@back.shop.example")
    bounce = f"{links.return_path('7-1-0')}@back.shop.example"
    assert mail["Return-Path"].strip("<>") == bounce
    assert "<mailto:unsubscribe@back.shop.example?" in mail["List-Unsubscribe"]
    assert mail["From"].endswith("<hello@shop.example>")
    assert mail["Message-ID"] == "<7-1-0@shop.example>"
    door = Door(settings)
    assert [door.refusal(each) for each in (reply, bounce, "unsubscribe@back.shop.example")] == [None] * 3


async def test_without_one_a_reply_goes_to_the_sender(
    settings: Settings, templates: Templates, links: Links, compose: Compose, sink: Sink
) -> None:
    mail = await sent(settings.model_copy(update={"mail_in_domain": ""}), templates, links, compose, sink)
    assert mail["Reply-To"] is None
    assert mail["Return-Path"].strip("<>").endswith("@shop.example")
    assert not [name for name in mail if name.startswith("X-")], "no provider is set: none is told"


def _mailgun(head: Head, names: Names) -> MailEvent:
    """It calls them user variables."""
    said = {"event": "complained", "id": "1", "user-variables": json.loads(head("X-Mailgun-Variables"))}
    return mailgun.read({"event-data": said}, names).events[0]


def _sendgrid(head: Head, names: Names) -> MailEvent:
    """Its events carry unique arguments beside their own fields."""
    said = {"event": "spamreport", "sg_event_id": "1", "smtp-id": "<x@ismtpd>"}
    return sendgrid.read([said | json.loads(head("X-SMTPAPI"))["unique_args"]], names).events[0]


def _ses(head: Head, names: Names) -> MailEvent:
    """`name=value, name=value` comes back as lists."""
    pairs = [pair.strip().split("=") for pair in head("X-SES-MESSAGE-TAGS").split(",")]
    mail = {"source": "x@amazonses.com", "tags": {name: [value] for name, value in pairs}}
    return ses.read({"eventType": "Complaint", "mail": mail, "complaint": {}}, names, "1").events[0]


def _postmark(head: Head, names: Names) -> MailEvent:
    """The end of the header's name is the key."""
    said = {"RecordType": "SpamComplaint", "ID": 1, "Metadata": {"parcours": head("X-PM-Metadata-parcours")}}
    return postmark.read(said, names).events[0]


@pytest.mark.parametrize(
    ("setting", "gives_back"),
    [
        ({"ses_topics": "arn:aws:sns:eu-west-1:1:mail"}, _ses),
        ({"sendgrid_key": "MFkw"}, _sendgrid),
        ({"mailgun_key": "key"}, _mailgun),
        ({"postmark_login": "user:password"}, _postmark),
    ],
    ids=["ses", "sendgrid", "mailgun", "postmark"],
)
def test_a_provider_whose_webhooks_are_taken_is_told_the_sends_key_and_gives_it_back(
    links: Links,
    templates: Templates,
    compose: Compose,
    setting: dict[str, str],
    gives_back: Callable[[Head, Names], MailEvent],
) -> None:
    settings = Settings.model_validate(setting)
    message = compose(EmailChannel(settings, templates, links), "win/mail")
    raw = mail_bytes(message, Sender.of(settings), links)
    mail = message_from_bytes(raw, policy=policy.default)
    event = gives_back(lambda name: str(mail[name]), Names(links, frozenset()))
    assert (event.what, event.key, event.signed) == ("complained", "7-1-0", True)
    assert len([name for name in mail if name.startswith("X-")]) == 1, "the others are told nothing"
    test = message_from_bytes(mail_bytes(message, Sender.of(settings), links, test=True))
    assert [name for name in test if name.startswith("X-")] == ["X-Parcours-Test"], "nor is a test anybody's send"


def test_the_domain_is_checked() -> None:
    for wrong in ("x@back.example", "back.example>\r\nBcc: a@b.example", "bäck.example", "back..example"):
        with pytest.raises(ValueError, match="PARCOURS_MAIL_IN_DOMAIN"):
            Sender.of(Settings(mail_in_domain=wrong))
