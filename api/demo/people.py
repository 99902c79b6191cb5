"""Invented people for real households: names, addresses and consents, the same on every run of one seed.

Nobody can be reached by what stands here: the e-mail domains are reserved (RFC 2606), and the telephone numbers are in
ranges that the regulators keep for fiction (ARCEP 01 99 00 xx xx, Ofcom 020 7946 0xxx, BNetzA 0176 040690xx). France and
Britain have mobile ones, too, but libphonenumber calls these invalid, and the channels go by it.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from api.demo.shop import Household

T = TypeVar("T")

__all__ = ["SEED", "Person", "chance", "people", "pick"]

SEED = "parcours-2017"


@dataclass(frozen=True, slots=True)
class _Land:
    share: float
    zone: str
    languages: tuple[str, ...]
    first: tuple[str, ...]
    last: tuple[str, ...]
    streets: tuple[str, ...]
    towns: tuple[tuple[str, str], ...]
    phone: str
    digits: int
    number_first: bool = True


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_LANDS: dict[str, _Land] = {
    "FR": _Land(
        0.68,
        "Europe/Paris",
        ("fr",) * 24 + ("en",),
        _words(
            "Camille Léa Manon Chloé Inès Jade Louise Zoé Juliette Sarah Hélène Françoise Nathalie Sophie "
            "Anaïs Élodie Lucas Hugo Gabriel Louis Jules Adam Théo Nathan Mathis Antoine Benoît François "
            "Jérôme Rémi Karim Aïcha"
        ),
        _words(
            "Martin Bernard Dubois Thomas Robert Richard Petit Durand Leroy Moreau Simon Laurent Lefèvre "
            "Michel Garcia David Bertrand Roux Vincent Fournier Morel Girard André Mercier Dupont Lambert "
            "Bonnet François Martinez Benali Diallo Nguyen Guérin Lemaître Chevalier Béranger"
        ),
        (
            "rue des Lilas",
            "rue de la République",
            "avenue Jean Jaurès",
            "rue Victor Hugo",
            "place du Marché",
            "chemin des Vignes",
            "rue de l'Église",
            "boulevard Gambetta",
            "allée des Tilleuls",
            "rue du Moulin",
        ),
        (
            ("69003", "Lyon"),
            ("31000", "Toulouse"),
            ("44000", "Nantes"),
            ("67000", "Strasbourg"),
            ("33000", "Bordeaux"),
            ("35000", "Rennes"),
            ("59000", "Lille"),
            ("38000", "Grenoble"),
            ("21000", "Dijon"),
            ("75011", "Paris"),
            ("75018", "Paris"),
            ("13006", "Marseille"),
        ),
        "+3319900",
        4,
    ),
    "GB": _Land(
        0.28,
        "Europe/London",
        ("en",),
        _words(
            "Olivia Amelia Isla Ava Emily Grace Freya Poppy Ella Charlotte Margaret Susan Priya Aisha Oliver "
            "George Harry Noah Jack Leo Arthur Oscar Alfie Henry Thomas William David Graham Imran Ewan"
        ),
        _words(
            "Smith Jones Taylor Brown Williams Wilson Johnson Davies Patel Robinson Wright Thompson Evans "
            "Walker White Roberts Green Hall Wood Jackson Clarke Khan Lewis Harris Campbell O'Neill Begum "
            "MacLeod"
        ),
        (
            "Station Road",
            "High Street",
            "Church Lane",
            "Victoria Road",
            "Mill Lane",
            "Orchard Close",
            "Green Lane",
            "The Crescent",
        ),
        (
            ("LS1 4AP", "Leeds"),
            ("BS1 5TR", "Bristol"),
            ("M4 1HQ", "Manchester"),
            ("EH3 6SU", "Edinburgh"),
            ("NR2 1RE", "Norwich"),
            ("CF10 1BH", "Cardiff"),
            ("YO1 7HH", "York"),
            ("SE15 4QL", "London"),
        ),
        "+442079460",
        3,
    ),
    "DE": _Land(
        0.04,
        "Europe/Berlin",
        ("en",),
        _words("Anna Lena Mia Emma Jürgen Lukas Jonas Paul Felix Katrin Ute Sören"),
        _words("Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Köhler Groß"),
        ("Lindenstraße", "Hauptstraße", "Gartenweg", "Bahnhofstraße"),
        (("10115", "Berlin"), ("50667", "Köln"), ("80331", "München"), ("20095", "Hamburg")),
        "+4917604069",
        3,
        number_first=False,
    ),
}
_OPTED_IN = {"email": 0.94, "sms": 0.80, "call": 0.72, "letter": 0.92, "feed": 0.96}
_MAILBOXES = ("example.com", "example.org", "example.net", "mail.example")


@dataclass(frozen=True, slots=True)
class Person:
    """An invented customer: the columns of the table `customer`, and the channels that she said yes to."""

    id: str
    first_name: str
    last_name: str
    email: str | None
    phone: str | None
    address: str | None
    postcode: str | None
    city: str | None
    country: str
    language: str
    zone: str
    attributes: dict[str, str]
    consents: dict[str, bool]


def people(households: Sequence[Household], seed: str = SEED) -> list[Person]:
    """A person for each household, deterministic in the seed and the household's number. Telephone numbers are unique."""
    taken = dict.fromkeys(_LANDS, 0)
    return [_person(household, seed, taken) for household in households]


def chance(*parts: object) -> float:
    """A number in [0, 1) that depends on `parts` alone: how the demo decides, so that two runs can be compared."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def pick(options: Sequence[T], *parts: object) -> T:
    """One of `options`, by `chance` of the parts."""
    return options[int(chance(*parts) * len(options))]


def _person(household: Household, seed: str, taken: dict[str, int]) -> Person:
    key = (seed, household.number)
    country = _country(chance(*key, "country"))
    land = _LANDS[country]
    first, last = pick(land.first, *key, "first"), pick(land.last, *key, "last")
    house, street = 1 + int(chance(*key, "house") * 98), pick(land.streets, *key, "street")
    postcode, city = pick(land.towns, *key, "town")
    phone = None
    if chance(*key, "no phone") >= 0.05 and taken[country] < 10**land.digits:  # one in twenty has none
        phone = f"{land.phone}{taken[country]:0{land.digits}d}"
        taken[country] += 1
    mailbox = f"{_plain(first)}.{_plain(last)}.{household.number}@{pick(_MAILBOXES, *key, 'mailbox')}"
    homeless = chance(*key, "no address") < 0.03  # three in a hundred never told their address
    return Person(
        id=household.id,
        first_name=first,
        last_name=last,
        email=None if chance(*key, "no email") < 0.03 else mailbox,
        phone=phone,
        address=None if homeless else f"{house} {street}" if land.number_first else f"{street} {house}",
        postcode=None if homeless else postcode,
        city=None if homeless else city,
        country=country,
        language=pick(land.languages, *key, "language"),
        zone=land.zone,
        attributes=household.demographics,
        consents={channel: chance(*key, "consent", channel) < share for channel, share in _OPTED_IN.items()},
    )


def _country(draw: float) -> str:
    for country, land in _LANDS.items():
        if draw < land.share:
            return country
        draw -= land.share
    return "FR"


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return "".join(c for c in letters.lower() if c.isalpha())
