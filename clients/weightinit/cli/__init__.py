"""The command line: `weightinit`, a table of commands over the client."""

from weightinit.cli.main import main

__all__ = ["main"]
