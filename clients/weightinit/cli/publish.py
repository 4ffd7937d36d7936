"""weightinit publish: a model of a file, published and named."""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import replace

from weightinit.cli.options import Command, add_service_options, make_client
from weightinit.models import Publication, read_model

NEXT = """\
{news}: {tensors} tensors, {elements:,} elements, {nbytes:,} bytes
{advice}next:
  weightinit show {reference}
  weightinit pull {reference} -o model.safetensors
  weightinit.torch.initialize_(model, "{reference}")
"""
ADVICE = "It has no name yet: publish it again with --as team/name/version, and people can remember it.\n"


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("file", metavar="FILE", help="the model, .yaml, .yml or .json")
    parser.add_argument(
        "--as", dest="name", metavar="NAME", help="what it is called, for ever: team/name/version"
    )
    parser.add_argument("--seed", metavar="N", help="another seed than the file's")
    parser.add_argument("--author", help="who publishes it, if not who is logged in [WEIGHTINIT_AUTHOR]")
    parser.add_argument("--note", default="", metavar="TEXT", help="why, for those who find the name")
    add_service_options(parser)


def run(arguments: Namespace) -> None:
    """Print the id on standard output, and what to do next beside it."""
    model = read_model(arguments.file)
    if arguments.seed is not None:
        model = replace(model, seed=arguments.seed)
    with make_client(arguments) as client:
        done = client.publish(model, name=arguments.name, author=arguments.author, note=arguments.note)
    sys.stdout.write(f"{done.id}\n")
    sys.stdout.flush()
    sys.stderr.write(_describe(done))


def _describe(done: Publication) -> str:
    return NEXT.format(
        news="published" if done.is_new else "was published already",
        tensors=done.tensors,
        elements=done.elements,
        nbytes=done.nbytes,
        advice="" if done.name else ADVICE,
        reference=done.name or done.id,
    )


COMMAND = Command(
    "publish",
    "publish a model of a file, and give it a name",
    "weightinit publish examples/resnet50.yaml --as vision/resnet50/1",
    add_options,
    run,
    notes="""\
Its id is the SHA-256 of what it says, so that to publish it twice changes nothing.
A name stands for one model for ever: for a change, take the next version.
`weightinit show FILE` shows what a file comes to, and publishes nothing.""",
)
