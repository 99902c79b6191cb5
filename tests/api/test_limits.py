"""How often a key may call: 429 with Retry-After, each key for itself, and both SDKs come again."""

from __future__ import annotations

import httpx
import pytest

from api.app import create_app
from api.limits import Limits
from engine import keys
from engine.db import Database
from engine.settings import Settings


async def test_a_key_that_calls_too_often_is_told_when_to_come_again(settings: Settings, sqlite: Database) -> None:
    app = create_app(settings.model_copy(update={"key_rate": 0.5}), sqlite)
    wild, calm = (keys.create(sqlite, name, ["read"]) for name in ("wild", "calm"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        answers = [await http.get("/v1/journeys", auth=(wild, "")) for _ in range(8)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3, "ten seconds' worth at once"
        assert answers[-1].json()["code"] == "too_many_requests"
        assert "PARCOURS_KEY_RATE" in answers[-1].json()["message"]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
        assert (await http.get("/v1/journeys", auth=(calm, ""))).status_code == 200
        assert (await http.get("/v1/health")).status_code == 200


def test_what_is_used_up_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("api.limits.time.monotonic", lambda: now[0])
    limits = Limits(2.0)
    assert [limits.wait("a") for _ in range(20)] == [0.0] * 20
    assert limits.wait("a") == pytest.approx(0.5)
    now[0] += 0.5
    assert (limits.wait("a"), limits.wait("a") > 0) == (0.0, True)
    now[0] += 3600
    assert sum(limits.wait("a") == 0.0 for _ in range(100)) == 20, "an hour of silence saves nothing up"
    assert not any(Limits(0).wait("a") for _ in range(1000))


async def test_openapi_tells_of_it(http: httpx.AsyncClient) -> None:
    document = (await http.get("/v1/openapi.json")).json()
    assert "429" in document["paths"]["/v1/batch"]["post"]["responses"]
    assert "429" not in document["paths"]["/c/{token}"]["get"]["responses"]
