"""Tokens for tests: made in the storage of a running server, as an administrator does."""

import re
import subprocess
import sys
from pathlib import Path

import httpx

from service.api.schemas.tokens import TokenRequest
from service.core.access import Secret
from service.settings import Settings
from service.store import Store

TOKEN = re.compile(r"wi_[0-9a-f]{12}_[A-Za-z0-9_-]{43}\n")


def run_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the service on a data directory."""
    command = [sys.executable, "-m", "service", *arguments, "--data-directory", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def create_token(folder: Path, *scopes: str, team: str = "vision", **fields: object) -> str:
    """Create a token in the storage of a data directory, as the command line does, and return its text."""
    secret = Secret.make()
    request = TokenRequest.parse({"team": team, "scopes": list(scopes), **fields})
    store = Store.of(Settings(data_directory=folder))
    store.put_token(request.make_token(secret))
    store.close()
    return secret.text


def bear(token: str) -> dict[str, str]:
    """Return the header with a token; none for an empty one."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def publish_model(client: httpx.Client, token: str = "", seed: int = 1) -> httpx.Response:
    """Publish a small model."""
    model = {"seed": seed, "tensors": [{"name": "w", "shape": [3, 3]}]}
    return client.post("/v1/models", json=model, headers=bear(token))


def publish_name(client: httpx.Client, name: str, model: str, token: str = "") -> httpx.Response:
    """Publish a name."""
    body = {"model": model, "author": "ada"}
    return client.put(f"/v1/names/{name}", json=body, headers=bear(token))


def retire_name(client: httpx.Client, name: str, token: str = "") -> httpx.Response:
    """Retire a name."""
    return client.delete(f"/v1/names/{name}", params={"author": "ada"}, headers=bear(token))
