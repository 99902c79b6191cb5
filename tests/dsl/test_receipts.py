"""Receipts of providers are answers: what `engine.receipts` says of a text or a letter, an arrow hears."""

from __future__ import annotations

from dsl import Api, Arrows, Final, Journey, Letter, Sms, after, marketing
from dsl.testing import walk


class Receipts(Journey):
    """A text that does not arrive becomes a letter."""

    enters = Api()
    purpose = marketing
    done = Final()
    lost = Final()

    @Sms("care/hello")
    def text(self) -> Arrows:
        yield Sms.undelivered >> self.letter
        yield after(days=3) >> self.done

    @Letter("care/hello")
    def letter(self) -> Arrows:
        yield Letter.delivered >> self.done
        yield Letter.undelivered >> self.lost
        yield after(days=30) >> self.lost


def test_a_text_that_did_not_arrive_is_heard_and_what_became_of_a_letter() -> None:
    at_letter = walk(Receipts).tell(Sms.undelivered)

    assert at_letter.at is Receipts.letter
    assert at_letter.copy().tell(Letter.delivered).at is Receipts.done
    assert at_letter.copy().tell(Letter.undelivered).at is Receipts.lost
