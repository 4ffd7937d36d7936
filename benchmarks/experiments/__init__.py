"""Experiments: each measures the rows that benchmarks/rows.py gives it."""
