"""weightinit pull: write a published model to a safetensors file."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from weightinit.cli.options import STDOUT, Command, add_transfer_options, make_client
from weightinit.cli.pipes import open_pipe
from weightinit.cli.screen import Screen
from weightinit.cli.sources import find_model_id

if TYPE_CHECKING:
    from weightinit.client import Client


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("reference", metavar="MODEL", help="its id, or its name: team/name/version")
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="file, or - for standard output"
    )
    parser.add_argument("--force", action="store_true", help="write the file even if it is up to date")
    add_transfer_options(parser)


def run(arguments: Namespace, screen: Screen) -> None:
    """Write the file, unless it is up to date, and print its SHA-256 as sha256sum does."""
    with make_client(arguments) as client:
        model = find_model_id(client, arguments.reference)
        if arguments.output == STDOUT:
            _pull_to_pipe(client, model, screen)
            return
        path = Path(arguments.output)
        known = None if arguments.force else _find_whole(client, model, path)
        digest = known or client.pull(model, path)
    if screen.as_json:
        result = {"model": model, "path": arguments.output, "sha256": digest, "bytes": path.stat().st_size}
        screen.write_json({**result, "is_new": known is None})
        return
    screen.write(f"{digest}  {arguments.output}")
    if known:
        screen.say(f"{arguments.output} is up to date")


def _pull_to_pipe(client: "Client", model: str, screen: Screen) -> None:
    from weightinit.transport.requests import make_model_query

    with open_pipe(screen) as sink:
        client.transfer(make_model_query(model, "/weights"), sink, None)
        digest = sink.compute_digest().hex()
    screen.say(f"{digest}  -")


def _find_whole(client: "Client", model: str, path: Path) -> str | None:
    """Return the SHA-256 of a file if it is the model's; None if it must be pulled."""
    from weightinit.download import has_content
    from weightinit.transport.requests import make_model_query

    digest = has_content(client, path, make_model_query(model, "/weights"))
    return digest.hex() if digest else None


COMMAND = Command(
    "pull",
    "write a published model to a safetensors file",
    (
        "weightinit pull vision/resnet50/1 -o resnet50.safetensors",
        "weightinit pull vision/resnet50/1 -o - | sha256sum",
    ),
    add_options,
    run,
    notes="""\
The file appears only when it is complete. The same command resumes an interrupted download, and
skips a file that has the model's SHA-256 already, unless --force is set. The service sends the SHA-256 of
files up to a size that its operator sets (1 GiB); longer ones are written again.
The command prints the SHA-256, which is the same for everyone, for `sha256sum --check`.""",
)
