"""Links: the canonical URLs of specs, models and names."""

from urllib.parse import quote

from service.core import LayerSpec
from service.core.models.names import ModelName

PARAMETERS = "/v1/parameters"
WEIGHTS = "/v1/weights"
MODELS = "/v1/models"
CANONICAL = "/v1/canonical"
MODEL = MODELS + "/{id}"
NAMES = "/v1/names"
NAME = NAMES + "/{team}/{name}/{version}"
CURRENT = "/v1/token"
TOKENS = "/v1/tokens"
AUDIT = "/v1/audit"
SAFE = "-._~,:/!*'()"


def link_parameters(spec: LayerSpec, root_path: str = "") -> str:
    """Return the URL of a spec's parameters, which do not depend on seed and name."""
    return _link(root_path + PARAMETERS, spec, exclude={"seed", "name"})


def link_weights(spec: LayerSpec, slice_text: str, root_path: str = "") -> str:
    """Return the URL of a spec's weights or a slice of them.

    >>> link_weights(LayerSpec(shape=(784, 300), activation="ReLU", seed=42, name="a b"), "0:128")
    '/v1/weights?shape=784,300&activation=relu&seed=42&name=a%20b&slice=0:128'
    """
    url = _link(root_path + WEIGHTS, spec, exclude=set())
    return f"{url}&slice={slice_text}" if slice_text else url


def link_model(model_id: str, root_path: str = "") -> str:
    """Return the URL of a model."""
    return f"{root_path}{MODELS}/{model_id}"


def link_names(prefix: str, limit: int, after: ModelName, root_path: str = "") -> str:
    """Return the URL of the page of names that follows a name.

    >>> link_names("vision/", 20, ModelName("vision", "vit", "1.0"))
    '/v1/names?prefix=vision/&limit=20&after=vision/vit/1.0'
    """
    return f"{root_path}{NAMES}?prefix={prefix}&limit={limit}&after={after}"


def link_audit(team: str | None, limit: int, after: int, root_path: str = "") -> str:
    """Return the URL of the page of changes that follows a change.

    >>> link_audit("vision", 20, 7)
    '/v1/audit?team=vision&limit=20&after=7'
    """
    given = f"team={team}&" if team else ""
    return f"{root_path}{AUDIT}?{given}limit={limit}&after={after}"


def _link(path: str, spec: LayerSpec, exclude: set[str]) -> str:
    values = spec.model_dump(exclude=exclude, exclude_defaults=True)
    return path + "?" + "&".join(f"{name}={_write(value)}" for name, value in values.items())


def _write(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else quote(str(value), SAFE)
