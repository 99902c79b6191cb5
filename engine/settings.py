"""The settings: one class, `PARCOURS_*` environment variables, one default for each.

Every setting's description is the row of the table in docs/operator.md (a test compares the two).
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dsl.localtime import is_zone
from engine.clock import Clock, to_ms
from engine.sms.prefixes import Prefixes

__all__ = ["Settings"]


class Settings(BaseSettings):
    """What an operator may set; each field is read from `PARCOURS_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="PARCOURS_", extra="ignore", frozen=True)

    data: Path = Field(
        default=Path("var"), description="Folder of everything that is kept: database, secret, outbox, sink"
    )
    database: str = Field(
        default="", description="SQLAlchemy URL of the database; empty: `parcours.db` in the data folder"
    )
    journeys: Path = Field(default=Path("journeys"), description="Folder of the journey files and their templates")
    zone: str = Field(default="Europe/Paris", description="The project's time zone (IANA), where a customer has none")
    language: str = Field(default="en", description="Language of templates where a customer's own is not there")
    public_url: str = Field(
        default="http://127.0.0.1:8000", description="Where customers reach the API: links, feeds, QR codes"
    )
    host: str = Field(default="127.0.0.1", description="Address that the API listens on")
    port: int = Field(default=8000, description="Port that the API listens on")
    second_person: bool = Field(
        default=False,
        description="Whether a journey is turned on only when another person has approved of it (scope `approve`)",
    )
    key_rate: float = Field(
        default=200.0,
        ge=0,
        description="Requests a second of one key at one API process, in bursts of ten seconds' worth; 0: no limit",
    )
    secret: SecretStr | None = Field(
        default=None, description="Key that signs links and tokens; empty: made once, kept in the data folder"
    )
    temporal_address: str = Field(
        default="", description="Temporal's host:port; empty: temporalio's own environment configuration"
    )
    temporal_namespace: str = Field(default="default", description="Temporal namespace")
    temporal_synchronous: str = Field(
        default="normal",
        description="SQLite's `synchronous` of the embedded Temporal server: normal, or full (safe in a power cut)",
    )
    task_queue: str = Field(
        default="parcours",
        description="Temporal task queue of the workers; campaigns have one beside it, with `-planned`",
    )
    cohort_size: int = Field(default=500, ge=1, le=2000, description="Most customers in one workflow")
    batch_size: int = Field(default=250, ge=1, le=2000, description="Most customers in one activity")
    history_events: int = Field(
        default=1000,
        ge=40,
        le=10_000,
        description="Events of a workflow's history after which its cohort goes on in a new run: what a worker replays",
    )
    tick: float = Field(default=0.25, gt=0, description="Seconds between two looks for new events and entries")
    grace: float = Field(
        default=2.0, ge=0, description="Seconds that an answer may be under way after the deadline it met"
    )
    profile_wait: float = Field(
        default=86400.0,
        ge=0,
        description="Seconds that an event waits for the profile of a customer who is not known yet",
    )
    time_scale: float = Field(
        default=1.0,
        gt=0,
        description="Seconds of journey time in one second (86400: a day a second); needs both origins",
    )
    time_real_origin: datetime | None = Field(
        default=None, description="With a time scale: a moment on the wall clock …"
    )
    time_origin: datetime | None = Field(default=None, description="… and the journey time that it was then")
    give_up_days: float = Field(
        default=5.0,
        gt=0,
        description="Days after which a message that its provider keeps putting off has failed (RFC 5321, 4.5.4.1)",
    )
    smtp_host: str = Field(default="127.0.0.1", description="SMTP server for e-mail")
    smtp_port: int = Field(default=2525, description="SMTP port; the local sink listens here under `parcours up`")
    smtp_user: str = Field(default="", description="SMTP user name; empty: no login")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="SMTP password")
    smtp_tls: Literal["none", "starttls", "tls"] = Field(default="none", description="none, starttls or tls")
    smtp_connections: int = Field(default=8, ge=1, le=100, description="Connections to the SMTP server, per worker")
    smtp_rate: float = Field(
        default=0.0,
        ge=0,
        description="Most mails a second, of all workers together; 0: as many as the server takes",
    )
    smtp_timeout: float = Field(
        default=60.0,
        gt=0,
        description="Seconds that the SMTP server has for a reply; ten times as many for the one after a mail's text",
    )
    mail_processes: int = Field(
        default=1,
        ge=0,
        le=64,
        description="Processes beside each worker in which mass mails are made; 0: the worker makes them itself",
    )
    mail_from: str = Field(default="Parcours <hello@parcours.example>", description="Sender of e-mails")
    mail_in_host: str = Field(default="127.0.0.1", description="Address that `parcours receiver` listens on for mail")
    mail_in_port: int = Field(
        default=2526, ge=0, le=65535, description="Its SMTP port; 0: `parcours up` starts no receiver"
    )
    mail_in_domain: str = Field(
        default="",
        description="Domain that bounces and replies come back to; empty: the sender's own, and mails name no reply address",
    )
    mail_in_size: int = Field(default=20_000_000, ge=1, description="Most bytes of a mail that comes in")
    mail_in_tls: str = Field(
        default="", description="PEM file with its certificate and key, for STARTTLS; empty: it offers none"
    )
    soft_bounces: int = Field(
        default=5, ge=1, description="So many soft bounces of an address within the days below suppress it"
    )
    soft_bounce_days: float = Field(default=30.0, gt=0, description="Days in which soft bounces are counted together")
    stray_days: float = Field(
        default=90.0,
        gt=0,
        description="Days that mails of no send, and messages that can't be read, are kept for somebody to look at",
    )
    scanner_seconds: float = Field(
        default=2.0, ge=0, description="A click or open sooner after the send is a link scanner's, not hers"
    )
    ses_topics: str = Field(
        default="", description="ARNs of the SNS topics that Amazon SES tells us by, separated by commas; empty: none"
    )
    sendgrid_key: str = Field(
        default="", description="Verification key of SendGrid's signed event webhook; empty: it is not taken"
    )
    mailgun_key: SecretStr = Field(
        default=SecretStr(""), description="Mailgun's webhook signing key; empty: its webhooks are not taken"
    )
    postmark_login: SecretStr = Field(
        default=SecretStr(""), description="`user:password` that Postmark's webhooks carry; empty: they are not taken"
    )
    sms_provider: str = Field(
        default="twilio",
        description="twilio (Twilio-shaped HTTP), generic (signed JSON), or an Apprise URL with `{number}` where the recipient stands",
    )
    sms_url: str = Field(
        default="http://127.0.0.1:8025",
        description="Base URL of the Twilio-shaped SMS provider; the generic one's own URL",
    )
    sms_account: str = Field(default="ACparcours", description="Account id at the SMS provider")
    sms_token: SecretStr = Field(
        default=SecretStr("parcours-local"), description="Secret of the SMS provider; verifies its webhooks too"
    )
    sms_from: str = Field(
        default="+33700000000",
        description="Sender of SMS; several by where they go: `+33700000000 49=+4915112345678`",
    )
    sms_cost: int = Field(default=4500, ge=0, description="What a segment of an SMS costs, in thousandths of a cent")
    sms_prices: str = Field(
        default="", description="… and where it costs other than that, by how a number begins: `49=7500 1=790`"
    )
    sms_mms: str = Field(
        default="",
        description="Where a picture goes as MMS, and what one costs, by how a number begins: `1=2000`; elsewhere it is a link",
    )
    sms_rate: float = Field(
        default=0.0,
        ge=0,
        description="Most text messages a second, of all workers together; 0: as many as the provider takes",
    )
    letter_cost: int = Field(default=95_000, ge=0, description="What a letter costs, in thousandths of a cent")
    country: str = Field(default="FR", description="The project's country (ISO 3166), where a customer has none")
    currency: str = Field(default="EUR", description="Currency of orders (ISO 4217)")
    order_value: int = Field(
        default=3000, ge=0, description="What an order is taken to be worth, in cents, of a customer who has none yet"
    )
    letter_sender: str = Field(
        default="Parcours\n1 rue du Parcours\n75001 Paris",
        description="Sender's address on letters, lines separated by line ends",
    )
    letter_cutoff: str = Field(
        default="16:00",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="When the day's print run is closed (HH:MM in the project's zone); a letter can be withdrawn until then",
    )
    letter_layout: str = Field(
        default="country",
        pattern="^(country|DIN|FR)$",
        description="Where a letter's window is: DIN (5008 form B, left), FR (right), or country: FR for mail to France, else DIN",
    )
    letter_provider: str = Field(
        default="outbox",
        description="Who prints: outbox (a folder for each run), or the base URL of a Lob-shaped API",
    )
    feed_private: bool = Field(
        default=False, description="Whether feeds at private addresses (127.0.0.1, 10.0.0.0/8 …) are read"
    )
    letter_token: SecretStr = Field(
        default=SecretStr("parcours-local"), description="Key of the Lob-shaped API; verifies its webhooks too"
    )

    @field_validator("zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        if not is_zone(name):
            raise ValueError(f"{name!r} is no time zone of the IANA's: write Europe/Paris, UTC …")
        return name

    @field_validator("sms_prices", "sms_mms")
    @classmethod
    def _prices(cls, text: str) -> str:
        for value in Prefixes(text).values():
            if not value.isdecimal():
                raise ValueError(f"{value!r} is no price in whole thousandths of a cent")
        return text

    @field_validator("sms_from")
    @classmethod
    def _senders(cls, text: str) -> str:
        Prefixes(text)
        return text

    @model_validator(mode="after")
    def _whole_clock(self) -> Self:
        """A scale without its two moments would silently be none, and a journey of a month take a month."""
        given = (self.time_real_origin is not None, self.time_origin is not None)
        if given != (True, True) and (self.time_scale != 1 or any(given)):
            raise ValueError(
                "PARCOURS_TIME_SCALE, PARCOURS_TIME_REAL_ORIGIN and PARCOURS_TIME_ORIGIN go together: set all three, or none"
            )
        return self

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL, by default a SQLite file in the data folder."""
        return self.database or f"sqlite:///{self.data / 'parcours.db'}"

    @property
    def clock(self) -> Clock:
        """The clock that these settings describe."""
        if self.time_real_origin is None or self.time_origin is None:
            return Clock(1.0)
        return Clock(self.time_scale, to_ms(self.time_real_origin), to_ms(self.time_origin))

    def signing_key(self) -> bytes:
        """The key of signatures: the setting, or one made on first use and kept (mode 600) in the data folder."""
        if self.secret is not None:
            return self.secret.get_secret_value().encode()
        path = self.data / "secret"
        if not path.exists():
            self.data.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(f".{secrets.token_hex(4)}")
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(32))
            with suppress(FileExistsError):  # atomic, and the first process wins
                path.hardlink_to(fresh)
            fresh.unlink()
        return path.read_bytes()
