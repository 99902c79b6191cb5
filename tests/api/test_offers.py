"""Offers over the API and by command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from kit.command import parcours

from engine import keys
from engine.db import Database

TEA: dict[str, Any] = {
    "name": "Assam",
    "category": "tea",
    "margin": 300,
    "data": {"price": 990, "url": "https://shop.example/a"},
}


async def test_an_offer_is_written_read_listed_and_withdrawn(client: httpx.AsyncClient) -> None:
    made = await client.put("/v1/offers/assam", json=TEA)
    assert made.status_code == 201, made.text
    assert {name: made.json()[name] for name in ("id", "on", "valid", *TEA)} == {
        "id": "assam",
        "on": True,
        "valid": True,
        **TEA,
    }
    again = await client.put("/v1/offers/assam", json=TEA | {"margin": 350, "valid_to": "2020-01-01T00:00:00+01:00"})
    assert (again.status_code, again.json()["margin"], again.json()["valid"]) == (200, 350, False)
    assert again.json()["valid_to"] == "2019-12-31T23:00:00Z"
    assert again.json()["hash"] == made.json()["hash"], "what a template is given of it is the same"
    assert (await client.get("/v1/offers/assam")).json() == again.json()
    await client.put("/v1/offers/rye", json=TEA)
    assert [offer["id"] for offer in (await client.get("/v1/offers")).json()["offers"]] == ["assam", "rye"]
    for _ in range(2):
        gone = await client.delete("/v1/offers/rye")
        assert (gone.status_code, gone.json()["on"], gone.json()["valid"]) == (200, False, False)
    assert (await client.get("/v1/offers/rye")).json()["on"] is False


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/v1/offers/assam", TEA | {"margin": -1}, 422, "margin: whole cents"),
        ("/v1/offers/assam", TEA | {"margin": "3"}, 422, "margin"),
        ("/v1/offers/assam", TEA | {"colour": "red"}, 422, "body.colour"),
        ("/v1/offers/assam", TEA | {"data": {"url": "shop"}}, 422, "data.url: an address"),
        ("/v1/offers/assam", TEA | {"valid_from": "2026-05-04T09:00"}, 422, "valid_from: a moment with its zone"),
        ("/v1/offers/a%20b", TEA, 422, "id: letters, digits"),
        ("/v1/offers/assam", {}, 422, "body.name"),
    ],
)
async def test_an_offer_that_cannot_be_is_refused(
    client: httpx.AsyncClient, path: str, body: Any, status: int, says: str
) -> None:
    refused = await client.put(path, json=body)
    assert refused.status_code == status
    assert says in refused.json()["message"]
    assert (await client.get("/v1/offers")).json() == {"offers": []}


async def test_nobody_reads_or_withdraws_what_is_not_there(client: httpx.AsyncClient) -> None:
    for method in ("GET", "DELETE"):
        gone = await client.request(method, "/v1/offers/tea")
        assert (gone.status_code, gone.json()["code"]) == (404, "offer_not_found")


async def test_who_may_look_may_not_write(http: httpx.AsyncClient, sqlite: Database) -> None:
    auth = (keys.create(sqlite, "looks", ["read"]), "")
    assert (await http.get("/v1/offers", auth=auth)).status_code == 200
    for method in ("PUT", "DELETE"):
        refused = await http.request(method, "/v1/offers/tea", json=TEA, auth=auth)
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")


def test_the_command_imports_offers(tmp_path: Path) -> None:
    (tmp_path / "offers.csv").write_text("id,name,category,margin\ntea,Tea,tea,3.00\nbad,Bad,tea,much\n")
    read = parcours(tmp_path, "import", "offers", "offers.csv")
    assert (read.returncode, read.stdout) == (1, "offers.csv: 2 rows read, 1 new offers, 0 there before\n")
    assert "offers.csv.rejected.csv" in read.stderr
    (tmp_path / "offers.json").write_text('[{"id": "tea", "name": "Tea", "category": "tea", "margin": 300}]')
    assert (
        parcours(tmp_path, "import", "offers", "offers.json").stdout
        == "offers.json: 1 rows read, 0 new offers, 1 there before\n"
    )
    (tmp_path / "offers.json").write_text('[{"id": "tea"}]')
    wrong = parcours(tmp_path, "import", "offers", "offers.json")
    assert (wrong.returncode, wrong.stderr.strip()) == (
        1, "error[bad_offer]: offers.json, offer 1: margin: whole cents, 0 or more (got None)",
    )  # fmt: skip
