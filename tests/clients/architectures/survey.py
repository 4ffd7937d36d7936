"""Survey architectures: count the kernels of each whose plan is certain, guessed or unknown."""

import re
import signal
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import keras
from weightinit.adapters.actions import Draw, Unknown
from weightinit.keras.plan import plan_variables
from weightinit.torch.plan import plan_parameters

from tests.clients.architectures.building import build, build_timm, build_torchvision, import_library
from tests.clients.architectures.records import find_kernels

CERTAINTIES = ("certain", "guessed", "unknown")
# The numbers of layers by the names that configurations give them: a few stand for all.
DEPTHS = [
    "num_hidden_layers",
    "n_layer",
    "n_layers",
    "num_layers",
    "encoder_layers",
    "decoder_layers",
    "num_encoder_layers",
    "num_decoder_layers",
    "encoder_num_hidden_layers",
    "decoder_num_hidden_layers",
    "num_block_layers",
]
SHALLOW = 2
MOST_VALUES = 100_000_000
# What names one kernel in a reason, at its beginning, and numbers.
REASONS = re.compile(r"^\S+ (?=\(|follows)|\d+(\.\d+)*")
SECONDS = 120


@dataclass(frozen=True)
class Surveyed:
    """A model and its counts, or the reason why it could not be built or planned."""

    name: str
    certain: int = 0
    guessed: int = 0
    unknown: int = 0
    why: str = ""
    unbuilt: str = ""
    unplanned: str = ""

    @property
    def is_counted(self):
        return not self.unbuilt and not self.unplanned


def survey_torch(name, make):
    """Survey a PyTorch model."""
    return survey(name, make, count_torch)


def count_torch(module):
    """Count a PyTorch module's kernels by the certainty of their worst block; return the main reason."""
    kernels = {id(parameter) for parameter in find_kernels(module).values()}
    certainties = {}
    plan = plan_parameters(module, strict=False)
    for tensor in plan:
        if id(tensor.target) in kernels:
            certainties.setdefault(id(tensor.target), set()).add(find_certainty(tensor))
    return Counter(find_worst(found) for found in certainties.values()), explain(plan)


def survey_keras(name):
    """Survey a model of keras.applications."""
    return survey(name, lambda: getattr(keras.applications, name)(weights=None), count_keras)


def count_keras(model):
    """Count the kernels of a Keras model by certainty; return the main reason for uncertain ones."""
    plan = plan_variables(model, None, 0, strict=False)
    return Counter(map(find_certainty, plan)), explain(plan)


def explain(plan):
    """Return the most frequent reason of the least certain kernels."""
    found = [(find_certainty(tensor), tensor.reason) for tensor in plan]
    worst = find_worst({certainty for certainty, _ in found})
    if worst == "certain":
        return ""
    reasons = Counter(REASONS.sub("…", reason) for certainty, reason in found if certainty == worst)
    return shorten(reasons.most_common(1)[0][0]) if reasons else ""


def shorten(text):
    """Shorten a text to fit into a table."""
    return text.replace("|", "/").replace("\n", " ")[:110].replace("`", "'")


def survey(name, make, count):
    """Count the kernels of a model; if that fails, return the reason."""
    with warnings.catch_warnings(action="ignore"):
        try:
            with limit_time():
                model = make()
        except Exception as error:  # noqa: BLE001 - of libraries; it is listed
            return Surveyed(name, unbuilt=describe(error))
        try:
            with limit_time():
                found, why = count(model)
        except Exception as error:  # noqa: BLE001 - of libraries; it is listed
            return Surveyed(name, unplanned=describe(error))
    return Surveyed(name, *(found[word] for word in CERTAINTIES), why)


def find_certainty(tensor):
    """Return how certain a tensor's plan is; None if it is not drawn for an activation."""
    if isinstance(tensor.action, Unknown):
        return "unknown"
    return (
        tensor.certainty if isinstance(tensor.action, Draw) and "activation" in tensor.action.layer else None
    )


def find_worst(certainties):
    """Return the least certain block of a kernel."""
    return next((word for word in reversed(CERTAINTIES) if word in certainties), None)


def describe(error):
    """Return the first line of an error, shortened to fit into a table."""
    line = next(iter(str(error).strip().splitlines()), "")
    return shorten(f"{type(error).__name__}: {line}")


@contextmanager
def limit_time():
    """Raise an error after too long a time."""

    def stop(*_):
        raise TimeoutError(f"longer than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def survey_torchvision():
    """Survey all of torchvision's models."""
    names = import_library("torchvision").models.list_models()
    return [survey_torch(name, partial(build_valued, build_torchvision, name)) for name in names]


def build_valued(build_named, name):
    """Build a model with values, which show e.g. a layer scale, unless it has too many."""
    model = build_named(name, device="meta")
    if sum(parameter.numel() for parameter in model.parameters()) > MOST_VALUES:
        return model
    return build_named(name, device="cpu")


def choose_timm():
    """Choose two of timm's models in each module: the first and the middle one by name."""
    timm = import_library("timm")
    chosen = []
    for module in timm.list_modules():
        names = timm.list_models(module=module, include_tags=False)
        chosen += dict.fromkeys([*names[:1], *names[len(names) // 2 :][:1]])
    return chosen


def survey_timm():
    """Survey two of timm's models of each module."""
    return [survey_torch(name, partial(build_valued, build_timm, name)) for name in choose_timm()]


def make_shallow(config):
    """Return a configuration with few layers, also in nested configurations; widths stay the same."""
    for name in DEPTHS:
        if isinstance(getattr(config, name, None), int):
            setattr(config, name, min(getattr(config, name), SHALLOW))
    for name in getattr(config, "sub_configs", {}):
        if (inner := getattr(config, name, None)) is not None:
            make_shallow(inner)
    return config


def build_by_type(kind, *, device="meta"):
    """Build the base model of a model type of transformers."""
    library = import_library("transformers")
    config = make_shallow(library.CONFIG_MAPPING[kind]())
    made = library.MODEL_MAPPING[type(config)]
    made = made[0] if isinstance(made, tuple) else made
    return build(lambda: made(config), device)


def choose_transformers():
    """Choose every third of the model types of transformers that have a base model, by name."""
    library = import_library("transformers")
    mapping, bases = library.CONFIG_MAPPING, library.MODEL_MAPPING
    return sorted(kind for kind in mapping if mapping[kind] in bases)[::3]


def survey_transformers():
    """Survey the base models of transformers, by model type."""
    return [survey_torch(kind, partial(build_valued, build_by_type, kind)) for kind in choose_transformers()]


def list_applications():
    """List the models of keras.applications."""
    found = vars(keras.applications).items()
    return sorted(name for name, made in found if callable(made) and name[:1].isupper())


def survey_applications():
    """Survey keras.applications."""
    return [survey_keras(name) for name in list_applications()]


LIBRARIES = {
    "torchvision": survey_torchvision,
    "timm": survey_timm,
    "transformers": survey_transformers,
    "keras.applications": survey_applications,
}
