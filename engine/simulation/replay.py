"""Replaying: recorded enrolments led through an edited journey, many side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Sequence

from sqlalchemy import Connection

from dsl.expression import Expression
from dsl.ir import IR
from dsl.localtime import zone_of
from dsl.planning import Place, measured, moment_of
from engine import customers, facts
from engine.db import chunked
from engine.holidays import holidays_of
from engine.simulation.edited import Edited
from engine.simulation.plan import Plan
from engine.simulation.recorded import Recorded
from engine.simulation.responses import ResponseModel
from engine.simulation.retraced import Ask, Case, Retraced, Told

__all__ = ["Replay"]


class Replay:
    """Runs enrolments through the edited journey, many side by side, so that facts are read for many at once."""

    def __init__(self, conn: Connection, ir: IR, until: int, zone: str, model: ResponseModel | None, seed: str) -> None:
        self.conn = conn
        self.zone = zone
        self.edited = Edited(ir, until, seed, Plan(ir, model, zone) if model is not None else None)
        self._places: dict[str, Place] = {}

    def run(self, piece: Sequence[Recorded]) -> list[Case]:
        """Where each of them would have gone."""
        known = customers.places(self.conn, sorted({each.customer for each in piece}))
        for customer in {each.customer for each in piece}:
            zone, country = known.get(customer, (None, None))
            self._places[customer] = Place(zone_of(zone, self.edited.ir.zone, self.zone), holidays_of(country))
        found: dict[int, Case] = {}
        asking: list[tuple[Retraced, Generator[Ask, Told, None], Ask]] = []
        for each in piece:
            walker = Retraced(self.edited, each, self._places[each.customer])
            going = walker.go()
            self._on(walker, going, None, asking, found)
        while asking:
            asked, asking = asking, []
            told = self._facts([(walker.of.customer, ask) for walker, _, ask in asked])
            for (walker, going, _), answer in zip(asked, told, strict=True):
                self._on(walker, going, answer, asking, found)
        return [found[each.id] for each in piece]

    def _on(
        self,
        walker: Retraced,
        going: Generator[Ask, Told, None],
        told: Told | None,
        asking: list[tuple[Retraced, Generator[Ask, Told, None], Ask]],
        found: dict[int, Case],
    ) -> None:
        try:
            ask = next(going) if told is None else going.send(told)
        except StopIteration:
            found[walker.of.id] = walker.case()
        else:
            asking.append((walker, going, ask))

    def _facts(self, asks: Sequence[tuple[str, Ask]]) -> list[Told]:
        """What the database says of each, as of the moment that is asked for: orders after it don't exist yet."""
        by_ask: dict[Ask, list[str]] = defaultdict(list)
        for customer, ask in asks:
            by_ask[ask].append(customer)
        found: dict[tuple[Ask, str], Told] = {}
        for ask, who in by_ask.items():
            at = moment_of(ask.at)
            if ask.measures:
                wanted = [self._measured(arrow) for arrow in ask.arrows]
                for piece in chunked(who):
                    values = facts.measure(self.conn, [each for each in wanted if each is not None], piece, at)
                    for customer in piece:
                        rest = iter(values[customer])
                        found[ask, customer] = [None if each is None else next(rest) for each in wanted]
            else:
                guards = [self.edited.guard(arrow) for arrow in ask.arrows]
                for piece in chunked(who):
                    decided = facts.decide(self.conn, guards, piece, at)
                    found.update({(ask, customer): decided[customer].results for customer in piece})
        return [found[ask, customer] for customer, ask in asks]

    def _measured(self, arrow: int) -> Expression | None:
        return measured(self.edited.chart.arrows[arrow].on)
