"""Bulk import: one module a kind of row, and the reading that they share."""
