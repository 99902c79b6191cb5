"""The demo: a real shop's purchases, an invented crowd that uses the public surfaces only, and the report on both."""
