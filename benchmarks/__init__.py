"""Measurements, as ratios in one run. Each file says what it compares and prints what the docs quote."""
