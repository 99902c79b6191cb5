"""What people and programs see: the HTTP API, the pages, and the `parcours` command."""
