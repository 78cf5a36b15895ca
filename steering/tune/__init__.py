"""Tuning: a search for the setting that takes most of a concept at the least cost to everything else."""
