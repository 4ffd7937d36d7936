"""Models of torchvision, timm and transformers, made without memory for their weights.

None of the three is in the lock: where one is not installed, what needs it is skipped.
"""

import importlib
import sys
import warnings
from functools import cache

import pytest
import torch

# What torchvision.ops registers only where its compiled library fits the installed PyTorch.
STUBS = ("nms", "qnms")
SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@cache
def import_library(name):
    """Import a library, or skip the test."""
    with warnings.catch_warnings(action="ignore"):
        if name == "torchvision":
            return import_torchvision()
        if name == "timm":
            import_library("torchvision")
        return pytest.importorskip(name)


def import_torchvision():
    """Import torchvision, whose models need none of its compiled operators, without them where they are not."""
    try:
        return pytest.importorskip("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in STUBS:
            library.define(name + SIGNATURE)
        import_torchvision.library = library  # The operators go when the library does.
        return importlib.import_module("torchvision")


def build(make):
    """Build a model on the meta device; on the CPU where its constructor computes with values."""
    with warnings.catch_warnings(action="ignore"):
        try:
            with torch.device("meta"):
                return make()
        except (NotImplementedError, RuntimeError):  # a meta tensor has no data
            return make()


def build_torchvision(name, **settings):
    """Build a model of torchvision."""
    return build(lambda: import_library("torchvision").models.get_model(name, weights=None, **settings))


def build_timm(name, **settings):
    """Build a model of timm."""
    return build(lambda: import_library("timm").create_model(name, **settings))


def build_transformers(kind, settings):
    """Build a model of transformers by the name of its class, of a small random configuration."""
    library = import_library("transformers")
    made = getattr(library, kind)
    return build(lambda: made(made.config_class(**settings)))
