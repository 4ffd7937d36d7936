"""The migrations: each module names the one before it."""
