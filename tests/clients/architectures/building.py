"""Build models of torchvision, timm and transformers on the meta device."""

import importlib
import inspect
import sys
import warnings
from functools import cache

import torch

# What torchvision.ops registers only where its compiled library fits the installed PyTorch.
STUBS = ("nms", "qnms")
SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_library(name):
    """Import a library without its warnings."""
    load_torchvision()  # timm and transformers import it, too.
    with warnings.catch_warnings(action="ignore"):
        return importlib.import_module(name)


@cache
def load_torchvision():
    """Import torchvision with stubs of its compiled operators, which no model needs."""
    with warnings.catch_warnings(action="ignore"):
        try:
            importlib.import_module("torchvision")
        except RuntimeError:  # operator torchvision::nms does not exist
            for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
                del sys.modules[name]
            library = torch.library.Library("torchvision", "FRAGMENT")
            for name in STUBS:
                library.define(name + SIGNATURE)
            importlib.import_module("torchvision")
            return library  # The operators go when the library does: the cache holds it.
    return None


def build(make, device="meta"):
    """Build a model on a device; on the CPU if its constructor needs values."""
    with warnings.catch_warnings(action="ignore"):
        try:
            with torch.device(device):
                return make()
        except (NotImplementedError, RuntimeError):  # a meta tensor has no data
            return make()


def build_torchvision(name, *, device="meta", **settings):
    """Build a model of torchvision."""
    library = import_library("torchvision")
    settings |= {"weights": None}
    if "weights_backbone" in inspect.signature(library.models.get_model_builder(name)).parameters:
        settings |= {"weights_backbone": None}
    return build(lambda: library.models.get_model(name, **settings), device)


def build_timm(name, *, device="meta", **settings):
    """Build a model of timm."""
    library = import_library("timm")
    return build(lambda: library.create_model(name, **settings), device)


def build_transformers(kind, **settings):
    """Build a model of transformers by its class name, with a small random configuration."""
    made = getattr(import_library("transformers"), kind)
    return build(lambda: made(made.config_class(**settings)))
