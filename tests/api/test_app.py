"""What holds for every route: keys, errors, the OpenAPI document, health, pages, and the wire itself."""

from __future__ import annotations

import inspect
import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from email.message import EmailMessage
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import ValidationError

from api import routes
from api.app import create_app
from api.intake import MAX_BODY
from engine import keys
from engine.db import Database
from engine.settings import Settings


async def test_every_call_with_a_scope_refuses_without_it(
    http: httpx.AsyncClient, app: FastAPI, sqlite: Database
) -> None:
    weak = {scope: keys.create(sqlite, scope, [scope]) for scope in keys.SCOPES if scope != "admin"}
    document = app.openapi()
    seen = 0
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            if "security" not in call:
                continue
            seen += 1
            (scope,) = call["security"][0]["key"]
            url = path.replace("{", "").replace("}", "")
            nobody = await http.request(method, url, json={})
            assert (nobody.status_code, nobody.json()["code"]) == (401, "no_key"), path
            assert "Basic" in nobody.headers["www-authenticate"]
            other = next(key for name, key in weak.items() if name != scope)
            refused = await http.request(method, url, json={}, headers={"Authorization": f"Bearer {other}"})
            assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope"), path
            if path.endswith("/stream"):
                continue  # an answer without an end
            allowed = await http.request(method, url, json={}, headers={"Authorization": f"Bearer {weak[scope]}"})
            assert allowed.status_code not in {401, 403}, path
    assert seen > 30


def test_no_route_works_on_the_event_loop() -> None:
    """The database is synchronous: a route that is a coroutine would hold up every other while it waits for it."""
    endpoints = [
        route.endpoint
        for module in iter_modules(routes.__path__)
        for route in import_module(f"api.routes.{module.name}").router.routes
        if isinstance(route, APIRoute)
    ]
    assert len(endpoints) > 60
    coroutines = {endpoint.__name__ for endpoint in endpoints if inspect.iscoroutinefunction(endpoint)}
    assert coroutines == {
        "stream",  # its reading is in threads
        "test_send",  # the channels are coroutines; its reading is in threads
    }


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer nonsense",
        "Basic",
        "Basic !!!",
        "Basic " + b64encode(b"\xff:").decode(),
        "Digest x",
        "nonsense",
    ],
)
async def test_a_wrong_key_is_a_401(http: httpx.AsyncClient, header: str) -> None:
    response = await http.get("/v1/events", headers={"Authorization": header})
    assert (response.status_code, response.json()["code"]) == (401, "bad_key")


