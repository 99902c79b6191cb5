"""What a short text message asks for: STOP, START or HELP in the languages of our customers, else its first word.

The words are those that carriers and gateways honour (CTIA Messaging Principles, 2023; in France the AF2M charter's STOP).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

__all__ = ["Asked", "asked", "first_word"]

Asked = Literal["stop", "start", "help"]

_STOP = {
    "stop", "stopall", "stopp", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt-out",
    "arret", "arreter", "desabonner", "desinscription", "desinscrire",
    "abmelden", "abbestellen", "ende",
    "alto", "parar", "baja", "cancelar",
    "fermare", "cancella", "disiscrivi", "basta",
}  # fmt: skip
_START = {"start", "unstop", "subscribe", "debut", "reprendre", "abonner", "anmelden", "alta", "iscrivi"}
_HELP = {"help", "info", "aide", "hilfe", "ayuda", "aiuto"}


def asked(text: str) -> Asked | None:
    """What the whole message asks for; a message that goes on after STOP (`stop please`) still says STOP."""
    words = re.findall(r"[\w-]+", _plain(text))
    whole = "".join(words)
    if whole in _STOP or (words and words[0] == "stop") or " ".join(words) == "opt out":
        return "stop"
    if whole in _START:
        return "start"
    return "help" if whole in _HELP else None


def first_word(text: str) -> str:
    """The first word in capitals: what `Sms.replied.keyword("YES")` compares with. Empty if there is none."""
    found = re.search(r"\w+", text)
    return found[0].upper() if found is not None else ""


def _plain(text: str) -> str:
    return "".join(mark for mark in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(mark))
