"""Letters: composed, set, gathered in print runs, handed over, and returned."""
