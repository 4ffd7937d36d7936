"""Schemas of requests about names and tokens, and of responses."""
