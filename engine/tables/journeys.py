"""Journeys: their versions and switches, and what they show: templates and offers."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column
from sqlmodel import Field

from engine.tables.columns import BIG, Kept, json_column, moment_column

__all__ = ["Journey", "JourneyToggle", "JourneyVersion", "KnobChange", "Offer", "OfferVersion", "TemplateVersion"]


class Journey(Kept, table=True):
    """A published journey: its newest version, and whether it is on."""

    name: str = Field(primary_key=True)
    title: str
    doc: str = ""
    hash: str
    version: int
    on: bool = Field(default=False, sa_column_kwargs={"name": "is_on"})
    code_hash: str
    """The version that the code says; `hash` is another where knobs are turned."""
    knobs: list[dict[str, Any]] = json_column()
    """The knobs as the code has them, with its values and bounds."""
    audience_read_at: datetime | None = moment_column(null=True)
    """The due time of the audience's last reading that was finished; by each customer's clock: the moment of that reading."""


class JourneyVersion(Kept, table=True):
    """A version, content-addressed: `ir` never changes once it is stored."""

    hash: str = Field(primary_key=True)
    journey: str = Field(index=True)
    version: int
    ir: dict[str, Any] = json_column()
    published_at: datetime = moment_column()
    published_by: str


class JourneyToggle(Kept, table=True):
    """Who turned a journey on or off, when and why."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    journey: str = Field(index=True)
    on: bool = Field(sa_column_kwargs={"name": "is_on"})
    at: datetime = moment_column()
    who: str
    why: str = ""


class KnobChange(Kept, table=True):
    """Who turned a journey's knob, when and why; the newest row of a knob holds, also when the code is published again."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    journey: str = Field(index=True)
    knob: str
    old: float
    """Seconds for a duration."""
    value: float | None = None
    """Null: back to what the code says."""
    version: int
    """The version that it made, or made current again."""
    at: datetime = moment_column()
    who: str
    why: str = ""


class TemplateVersion(Kept, table=True):
    """A template's source by content hash: what a message was made from, also after the file was edited."""

    hash: str = Field(primary_key=True)
    name: str
    channel: str
    language: str
    source: str
    ending: str | None = None
    """Its file's, where it isn't the channel's usual one: a mail in plain HTML."""
    plain: str | None = None
    """A mail's text part in the author's own words."""
    at: datetime = moment_column()


class Offer(Kept, table=True):
    """What a customer may be offered; boxes that ask for offers choose among these."""

    id: str = Field(primary_key=True)
    name: str
    data: dict[str, Any] = json_column()
    """What a template shows of it: price, picture, text …"""
    category: str
    """Of purchases: who buys there is offered this."""
    margin: int
    """What a purchase by it earns, in cents."""
    valid_from: datetime | None = moment_column(null=True)
    valid_to: datetime | None = moment_column(null=True)
    """From then on it is no longer offered."""
    on: bool = Field(default=True, sa_column_kwargs={"name": "is_on"})
    updated_at: datetime = moment_column()


class OfferVersion(Kept, table=True):
    """An offer as it was shown, by content hash: later edits rewrite no history."""

    hash: str = Field(primary_key=True)
    content: dict[str, Any] = json_column()
    at: datetime = moment_column()
