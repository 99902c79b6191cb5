"""Imports: what a CSV file may look like, what is set aside, and reading again."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from engine import consent, customers, events, imports
from engine.db import Database, table
from engine.errors import Invalid
from engine.importing.csv_rows import BadFile
from engine.tables import Consent, Customer, Purchase

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


def file(tmp_path: Path, content: str | bytes, name: str = "in.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def everyone(db: Database) -> dict[str, Customer]:
    with db.read() as conn:
        return {row["id"]: Customer(**row) for row in conn.execute(select(table(Customer))).mappings()}


def purchases(db: Database) -> list[dict[str, Any]]:
    target = table(Purchase)
    with db.read() as conn:
        return [dict(row) for row in conn.execute(select(target).order_by(target.c.id)).mappings()]


def rejected(outcome: imports.Imported) -> list[dict[str, str]]:
    assert outcome.rejected_file is not None
    with outcome.rejected_file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def test_customers_are_read_in_normal_form(db: Database, tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "id,first_name,email,phone,country,language,zone,consent_email,consent_sms,attributes.tier,attributes.age:number,attributes.vip:flag\n"
        "1,Zoë,Zoe@Example.COM,06 12 34 56 78,fr,fr-FR,Europe/Paris,yes,no,gold,41,yes\n"
        "2,Émile,,,,,,,,,,\n",
    )
    outcome = imports.read("customers", db, path, NOW)
    assert (outcome.read, outcome.new, outcome.rejected, outcome.rejected_file) == (2, 2, 0, None)
    zoe, emile = everyone(db)["1"], everyone(db)["2"]
    assert (zoe.email, zoe.phone, zoe.country, zoe.language) == ("Zoe@example.com", "+33612345678", "FR", "fr")
    assert zoe.attributes == {"tier": "gold", "age": 41.0, "vip": True}
    assert (emile.email, emile.phone, emile.zone) == (None, None, None)
    with db.read() as conn:
        assert [(row.channel, row.granted, row.source) for row in consent.of(conn, "1")] == [
            ("email", True, "import"),
            ("sms", False, "import"),
        ]
        assert events.since(conn, 0, 10) == []


@pytest.mark.parametrize(
    "content",
    [
        "id,city\n1,Paris\n",
        "id;city\r\n1;Paris\r\n",
        "id\tcity\n1\tParis",
        "\ufeffid,city\n1,Paris\n",
        '"id","city"\n"1","Paris"\n\n',
        "ID , City\r1,Paris\r",
    ],
    ids=["comma", "semicolon and CRLF", "tab, no last line end", "byte-order mark", "quoted", "CR and capitals"],
)
def test_files_as_programs_write_them(sqlite: Database, tmp_path: Path, content: str) -> None:
    imports.read("customers", sqlite, file(tmp_path, content), NOW)
    assert everyone(sqlite)["1"].city == "Paris"


# The twelve ideas of csv-spectrum: commas and quotes in quotes, line ends in cells, empty cells, JSON, other scripts.
@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ('"Paris, France"', "Paris, France"),
        ('"the ""grand"" hall"', 'the "grand" hall'),
        ("", None),
        ('""', None),
        ('"one\ntwo"', "one\ntwo"),
        ('"one\r\ntwo"', "one\r\ntwo"),
        ('"ha\n""ha""\nha"', 'ha\n"ha"\nha'),
        ('"{""type"": ""Point"", ""coordinates"": [102.0, 0.5]}"', '{"type": "Point", "coordinates": [102.0, 0.5]}'),
        ("ʤ", "ʤ"),
        ("日本🍷", "日本🍷"),
    ],
)
def test_awkward_cells(sqlite: Database, tmp_path: Path, cell: str, meant: str | None) -> None:
    outcome = imports.read("customers", sqlite, file(tmp_path, f"id,address\n1,{cell}\n2,plain\n"), NOW)
    assert outcome.rejected == 0
    assert (everyone(sqlite)["1"].address, everyone(sqlite)["2"].address) == (meant, "plain")


def test_broken_rows_are_set_aside_and_the_others_go_in(db: Database, tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "id,email,country\n"
        "1,a@example.com,FR\n"
        "2,not an address,FR\n"
        "3,c@example.com\n"
        "\n"
        ",d@example.com,FR\n"
        "5,e@example.com,France\n"
        '6,"f"oo@example.com,FR\n'
        "7,g@example.com,DE\n",
    )
    outcome = imports.read("customers", db, path, NOW)
    assert (outcome.read, outcome.new, outcome.rejected) == (7, 2, 5)
    assert sorted(everyone(db)) == ["1", "7"]
    rows = rejected(outcome)
    assert [(row["row"], row["column"], row["value"]) for row in rows] == [
        ("3", "email", "not an address"),
        ("4", "", ""),
        ("6", "id", ""),
        ("7", "country", "France"),
        ("8", "", ""),
    ]
    assert rows[1]["reason"] == "it has 2 cells, the header has 3 columns"
    assert rows[4]["reason"].startswith("line 8 is no row")
    imports.read("customers", db, file(tmp_path, "id\n1\n"), NOW)
    assert outcome.rejected_file is not None
    assert not outcome.rejected_file.exists()


@pytest.mark.parametrize(
    "more",
    [
        "3,Nice\n4,Brest\n",
        '3,Nice\n4,"Brest"\n',
        '3,"Nice\n4,Brest\n',
        "".join(f"{n},Town {n}\n" for n in range(3, 20_000)),
    ],
    ids=["to the end", "to the next quote", "twice", "longer than a cell may be"],
)
def test_a_quote_that_is_never_closed_costs_its_own_line_alone(sqlite: Database, tmp_path: Path, more: str) -> None:
    outcome = imports.read("customers", sqlite, file(tmp_path, f'id,city\n1,Paris\n2,"Lyon\n{more}'), NOW)
    broken = 1 + more.count('3,"Nice')
    assert (outcome.new, outcome.rejected) == (more.count("\n") + 2 - broken, broken)
    assert rejected(outcome)[0]["reason"].startswith("line 3 is no row")
    assert '2,"Lyon' in rejected(outcome)[0].values()


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        ("id,emial\n", "unknown_column", "'emial'; did you mean 'email'"),
        ("id,attributes.\n", "unknown_column", "'attributes.'"),
        ("id,city,city\n", "repeated_column", "'city' is there 2 times"),
        ("city\nParis\n", "missing_column", "'id' is missing; the header has: city"),
        ("", "empty_file", "its first line must name the columns"),
        (b"id,city\n1,Orl\xe9ans\n", "bad_encoding", "byte 0xe9 at position 13 (line 2)"),
        (
            b"id,city\n1," + b"x" * (1 << 20) + b"\n2,\xc3",
            "bad_encoding",
            f"at position {8 + 2 + (1 << 20) + 3} (line 3)",
        ),
        (b"\xff\xfei\0d\0\n\0", "bad_encoding", "--encoding utf-16"),
        (b"PK\x03\x04 a spreadsheet", "not_csv", "save it as CSV"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    sqlite: Database, tmp_path: Path, content: str | bytes, code: str, says: str
) -> None:
    with pytest.raises(BadFile) as caught:
        imports.read("customers", sqlite, file(tmp_path, content), NOW)
    assert caught.value.code == code
    assert says in caught.value.message
    assert everyone(sqlite) == {}


def test_a_missing_file_and_an_unknown_type(sqlite: Database, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="No such file"):
        imports.read("customers", sqlite, tmp_path / "none.csv", NOW)
    with pytest.raises(Exception, match="text, number or flag"):
        imports.read("customers", sqlite, file(tmp_path, "id,attributes.age:int\n1,2\n"), NOW)


def test_latin_1_on_request(sqlite: Database, tmp_path: Path) -> None:
    imports.read("customers", sqlite, file(tmp_path, b"id,city\n1,Orl\xe9ans\n"), NOW, layout=imports.Layout("latin-1"))
    assert everyone(sqlite)["1"].city == "Orléans"


def test_a_yes_in_a_file_never_overturns_her_no(db: Database, tmp_path: Path) -> None:
    with db.write() as conn:
        consent.withdraw(conn, "1", "email", "marketing", "unsubscribe link", NOW)
        consent.grant(conn, "1", "sms", "marketing", "api", NOW)
    imports.read("customers", db, file(tmp_path, "id,consent_email,consent_sms\n1,yes,no\n"), NOW)
    with db.read() as conn:
        assert [(row.channel, row.granted, row.source) for row in consent.of(conn, "1")] == [
            ("email", False, "unsubscribe link"),
            ("sms", False, "import"),
        ]
        assert [(event.name, event.source) for event in events.since(conn, 0, 10)][2:] == [
            ("consent.withdrawn", "import")
        ]


def test_a_second_reading_writes_the_columns_of_the_file_alone(db: Database, tmp_path: Path) -> None:
    imports.read(
        "customers", db, file(tmp_path, "id,city,language,attributes.tier\n1,Paris,fr,gold\n2,Lyon,fr,\n"), NOW
    )
    outcome = imports.read(
        "customers", db, file(tmp_path, "id,city,attributes.points:number\n2,,7\n1,Nice,3\n3,Metz,1\n"), NOW
    )
    assert (outcome.read, outcome.new) == (3, 1)
    one, two = everyone(db)["1"], everyone(db)["2"]
    assert (one.city, one.language, one.attributes) == ("Nice", "fr", {"tier": "gold", "points": 3.0})
    assert (two.city, two.language, two.attributes) == (None, "fr", {"points": 7.0})


def test_orders_are_lines_in_cents_and_reading_again_adds_nothing(db: Database, tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "order_id;customer_id;at;category;quantity;total\n"
        "A1;1;2026-01-02;wine;2;1 250,50\n"
        "A1;1;2026-01-02;cheese;1;9,5\n"
        "A2;1;2026-07-02T10:00:00+02:00;wine;1;3\n"
        "A3;1;2026-02-03T10:00:00+02:00;wine;1;-3.00\n",
    )
    first = imports.read("orders", db, path, NOW, "Europe/Paris")
    assert (first.read, first.new, first.rejected) == (4, 3, 1)
    assert rejected(first)[0]["reason"].startswith("an order can't be of the future")
    again = imports.read("orders", db, path, NOW, "Europe/Paris")
    assert (again.read, again.new) == (4, 0)
    rows = purchases(db)
    assert [(row["id"], row["total"], row["quantity"], row["category"]) for row in rows] == [
        ("A1:1", 125050, 2, "wine"),
        ("A1:2", 950, 1, "cheese"),
        ("A3:1", -300, 1, "wine"),
    ]
    assert rows[0]["at"] == datetime(2026, 1, 1, 23, tzinfo=UTC)
    assert rows[2]["at"] == datetime(2026, 2, 3, 8, tzinfo=UTC)


@pytest.mark.parametrize("total", ["", "abc", "1,234.56", "NaN", "1e9", "1.005", "99999999999", "--1"])
def test_amounts_that_could_mean_two_things_are_set_aside(sqlite: Database, tmp_path: Path, total: str) -> None:
    path = file(tmp_path, f'order_id,customer_id,at,total\nA,1,2026-01-02,"{total}"\nB,1,2026-01-02,5\n')
    outcome = imports.read("orders", sqlite, path, NOW, "UTC")
    assert (outcome.new, outcome.rejected) == (1, 1)
    assert (rejected(outcome)[0]["column"], rejected(outcome)[0]["value"].lstrip("'")) == ("total", total)


@pytest.mark.parametrize("at", ["", "yesterday", "31/12/2025", "0001-01-01", "9999-12-31", "1969-12-31"])
def test_dates_that_are_none_are_set_aside(sqlite: Database, tmp_path: Path, at: str) -> None:
    outcome = imports.read("orders", sqlite, file(tmp_path, f"order_id,customer_id,at,total\nA,1,{at},1\n"), NOW, "UTC")
    assert (outcome.new, rejected(outcome)[0]["column"]) == (0, "at")


def test_a_file_that_was_read_half_way_goes_on_safely(db: Database, tmp_path: Path) -> None:
    lines = [f"O{n},{n % 50},2026-01-02,1.00" for n in range(12_000)]
    path = file(tmp_path, "order_id,customer_id,at,total\n" + "\n".join(lines) + "\n")
    seen: list[tuple[int, int, int]] = []

    def stop(done: int, size: int, read: int) -> None:
        seen.append((done, size, read))
        if len(seen) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        imports.read("orders", db, path, NOW, "UTC", progress=stop)
    assert 0 < seen[0][0] < seen[0][1] == path.stat().st_size
    assert seen[0][2] == 5000
    outcome = imports.read("orders", db, path, NOW, "UTC", progress=stop)
    assert (outcome.read, outcome.new, outcome.resumed) == (12_000, 12_000, 5000)
    assert [row[2] for row in seen[1:]] == [10_000, 12_000]
    assert seen[-1][0] == path.stat().st_size
    with db.read() as conn:
        assert conn.execute(select(func.count()).select_from(table(Purchase))).scalar() == 12_000
        assert conn.execute(select(func.count()).select_from(table(Consent))).scalar() == 0


def test_ids_that_cannot_be_are_refused() -> None:
    for wrong in ("", "  ", "a\x00b", "a\nb", "x" * 256, None, True, 1.5):
        with pytest.raises(Invalid):
            customers.customer_id(wrong)
    assert customers.customer_id(7) == "7"
