"""Simulation: a journey in virtual time, with virtual customers or with what real ones did, and without any effect."""
