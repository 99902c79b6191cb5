"""A template that the worker's folder lacks: a kept version stands in, and where there is none, the messages wait."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from kit.bench import Bench, Plain
from kit.mail import Taker, mail_server

from api.app import create_app
from dsl.compile import compile_journey
from engine import journeys, keys
from engine.db import Database
from engine.settings import Settings
from engine.templating.stand_ins import StandIns
from engine.templating.templates import TemplateError, TemplateMissing, Templates
from workers.batch import Outcome

MAIL = "t/mail.en.mjml"


class Other(Plain):
    """Another journey."""


@pytest.fixture
def bench(tmp_path: Path, templates: Path, db: Database) -> Callable[..., Bench]:
    def make(port: int, **given: Any) -> Bench:
        return Bench(Settings(data=tmp_path / "var", journeys=templates, smtp_port=port, **given), db)

    return make


def publish(made: Bench, folder: Path) -> None:
    """As `parcours publish` does from a folder: with the templates that the journey uses."""
    templates = Templates.of(made.settings.model_copy(update={"journeys": folder}))
    found = [templates.find("t/mail", "email", language) for language in templates.languages("t/mail", "email")]
    with made.engine.database.write() as conn:
        journeys.publish(conn, compile_journey(Plain), "test", made.engine.now(), found)


async def test_what_was_published_from_elsewhere_is_sent(
    bench: Callable[..., Bench], templates: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Published three times, the last time as at first: that is what goes out, in her language."""
    taker = Taker()
    with mail_server(taker) as port:
        made = bench(port)
        made.enter("ann")
        made.engine.customers("zoe", language="fr")
        elsewhere = tmp_path / "elsewhere" / "t"
        (templates / "t").rename(tmp_path / "away")
        elsewhere.mkdir(parents=True)
        source = (tmp_path / "away" / "mail.en.mjml").read_text()
        (elsewhere / "mail.fr.mjml").write_text(source.replace("Hello", "Bonjour"))
        for word in ("First", "Second", "First"):
            (elsewhere / "mail.en.mjml").write_text(source.replace("Hello", word))
            publish(made, tmp_path / "elsewhere")
        made.enter("zoe")
        made.engine.customers("zoe", language="fr")
        with caplog.at_level(logging.WARNING, "parcours.templates"):
            assert await made.perform(made.batch("ann", "zoe")) == Outcome()
    first, second = (made.engine.messages(customer)[0] for customer in ("ann", "zoe"))
    assert (first.status, second.status) == ("sent", "sent")
    assert sum(b"First" in mail for mail in taker.taken) == 1
    assert sum(b"Bonjour" in mail for mail in taker.taken) == 1
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == len(set(told)) == 2
    assert "there is no t/mail.en.mjml below PARCOURS_JOURNEYS" in told[0]


async def test_where_none_is_kept_the_messages_wait_and_are_nobodys_loss(
    bench: Callable[..., Bench], templates: Path
) -> None:
    taker = Taker()
    with mail_server(taker) as port:
        made = bench(port)
        made.enter("ann", "ben")
        (templates / MAIL).rename(templates / "away")
        batch = made.batch("ann", "ben")
        with pytest.raises(TemplateMissing, match="no template for email 't/mail'"):
            await made.perform(batch)
        assert made.engine.messages("ann") == []
        (templates / "away").rename(templates / MAIL)
        assert await made.perform(batch) == Outcome()
    assert len(taker.taken) == 2


async def test_a_picture_that_is_missing_is_the_deployments_fault_and_one_that_she_has_is_hers(
    bench: Callable[..., Bench], templates: Path
) -> None:
    taker = Taker()
    source = (templates / MAIL).read_text()
    with mail_server(taker) as port:
        made = bench(port)
        made.enter("ann", "ben")
        (templates / MAIL).write_text(source.replace("</mj-text>", "{{ image('dot.png') }}</mj-text>", 1))
        batch = made.batch("ann", "ben")
        with pytest.raises(TemplateError, match=r"mail\.en\.mjml:\d+: there is no file 'dot\.png'"):
            await made.perform(batch)
        assert made.engine.messages("ann") == []
        (templates / "t/dot.png").write_bytes(b"a picture")
        assert await made.perform(batch) == Outcome()
        assert len(taker.taken) == 2
        made.enter("cat", "dan", journey=Other)
        (templates / MAIL).write_text(source.replace("</mj-text>", "{{ image(customer.id ~ '.png') }}</mj-text>", 1))
        (templates / "t/cat.png").write_bytes(b"a picture")
        assert (await made.perform(made.batch("cat", "dan"))).not_sent == (1,)
    assert len(taker.taken) == 3


async def test_a_file_that_is_there_again_is_used_again(bench: Callable[..., Bench], templates: Path) -> None:
    made = bench(1)
    publish(made, templates)
    found = Templates.of(made.settings, StandIns(made.engine.database))
    old = found.find("t/mail", "email", "en")
    source = (templates / MAIL).read_text()
    (templates / MAIL).unlink()
    assert found.find("t/mail", "email", "fr").source == old.source
    assert found.languages("t/mail", "email") == ["en"]
    (templates / "t/mail.fr.mjml").write_text(source)
    assert found.languages("t/mail", "email") == ["fr"], "the folder's own is what the author wants"
    assert found.find("t/mail", "email", "en").language == "fr"


async def test_the_journey_names_what_is_missing(bench: Callable[..., Bench], templates: Path, tmp_path: Path) -> None:
    made = bench(1)
    made.enter("ann")
    key = keys.create(made.engine.database, "tests", ["read"])
    transport = httpx.ASGITransport(create_app(made.settings, made.engine.database))
    async with httpx.AsyncClient(transport=transport, base_url="http://x", auth=(key, "")) as client:
        assert (await client.get("/v1/journeys/plain")).json()["missing_templates"] == []
        (templates / MAIL).rename(tmp_path / "away")
        assert (await client.get("/v1/journeys/plain")).json()["missing_templates"] == ["email 't/mail'"]
