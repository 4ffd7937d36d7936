"""The commands, in the order in which help lists them."""

from weightinit.cli.commands import (
    cache,
    completion,
    diff,
    listing,
    parameters,
    publish,
    pull,
    resolve,
    retire,
    show,
    status,
    weights,
)

MODULES = (
    parameters,
    weights,
    publish,
    show,
    pull,
    listing,
    resolve,
    diff,
    retire,
    status,
    cache,
    completion,
)
COMMANDS = tuple(module.COMMAND for module in MODULES)
