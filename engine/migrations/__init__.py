"""Migrations of the database: Alembic, run by `Database.migrate`."""
