"""Half a link in a browser leads to a page that helps; a program that asks gets JSON."""

from __future__ import annotations

import httpx
import pytest

from engine.links import Links

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
CUT = (
    "/c/1-1-0.0.AAAA",
    "/u/1-1-0",
    "/u/",
    "/l/CDFHJ-23456",
    "/f/short.xml",
    "/m/x/y.jpg",
    "/o/nothing.gif",
    "/U/1-1-0.x",
)


@pytest.mark.parametrize("path", CUT)
async def test_a_link_that_was_cut_off(http: httpx.AsyncClient, path: str) -> None:
    shown = await http.get(path, headers=BROWSER)
    assert (shown.status_code, shown.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>This link doesn&#39;t work</h1>" in shown.text
    assert (shown.headers["cache-control"], "noindex" in shown.headers["x-robots-tag"]) == ("no-store", True)
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    told = await http.get(path, headers={"Accept": "application/json, text/html;q=0.1"})
    assert (told.status_code, set(told.json())) == (404, {"code", "message"})
    assert (await http.get(path)).json() == told.json(), "curl takes anything: */*"


async def test_a_changed_link_in_her_language_and_a_button_pressed_on_it(http: httpx.AsyncClient, links: Links) -> None:
    forged = links.unsubscribe("1-1-0").removeprefix("http://127.0.0.1:8000")[:-1] + "_"
    shown = await http.post(forged, headers={**BROWSER, "Accept-Language": "fr-FR,fr;q=0.9,en;q=0.8"})
    assert (shown.status_code, "<h1>Ce lien ne mène nulle part</h1>" in shown.text) == (404, True)
    assert 'lang="fr"' in shown.text


async def test_programs_and_our_own_people_read_the_message(http: httpx.AsyncClient) -> None:
    told = await http.get("/v1/nothing", headers=BROWSER)
    assert told.json() == {"code": "not_found", "message": "there is nothing at /v1/nothing"}
    agent = await http.get("/agent/there/is/nothing", headers={**BROWSER, "Accept-Language": "fr"})
    assert "<p>there is nothing at /agent/there/is/nothing</p>" in agent.text
