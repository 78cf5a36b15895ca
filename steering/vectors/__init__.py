"""Steering vectors: the file, building one from directions, combining several, thresholds, controls."""
