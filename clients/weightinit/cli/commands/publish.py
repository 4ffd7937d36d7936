"""weightinit publish: publish a model from a file, and name it."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from weightinit.cli.asking import ask, can_ask
from weightinit.cli.options import Command, add_yes_option, make_client
from weightinit.cli.screen import Screen
from weightinit.cli.sources import read_source
from weightinit.cli.text import write_count

if TYPE_CHECKING:
    from weightinit.client import Client
    from weightinit.models import Model, Publication

NEXT = """\
{news}: {tensors} tensors, {elements:,} elements, {nbytes:,} bytes
{advice}next:
  weightinit show {reference}
  weightinit pull {reference} -o model.safetensors
  weightinit.torch.initialize_(model, "{reference}")"""
ADVICE = "It has no name yet: to name it, publish it again with --as team/name/version.\n"


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("file", metavar="FILE", help=".yaml, .yml or .json; or - for standard input")
    parser.add_argument("--as", dest="name", metavar="NAME", help="its permanent name: team/name/version")
    parser.add_argument("--seed", metavar="N", help="replaces the file's seed")
    parser.add_argument("--author", help="author; default: the logged-in user [WEIGHTINIT_AUTHOR]")
    parser.add_argument("--note", default="", metavar="TEXT", help="note that is shown with the name")
    add_yes_option(parser)


def run(arguments: Namespace, screen: Screen) -> None:
    """Print the id on standard output, and the next steps on standard error."""
    with make_client(arguments) as client:
        model = read_source(arguments.file).read_model(client.expand)
        if arguments.seed is not None:
            model = replace(model, seed=arguments.seed)
        if arguments.name is not None and can_ask() and not arguments.yes:
            _ask_about_name(client, model, arguments)
        done = client.publish(model, name=arguments.name, author=arguments.author, note=arguments.note)
    if screen.as_json:
        screen.write_json(asdict(done))
        return
    screen.write(done.id)
    for line in _describe(done).splitlines():
        screen.say(line)


def _ask_about_name(client: "Client", model: "Model", arguments: Namespace) -> None:
    """Ask for confirmation if the name is new, since a name is permanent."""
    from weightinit.errors import NotFound

    try:
        client.resolve(arguments.name)
    except NotFound:
        what = f"{arguments.file} with seed {model.seed} ({write_count(len(model.tensors), 'tensor')})"
        ask(f"{arguments.name} will refer to {what} permanently. Publish?", arguments)


def _describe(done: "Publication") -> str:
    return NEXT.format(
        news="published" if done.is_new else "already published",
        tensors=done.tensors,
        elements=done.elements,
        nbytes=done.nbytes,
        advice="" if done.name else ADVICE,
        reference=done.name or done.id,
    )


COMMAND = Command(
    "publish",
    "publish a model from a file, and name it",
    (
        "weightinit publish examples/resnet50.yaml --as vision/resnet50/1",
        "weightinit publish - --as vision/mlp/1 < examples/mnist-mlp.yaml",
    ),
    add_options,
    run,
    notes="""\
The id is the SHA-256 of the model, so publishing it again has no effect.
A name refers to one model permanently: for a change, use the next version. On a terminal, the command asks
for confirmation before it adds a name, unless --yes is set; a script is not asked.
`weightinit show FILE` shows a model without publishing it. --quiet prints only the id.""",
)
