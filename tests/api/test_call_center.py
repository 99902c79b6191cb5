"""Queues, attempts, call backs, a dialer's file, and webhooks, as a call center's system uses them over HTTP."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from kit.calls import declared, make, task, tasks_of
from kit.naughty import NAUGHTY
from sqlalchemy import select

from engine import consent, keys
from engine.calls import tasks as call_tasks
from engine.db import Database, insert_new, table
from engine.tables import Customer, Event, Exposure, Message, Suppression


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def three(sqlite: Database, now: datetime) -> Database:
    """Three calls are due."""
    times: dict[str, Any] = {"created_at": now, "updated_at": now, "due_at": now - timedelta(minutes=1)}
    make(sqlite, *(task(f"{n}-1-0", value=100 - n, **times) for n in (1, 2, 3)), now=now)
    return sqlite


async def claim(client: httpx.AsyncClient, **more: Any) -> list[dict[str, Any]]:
    answer = await client.post("/v1/call-tasks/claim", json={"queue": "retention", "worker": "ada", **more})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["tasks"]
    return found


async def send(client: httpx.AsyncClient, text: str | bytes) -> dict[str, Any]:
    answer = await client.post("/v1/call-tasks/results.csv", content=text, headers={"Content-Type": "text/csv"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_task_carries_all_that_an_agent_needs(
    client: httpx.AsyncClient, sqlite: Database, now: datetime
) -> None:
    before = now - timedelta(days=1)
    person: dict[str, Any] = {"id": "c1", "first_name": "Zoé", "zone": "Asia/Tokyo", "attributes": {}}
    message: dict[str, Any] = {
        "customer_id": "c1", "journey": "win_back", "hash": "h", "state": "mail", "visit": 1, "arm": "treated",
        "channel": "email", "purpose": "marketing", "cost": 0,
    }  # fmt: skip
    event: dict[str, Any] = {"customer_id": "c1", "at": before, "received_at": before, "payload": {}, "source": "test"}
    with sqlite.write() as conn:
        insert_new(conn, Customer, [person | {"created_at": before, "updated_at": before}])
        rows = [
            message | {"key": f"{n}-1-0", "enrolment_id": n, "reserved_at": before - timedelta(hours=n)}
            for n in range(2, 16)
        ]
        insert_new(conn, Message, [row | {"status": "not_sent" if row["key"] == "2-1-0" else "sent"} for row in rows])
        own = {"key": "1-1-0", "enrolment_id": 1, "reserved_at": now, "channel": "call", "status": "sent"}
        insert_new(conn, Message, [message | own])
        consent.grant(conn, "c1", "call", "marketing", "test", now)
        for number, name in enumerate(("email.opened", "email.clicked", "email.opened")):
            insert_new(conn, Event, [event | {"id": f"e{number}", "name": name, "message_key": "4-1-0"}])
    due = now - timedelta(minutes=1)
    make(sqlite, task("1-1-0", customer_id="c1", created_at=now, updated_at=now, due_at=due, skills=["wine"]), now=now)
    (found,) = await claim(client)
    assert (found["customer"]["first_name"], found["customer"]["zone"]) == ("Zoé", "Asia/Tokyo")
    assert [contact["state"] for contact in found["contacts"]] == ["mail"] * 10
    assert found["contacts"][1]["answers"] == ["opened", "clicked"], "the newest is 3-1-0, for 2-1-0 was never sent"
    assert found["choices"] == [
        "interested", "refused", "not_reached", "busy", "voicemail", "wrong_number", "do_not_call",
    ]  # fmt: skip
    assert (found["attempts_left"], found["skills"], found["value"]) == (3, ["wine"], 0)
    window = found["window"]
    assert (window["zone"], window["open"], window["opens"]) == ("Asia/Tokyo", True, "00:00")
    again = (await client.get("/v1/call-tasks/1-1-0")).json()
    assert again["contacts"] == found["contacts"]
    assert "lease_token" not in again
    elsewhere = {"customer_id": "c1", "campaign": "Spring letter", "channel": "letter", "cost": 0, "source": "import"}
    with sqlite.write() as conn:
        ages = {"x1": 1, "x2": 20}  # hours: after the newest message of the journey, and before the oldest
        insert_new(conn, Exposure, [elsewhere | {"id": x, "at": before - timedelta(hours=h)} for x, h in ages.items()])
    contacts = (await client.get("/v1/call-tasks/1-1-0")).json()["contacts"]
    assert len(contacts) == 10
    first = contacts[0]
    assert (first["channel"], first["status"], first["campaign"], first["journey"]) == (
        "letter", "elsewhere", "Spring letter", "",
    )  # fmt: skip
    assert [each["campaign"] for each in contacts[1:]] == [None] * 9
    hers = (await client.get("/v1/customers/c1/contacts")).json()
    assert (len(hers), hers[0]["channel"], hers[-1]["campaign"]) == (16, "call", "Spring letter")
    assert hers[1:11] == contacts
    assert (await client.get("/v1/customers/nobody/contacts")).status_code == 404
    assert (await client.get("/v1/customers/c1/contacts", params={"limit": 3})).json() == hers[:3]


async def test_a_queue_is_declared_and_shows_its_slots(client: httpx.AsyncClient, three: Database) -> None:
    assert (await client.get("/v1/queues/retention")).json()["declared"] is False
    day = [{"opens": "00:00", "closes": "00:00", "agents": 1}]
    body = {
        "shifts": day,
        "slot_minutes": 1440,
        "calls_per_agent": 2,
        "call_from": "00:00",
        "call_until": "00:00",
        "holidays": True,
    }
    made = await client.put("/v1/queues/retention", json=body)
    assert made.status_code == 200
    assert [slot["planned"] for slot in made.json()["slots"][:3]] == [2, 1, 0]
    assert made.json()["zone"] == "Europe/Paris"
    assert made.json()["shifts"][0]["days"][0] == "monday"
    assert (await client.get("/v1/queues/retention")).json() == made.json()
    (deferral,) = (await client.get("/v1/queues/retention/deferrals")).json()
    assert (deferral["task_id"], deferral["reason"], deferral["value"]) == ("3-1-0", "no capacity", 97)
    assert [one["reason"] for one in (await client.get("/v1/call-tasks/3-1-0")).json()["deferrals"]] == ["no capacity"]
    planned = (await client.post("/v1/queues/retention/plan")).json()
    assert planned == {"revalued": 3, "moved": 0}
    assert {row.value for row in tasks_of(three).values()} == {600}, "two of ten, of an order of 30.00"
    (queue,) = (await client.get("/v1/queues")).json()
    assert (queue["limited"], queue["open"], queue["pending"]) == (True, True, 3)
    for wrong in (
        {"shifts": [{"opens": "18:00", "closes": "09:00"}]},
        {"shifts": [{"opens": "09:00", "closes": "18:00", "days": ["someday"]}]},
        {"attempts": 0},
        {"zone": "Nowhere"},
        {"country": "France"},
    ):
        assert (await client.put("/v1/queues/retention", json=wrong)).status_code == 422
    assert (await client.get("/v1/queues/none")).json()["code"] == "queue_not_found"


@pytest.mark.usefixtures("three")
async def test_the_days_end_may_be_written_as_24_00(client: httpx.AsyncClient) -> None:
    body = {"shifts": [{"opens": "00:00", "closes": "24:00", "agents": 1}], "call_from": "08:00", "call_until": "24:00"}
    made = (await client.put("/v1/queues/retention", json=body)).json()
    assert (made["shifts"][0]["closes"], made["call_until"], made["open"]) == ("00:00", "00:00", True)
    for wrong in (
        {"shifts": [{"opens": "24:00", "closes": "09:00"}]},
        {"shifts": [{"opens": "09:00", "closes": "24:01"}]},
        {"call_from": "24:00"},
    ):
        assert (await client.put("/v1/queues/retention", json=wrong)).status_code == 422


async def test_who_works_on_tasks_declares_no_queues_and_no_webhooks(http: httpx.AsyncClient, three: Database) -> None:
    auth = {"Authorization": f"Bearer {keys.create(three, 'agent', ['tasks'])}"}
    assert (await http.put("/v1/queues/retention", json={}, headers=auth)).json()["code"] == "missing_scope"
    hook = {"url": "http://127.0.0.1:9/"}
    assert (await http.post("/v1/webhooks", json=hook, headers=auth)).json()["code"] == "missing_scope"
    assert (await http.get("/v1/webhooks", headers=auth)).json() == []
    for path in ("/v1/call-tasks/results.csv", "/v1/queues/retention/plan"):
        assert (await http.post(path)).status_code == 401


@pytest.mark.usefixtures("three")
async def test_a_call_that_reached_nobody_and_a_call_back(client: httpx.AsyncClient) -> None:
    first, second = await claim(client, max=2)
    lease = {"lease_token": first["lease_token"]}
    tried = await client.post("/v1/call-tasks/1-1-0/attempts", json={**lease, "outcome": "voicemail", "notes": "Zoé's"})
    assert (tried.status_code, tried.json()["status"], tried.json()["attempts"]) == (200, "pending", 1)
    wrong = await client.post("/v1/call-tasks/1-1-0/attempts", json={**lease, "outcome": "refused"})
    assert wrong.json()["code"] == "invalid_value"
    detail = (await client.get("/v1/call-tasks/1-1-0")).json()
    assert [(one["number"], one["outcome"], one["worker"]) for one in detail["attempts_made"]] == [
        (1, "voicemail", "ada")
    ]
    assert detail["attempts_left"] == 2
    lease = {"lease_token": second["lease_token"]}
    back = await client.post(
        "/v1/call-tasks/2-1-0/callback", json={**lease, "at": "15:00", "phone": "+33 6 12 00 00 00"}
    )
    assert (back.status_code, back.json()["phone"]) == (200, "+33612000000")
    again = await client.post("/v1/call-tasks/2-1-0/callback", json={**lease, "at": "15:00"})
    assert again.json() == back.json()
    assert (await client.post("/v1/call-tasks/3-1-0/callback", json={**lease, "at": "15:00"})).status_code == 409
    assert (await client.post("/v1/call-tasks/2-1-0/wrap", json=lease)).json()["code"] == "stale_lease"


async def test_a_dialers_file_is_applied_row_by_row_and_twice_is_once(
    client: httpx.AsyncClient, three: Database
) -> None:
    file = (
        "id,outcome,worker,notes,duration_s,at,phone,answers\r\n"
        '1-1-0,interested,omar,"Likes ""red"", and white",61.5,,,"{""wants"": ""red""}"\r\n'
        "9-9-9,refused,,,,,,\r\n"
        "2-1-0,callback,omar,,,15:00,+33612000000,\r\n"
        "3-1-0,keen,,,,,,\r\n"
        "3-1-0,busy,,,-4,,,\r\n"
        "3-1-0,busy,,,,,,{not json\r\n"
        "3-1-0,busy,,,,,,\r\n"
        "1-1-0,refused,,,,,,\r\n"
    )
    done = await send(client, file)
    assert (done["rows"], done["applied"], done["repeated"]) == (8, 3, 0)
    assert [(one["row"], one["id"], one["code"]) for one in done["rejected"]] == [
        (3, "9-9-9", "call_task_not_found"),
        (5, "3-1-0", "invalid_value"),
        (6, "3-1-0", "invalid_value"),
        (7, "3-1-0", "invalid_value"),
        (9, "1-1-0", "already_completed"),
    ]
    rows = tasks_of(three)
    first = rows["1-1-0"]
    assert (first.outcome, first.worker, first.notes) == ("interested", "omar", 'Likes "red", and white')
    assert (first.answers, first.duration_s) == ({"wants": "red"}, 61.5)
    assert (rows["2-1-0"].status, rows["2-1-0"].attempts, rows["2-1-0"].phone) == ("pending", 1, "+33612000000")
    assert (rows["3-1-0"].status, rows["3-1-0"].attempts) == ("pending", 1)
    again = await send(client, file)
    assert (again["applied"], again["repeated"], len(again["rejected"])) == (0, 3, 5)
    assert tasks_of(three) == rows


async def test_a_file_takes_no_task_from_an_agent_nor_from_the_journey(
    client: httpx.AsyncClient, three: Database
) -> None:
    await claim(client)
    with three.write() as conn:
        call_tasks.withdraw(conn, ["2-1-0"], datetime.now(UTC))
    done = await send(client, "id;outcome\n1-1-0;refused\n2-1-0;refused\n'3-1-0;not_reached\n")
    assert [one["code"] for one in done["rejected"]] == ["leased", "withdrawn"]
    assert tasks_of(three)["3-1-0"].attempts == 1


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"id,outcome,salary\n", "unknown: salary"),
        (b"task,outcome\n1-1-0,busy\n", "unknown: task"),
        (b"id,outcome\n1-1-0,\xff\n", "not UTF-8: byte 17 is 0xff"),
        (b"\x00", "unknown"),
        (b"", "file: it is empty; its first line names the columns: id, outcome"),
        (b"\xef\xbb\xbf\r\n", "file: it is empty"),
        (b"id,outcome," + b"x" * 200_000, "file: this is no CSV: field larger than"),
        (b"PK\x03\x04 a spreadsheet", "unknown"),
    ],
)
async def test_a_file_that_is_none_is_refused_whole(
    client: httpx.AsyncClient, three: Database, file: bytes, why: str
) -> None:
    headers = {"Content-Type": "text/csv"}
    answer = await client.post("/v1/call-tasks/results.csv", content=file, headers=headers)
    assert answer.status_code in {400, 422}
    assert why in answer.json()["message"] or "NUL" in answer.json()["message"]
    assert {row.status for row in tasks_of(three).values()} == {"pending"}


@pytest.mark.usefixtures("three")
async def test_naughty_cells_are_told_and_harm_nothing(client: httpx.AsyncClient) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["id", "outcome", "notes"])
    texts = [text for text in NAUGHTY if "\x00" not in text and text.isprintable()]
    for text in texts:
        writer.writerow([text, text, text])
    writer.writerow(["1-1-0", "refused", texts[-1]])
    done = await send(client, out.getvalue().encode("utf-8", "replace"))
    assert done["applied"] == 1
    assert len(done["rejected"]) == done["rows"] - 1


@pytest.mark.usefixtures("three")
async def test_export_and_back(client: httpx.AsyncClient) -> None:
    exported = (await client.get("/v1/call-tasks/export.csv")).text.splitlines()
    assert exported[0].startswith("id,queue,priority,value,due_at")
    back = "\n".join(["id,outcome", *(f"{line.split(',')[0]},refused" for line in exported[1:])])
    assert (await send(client, back))["applied"] == 3


async def test_webhooks_are_made_listed_logged_and_ended(
    client: httpx.AsyncClient, sqlite: Database, now: datetime
) -> None:
    made = await client.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/hook", "events": ["call_task.created"]})
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    hook = made.json()["id"]
    assert "secret" not in (await client.get("/v1/webhooks")).json()[0]
    make(sqlite, task("1-1-0"), now=now)
    (delivery,) = (await client.get(f"/v1/webhooks/{hook}/deliveries")).json()
    assert (delivery["status"], delivery["type"], delivery["tries"]) == ("pending", "call_task.created", [])
    assert '"id": "1-1-0"' in delivery["body"]
    again = await client.post(f"/v1/webhooks/{hook}/deliveries/{delivery['id']}/retry")
    assert again.json()["status"] == "pending"
    for _ in range(2):
        ended = await client.delete(f"/v1/webhooks/{hook}")
        assert ended.json()["disabled_why"] == "ended by an operator"
    params = {"status": "dropped"}
    assert len((await client.get(f"/v1/webhooks/{hook}/deliveries", params=params)).json()) == 1
    for wrong in ({"url": "ftp://x/"}, {"url": "http://x/", "events": ["call_task.rung"]}, {}):
        assert (await client.post("/v1/webhooks", json=wrong)).status_code == 422
    assert (await client.get("/v1/webhooks/none/deliveries")).json()["code"] == "webhook_not_found"


async def test_wrapping_is_a_status_of_its_own(client: httpx.AsyncClient, three: Database) -> None:
    (found,) = await claim(client)
    lease = {"lease_token": found["lease_token"]}
    await client.post("/v1/call-tasks/1-1-0/accept", json=lease)
    assert (await client.post("/v1/call-tasks/1-1-0/wrap", json=lease)).json()["status"] == "wrapping"
    listed = (await client.get("/v1/call-tasks", params={"status": "wrapping"})).json()["tasks"]
    assert [one["id"] for one in listed] == ["1-1-0"]
    with three.write() as conn:
        assert call_tasks.withdraw(conn, ["1-1-0"], datetime.now(UTC)) == []
    done = await client.post("/v1/call-tasks/1-1-0/complete", json={**lease, "outcome": "refused"})
    assert done.json()["status"] == "completed"


@pytest.mark.parametrize("meanwhile", ["withdrawn", "completed"])
async def test_do_not_call_is_kept_also_where_the_task_is_over(
    client: httpx.AsyncClient, three: Database, now: datetime, meanwhile: str
) -> None:
    (mine,) = await claim(client)
    if meanwhile == "withdrawn":
        with three.write() as conn:
            call_tasks.withdraw(conn, [mine["id"]], now)
    else:
        done = {"lease_token": mine["lease_token"], "outcome": "refused"}
        assert (await client.post(f"/v1/call-tasks/{mine['id']}/complete", json=done)).is_success
    for token, outcome in ((mine["lease_token"], "interested"), ("guessed", "do_not_call")):
        said = {"lease_token": token, "outcome": outcome}
        assert (await client.post(f"/v1/call-tasks/{mine['id']}/complete", json=said)).status_code in {409, 410}
        assert barred_numbers(three) == set()
    said = {"lease_token": mine["lease_token"], "outcome": "do_not_call"}
    answer = await client.post(f"/v1/call-tasks/{mine['id']}/complete", json=said)
    assert answer.status_code == (410 if meanwhile == "withdrawn" else 409)
    assert barred_numbers(three) == {mine["phone"]}
    assert tasks_of(three)[mine["id"]].status == meanwhile


async def test_a_files_do_not_call_is_kept_also_where_the_task_is_over(
    client: httpx.AsyncClient, three: Database, now: datetime
) -> None:
    with three.write() as conn:
        call_tasks.withdraw(conn, ["1-1-0"], now)
    done = await send(client, "id,outcome\n1-1-0,do_not_call\n9-9-9,do_not_call\n")
    assert [each["code"] for each in done["rejected"]] == ["withdrawn", "call_task_not_found"]
    assert barred_numbers(three) == {tasks_of(three)["1-1-0"].phone}


def barred_numbers(database: Database) -> set[str]:
    with database.read() as conn:
        return set(conn.execute(select(table(Suppression).c.address)).scalars())


async def test_K2_a_files_call_that_reached_nobody_is_an_attempt(
    client: httpx.AsyncClient, three: Database, now: datetime
) -> None:
    declared(three, now, shifts=[], attempts=3, retry_minutes=60)
    first = "id,outcome\n1-1-0,busy\n"
    assert (await send(client, first))["applied"] == 1
    one = tasks_of(three)["1-1-0"]
    assert (one.status, one.attempts, one.outcome) == ("pending", 1, None)
    assert one.due_at > now + timedelta(minutes=59)
    assert (await send(client, first))["repeated"] == 1
    timed = "id,outcome,at\n1-1-0,voicemail,2026-05-04T10:00\n"
    assert (await send(client, timed))["applied"] == 1
    done = await send(client, f"{timed}1-1-0,busy,2026-05-04T12:00\n1-1-0,busy,soon\n")  # older rows, and more
    assert (done["applied"], done["repeated"], len(done["rejected"])) == (1, 1, 1)
    one = tasks_of(three)["1-1-0"]
    assert (one.status, one.attempts, one.outcome) == ("completed", 2, "busy")
    again = await send(client, first)
    assert (again["applied"], again["repeated"]) == (0, 1)
