"""Options: what commands have in common, how to ask and what for."""

import re
from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from weightinit.errors import NotFound
from weightinit.models import Model, TensorParameters, read_model
from weightinit.models.files import MAX_FILE_BYTES, is_document
from weightinit.spec.dtypes import DTYPES
from weightinit.spec.layer import Spec

if TYPE_CHECKING:
    from weightinit.client import Client


@dataclass(frozen=True, slots=True)
class Command:
    """A verb: its summary, an example of its use, the options it adds, and what it does with them.

    `run` returns the exit status where it is another than 0. `notes` are for who asks for help.
    """

    name: str
    summary: str
    example: str
    add_options: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], int | None]
    notes: str = ""


SHAPE = re.compile(r"[0-9]{1,19}([,x×][0-9]{1,19})*", re.ASCII)


def parse_shape(text: str) -> tuple[int, ...]:
    """Parse a shape such as `784,300` or `784x300`.

    >>> parse_shape("3x3x64x128")
    (3, 3, 64, 128)
    """
    if not SHAPE.fullmatch(text):
        raise ArgumentTypeError(f"{text!r} is not a shape, such as 784,300")
    return tuple(int(length) for length in re.split("[,x×]", text))


def add_spec_options(parser: ArgumentParser) -> None:
    """Add the options that say a layer spec. What they mean is the service's to say."""
    group = parser.add_argument_group("the layer")
    group.add_argument("shape", type=parse_shape, metavar="SHAPE", help="kernel shape: 784,300 or 784x300")
    group.add_argument(
        "--activation", metavar="NAME", help="the activation that follows, by any framework's name"
    )
    group.add_argument(
        "--layout", metavar="AXES", help="keras, torch, or a letter for each axis: HWIO, OI, IOO, …"
    )
    group.add_argument("--groups", type=int, metavar="N", help="groups of a grouped convolution")
    group.add_argument("--fan-in", type=int, metavar="N", help="instead of deriving it from the shape")
    group.add_argument("--fan-out", type=int, metavar="N", help="likewise")
    group.add_argument(
        "--scheme", metavar="NAME", help="auto, glorot, he, lecun, variance_scaling, explicit, he_normal, …"
    )
    group.add_argument(
        "--scale", type=float, metavar="X", help="for variance_scaling: variance = scale / fan"
    )
    group.add_argument("--mode", metavar="FAN", help="fan_in, fan_out, fan_avg or fan_geo_avg")
    group.add_argument("--negative-slope", type=float, metavar="A", help="of a leaky rectifier")
    group.add_argument("--distribution", metavar="NAME", help="uniform, normal or truncated_normal")
    group.add_argument("--stddev", type=float, metavar="X", help="σ of the weights, whatever the fans")
    group.add_argument(
        "--parent-stddev", type=float, metavar="X", help="σ of a truncated normal before it is cut"
    )
    group.add_argument("--limit", type=float, metavar="X", help="r of a uniform distribution on (-r, r)")
    group.add_argument("--dtype", choices=DTYPES, help="default: float32")


def add_service_options(parser: ArgumentParser) -> None:
    """Add the options of the connection: URL, token, timeout, retries."""
    group = parser.add_argument_group("the service")
    group.add_argument("--url", help="where it is, several replicas separated by commas [WEIGHTINIT_URL]")
    group.add_argument(
        "--timeout", type=float, metavar="S", help="seconds without a byte [WEIGHTINIT_TIMEOUT]"
    )
    group.add_argument("--retries", type=int, metavar="N", help="how often to try again; default: 5")


def add_transfer_options(parser: ArgumentParser) -> None:
    """Add the options that say how a file is transferred."""
    group = parser.add_argument_group("the transfer")
    group.add_argument(
        "--verify", action="store_true", default=None, help="check the SHA-256 [WEIGHTINIT_VERIFY]"
    )
    group.add_argument(
        "--progress", action=BooleanOptionalAction, help="a progress bar; default: when it takes long"
    )


def make_spec(arguments: Namespace) -> Spec:
    """Make the spec that the options say."""
    given = {row.name: getattr(arguments, row.name, None) for row in fields(Spec)}
    return Spec(**{name: value for name, value in given.items() if value is not None})


def make_client(
    arguments: Namespace, *, verify: bool | None = None, progress: bool | None = None
) -> "Client":
    """Make the client that the options say. No option gives a token: others can see them."""
    from weightinit.client import Client  # slow to import, and not needed for --help

    return Client(
        arguments.url,
        timeout=arguments.timeout,
        retries=arguments.retries,
        verify=verify,
        progress=progress,
    )


HELP = (
    "a model's id, its name (team/name/version), or a file (.yaml, .yml or .json); "
    "what could be either is the file, where there is one"
)


class LoadedModel(NamedTuple):
    """A model and its parameters."""

    model: Model
    parameters: tuple[TensorParameters, ...]


def add_model_argument(parser: ArgumentParser, name: str) -> None:
    """Add the argument that says a model."""
    parser.add_argument(name, metavar=name.upper(), help=HELP)


def load_model(client: "Client", text: str) -> LoadedModel:
    """Load a model that an argument says. A file is not published by that."""
    if is_document(text):
        model = read_model(text)
        return LoadedModel(model, client.model_parameters(model))
    try:
        return LoadedModel(client.model(text), client.model_parameters(text))
    except NotFound as error:
        if Path(text).suffix in MAX_FILE_BYTES:
            error.add_note(f"nor is there a file {text}")
        raise
