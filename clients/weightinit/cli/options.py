"""Options: those that several commands share."""

import math
import re
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from weightinit.cli.screen import Screen

if TYPE_CHECKING:
    from argparse import _ArgumentGroup as ArgumentGroup

    from weightinit.client import Client


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its summary, examples, options and function.

    `run` returns the exit status, None for 0; a command without it has subcommands. `failure` is the exit
    status after an error. `notes` are shown in its help.
    """

    name: str
    summary: str
    examples: tuple[str, ...]
    add_options: Callable[[ArgumentParser], None] = lambda _parser: None
    run: Callable[[Namespace, Screen], int | None] | None = None
    notes: str = ""
    failure: int = 1
    commands: tuple["Command", ...] = ()


class UsageError(Exception):
    """An invalid command line that only the command itself can detect."""


STDIN = STDOUT = "-"
# Copies of constants in weightinit.models and weightinit.spec, which are too slow to import for the help.
DTYPE_NAMES = ("float32", "float64", "float16", "bfloat16")
FILE_SUFFIXES = (".yaml", ".yml", ".json")
SHAPE = re.compile(r"[0-9]{1,19}([,x×][0-9]{1,19})*", re.ASCII)


def parse_shape(text: str) -> tuple[int, ...]:
    """Parse a shape such as `784,300` or `784x300`.

    >>> parse_shape("3x3x64x128")
    (3, 3, 64, 128)
    """
    if not SHAPE.fullmatch(text):
        raise ArgumentTypeError(f"{text!r} is not a shape, such as 784,300")
    return tuple(int(length) for length in re.split("[,x×]", text))


def parse_layer(text: str) -> tuple[int, ...] | str:
    """Parse a shape; return the name of a file, or `-` for standard input, unchanged.

    >>> parse_layer("784,300"), parse_layer("layer.yaml"), parse_layer("-")
    ((784, 300), 'layer.yaml', '-')
    """
    if text == STDIN or PurePath(text).suffix in FILE_SUFFIXES:
        return text
    try:
        return parse_shape(text)
    except ArgumentTypeError as error:
        raise ArgumentTypeError(f"{error}, nor a file ({', '.join(FILE_SUFFIXES)})") from None


def parse_url(text: str) -> str:
    """Return the URLs of a service after checking them."""
    from weightinit.errors import ConfigurationError
    from weightinit.transport.urls import parse_endpoints

    try:
        parse_endpoints(text)
    except ConfigurationError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def parse_seconds(text: str) -> float:
    """Parse a number greater than 0."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ArgumentTypeError(f"must be a number of seconds greater than 0; received {text!r}")
    return seconds


def parse_count(text: str) -> int:
    """Parse a natural number."""
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"must be a number, 0 or greater; received {text!r}")
    return int(text)


# The client's arguments in its messages.
ARGUMENT = re.compile(r"\b(url|token|author|timeout|retries|verify|progress)=(?=\s)")


def name_options(message: str) -> str:
    """Replace the client's arguments in a message by options.

    >>> name_options("set url= or WEIGHTINIT_URL")
    'set --url or WEIGHTINIT_URL'
    """
    return ARGUMENT.sub(r"--\1", message.replace("cache= or ", ""))


GLOBAL_DEFAULTS = {
    "url": None,
    "token": None,
    "timeout": None,
    "retries": None,
    "json": False,
    "quiet": False,
}


def add_global_options(parser: ArgumentParser) -> "ArgumentGroup":
    """Add the options that may be before or after the command. Their defaults are GLOBAL_DEFAULTS."""
    group = parser.add_argument_group("global options")
    add = group.add_argument
    add("-h", "--help", action="help", help="show this help")
    add("--json", action="store_true", default=SUPPRESS, help="write one JSON object per line")
    add("-q", "--quiet", action="store_true", default=SUPPRESS, help="write only results and errors")
    add(
        "--url",
        type=parse_url,
        default=SUPPRESS,
        help="URL of the service, or comma-separated URLs of its replicas [WEIGHTINIT_URL]",
    )
    add(
        "--token",
        default=SUPPRESS,
        help="bearer token; visible in the list of processes, so prefer WEIGHTINIT_TOKEN",
    )
    add(
        "--timeout",
        type=parse_seconds,
        default=SUPPRESS,
        metavar="S",
        help="seconds to wait for a byte from the service [WEIGHTINIT_TIMEOUT]",
    )
    add(
        "--retries",
        type=parse_count,
        default=SUPPRESS,
        metavar="N",
        help="number of retries; default: 5",
    )
    return group


