"""Run a drill: python -m tests.drills kills|faults [--seconds N]."""

import argparse
import json
import sys
from collections.abc import Callable

from tests.drills.faults import run_faults
from tests.drills.kills import run_kills

DRILLS: dict[str, Callable] = {"kills": run_kills, "faults": run_faults}


def main() -> int:
    """Run a drill, print what was counted, and return 1 if anything was wrong or unfinished."""
    parser = argparse.ArgumentParser("python -m tests.drills", description=__doc__)
    parser.add_argument("drill", choices=DRILLS)
    parser.add_argument("--seconds", type=float, default=600)
    options = parser.parse_args()
    counts, failures = DRILLS[options.drill](options.seconds)
    print(json.dumps(counts, indent=2))
    print("\n".join(failures), file=sys.stderr)
    return 1 if failures or counts["wrong"] or counts["tracebacks"] else 0


if __name__ == "__main__":
    sys.exit(main())
