"""weightinit completion: print a completion script for a shell."""

import sys
from argparse import ArgumentParser, Namespace

from weightinit.cli.options import Command
from weightinit.cli.screen import Screen

SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))


def run(arguments: Namespace, _screen: Screen) -> None:
    """Print the completion script for the shell."""
    from weightinit.errors import ConfigurationError

    try:
        from argcomplete.shell_integration import shellcode
    except ImportError:
        raise ConfigurationError("completion needs argcomplete: pip install 'weightinit[cli]'") from None
    sys.stdout.write(shellcode(["weightinit"], shell=arguments.shell) + "\n")


COMMAND = Command(
    "completion",
    "print a completion script for a shell",
    (
        'eval "$(weightinit completion bash)"   # in ~/.bashrc; or zsh, in ~/.zshrc',
        "weightinit completion fish | source    # in ~/.config/fish/config.fish",
    ),
    add_options,
    run,
    notes="The command needs argcomplete: pip install 'weightinit[cli]'.",
)
