"""The kit for testing journeys: walk one customer through, without a server or a database.

    w = walk(WinBack, customer=customer(country="FR"))
    w.tell(Email.clicked)
    assert w.at is WinBack.call

`dsl.testing.paths` generates walks that take every arrow, `dsl.testing.goldens` compares pictures and paths with what was
reviewed, and `pytest --journey-coverage` tells which arrows no test takes (`dsl.testing.plugin`).
"""

from dsl.testing.builders import NOON, Person, bounce, click, consent, customer, opening, order, orders, purchase, reply
from dsl.testing.coverage import untaken
from dsl.testing.driver import Message, Step
from dsl.testing.walk import Walk, walk

__all__ = [
    "NOON",
    "Message",
    "Person",
    "Step",
    "Walk",
    "bounce",
    "click",
    "consent",
    "customer",
    "opening",
    "order",
    "orders",
    "purchase",
    "reply",
    "untaken",
    "walk",
]
