"""Measuring what steering did: prompt sets, metrics, statistics, controls, pictures and the report."""
