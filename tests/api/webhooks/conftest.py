"""An app that every provider is set up for."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from kit.amazon import TOPIC, Amazon
from kit.webhooks import KEY

from engine.mail.providers.sns import Sns
from engine.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    given: dict[str, Any] = {
        "sendgrid_key": b64encode(public).decode(),
        "mailgun_key": "mailgun-key",
        "postmark_login": "parcours:secret",
        "ses_topics": f"{TOPIC}, arn:aws:sns:eu-west-1:123456789012:other",
    }
    return Settings(data=settings.data, **given)


@pytest.fixture
def amazon(app: FastAPI) -> Amazon:
    """Amazon, as far as the app can tell."""
    made = Amazon()
    app.state.email = replace(app.state.email, sns=Sns(TOPIC, made.get))
    return made
