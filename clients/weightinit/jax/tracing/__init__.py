"""Traced programs: how each kernel is used in one, and which function follows it."""
