"""Alembic's environment for the migrations of the tables."""
