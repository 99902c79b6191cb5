"""Journeys as the pictures' tests need them: one that is known by heart, and any number that are made of chance."""

from __future__ import annotations

import random

from dsl import Customer
from dsl.ir import (
    CHANNELS,
    IR,
    After,
    Answer,
    Arrow,
    Entry,
    Every,
    Goal,
    Limit,
    Note,
    Otherwise,
    Reentry,
    Share,
    State,
    StateKind,
    Then,
    When,
)

__all__ = ["DAY", "random_journey", "win_back"]

DAY = 86_400


def win_back() -> IR:
    def answers() -> tuple[Arrow, ...]:
        return (Arrow(Answer("email.clicked", "send"), "call"), Arrow(After(3 * DAY), "feed"))

    return IR(
        name="win_back",
        title="WinBack",
        doc="Bring back wine lovers who have gone quiet.",
        purpose="marketing",
        entry=Entry("audience", Customer.country == "FR", Every("daily", "09:00")),
        again=Reentry("after", 180 * DAY),
        goal=Goal(Answer("shop.purchased", "customer"), 30 * DAY),
        holdout=10.0,
        states=(
            State(
                "eligible",
                "choice",
                (Arrow(When(), "offer", Customer.country == "FR"), Arrow(Otherwise(), "not_eligible")),
            ),
            State("offer", "split", (Arrow(Share(50), "discount"), Arrow(Share(50), "story"))),
            State("discount", "email", answers(), "win_back/discount"),
            State("story", "email", answers(), "win_back/story"),
            State(
                "call",
                "call",
                (
                    Arrow(Answer("call.interested", "send"), "won"),
                    Arrow(Answer("call.refused", "send"), "refused"),
                    Arrow(Answer("call.not_reached", "send"), "call", limit=Limit(3, 72_000)),
                    Arrow(Answer("call.not_reached", "send"), "sms"),
                    Arrow(After(7 * DAY), "sms"),
                ),
                "win_back/warm",
                "retention",
            ),
            State("feed", "feed", (Arrow(Then(), "sms"),), "win_back/your_bottles"),
            State(
                "sms",
                "sms",
                (Arrow(Answer("sms.clicked", "send"), "call"), Arrow(After(2 * DAY), "letter")),
                "win_back/last_chance",
            ),
            State(
                "letter",
                "letter",
                (Arrow(Answer("letter.answered", "send"), "call"), Arrow(After(14 * DAY), "lapsed")),
                "win_back/voucher",
            ),
            State("won", "goal"),
            State("refused", "final"),
            State("lapsed", "final"),
            State("not_eligible", "final"),
            State("unsubscribed", "final"),
        ),
        anywhere=(
            Arrow(Answer("shop.purchased", "customer"), "won"),
            Arrow(Answer("consent.withdrawn", "customer"), "unsubscribed"),
        ),
        notes={
            "discount": Note("Ten per cent off the bottles they know.", "journeys/win_back.py", 40),
            "call": Note("Phone while the interest is warm.", "journeys/win_back.py", 60),
        },
    )


def random_journey(seed: int) -> IR:
    """A journey made of chance: loops, retries, long names, ends that many boxes lead to."""
    chance = random.Random(seed)  # noqa: S311  # repeatable on purpose
    words = ("offer", "story", "reminder", "warm_call", "a", "survey", "the_long_name_of_a_box_that_an_author_wrote")
    answers = {
        "email": ("clicked", "opened", "replied"),
        "sms": ("clicked", "replied"),
        "feed": ("clicked", "opened"),
        "call": ("interested", "refused", "not_reached"),
        "letter": ("answered", "returned"),
    }
    kinds: tuple[StateKind, ...] = ("email", "sms", "feed", "call", "letter", "wait", "choice", "split")
    count = chance.randint(1, 11)
    names = [f"{chance.choice(words)}_{index}" for index in range(count)]
    ends = ["won", "lapsed", "refused"][: chance.randint(1, 3)]
    states: list[State] = []
    for index, name in enumerate(names):
        kind = chance.choice(kinds)
        onward = names[index + 1] if index + 1 < count else ends[0]
        others = [chance.choice(names + ends * 2) for _ in range(chance.choice((0, 0, 1, 1, 2, 3)))]
        if kind == "split":
            arrows = [Arrow(Share(100 / (len(others) + 1)), to) for to in (onward, *others)]
        elif kind == "choice":
            lands = ("FR", "GB", "a land with a very long name, which nobody could ever write down")
            arrows = [Arrow(When(), to, Customer.country == chance.choice(lands)) for to in others]
            arrows.append(Arrow(Otherwise(), onward))
        elif kind == "wait":
            arrows = [Arrow(After(chance.choice((3_600, DAY, 93_600))), onward)]
        elif chance.random() < 0.15:
            arrows = [Arrow(Then(), onward)]
        else:
            arrows = [
                Arrow(
                    Answer(f"{kind}.{chance.choice(answers[kind])}", "send"),
                    to,
                    limit=Limit(chance.randint(1, 3), chance.choice((0, 72_000))) if chance.random() < 0.3 else None,
                )
                for to in others
            ]
            arrows.append(Arrow(After(chance.randint(1, 14) * DAY), onward))
        states.append(State(name, kind, tuple(arrows), f"t/{name}" if kind in CHANNELS else None))
    states += [State(end, "goal" if end == "won" else "final") for end in ends]
    return IR(
        f"random_{seed}",
        "marketing",
        Entry("api"),
        tuple(states),
        anywhere=(Arrow(Answer("shop.purchased", "customer"), "won"),),
    )
