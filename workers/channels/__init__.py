"""The ways to reach a customer, by their names."""

from __future__ import annotations

from engine.db import Database
from engine.links import Links
from engine.outgoing import Channel
from engine.settings import Settings
from engine.templating.templates import Templates
from workers.channels.call import CallChannel
from workers.channels.email import EmailChannel
from workers.channels.feed import FeedChannel
from workers.channels.letter import LetterChannel
from workers.channels.sms import SmsChannel

__all__ = ["CallChannel", "EmailChannel", "FeedChannel", "LetterChannel", "SmsChannel", "channels"]


def channels(
    settings: Settings,
    templates: Templates | None = None,
    links: Links | None = None,
    database: Database | None = None,
) -> dict[str, Channel]:
    """Every channel as the settings describe it, by its name. Raises ValueError for a setting that can't be used.

    Rates that are shared with other processes need the database.
    """
    templates = templates or Templates.of(settings)
    links = links or Links(settings.public_url, settings.signing_key())
    made: tuple[Channel, ...] = (
        EmailChannel(settings, templates, links, database),
        SmsChannel(settings, templates, links, database),
        FeedChannel(templates, links),
        CallChannel(settings, templates, links),
        LetterChannel(settings, templates, links),
    )
    return {channel.name: channel for channel in made}
