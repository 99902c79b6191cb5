"""What journeys mean: facts and SQL, tables and store, gate, messages, events, measurement. No Temporal, no HTTP server."""
