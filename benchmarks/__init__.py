"""Benchmarks: the service measured beside what else there is, in one run on one machine."""
