"""What holds where a box sends nothing: each of its channels has a reason, and an arrow hears that of its channel."""

from __future__ import annotations

import pytest
from kit.stepping import DAY, Stepped

from dsl import Api, Arrows, Customer, Email, Feed, Final, Journey, Sms, Wait, after, marketing
from dsl.refusals import open_to, whys
from dsl.step import WAITING, Acted, Decided, Due
from dsl.testing import walk
from dsl.testing.paths import paths
from dsl.triggers import Reason


class Both(Journey):
    """A mail and a text, with ways for what keeps each of them."""

    enters = Api()
    purpose = marketing
    mail_no = Final()
    text_no = Final()
    unknown = Final()
    lapsed = Final()

    @Email("t/mail")
    @Sms("t/sms")
    def both(self) -> Arrows:
        yield Email.not_sent.because("no consent", "consent withdrawn") >> self.mail_no
        yield Sms.not_sent.because("no consent") >> self.text_no
        yield Sms.not_sent.because("address missing").when(Customer.country == "FR") >> self.unknown
        yield after(days=2) >> self.lapsed


REASONS = [
    (("no consent", "address missing"), "mail_no"),
    (("address missing", "no consent"), "text_no"),
    (("consent withdrawn", "no consent"), "mail_no"),
    (("suppressed", "consent withdrawn"), "lapsed"),
    (("no consent",), "mail_no"),  # one for all of them, as it was recorded before
    ((), "lapsed"),
]


@pytest.mark.parametrize(("reasons", "to"), REASONS)
def test_S3_a_refusal_takes_the_arrow_for_its_channels_reason(reasons: tuple[str, ...], to: str) -> None:
    m = Stepped(Both)
    m.tell(Acted(sent=False, reasons=reasons), 1000)
    if to == "lapsed":
        assert (m.at, m.snapshot.phase) == ("both", WAITING)
        m.tell(Due(), 3 * DAY)
    assert m.at == to


def test_S3_where_one_of_two_went_out_nothing_is_not_sent() -> None:
    m = Stepped(Both)
    m.tell(Acted(), 1000)
    assert (m.at, m.snapshot.phase) == ("both", WAITING)


@pytest.mark.parametrize("holds", [True, False])
def test_S3_the_reasons_are_kept_while_the_customer_is_asked_about(holds: bool) -> None:
    m = Stepped(Both)
    m.tell(Acted(sent=False, reasons=("suppressed", "address missing")), 1000)
    m.tell(Decided((holds,)), 2000)
    assert m.at == ("unknown" if holds else "both")


def test_a_reason_that_says_too_much_is_nobodys() -> None:
    assert whys(("email", "sms"), ("a", "b", "c")) == {"email": "a", "sms": "a"}
    assert whys(("email",), ()) == {"email": ""}
    assert open_to(Stepped(Both).chart, 1, ("no consent",)) == ()


# --- an author's tests --------------------------------------------------------------------------------------------------

FRENCH = {"country": "FR"}


@pytest.mark.parametrize(
    ("mail", "text", "to"),
    [
        ("no consent", "address missing", "mail_no"),
        ("address missing", "no consent", "text_no"),
        ("suppressed", "address missing", "unknown"),
    ],
)
def test_S3_a_test_says_the_reason_of_each_channel(mail: Reason, text: Reason, to: str) -> None:
    assert walk(Both, customer=FRENCH, unreachable={Both.both: {Email: mail, Sms: text}}).reason == to
    assert walk(Both, customer=FRENCH, unreachable={Email: mail, Sms: text}).reason == to


def test_S3_a_channel_of_a_box_that_is_not_named_goes_out() -> None:
    w = walk(Both, unreachable={Both.both: {Email: "no consent"}})
    assert [message.channel for message in w.messages] == ["sms"]
    assert w.whys(Both.both) == ("no consent", None)
    with pytest.raises(ValueError, match="nothing is kept back because of 'capped'; there are address missing, "):
        w.refuse(Sms, "capped")  # type: ignore[arg-type]  # pyright says so too
    assert w.refuse(Both.both, {Sms: "suppressed"}).whys(Both.both) == (None, "suppressed")
    assert w.refuse(Both.both).whys(Both.both) == ("address missing", "address missing")
    assert w.refuse(Email, "journey off").reach(Both.both).whys(Both.both) == ("journey off", None)


def test_S3_a_reason_that_names_no_channel_of_the_box_is_an_error() -> None:
    with pytest.raises(ValueError, match="`both` doesn't send by feed, but by email, sms"):
        walk(Both, unreachable={Both.both: {Feed: "no consent"}})
    with pytest.raises(ValueError, match="`lapsed` sends nothing, so nothing of it"):
        walk(Both).refuse(Both.lapsed, {Email: "no consent"})
    with pytest.raises(TypeError, match="a channel has one reason"):
        walk(Both).refuse(Email, {Email: "no consent"})


def test_A3_each_channels_reasons_are_tried() -> None:
    found = paths(Both)
    assert found.missed == ()
    assert 'unreachable={Both.both: {Email: "address missing", Sms: "no consent"}}' in str(found)


class Again(Journey):
    """A mail and a text, which may fail for one reason and then for another."""

    enters = Api()
    purpose = marketing
    paper = Final()
    peace = Final()

    @Email("t/mail")
    @Sms("t/sms")
    def both(self) -> Arrows:
        yield Sms.not_sent.because("failed").up_to(1) >> self.pause
        yield Email.not_sent.because("suppressed").when(self.both.visits >= 2) >> self.peace
        yield after(days=2) >> self.paper

    @Wait()
    def pause(self) -> Arrows:
        yield after(days=1) >> self.both


def test_A3_a_later_refusal_has_reasons_of_its_own() -> None:
    found = paths(Again)
    assert found.missed == ()
    assert '.refuse(Again.both, {Email: "suppressed", Sms: "address missing"})' in str(found)
    for path in found:
        assert path.walk().arrows == list(path.arrows)


class OneOfTwo(Journey):
    """A mail and a text; whichever went out says what comes next, the mail first."""

    enters = Api()
    purpose = marketing
    mailed = Final()
    fed = Final()
    nothing = Final()
    lapsed = Final()

    @Email("t/mail")
    @Sms("t/sms")
    @Feed("t/feed")
    def both(self) -> Arrows:
        yield Email.sent >> self.mailed
        yield Sms.sent.up_to(2) >> self.pause
        yield Feed.sent >> self.fed
        yield Sms.not_sent.because("suppressed") >> self.nothing
        yield after(days=2) >> self.lapsed

    @Wait()
    def pause(self) -> Arrows:
        yield after(days=1) >> self.both


def test_A3_a_box_is_tried_with_one_channel_refused_and_the_other_out() -> None:
    found = paths(OneOfTwo)
    assert found.missed == ()
    assert 'unreachable={OneOfTwo.both: {Email: "address missing"}}' in str(found)
    assert 'unreachable={OneOfTwo.both: {Email: "address missing", Sms: "address missing"}}' in str(found)
    for path in found:
        assert path.walk().arrows == list(path.arrows)
