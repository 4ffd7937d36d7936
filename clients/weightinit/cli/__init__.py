"""The command line, `weightinit`."""

from weightinit.cli.main import main

__all__ = ["main"]
