"""The words that templates and layouts need in a customer's language: months, money, the foot of a mail, a letter's frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

__all__ = ["LANGUAGES", "Words", "words"]


@dataclass(frozen=True, slots=True)
class Words:
    """A language: how it writes a date and money, and the fixed sentences of our layouts."""

    language: str
    months: str
    """January to December, with blanks between."""
    day: str
    """How a date is put together, of `{day}`, `{month}`, `{year}`."""
    first: str
    """The first day of a month, where it is written in a way of its own."""
    thousands: str
    decimal: str
    sign_first: bool
    """Whether the currency's sign stands before the number."""
    unsubscribe: str
    preferences: str
    why: str
    """Why this mail came; `{brand}` stands for the sender."""
    scan: str
    """Before a letter's answer code."""
    type: str
    answer: str
    """The caption of the panel with a letter's code, where the author gives none."""
    feed: str
    """What her own feed is; `{brand}` stands for the sender."""

    def date(self, moment: date | None) -> str:
        """A date as it is written in a sentence; nothing for none."""
        if moment is None:
            return ""
        day = self.first if moment.day == 1 else str(moment.day)
        return self.day.format(day=day, month=self.months.split()[moment.month - 1], year=moment.year)

    def money(self, cents: int | None, currency: str) -> str:
        """An amount of cents; nothing for none."""
        if cents is None:
            return ""
        minus, cents = ("−" if cents < 0 else ""), abs(round(cents))  # the minus sign that typographers mean
        number = f"{cents // 100:,}".replace(",", self.thousands) + f"{self.decimal}{cents % 100:02d}"
        sign = _SIGNS.get(currency, currency)
        if not self.sign_first:
            return f"{minus}{number}\N{NO-BREAK SPACE}{sign}"
        return f"{minus}{sign}{number}" if len(sign) == 1 else f"{minus}{sign}\N{NO-BREAK SPACE}{number}"


_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}

_ALL = (
    Words(
        language="en",
        months="January February March April May June July August September October November December",
        day="{day} {month} {year}", first="1", thousands=",", decimal=".", sign_first=True,
        unsubscribe="Unsubscribe", preferences="Your preferences",
        why="You get this mail because you said yes to news from {brand}.",
        scan="Scan the code, or go to", type="and type",
        answer="Your answer", feed="{brand}, for you",
    ),
    Words(
        language="fr",
        months="janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        day="{day} {month} {year}", first="1er", thousands="\N{NARROW NO-BREAK SPACE}", decimal=",", sign_first=False,
        unsubscribe="Se désabonner", preferences="Vos préférences",
        why="Vous recevez ce message car vous avez accepté les nouvelles de {brand}.",
        scan="Scannez le code, ou allez sur", type="et tapez",
        answer="Votre réponse", feed="{brand}, pour vous",
    ),
    Words(
        language="de",
        months="Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        day="{day}. {month} {year}", first="1", thousands=".", decimal=",", sign_first=False,
        unsubscribe="Abmelden", preferences="Ihre Einstellungen",
        why="Sie erhalten diese E-Mail, weil Sie Neuigkeiten von {brand} zugestimmt haben.",
        scan="Code scannen, oder gehen Sie auf", type="und tippen Sie",
        answer="Ihre Antwort", feed="{brand}, für Sie",
    ),
    Words(
        language="es",
        months="enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        day="{day} de {month} de {year}", first="1", thousands=".", decimal=",", sign_first=False,
        unsubscribe="Darse de baja", preferences="Sus preferencias",
        why="Recibe este correo porque aceptó recibir novedades de {brand}.",
        scan="Escanee el código, o vaya a", type="y escriba",
        answer="Su respuesta", feed="{brand}, para usted",
    ),
    Words(
        language="it",
        months="gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        day="{day} {month} {year}", first="1º", thousands=".", decimal=",", sign_first=False,
        unsubscribe="Annulla l’iscrizione", preferences="Le tue preferenze", # a typographer's apostrophe
        why="Ricevi questa e-mail perché hai accettato le novità di {brand}.",
        scan="Inquadra il codice, o vai su", type="e digita",
        answer="La tua risposta", feed="{brand}, per te",
    ),
)  # fmt: skip

LANGUAGES: Mapping[str, Words] = {each.language: each for each in _ALL}
"""Every language that our layouts speak."""


def words(language: str) -> Words:
    """The words of a language (`fr`, `fr-CA`), or English."""
    return LANGUAGES.get(language.lower().partition("-")[0], LANGUAGES["en"])
