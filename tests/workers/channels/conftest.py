"""What tests of channels share: a folder of templates, a customer, and messages made from them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.links import Links
from engine.outgoing import Channel, Outgoing, Recipient
from engine.settings import Settings
from engine.templating.checking import SAMPLE, SAMPLE_FACTS
from engine.templating.templates import Templates

Compose = Callable[..., Outgoing]

MAIL = """<mjml><mj-head><mj-title>Für {{ customer.first_name }}: 10 %</mj-title></mj-head><mj-body>
<mj-section><mj-column>
<mj-text>Dear {{ customer.first_name }} {{ customer.last_name }}, …</mj-text>
<mj-button href="{{ link('https://shop.example/', 'shop') }}">The shop</mj-button>
<mj-text><a href="{{ unsubscribe_url }}">Unsubscribe</a> <a href="{{ feed_url }}">Your feed</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""


@pytest.fixture
def links() -> Links:
    return Links("https://journeys.example", b"a key")


@pytest.fixture
def templates(tmp_path: Path) -> Templates:
    folder = tmp_path / "journeys" / "win"
    folder.mkdir(parents=True)
    for name, text in (
        ("mail.en.mjml", MAIL),
        ("text.en.txt", "{{ customer.first_name }}, 10 %’s yours: {{ link('https://shop.example/', 'shop') }}"),
        (
            "item.en.html",
            "<title>For {{ customer.first_name }}</title><p><a href=\"{{ link('https://shop.example/') }}\">Go</a></p>",
        ),
        ("call.en.html", "<title>Call {{ customer.first_name }}</title><p>Good day, {{ customer.last_name }}</p>"),
        ("note.en.typ", "= A present\n\nDear #customer.first_name,\n"),
    ):
        (folder / name).write_text(text, "utf-8")
    return Templates(folder.parent)


@pytest.fixture
def compose() -> Compose:
    """Render a message of a channel, as the engine does."""

    def compose(
        channel: Channel, ref: str, key: str = "7-1-0", recipient: Recipient = SAMPLE, address: str | None = None
    ) -> Outgoing:
        found = address or channel.address(recipient)
        assert found is not None
        return Outgoing(
            key=key,
            channel=channel.name,
            enrolment_id=int(key.partition("-")[0]),
            journey="win_back",
            state="discount",
            purpose="marketing",
            recipient=recipient,
            address=found,
            content=channel.render(recipient, ref, key, SAMPLE_FACTS),
            at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
            queue="win-back",
            outcomes=("interested", "refused"),
            journey_title="WinBack",
        )

    return compose


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "var", mail_from="Marchand & Söhne <hello@shop.example>")
