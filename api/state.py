"""What every route works with: settings, database, links, templates and the clock, made once with the app."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from api.keeping import Keeper
from api.limits import Limits
from engine.clock import Clock
from engine.db import Database
from engine.links import Links
from engine.settings import Settings
from engine.templating.stand_ins import StandIns
from engine.templating.templates import Templates

__all__ = ["Here", "State"]


@dataclass(frozen=True, slots=True)
class State:
    """The app's parts."""

    settings: Settings
    database: Database
    links: Links
    templates: Templates
    clock: Clock
    keeper: Keeper
    limits: Limits

    @classmethod
    def of(cls, settings: Settings, database: Database) -> State:
        """The parts that these settings describe."""
        links = Links(settings.public_url, settings.signing_key())
        limits = Limits(settings.key_rate)
        templates = Templates.of(settings, StandIns(database))
        return cls(settings, database, links, templates, settings.clock, Keeper(database), limits)

    def now(self) -> datetime:
        """Journey time now."""
        return self.clock.now()


def _here(request: Request) -> State:
    return request.app.state.parcours


Here = Annotated[State, Depends(_here)]
