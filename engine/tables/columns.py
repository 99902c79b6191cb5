"""What the tables' columns are made of: moments, JSON, and rows that count up."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Integer
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import declared_attr
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel

__all__ = ["BIG", "Kept", "Moment", "json_column", "moment_column"]


class _Text(sqlite.DATETIME):
    """SQLite's moments are texts. A batch writes one moment hundreds of times: each is made into a text once."""

    def bind_processor(self, dialect: Dialect) -> Any:
        process = super().bind_processor(dialect)
        return process if process is None else lru_cache(maxsize=4096)(process)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC: refuses naive datetimes, and gives aware ones back also from SQLite, which forgets the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        return dialect.type_descriptor(_Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a datetime without a zone can't be stored: {value!r}; give it one (datetime.now(UTC))")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        return value if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


BIG = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts rows up on INTEGER alone


def moment_column(*, null: bool = False, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(Moment(), nullable=null, index=index))


def json_column(*, null: bool = False) -> Any:
    return Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=null))


class Kept(SQLModel):
    """What every table shares: a row class's name in snake_case is its table's."""

    @declared_attr.directive
    def __tablename__(cls) -> str:  # type: ignore[override]  # noqa: N805  # SQLAlchemy calls it with the class
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
