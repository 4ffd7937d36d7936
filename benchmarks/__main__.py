"""The command: scripts/bench [list | report | NAME …] [--quick]."""

import argparse
import sys
from datetime import UTC, datetime

from benchmarks.catalogue import EXPERIMENTS, find_experiments
from benchmarks.measure import compare
from benchmarks.results import LATEST, TRIAL, Results
from benchmarks.rows import ROWS
from benchmarks.runner import run_experiment
from benchmarks.table import format_row


def main() -> int:
    """Run the chosen experiments and return the exit status."""
    parser = argparse.ArgumentParser("scripts/bench", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="NAME", help="experiments, or groups of them")
    parser.add_argument("--quick", action="store_true", help="small sizes: does all of it work?")
    options = parser.parse_intermixed_args()
    if options.words == ["list"]:
        print("\n".join(f"{name:26}{experiment.work}" for name, experiment in EXPERIMENTS.items()))
        return 0
    if options.words == ["report"]:
        from benchmarks.report import write_report

        return write_report(quick=options.quick)
    return measure(options.words, quick=options.quick)


def measure(words: list[str], *, quick: bool) -> int:
    """Measure experiments, show each row as it comes, and keep the results."""
    try:
        experiments = find_experiments(words)
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return 2
    results = Results.open(TRIAL if quick else LATEST)
    command = " ".join(["./scripts/bench", *words, *(["--quick"] if quick else [])])
    failed = []
    for experiment in experiments:
        try:
            figures = run_experiment(experiment, quick=quick)
        except RuntimeError as error:
            failed.append(str(error))
            continue
        results.add(experiment.name, datetime.now(UTC).strftime("%Y-%m-%d %H:%M"), command, figures)
        show(experiment.name, results)
    for text in failed:
        print(text, file=sys.stderr)
    return 1 if failed else 0


def show(name: str, results: Results) -> None:
    """Show what an experiment found, in a line."""
    row = next((row for row in ROWS if row.name == name), None)
    if row is None:
        print(f"{name}: measured", flush=True)
        return
    comparison = compare(results.measured[name]["figures"], row.compared, row.goal)
    print(f"{name}: {' | '.join(format_row(row, comparison)[2:])}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
