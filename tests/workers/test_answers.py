"""A code that a message shows, from its template to the order that redeems it, on a real server."""

from __future__ import annotations

import re
from pathlib import Path

from kit.engine import Engine

from api.keeping import Keeper
from api.segment import read
from dsl import Anywhere, Api, Arrows, Email, Final, Goal, Journey, Payload, after, always, marketing, text
from workers.local.sink import Sink, messages

MAIL = """<mjml><mj-head><mj-title>For you</mj-title></mj-head><mj-body><mj-section><mj-column>
<mj-text>Your code: {{ code }}, or press <a href="{{ answer_url }}">here</a>.
<a href="{{ unsubscribe_url }}">unsubscribe</a></mj-text></mj-column></mj-section></mj-body></mjml>"""


class Came(Payload):
    via = text()


class Voucher(Journey):
    """A mail with a code of her own; whoever redeems it has won."""

    enters = Api()
    again = always
    purpose = marketing
    won = Goal()
    called = Final()
    lapsed = Final()

    @Email("t/voucher")
    def mail(self) -> Arrows:
        yield Email.answered.where(Came.via == "phone") >> self.called
        yield Email.answered >> self.won
        yield after(days=900) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Email.bounced >> self.lapsed


async def test_an_order_with_her_code_answers_the_mail_that_carried_it(
    engine: Engine, templates: Path, sink: Sink
) -> None:
    (templates / "t" / "voucher.en.mjml").write_text(MAIL)
    engine.customers("ada", "bob")
    engine.enter(engine.publish(Voucher), "ada", "bob")
    sent = await engine.until_sent("ada", "mail")
    await engine.until_sent("bob", "mail")
    (mail,) = (found for each in messages(sink.folder) if "ada@" in str((found := each.read())["To"]))
    body = mail.get_body(("plain",))
    assert body is not None
    shown = re.search(r"code: ([A-Z0-9]{5}-[A-Z0-9]{5})", body.get_content())
    assert shown is not None
    assert sent.code == shown[1].replace("-", "")
    order = {"userId": "stranger", "event": "Order Completed", "properties": {"total": 9, "coupon": shown[1].lower()}}
    now = engine.now()
    Keeper(engine.database).keep([read(order, now, "track")], now)
    await engine.until_at("ada", "won")
    assert engine.at("bob") == "mail"
