"""Feeds: customers' own and segments', as documents; and those of others, read with distrust."""
