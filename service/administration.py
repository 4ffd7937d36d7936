"""The commands `token` and `audit`. They use the storage itself, so they need no token and no server."""

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import orjson

from service.core.access import ALL_TEAMS, SCOPES
from service.settings import Settings

if TYPE_CHECKING:
    from service.store import Store

PAGE = 1000  # changes read at once

EXAMPLES = """\
Examples:
  python -m service token create --team vision --scope publish --days 90
  python -m service token list
  python -m service token revoke 5f0c9b7e21d4

To rotate a token, create another one, give it to its users, and revoke the
first.
"""


def add_commands(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", storage: argparse.ArgumentParser
) -> None:
    """Add the commands to a parser. `storage` has the options of the storage."""
    token = commands.add_parser(
        "token",
        help="create, list and revoke tokens",
        description="Create, list and revoke tokens, which requests need to publish and retire.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    actions = token.add_subparsers(metavar="ACTION", required=True)
    create = add_action(actions, "create", "create a token, and print it", storage)
    create.add_argument("--team", required=True, help=f"team of the names; {ALL_TEAMS} for all teams")
    create.add_argument(
        "--scope",
        dest="scopes",
        action="append",
        required=True,
        choices=SCOPES,
        help="what the token allows; repeat it for several",
    )
    create.add_argument("--note", default="", help="who or what uses the token")
    create.add_argument("--days", type=int, help="days after which it expires (default: never)")
    create.set_defaults(run=partial(run_action, create_token))
    listing = add_action(actions, "list", "list the tokens that are not revoked", storage)
    listing.add_argument("--team", help="only those of a team (default: all)")
    listing.set_defaults(run=partial(run_action, list_tokens))
    revoke = add_action(actions, "revoke", "revoke a token", storage)
    revoke.add_argument("id", help="id of the token: 12 hexadecimal digits")
    revoke.set_defaults(run=partial(run_action, revoke_token))
    audit = commands.add_parser(
        "audit",
        help="print who published, retired and managed tokens",
        description="Print the audit trail: a JSON object for each change, oldest first.",
        parents=[storage],
        allow_abbrev=False,
    )
    audit.add_argument("--team", help="only changes to what a team owns (default: all)")
    audit.set_defaults(run=partial(run_action, print_audit))


def add_action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    text: str,
    storage: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    """Add the parser of an action on tokens, and return it."""
    sentence = f"{text.capitalize()}."
    return actions.add_parser(name, help=text, description=sentence, parents=[storage], allow_abbrev=False)


def run_action(action: Callable[..., None], settings: Settings, **options: object) -> int:
    """Run an action on the store of the settings, and return the exit status."""
    from service.core import SpecError
    from service.store import Store, StoreFullError, StoreUnavailableError, TooManyTokensError

    store = Store.of(settings)
    try:
        action(store, **options)
        sys.stdout.flush()
    except (SpecError, StoreFullError, StoreUnavailableError, TooManyTokensError) as error:
        print(f"weightinit: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 1
    finally:
        store.close()
    return 0


def create_token(store: "Store", **fields: object) -> None:
    """Create a token, and print its text."""
    from service.api.schemas.tokens import TokenRequest
    from service.core.access import Secret

    secret = Secret.make()
    token = TokenRequest.parse(fields).make_token(secret)
    store.put_token(token)
    until = f"until {token.expires:%Y-%m-%d}" if token.expires else "until it is revoked"
    print(secret.text)
    print(f"The token {token.id} is valid {until}. It is shown only now.", file=sys.stderr)


def check_team(team: str | None) -> None:
    """Check the team of a listing. Raises SpecError."""
    from service.api.schemas.tokens import AuditRequest

    AuditRequest.parse({} if team is None else {"team": team})


def list_tokens(store: "Store", team: str | None) -> None:
    """Print the tokens that are not revoked, as a table."""
    check_team(team)
    rows = [("ID", "TEAM", "SCOPES", "EXPIRES", "NOTE")]
    for token in store.list_tokens(team):
        expires = "never" if token.expires is None else f"{token.expires:%Y-%m-%d}"
        if not token.is_valid(datetime.now(UTC)):
            expires = "expired"
        scopes = ",".join(scope for scope in SCOPES if scope in token.scopes)
        rows.append((token.id, token.team, scopes, expires, token.note))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows if len(rows) > 1 else ():
        print("  ".join(map(str.ljust, row, widths)).rstrip())


def revoke_token(store: "Store", id: str) -> None:  # noqa: A002 - as the option is called
    """Revoke a token. Raises SpecError if there is none with this id."""
    from service.core.errors import make_spec_error

    if store.revoke_token(id) is None:
        raise make_spec_error("id", "must be the id of a token", id)


def print_audit(store: "Store", team: str | None) -> None:
    """Print the audit trail, a JSON object for each change, as GET /v1/audit returns it."""
    from service.api.schemas.tokens import AuditRecord

    check_team(team)
    last = 0
    while page := store.list_audit(team, last, PAGE):
        for entry in page:
            print(orjson.dumps(AuditRecord.of(entry), option=orjson.OPT_UTC_Z).decode())
        last = page[-1].number
