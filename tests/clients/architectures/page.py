"""Generate docs/architectures.md from a survey."""

from pathlib import Path

from tests.clients.architectures.survey import CERTAINTIES, LIBRARIES

PAGE = Path(__file__).parents[3] / "docs" / "architectures.md"
HEAD = """\
# Architectures

The tables show how `weightinit.torch.plan` and `weightinit.keras.plan` initialize the models of
{listed}, without rules. Each row counts a model's kernels by how sure the plan
is of [the activation that follows](activations.md): certain, guessed or unknown.
`plan` warns of unknown ones.

The models have no pretrained weights. Those of up to 100 million elements have values:

| library | models |
|---|---|
| torchvision | all |
| timm | two of each module |
| transformers | the base models of every third model type, with two layers |
| keras.applications | all |

Separate tests check the activations of 48 architectures against records made from their code.

To make this page again, run `KERAS_BACKEND=torch python -m tests.clients.architectures.page`.
"""


def make_page(surveys):
    """Return docs/architectures.md for the surveys, by library."""
    parts = [HEAD.format(listed=join(list(surveys))), make_totals(surveys)]
    for library, found in surveys.items():
        parts.append(f"## {library}\n\n{make_table(found)}")
        parts += [
            f"{label}:\n\n" + "".join(f"- {row.name}: `{why}`\n" for row, why in failed)
            for label, failed in [
                ("Not planned", [(row, row.unplanned) for row in found if row.unplanned]),
                ("Not built", [(row, row.unbuilt) for row in found if row.unbuilt]),
            ]
            if failed
        ]
    return "\n".join(parts)


def make_totals(surveys):
    """Return the table of all libraries."""
    lines = [
        "| library | models | certain | guessed | unknown | not planned | not built |",
        "|---|" + "---:|" * 6,
    ]
    for library, found in surveys.items():
        counts = [sum(getattr(row, word) for row in found) for word in CERTAINTIES]
        failed = [sum(bool(getattr(row, word)) for row in found) for word in ("unplanned", "unbuilt")]
        cells = [sum(row.is_counted for row in found), *counts, *failed]
        lines.append(f"| {library} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def make_table(found):
    """Return the table of a library's models."""
    lines = [
        "| model | certain | guessed | unknown | most of what is not certain |",
        "|---|---:|---:|---:|---|",
    ]
    lines += [
        f"| {row.name} | {row.certain} | {row.guessed} | {row.unknown} | {row.why} |"
        for row in found
        if row.is_counted
    ]
    return "\n".join(lines) + "\n"


def join(names):
    """Join names with commas and "and"."""
    return ", ".join(names[:-1]) + " and " + names[-1]


def write_page():
    """Regenerate docs/architectures.md."""
    PAGE.write_text(make_page({library: run() for library, run in LIBRARIES.items()}), encoding="utf-8")


if __name__ == "__main__":
    write_page()
