"""Settings: from arguments, else from the environment, else defaults."""

import getpass
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from weightinit.errors import ConfigurationError
from weightinit.transport.retry import Retry
from weightinit.transport.urls import parse_endpoints

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_TIMEOUT = 30.0
DEFAULT_CACHE_GIB = 10.0

# By platform: the variable with the folder of caches, and the default folder in the home directory.
CACHE_DIRECTORIES = {
    "win32": ("LOCALAPPDATA", "AppData", "Local"),
    "darwin": ("", "Library", "Caches"),
    "linux": ("XDG_CACHE_HOME", ".cache"),
}

SWITCHES = {"": None, "0": False, "false": False, "no": False, "off": False} | dict.fromkeys(
    ("1", "true", "yes", "on"), True
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a client. `timeout` is in seconds without a byte, `cache_limit` in bytes."""

    endpoints: tuple[str, ...]
    token: str | None = field(repr=False)
    timeout: float
    retry: Retry
    cache: Path | None
    cache_limit: int
    verify: bool
    offline: bool = False


def resolve_settings(
    url: str | Sequence[str] | None = None,
    *,
    token: str | None = None,
    timeout: float | None = None,
    retries: int | Retry | None = None,
    cache: bool | str | os.PathLike[str] | None = None,
    verify: bool | None = None,
    offline: bool | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings of a client, given its arguments; None is not given. Raises ConfigurationError.

    >>> resolve_settings(environment={"WEIGHTINIT_URL": "http://a:8000, http://b:8000"}).endpoints
    ('http://a:8000', 'http://b:8000')
    """
    variables = os.environ if environment is None else environment
    if retries is None:
        retries = Retry()
    if offline is None:
        offline = _read_switch("WEIGHTINIT_OFFLINE", variables)
    if cache is None:
        cache = variables.get("WEIGHTINIT_CACHE") or offline  # offline mode needs a cache
    return Settings(
        endpoints=parse_endpoints(url or variables.get("WEIGHTINIT_URL") or DEFAULT_URL),
        token=token or variables.get("WEIGHTINIT_TOKEN") or None,
        timeout=_check_positive(
            "timeout",
            timeout if timeout is not None else variables.get("WEIGHTINIT_TIMEOUT") or DEFAULT_TIMEOUT,
        ),
        retry=retries if isinstance(retries, Retry) else Retry(attempts=1 + max(0, retries)),
        cache=_find_cache(cache),
        cache_limit=int(
            _check_positive("cache size", variables.get("WEIGHTINIT_CACHE_GIB") or DEFAULT_CACHE_GIB) * 2**30
        ),
        verify=_read_switch("WEIGHTINIT_VERIFY", variables) if verify is None else verify,
        offline=offline,
    )


def find_author(author: str | None = None) -> str:
    """Return the author: as given, WEIGHTINIT_AUTHOR, or who is logged in. Raises ConfigurationError.

    >>> find_author("Ada")
    'Ada'
    """
    if variables := author or os.environ.get("WEIGHTINIT_AUTHOR"):
        return variables
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise ConfigurationError("the user name is unknown: set author= or WEIGHTINIT_AUTHOR") from None


def find_cache_directory(platform: str = sys.platform) -> Path:
    """Return the user's cache directory of this client. Raises ConfigurationError.

    On Linux it follows the XDG Base Directory Specification, which ignores relative paths.
    """
    variable, *folders = CACHE_DIRECTORIES.get(platform, CACHE_DIRECTORIES["linux"])
    given = Path(os.environ.get(variable, ""))
    try:
        return (given if given.is_absolute() else Path.home().joinpath(*folders)) / "weightinit"
    except RuntimeError:
        rule = "needs a directory, since the home directory is unknown: set cache= or WEIGHTINIT_CACHE"
        raise ConfigurationError(f"the cache {rule}") from None


def _find_cache(cache: bool | str | os.PathLike[str]) -> Path | None:  # noqa: FBT001 - True, False or a path
    switch = SWITCHES.get(cache.lower(), cache) if isinstance(cache, str) else cache
    if switch is True:
        return find_cache_directory()
    return Path(switch).expanduser() if switch else None


def _check_positive(name: str, value: float | str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ConfigurationError(f"{name} must be a number greater than 0; received {value!r}")
    return number


def _read_switch(name: str, variables: Mapping[str, str]) -> bool:
    text = variables.get(name, "")
    if text.lower() not in SWITCHES:
        raise ConfigurationError(f"{name} must be 1 or 0; received {text!r}")
    return bool(SWITCHES[text.lower()])
