"""A print provider with Lob's API: a run's letters are given to it one by one, each under its key, so none is taken twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx

from engine.db import Database
from engine.letters import post
from engine.letters import runs as print_runs
from engine.letters.post import Placed
from engine.letters.postal import town_of
from engine.letters.printing import Printer, templates_of
from engine.settings import Settings
from engine.tables import Letter, PrintRun
from engine.templating.templates import Template, TemplateError
from workers.web import asked_wait, trust

__all__ = ["Lob"]

_log = logging.getLogger(__name__)
_RETRY = 60.0
_TIMEOUT = 60.0
_TOO_MANY = 429
_SERVER = 500
_NOT_OURS = (401, 403, 404)
_LONGEST = 3600.0


@dataclass(frozen=True, slots=True)
class _Reply:
    """What the provider said of a letter: its id, or why it refuses it, or in how many seconds to ask again."""

    provider_id: str = ""
    refused: str = ""
    wait: float = 0.0


class Lob:
    """Hands letters over by `POST /v1/letters`. The key goes as Idempotency-Key: a repeat gives the first letter again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def hand_over(
        self,
        database: Database,
        printer: Printer,
        run: PrintRun,
        letters: Sequence[Letter],
        templates: Mapping[str, Template],
    ) -> float | None:
        """Hand over what is left of a run, and write down each letter at once. Returns the seconds to wait, None when done."""
        settings = self._settings
        auth = (settings.letter_token.get_secret_value(), "")
        base = settings.letter_provider.rstrip("/")
        async with httpx.AsyncClient(base_url=base, auth=auth, timeout=_TIMEOUT, verify=trust()) as client:
            for letter in letters:
                try:
                    pdf = await asyncio.to_thread(printer.single, letter, templates, run.cut_off_at)
                    reply = await self._post(client, letter, pdf)
                except TemplateError as error:
                    reply = _Reply(refused=str(error))
                if reply.wait:
                    _log.warning("run %s waits for the print provider: %s", run.name, reply.refused)
                    return reply.wait
                await asyncio.to_thread(self._settle, database, run, letter, reply)
        await asyncio.to_thread(self._finish, database, printer, run)
        return None

    async def _post(self, client: httpx.AsyncClient, letter: Letter, pdf: bytes) -> _Reply:
        form = {
            "description": f"{letter.run} {letter.key}",
            **_to(letter),
            **_from(self._settings.letter_sender.splitlines(), self._settings.country.upper()),
            "color": "true",
            "double_sided": "false",
            "address_placement": "top_first_page",
            "use_type": "marketing",
            "metadata[letter_id]": letter.key,
        }
        try:
            reply = await client.post(
                "/v1/letters",
                data=form,
                files={"file": (f"{letter.key}.pdf", pdf, "application/pdf")},
                headers={"Idempotency-Key": letter.key},
            )
        except httpx.HTTPError as error:  # also where it was under way: the key makes a second try the same letter
            return _Reply(wait=_RETRY, refused=f"{type(error).__name__}: {error}"[:300])
        return _read(reply)

    def _settle(self, database: Database, run: PrintRun, letter: Letter, reply: _Reply) -> None:
        now = self._settings.clock.now()
        with database.write() as conn:
            if reply.refused:
                post.fail(conn, {letter.key: reply.refused}, now)
                return
            placed = Placed(letter.key, "", 0, 1, letter.pages or 0, reply.provider_id)
            post.hand_over(conn, run.name, [placed], self._settings.letter_cost, now)

    def _finish(self, database: Database, printer: Printer, run: PrintRun) -> None:
        with database.write() as conn:
            there = print_runs.letters_of(conn, run.name, self._settings.country, "handed over", "returned")
            made_of = printer.made_of(there, templates_of(conn, there))
            print_runs.finish(conn, run.name, [], len(there), 0, self._settings.clock.now(), made_of)


def _read(reply: httpx.Response) -> _Reply:
    said = _said(reply)
    if reply.is_success and said.get("id"):
        return _Reply(provider_id=str(said["id"]))
    detail = f"{reply.status_code} {_wrong(said.get('error'), reply)}".strip()[:300]
    if reply.status_code == _TOO_MANY or reply.status_code >= _SERVER or reply.is_success:
        return _Reply(wait=_seconds(reply), refused=detail)
    if reply.status_code in _NOT_OURS:  # our account, not her letter
        return _Reply(wait=_RETRY, refused=f"{detail}: check PARCOURS_LETTER_PROVIDER and _TOKEN")
    return _Reply(refused=detail)


def _wrong(error: object, reply: httpx.Response) -> str:
    """What it says is wrong: `{"code", "message"}` as Lob has it; from what merely resembles it, a text, or all there is."""
    if isinstance(error, dict):
        words = cast("dict[str, Any]", error)
        return " ".join(str(words[name]) for name in ("code", "message") if words.get(name))
    return error if isinstance(error, str) else reply.text


def _said(reply: httpx.Response) -> dict[str, Any]:
    try:
        said = reply.json()
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {"error": {"message": reply.text[:200]}}  # pyright: ignore[reportUnknownVariableType]  # JSON


def _seconds(reply: httpx.Response) -> float:
    wait = asked_wait(reply)
    return _RETRY if wait is None else min(max(wait, 0.1), _LONGEST)


def _to(letter: Letter) -> dict[str, str]:
    """Whom it goes to, as the API has fields for it; the PDF's own window is what is printed."""
    to: Mapping[str, Any] = letter.data["to"]
    street = [*to["street"], ""]
    return _fields(
        "to",
        {
            "name": to["name"],
            "address_line1": street[0],
            "address_line2": ", ".join(street[1:-1]),
            "address_city": to["city"],
            "address_state": to["region"],
            "address_zip": to["postcode"],
            "address_country": letter.country,
        },
    )


def _from(lines: Sequence[str], country: str) -> dict[str, str]:
    """The sender, who is known by his lines alone: the last is his town, and the postcode stands in it, or behind it."""
    name, *street = [line.strip() for line in lines if line.strip()] or [""]
    town, region, postcode = town_of(street.pop(), country) if len(street) > 1 else ("", "", "")
    street = [*street, ""]
    return _fields(
        "from",
        {
            "name": name,
            "address_line1": street[0],
            "address_line2": ", ".join(street[1:-1]),
            "address_city": town,
            "address_state": region,
            "address_zip": postcode,
            "address_country": country,
        },
    )


def _fields(prefix: str, values: Mapping[str, str]) -> dict[str, str]:
    return {f"{prefix}[{field}]": value for field, value in values.items() if value}