async def test_a_revoked_key_opens_nothing(client: httpx.AsyncClient, sqlite: Database, key: str) -> None:
    assert (await client.get("/v1/events")).status_code == 200
    keys.revoke(sqlite, key[:10])
    assert (await client.get("/v1/events")).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/v1/batch", 405, "method_not_allowed"),
        ("DELETE", "/v1/journeys", 405, "method_not_allowed"),
        ("GET", "/v1/events?since=-1", 422, "invalid_value"),
        ("GET", "/v1/events?name=%00", 400, "bad_text"),
        ("GET", "/v1/journeys/x", 404, "journey_not_found"),
        ("GET", "/v1/messages/x", 404, "message_not_found"),
        ("GET", "/v1/call-tasks/x", 404, "call_task_not_found"),
        ("GET", "/sink", 404, "not_found"),
    ],
)
async def test_every_error_has_one_shape(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    assert set(response.json()) == {"code", "message"}
    assert response.json()["code"] == code
    if status == 405:
        assert response.headers["allow"]


async def test_naughty_strings_anywhere_are_no_fault_of_ours(client: httpx.AsyncClient) -> None:
    naughty = [
        "'; DROP TABLE customer;--",
        "../../etc/passwd",
        "{{7*7}}",
        "%s%n",
        "Ω≈ç√",
        "🍷" * 50,
        "<script>",
        "\u202e",
        "null",
        "-1",
    ]
    for text in naughty:
        for path in (
            "/v1/customers/{}",
            "/v1/journeys/{}",
            "/v1/messages/{}",
            "/c/{}",
            "/u/{}",
            "/l/{}",
            "/f/{}.xml",
            "/v1/call-tasks/{}",
        ):
            response = await client.get(path.format(httpx.URL(path=f"/{text}").raw_path.decode()[1:]))
            assert response.status_code in {400, 404, 422}, (path, text)
            assert set(response.json()) == {"code", "message"}


async def test_a_fault_of_ours_tells_nothing_of_our_insides(settings: Settings, sqlite: Database, key: str) -> None:
    app = create_app(settings, sqlite)

    def fail() -> None:
        raise RuntimeError("the password is swordfish")

    app.add_api_route("/fail", fail)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", auth=(key, "")) as client:
        response = await client.get("/fail")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "swordfish" not in response.text


async def test_health_tells_a_database_that_is_away_or_of_another_version(
    http: httpx.AsyncClient, sqlite: Database, settings: Settings, tmp_path: Path
) -> None:
    assert (await http.get("/v1/health")).json() == {"status": "ok", "database": "ok", "schema": "ok"}
    with sqlite.write() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    response = await http.get("/v1/health")
    assert response.status_code == 503
    assert response.json()["schema"].startswith("0000, this version needs")
    away = Database("postgresql://127.0.0.1:1/none?connect_timeout=1")
    transport = httpx.ASGITransport(create_app(settings, away), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/v1/health")).json()["database"] == "unreachable"
        response = await client.get("/v1/events", headers={"Authorization": "Bearer x"})
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert response.headers["retry-after"]
    away.close()
    del tmp_path


async def test_the_openapi_document_says_everything(http: httpx.AsyncClient) -> None:
    document: dict[str, Any] = (await http.get("/v1/openapi.json")).json()
    operations = [call for methods in document["paths"].values() for call in methods.values()]
    assert len({call["operationId"] for call in operations}) == len(operations)
    for call in operations:
        assert call["description"], call["operationId"]
        assert call["summary"], call["operationId"]
        for status in ("404", "422", "500", "503"):
            if status in call["responses"] and call["operationId"] != "health_v1_health_get":
                schema = call["responses"][status]["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorBody"}, call["operationId"]
    schemas = document["components"]["schemas"]
    assert "HTTPValidationError" not in schemas
    assert [name for name in schemas if name.startswith("api__")] == [], "two models of one name"


async def test_the_reference_is_a_page_without_scripts(http: httpx.AsyncClient) -> None:
    page = await http.get("/docs")
    assert page.status_code == 200
    assert "/v1/call-tasks/claim" in page.text
    assert "<script" not in page.text
    assert (await http.get("/pages.css")).headers["content-type"].startswith("text/css")


async def test_the_sink_shows_mails_in_a_sandbox_while_mails_go_there(
    http: httpx.AsyncClient, settings: Settings, sqlite: Database
) -> None:
    mail = EmailMessage()
    mail["To"], mail["Subject"] = "zoe@example.com", "Bottles <script>alert(1)</script>"
    mail.set_content("Plain text")
    mail.add_alternative("<p>Rich</p><script>alert(2)</script>", subtype="html")
    folder = settings.data / "sink"
    folder.mkdir()
    (folder / "00000001-1-1-0.eml").write_bytes(mail.as_bytes())
    listed = await http.get("/sink")
    assert listed.status_code == 200
    assert "zoe@example.com" in listed.text
    assert "<script" not in listed.text
    shown = await http.get("/sink/00000001-1-1-0")
    assert "Plain text" in shown.text
    assert "<script" not in shown.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in shown.text
    body = await http.get("/sink/00000001-1-1-0/body")
    assert "Rich" in body.text
    assert "default-src 'none'" in body.headers["content-security-policy"]
    assert "sandbox" in body.headers["content-security-policy"]
    assert (await http.get("/sink/nothing")).status_code == 404
    elsewhere = create_app(settings.model_copy(update={"smtp_host": "smtp.example.com"}), sqlite)
    transport = httpx.ASGITransport(elsewhere)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/sink")).status_code == 404
    afar = httpx.ASGITransport(create_app(settings, sqlite), client=("203.0.113.7", 5000))
    async with httpx.AsyncClient(transport=afar, base_url="http://test") as client:
        assert (await client.get("/sink")).status_code == 404


@pytest.fixture
def served(settings: Settings, sqlite: Database) -> Iterator[tuple[str, int]]:
    """The API on a real socket."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(settings, sqlite), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listener.getsockname()
        server.should_exit = True
        thread.join(10)


def raw(address: tuple[str, int], request: bytes) -> bytes:
    with socket.create_connection(address, timeout=60) as conn:
        conn.sendall(request)
        answer = b""
        while part := conn.recv(65_536):
            answer += part
        return answer


def test_on_the_wire_a_chunked_flood_is_refused_and_its_sender_hears_so(served: tuple[str, int], key: str) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    flood = chunk * (MAX_BODY // 65_536 + 4) + b"0\r\n\r\n"
    head = (
        f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    answer = raw(served, head + flood)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "body_too_large"


def test_on_the_wire_a_batch_is_answered_200_and_HEAD_has_no_body(served: tuple[str, int], key: str) -> None:
    body = json.dumps({"batch": [{"type": "track", "userId": "1", "event": "A Done", "messageId": "m1"}]}).encode()
    auth = b64encode(f"{key}:".encode()).decode()
    head = (
        f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {auth}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    assert raw(served, head + body).startswith(b"HTTP/1.1 200 ")
    answer = raw(served, b"HEAD /l HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\n")


async def test_credentials_of_other_alphabets_are_refused(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/journeys", headers={b"Authorization": "Basic é".encode()})
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_key")


def test_a_time_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="no time zone"):
        Settings(zone="Mars/X")
