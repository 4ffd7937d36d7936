"""Run the command line as `python -m weightinit`."""

import sys

from weightinit.cli import main

if __name__ == "__main__":
    sys.exit(main())
