"""Bulk imports: Parquet, consents, exposures, outcomes, going on after a kill, and files that others made."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]
import pytest
from kit.naughty import NAUGHTY
from sqlalchemy import func, select

from engine import consent, events, imports
from engine.db import Database, table
from engine.importing.csv_rows import BadFile, CsvFile
from engine.importing.row_files import Wanted
from engine.importing.run import Imported
from engine.tables import Customer, Event, Exposure, ImportRun, Purchase

_THEN = datetime(2026, 1, 2, 3)  # noqa: DTZ001  # Parquet's moments may have no zone
NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
# Beside the repository; a work tree is one folder deeper.
SHARED = next((up / "shared" / "data" for up in Path(__file__).parents[4:6] if (up / "shared").exists()), Path("none"))
arrow: Any = pa  # it has no types
parquet: Any = pq


def rows(db: Database, model: Any) -> list[dict[str, Any]]:
    target = table(model)
    with db.read() as conn:
        return [dict(row) for row in conn.execute(select(target).order_by(*target.primary_key)).mappings()]


def count(db: Database, model: Any) -> int:
    with db.read() as conn:
        return conn.execute(select(func.count()).select_from(table(model))).scalar_one()


def rejected(outcome: Imported) -> list[dict[str, str]]:
    assert outcome.rejected_file is not None
    with outcome.rejected_file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def file(tmp_path: Path, content: str | bytes, name: str = "in.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def columns(path: Path, **values: Any) -> Path:
    parquet.write_table(arrow.table(values), path)
    return path


# --- Parquet ----------------------------------------------------------------------------------------------------------


def test_customers_from_parquet_say_the_same_as_from_csv(db: Database, tmp_path: Path) -> None:
    path = columns(
        tmp_path / "c.parquet",
        ID=arrow.array([17850.0, 17851.0]),  # as pandas leaves whole numbers of which some are missing
        first_name=arrow.array(["Zoë", None]).dictionary_encode(),
        country=["fr", "de"],
        consent_email=[True, None],
        **{"attributes.age": arrow.array([41, None], arrow.int32()), "attributes.vip": [True, False]},
    )
    outcome = imports.read("customers", db, path, NOW)
    assert (outcome.read, outcome.new, outcome.rejected) == (2, 2, 0)
    zoe, other = rows(db, Customer)
    assert (zoe["id"], zoe["first_name"], zoe["country"]) == ("17850", "Zoë", "FR")
    assert zoe["attributes"] == {"age": 41.0, "vip": True}
    assert (other["id"], other["first_name"], other["attributes"].get("vip")) == ("17851", None, False)
    with db.read() as conn:
        assert [(word.channel, word.granted) for word in consent.of(conn, "17850")] == [("email", True)]


@pytest.mark.parametrize(
    ("at", "total"),
    [
        (arrow.array([_THEN], arrow.timestamp("ns")), arrow.array([15.299999999999999])),
        (arrow.array([_THEN], arrow.timestamp("ms")), arrow.array([15.3], arrow.float32())),
        (arrow.array([_THEN], arrow.timestamp("us", "UTC")), [Decimal("15.30")]),
        (["2026-01-02T03:00:00Z"], ["15,30"]),
    ],
    ids=["nanoseconds and noise", "a small float", "a zone and a decimal", "text"],
)
def test_orders_of_any_types(sqlite: Database, tmp_path: Path, at: Any, total: Any) -> None:
    path = columns(tmp_path / "o.parquet", order_id=["A"], customer_id=["1"], at=at, total=total)
    assert imports.read("orders", sqlite, path, NOW, "UTC").rejected == 0
    (line,) = rows(sqlite, Purchase)
    assert (line["at"], line["total"]) == (datetime(2026, 1, 2, 3, tzinfo=UTC), 1530)


def test_dates_of_parquet_are_days_of_the_projects_zone(sqlite: Database, tmp_path: Path) -> None:
    path = columns(tmp_path / "o.parquet", order_id=["A"], customer_id=[1], at=[date(2026, 1, 2)], total=[1])
    imports.read("orders", sqlite, path, NOW, "Europe/Paris")
    assert rows(sqlite, Purchase)[0]["at"] == datetime(2026, 1, 1, 23, tzinfo=UTC)


@pytest.mark.parametrize("cut", [4, 100, -3])
def test_a_parquet_file_that_is_cut_off_is_refused(sqlite: Database, tmp_path: Path, cut: int) -> None:
    path = columns(tmp_path / "c.parquet", id=["1", "2"])
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BadFile, match="can't be read as Parquet"):
        imports.read("customers", sqlite, path, NOW)


def test_a_parquet_row_that_cannot_be_used_is_set_aside_as_csv(sqlite: Database, tmp_path: Path) -> None:
    path = columns(tmp_path / "o.parquet", order_id=["A", "B", None], customer_id=["1", None, "3"], at=["2026-01-02"] * 3,
                   total=[1.0, 2.0, float("nan")])  # fmt: skip
    outcome = imports.read("orders", sqlite, path, NOW, "UTC")
    assert (outcome.read, outcome.new, outcome.rejected) == (3, 1, 2)
    assert [(row["row"], row["column"]) for row in rejected(outcome)] == [("3", "customer_id"), ("4", "order_id")]


# --- whose columns have other names -----------------------------------------------------------------------------------


def test_a_file_may_name_its_columns_as_it_likes(sqlite: Database, tmp_path: Path) -> None:
    path = file(tmp_path, "Invoice;Client;Jour;Prix;quantity;Note\nA;1;2026-01-02;2,55;6;x\n")
    named = {"order_id": "invoice", "customer_id": "Client", "at": "Jour", "price": "Prix"}
    with pytest.raises(BadFile, match=r"'note'; .*--others to pass it over"):
        imports.read("orders", sqlite, path, NOW, "UTC", imports.Layout(columns=named))
    imports.read("orders", sqlite, path, NOW, "UTC", imports.Layout(columns=named, others=True))
    assert [(line["total"], line["quantity"]) for line in rows(sqlite, Purchase)] == [(1530, 6)]
    with pytest.raises(BadFile, match="no column 'jours'; the header has: invoice"):
        imports.read("orders", sqlite, path, NOW, "UTC", imports.Layout(columns={**named, "at": "Jours"}))
    with pytest.raises(BadFile, match="did you mean 'order_id'"):
        imports.read("orders", sqlite, path, NOW, "UTC", imports.Layout(columns={"ordr_id": "invoice"}))


def test_a_price_is_rounded_once_and_an_order_needs_one_of_the_two(sqlite: Database, tmp_path: Path) -> None:
    text = "order_id,customer_id,at,price,quantity\nA,1,2026-01-02,0.125,3\nB,1,2026-01-02,2,-2\n"
    imports.read("orders", sqlite, file(tmp_path, text), NOW, "UTC")
    assert [line["total"] for line in rows(sqlite, Purchase)] == [38, -400]
    with pytest.raises(BadFile, match="'total' or 'price' is missing"):
        imports.read("orders", sqlite, file(tmp_path, "order_id,customer_id,at\n"), NOW, "UTC")


# --- consents, exposures, outcomes ------------------------------------------------------------------------------------


def test_of_dated_words_the_newest_holds(db: Database, tmp_path: Path) -> None:
    with db.write() as conn:
        consent.withdraw(conn, "1", "email", "marketing", "unsubscribe link", NOW - timedelta(days=3))
        consent.withdraw(conn, "2", "email", "marketing", "unsubscribe link", NOW - timedelta(days=30))
        consent.grant(conn, "3", "sms", "marketing", "api", NOW - timedelta(days=3))
        before = len(events.since(conn, 0, 100))
    path = file(
        tmp_path,
        "customer_id,channel,granted,at,source\n"
        f"1,email,yes,{NOW - timedelta(days=9):%Y-%m-%d},fair\n"  # older than her no
        f"2,email,yes,{NOW - timedelta(days=9):%Y-%m-%d},fair\n"  # newer than her no
        f"3,SMS,no,{NOW - timedelta(days=9):%Y-%m-%d},paper\n"  # older than her yes
        "4,letter,yes,2026-01-02,paper\n"
        "4,letter,no,2026-01-03,\n"
        "4,letter,yes,2026-01-03,paper\n"  # of two at once, the no
        "5,letter,perhaps,2026-01-03,\n"
        "6,pigeon,yes,2026-01-03,\n"
        "7,email,yes,,\n",
    )
    first = imports.read("consents", db, path, NOW, "UTC")
    assert (first.read, first.new, first.rejected) == (9, 2, 3)
    assert [row["column"] for row in rejected(first)] == ["granted", "channel", "at"]
    with db.read() as conn:
        said = {c: [(w.channel, w.granted, w.source) for w in consent.of(conn, c)] for c in "1234"}
        told = [(e.name, e.customer_id, e.payload["channel"]) for e in events.since(conn, 0, 100)][before:]
    assert said == {
        "1": [("email", False, "unsubscribe link")],
        "2": [("email", True, "fair")],
        "3": [("sms", True, "api")],
        "4": [("letter", False, "import")],
    }
    assert told == [("consent.granted", "2", "email")]
    assert imports.read("consents", db, path, NOW, "UTC").new == 0


def test_exposures_are_contacts_of_others_once_each(db: Database, tmp_path: Path) -> None:
    text = (
        "customer_id;campaign;channel;at;cost\n"
        "1;Spring;letter;2026-03-01;0,85\n1;Spring;letter;2026-03-01;0,85\n"
        "2;Spring;letter;2026-03-01;\n3;;letter;2026-03-01;\n4;Spring;letter;2027-03-01;\n"
    )
    outcome = imports.read("exposures", db, file(tmp_path, text), NOW, "Europe/Paris")
    assert (outcome.read, outcome.new, outcome.rejected) == (5, 2, 2)
    assert [(row["column"]) for row in rejected(outcome)] == ["campaign", "at"]
    kept = sorted(rows(db, Exposure), key=lambda row: row["customer_id"])
    assert [(row["customer_id"], row["campaign"], row["channel"], row["cost"]) for row in kept] == [
        ("1", "Spring", "letter", 85_000),
        ("2", "Spring", "letter", 0),
    ]
    assert imports.read("exposures", db, file(tmp_path, text), NOW, "Europe/Paris").new == 0


def test_outcomes_are_events(db: Database, tmp_path: Path) -> None:
    text = (
        "id,customer_id,event,at,campaign,payload.amount:number,payload.how\n"
        "r1,1,mailing.responded,2026-03-02,Spring,12.5,phone\n"
        "r1,1,mailing.responded,2026-03-02,Spring,12.5,phone\n"
        ",2,mailing.responded,2026-03-02,Spring,,\n"
        ",2,email.clicked,2026-03-02,,,\n,2,shop.purchased,2026-03-02,,,\n,2,answered,2026-03-02,,,\n"
        "parcours:x,2,mailing.responded,2026-03-02,,,\n"
    )
    outcome = imports.read("outcomes", db, file(tmp_path, text), NOW, "UTC")
    assert (outcome.read, outcome.new, outcome.rejected) == (7, 2, 4)
    assert [(row["column"], row["value"]) for row in rejected(outcome)] == [
        ("event", "email.clicked"),
        ("event", "shop.purchased"),
        ("event", "answered"),
        ("id", "parcours:x"),
    ]
    one, two = rows(db, Event)
    assert (one["id"], one["name"], one["at"], one["source"], one["fate"]) == (
        "r1", "mailing.responded", datetime(2026, 3, 2, tzinfo=UTC), "import", None,
    )  # fmt: skip
    assert one["payload"] == {"amount": 12.5, "how": "phone", "campaign": "Spring"}
    assert two["payload"] == {"campaign": "Spring"}
    assert imports.read("outcomes", db, file(tmp_path, text), NOW, "UTC").new == 0


def test_outcomes_that_are_history_move_nobody(db: Database, tmp_path: Path) -> None:
    path = file(tmp_path, "customer_id,event,at\n1,mailing.responded,2024-03-02\n")
    imports.read("history", db, path, NOW, "UTC")
    assert [row["fate"] for row in rows(db, Event)] == ["unheard"]


# --- going on after a kill --------------------------------------------------------------------------------------------


def test_after_a_kill_the_reading_goes_on_and_sets_aside_the_same_rows(sqlite: Database, tmp_path: Path) -> None:
    """SIGKILL in the middle, the command again: the same orders and the same rejected file as of one reading."""
    lines = ["order_id,customer_id,at,total"]
    lines += [f"O{n // 3},{n % 50 if n % 10 else ''},2026-01-02,1.00" for n in range(60_000)]  # each tenth is nobody's
    path = file(tmp_path, "\n".join(lines) + "\n", "orders.csv")
    command = [sys.executable, "-m", "api.command", "import", "orders", str(path)]
    env = {**os.environ, "PARCOURS_DATABASE": sqlite.url, "PARCOURS_DATA": str(tmp_path / "var")}
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, env=env, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        patience = time.monotonic() + 120
        while not count(sqlite, ImportRun) and time.monotonic() < patience:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    (run,) = rows(sqlite, ImportRun)
    assert 0 < run["rows"] < 60_000, "the kill came too late, or the import never began"
    assert run["finished_at"] is None
    assert count(sqlite, Purchase) == run["new"]
    with (tmp_path / "orders.csv.rejected.csv").open("a") as torn:
        torn.write("60001,half a ro")  # as of a row that was written when the kill came
    done = subprocess.run(command, env=env, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert f"went on after row {run['rows']:,}" in done.stdout
    assert "60,000 rows read, 54,000 new purchase lines, 0 there before" in done.stdout
    resumed = (tmp_path / "orders.csv.rejected.csv").read_bytes()
    assert count(sqlite, Purchase) == 54_000
    again = imports.read("orders", sqlite, path, datetime.now(UTC), "Europe/Paris")
    assert (again.read, again.new, again.rejected, again.resumed) == (60_000, 0, 6000, 0)
    assert (tmp_path / "orders.csv.rejected.csv").read_bytes() == resumed


def test_a_file_that_was_changed_is_read_from_its_start(sqlite: Database, tmp_path: Path) -> None:
    lines = [f"O{n},1,2026-01-02,1" for n in range(6000)]
    path = file(tmp_path, "order_id,customer_id,at,total\n" + "\n".join(lines))

    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        imports.read("orders", sqlite, path, NOW, "UTC", progress=stop)
    path.write_text("order_id,customer_id,at,total\nZ,1,2026-01-02,1\n" + "\n".join(lines))
    outcome = imports.read("orders", sqlite, path, NOW, "UTC")
    assert (outcome.read, outcome.new, outcome.resumed) == (6001, 1001, 0)


def test_a_file_is_read_by_one_at_a_time(sqlite: Database, tmp_path: Path) -> None:
    path = file(tmp_path, "id\n1\n")

    def second(*_: int) -> None:
        with pytest.raises(BadFile, match="being imported by another process"):
            imports.read("customers", sqlite, path, NOW)

    assert imports.read("customers", sqlite, path, NOW, progress=second).new == 1
    assert imports.read("customers", sqlite, path, NOW).new == 0


# --- what was set aside -----------------------------------------------------------------------------------------------


def test_rejected_rows_can_be_corrected_and_read(sqlite: Database, tmp_path: Path) -> None:
    first = imports.read(
        "customers", sqlite, file(tmp_path, "id,email,city\n1,=nobody,=A1\n2,b@example.com,Nice\n"), NOW
    )
    assert first.rejected_file is not None
    assert rejected(first)[0]["value"] == "'=nobody"  # no spreadsheet reckons with it
    assert rejected(first)[0]["city"] == "'=A1"
    corrected = first.rejected_file.read_text("utf-8").replace("'=nobody,'=A1", "a@example.com,'=A1")
    second = imports.read("customers", sqlite, file(tmp_path, corrected, "corrected.csv"), NOW)
    assert (second.read, second.new, second.rejected) == (1, 1, 0)
    assert next((row["email"], row["city"]) for row in rows(sqlite, Customer)) == ("a@example.com", "=A1")


def test_naughty_strings_are_kept_as_they_are_or_set_aside(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "naughty.csv"
    fit = [text for text in NAUGHTY if not any("\ud800" <= mark <= "\udfff" for mark in text)]
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "address", "attributes.word"])
        writer.writerows([f"n{number}", text, text] for number, text in enumerate(fit))
    outcome = imports.read("customers", db, path, NOW)
    assert outcome.read == len(fit)
    kept = {row["id"]: row for row in rows(db, Customer)}
    for number, text in enumerate(fit):
        if f"n{number}" in kept:
            assert kept[f"n{number}"]["address"] == (text.strip() or None)
            assert kept[f"n{number}"]["attributes"].get("word") == (text.strip() or None)
    reasons = {row["reason"] for row in rejected(outcome)}
    assert all("NUL" in reason or "1000 is the most" in reason for reason in reasons), reasons
    assert len(kept) + outcome.rejected == len(fit)


@pytest.mark.parametrize(
    ("content", "encoding", "says"),
    [
        (b"id;city\n1;M\xfcnchen \x80\n", "cp1252", "München €"),
        ("id,city\n1,Köln\n".encode("utf-16"), "utf-16", "Köln"),
        (b"\xef\xbb\xbfid,city\n1,\xc3\x89vian\n", "utf-8", "Évian"),
    ],
)
def test_encodings(sqlite: Database, tmp_path: Path, content: bytes, encoding: str, says: str) -> None:
    imports.read("customers", sqlite, file(tmp_path, content), NOW, layout=imports.Layout(encoding))
    assert rows(sqlite, Customer)[0]["city"] == says


# --- files that others made -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.exists(), reason="the data that others made (../shared/data) is not here")
def test_csv_spectrum() -> None:
    """Each of its files means what its JSON says."""
    read = 0
    for source in sorted((SHARED / "csv-spectrum" / "csvs").glob("*.csv")):
        found: Any = json.loads((SHARED / "csv-spectrum" / "json" / f"{source.stem}.json").read_text("utf-8"))
        meant: list[dict[str, str]] = [found] if "{" in str(found)[:1] else found
        names = {name: name.lower() for name in meant[0]}
        meant[0].pop("Contact Phone Number", None)  # the CSV says another number than the JSON
        told = list(CsvFile(source, Wanted(list(names.values()), [])).rows())
        assert [row.broken for row in told] == [None] * len(meant)
        for row, right in zip(told, meant, strict=True):
            assert {name: row.cells[names[name]] for name in right} == right, source.name
        read += 1
    assert read == 12


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="the data that others made (../shared/data) is not here")
def test_a_year_of_a_real_shop(sqlite: Database, tmp_path: Path) -> None:
    """UCI 352: 541,909 lines, of which 135,080 are of no customer; 8,905 lines were taken back."""
    path = tmp_path / "online_retail.parquet"
    parquet.write_table(parquet.read_table(SHARED / "online_retail.parquet").slice(0, 60_000), path)
    named = {
        "order_id": "InvoiceNo",
        "customer_id": "CustomerID",
        "at": "InvoiceDate",
        "price": "UnitPrice",
        "product": "Description",
    }
    whole: Any = parquet.read_table(path).to_pylist()
    outcome = imports.read("orders", sqlite, path, NOW, "Europe/London", imports.Layout(columns=named, others=True))
    known = [row for row in whole if row["CustomerID"] is not None]
    assert (outcome.read, outcome.new, outcome.rejected) == (len(whole), len(known), len(whole) - len(known))
    lines = rows(sqlite, Purchase)
    assert len({line["order_id"] for line in lines}) == len({row["InvoiceNo"] for row in known})
    assert sum(line["total"] < 0 for line in lines) == sum(row["InvoiceNo"].startswith("C") for row in known)
    assert abs(sum(line["total"] for line in lines) / 100 - sum(r["Quantity"] * r["UnitPrice"] for r in known)) < 1