def parse_numbers(text: str) -> tuple[float, ...]:
    """Parse numbers separated by commas.

    >>> parse_numbers("2,1")
    (2, 1)
    """
    try:
        numbers = tuple(float(item) for item in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"must be numbers separated by commas; received {text!r}") from None
    return tuple(int(number) if number.is_integer() else number for number in numbers)


def add_spec_options(parser: ArgumentParser) -> None:
    """Add the options of a layer spec. The service validates them."""
    add = parser.add_argument_group("the layer").add_argument
    add("--activation", metavar="NAME", help="following activation, by any framework's name")
    add("--activation-parameter", type=parse_numbers, metavar="A", help="for preserve: its slope, α or λ")
    add("--layout", metavar="AXES", help="keras, torch, or a letter for each axis: HWIO, OI, IOO, …")
    add("--groups", type=int, metavar="N", help="groups of a grouped convolution")
    add("--transposed", action="store_true", default=None, help="a transposed convolution")
    add("--stride", type=parse_numbers, metavar="N", help="stride, such as 2, or 2,1 for each spatial axis")
    add("--fan-in", type=int, metavar="N", help="replaces the fan derived from the shape")
    add("--fan-out", type=int, metavar="N", help="likewise")
    add("--fans-as", metavar="NAME", help="count fans as keras, torch or jax does, by the shape alone")
    add(
        "--scheme",
        metavar="NAME",
        help="auto, glorot, he, lecun, variance_scaling, preserve, explicit, orthogonal, delta_orthogonal, "
        "identity, dirac, sparse, constant, zeros, ones, he_normal, …",
    )
    add("--scale", type=float, metavar="X", help="for variance_scaling: variance = scale / fan")
    add("--mode", metavar="FAN", help="fan_in, fan_out, fan_avg or fan_geo_avg")
    add("--negative-slope", type=float, metavar="A", help="slope of a leaky ReLU below 0")
    add("--gain", type=float, metavar="X", help="multiplies σ")
    add("--distribution", metavar="NAME", help="uniform, normal or truncated_normal")
    add("--stddev", type=float, metavar="X", help="σ of the weights, independent of the fans")
    add("--parent-stddev", type=float, metavar="X", help="σ of a truncated normal before truncation")
    add("--limit", type=float, metavar="X", help="r of a uniform distribution on (-r, r)")
    add("--lower", type=float, metavar="X", help="lower cut of a truncated normal, in its σ; default: -2")
    add("--upper", type=float, metavar="X", help="upper cut; default: 2")
    add("--low", type=float, metavar="X", help="least value, of a uniform or truncated normal distribution")
    add("--high", type=float, metavar="X", help="end of the values, likewise")
    add("--mean", type=float, metavar="X", help="mean of the normal, or shift of the uniform distribution")
    add("--sparsity", type=float, metavar="S", help="for sparse: share of zeros in each unit")
    add("--sparsity-axis", metavar="AXIS", help="for sparse: I, or O as in PyTorch; default: I")
    add("--center", metavar="NAME", help="centre of even kernels: same, or torch; default: same")
    add("--constant", type=float, metavar="X", help="the value of all elements")
    add("--dtype", choices=DTYPE_NAMES, help="default: float32")


def add_transfer_options(parser: ArgumentParser) -> None:
    """Add the options of a transfer."""
    group = parser.add_argument_group("the transfer")
    group.add_argument(
        "--verify", action="store_true", default=None, help="check the SHA-256 [WEIGHTINIT_VERIFY]"
    )
    group.add_argument(
        "--progress", action=BooleanOptionalAction, help="show a progress bar; default: for long transfers"
    )


def add_yes_option(parser: ArgumentParser) -> None:
    """Add the option that skips the prompt."""
    parser.add_argument("-y", "--yes", action="store_true", help="skip the confirmation prompt")


def make_client(arguments: Namespace, **changes: float) -> "Client":
    """Return the client that the options configure."""
    from weightinit.client import Client

    wants_progress = getattr(arguments, "progress", None)
    given: dict[str, Any] = {
        name: getattr(arguments, name) for name in ("url", "token", "timeout", "retries")
    }
    return Client(
        **{**given, **changes},
        verify=getattr(arguments, "verify", None),
        progress=False if arguments.quiet and wants_progress is None else wants_progress,
    )
