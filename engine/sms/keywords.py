"""What a short text message asks for: STOP, START or HELP in the languages of our customers, else its first word.

The words are those that carriers and gateways honour (CTIA Messaging Principles and Best Practices, 2023; the FCC's rule of
2025 on any reasonable means; in France the AF2M charter's STOP), and their like in each language.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

__all__ = ["HELP", "Asked", "asked", "help_in", "language_of"]

Asked = Literal["stop", "start", "help"]

# Without accents, as they are compared. Carriers' reserved words stand with English: they hold everywhere.
_STOP: dict[str, set[str]] = {
    "en": {"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "remove"},
    "fr": {"arret", "arreter", "arretez", "desabonner", "desabonnement", "desinscrire", "desinscription", "resilier"},
    "de": {"stopp", "stoppen", "abmelden", "abbestellen", "abmeldung", "ende", "kundigen"},
    "es": {"alto", "parar", "baja", "cancelar", "detener", "desuscribir"},
    "it": {"ferma", "fermare", "cancella", "annulla", "disiscrivi", "disiscrivimi", "basta"},
    "nl": {"afmelden", "uitschrijven", "stoppen", "opzeggen"},
    "pt": {"parar", "sair", "cancelar", "remover", "descadastrar"},
    "pl": {"rezygnuje", "wypisz", "koniec"},
    "sv": {"stopp", "avsluta", "avregistrera"},
    "da": {"afmeld", "stop"},
    "nb": {"stopp", "avslutt", "avmeld"},
    "ru": {"стоп", "отписаться"},
}
_START: dict[str, set[str]] = {
    "en": {"start", "unstop", "subscribe", "resume", "optin"},
    "fr": {"debut", "reprendre", "abonner", "abonnement"},
    "de": {"anmelden", "starten", "anmeldung"},
    "es": {"alta", "iniciar", "empezar", "suscribir"},
    "it": {"iscrivi", "iscrivimi", "inizia", "avvia"},
    "nl": {"aanmelden", "inschrijven", "beginnen"},
    "pt": {"iniciar", "comecar", "cadastrar"},
    "pl": {"zapisz"},
    "sv": {"starta"},
    "da": {"tilmeld"},
    "nb": {"meldpa"},
    "ru": {"старт", "подписаться"},
}
_HELP: dict[str, set[str]] = {
    "en": {"help", "info"},
    "fr": {"aide"},
    "de": {"hilfe"},
    "es": {"ayuda"},
    "it": {"aiuto"},
    "nl": {"hulp"},
    "pt": {"ajuda"},
    "pl": {"pomoc"},
    "sv": {"hjalp"},
    "da": {"hjælp"},
    "nb": {"hjelp"},
    "ru": {"помощь"},
}
_POLITE = {
    "please", "pls", "plz", "thanks", "thank", "you", "now", "bitte", "danke", "svp", "stp", "sil", "s", "il", "vous", "te",
    "plait", "merci", "por", "favor", "gracias", "per", "favore", "grazie", "alstublieft", "aub", "bedankt", "obrigado",
    "obrigada", "tak", "tack", "prosze", "me", "se", "mich", "moi", "mi", "m",
}  # fmt: skip
"""Words that go with a wish and change nothing of it."""

HELP: dict[str, str] = {
    "en": "{name}: reply STOP to get no more messages, START to get them again.",
    "fr": "{name} : répondez STOP pour ne plus rien recevoir, START pour recevoir de nouveau.",
    "de": "{name}: Antworten Sie STOP, um keine Nachrichten mehr zu erhalten, START, um sie wieder zu erhalten.",
    "es": "{name}: responda STOP para no recibir más mensajes, START para volver a recibirlos.",
    "it": "{name}: rispondi STOP per non ricevere altri messaggi, START per riceverli di nuovo.",
    "nl": "{name}: antwoord STOP om geen berichten meer te krijgen, START om ze weer te krijgen.",
    "pt": "{name}: responda STOP para deixar de receber mensagens, START para voltar a recebê-las.",
    "pl": "{name}: odpisz STOP, aby nie otrzymywać wiadomości, START, aby znów je otrzymywać.",
    "sv": "{name}: svara STOP för att slippa fler meddelanden, START för att få dem igen.",
    "da": "{name}: svar STOP for ikke at få flere beskeder, START for at få dem igen.",
    "nb": "{name}: svar STOP for ikke å få flere meldinger, START for å få dem igjen.",
    "ru": "{name}: ответьте STOP, чтобы больше не получать сообщения, START — чтобы получать снова.",
}
"""What is said back to HELP; STOP and START are honoured in every language."""


def asked(text: str) -> Asked | None:
    """What the whole message asks for, politeness aside; a message that goes on after STOP (`stop it now`) says STOP."""
    found = _found(text)
    return None if found is None else found[0]


def language_of(text: str) -> str | None:
    """The language of the word that was said, where it is of one alone: `HILFE` is German, `STOP` is of all."""
    found = _found(text)
    return None if found is None else found[1]


def help_in(*languages: str | None, name: str) -> str:
    """What is said back to HELP, in the first of the languages that we have it in."""
    spoken = next((language for language in languages if language in HELP), "en")
    return HELP[spoken].format(name=name)


def _found(text: str) -> tuple[Asked, str | None] | None:
    words = [word for word in re.findall(r"[\w-]+", _plain(text)) if word.strip("-_")]
    if not words:
        return ("stop", None) if text.strip(" \ufe0f") == "🛑" else None
    wish = [word for word in words if word not in _POLITE]
    spellings = {"".join(words), "".join(wish), "".join(wish).replace("-", "")}
    kinds: tuple[tuple[Asked, dict[str, set[str]]], ...] = (("stop", _STOP), ("start", _START), ("help", _HELP))
    for kind, by_language in kinds:
        spoken = [language for language, known in by_language.items() if known & spellings]
        if spoken:
            return kind, spoken[0] if len(spoken) == 1 and spoken != ["en"] else None
    return ("stop", None) if words[0] in {"stop", "stopall", "стоп"} else None


def _plain(text: str) -> str:
    """Small letters without accents, and without what can't be seen."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(
        mark for mark in decomposed if not unicodedata.combining(mark) and unicodedata.category(mark) != "Cf"
    )
