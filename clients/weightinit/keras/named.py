"""Keras' named initializers: the same names and distributions, with weights from the service.

In Keras `normal` means cut at ±2σ, so the classes that end in Normal ask for `truncated_normal`. Say
`distribution="normal"` for a plain one, as PyTorch draws.
"""

from typing import Any, ClassVar

import keras

from weightinit.keras.initializers import Initializer
from weightinit.spec.layer import LayerFields, refuse

# Keras' word → the service's. Keras reads "normal" as truncated too: here that is an error, not a guess.
DISTRIBUTIONS = {
    "uniform": "uniform",
    "truncated_normal": "truncated_normal",
    "untruncated_normal": "normal",
}


class GlorotUniform(Initializer):
    """Uniform, σ² = 1 / fan_avg (Glorot & Bengio 2010, equation 16): Keras' default."""

    LAYER: ClassVar[LayerFields] = {"scheme": "glorot", "distribution": "uniform"}


class GlorotNormal(Initializer):
    """Normal cut at ±2σ, σ² = 1 / fan_avg (Glorot & Bengio 2010, equation 12)."""

    LAYER: ClassVar[LayerFields] = {"scheme": "glorot", "distribution": "truncated_normal"}


class HeUniform(Initializer):
    """Uniform, σ² = 2 / fan_in (He et al. 2015, equation 10)."""

    LAYER: ClassVar[LayerFields] = {"scheme": "he", "distribution": "uniform"}


class HeNormal(Initializer):
    """Normal cut at ±2σ, σ² = 2 / fan_in (He et al. 2015, equation 10)."""

    LAYER: ClassVar[LayerFields] = {"scheme": "he", "distribution": "truncated_normal"}


class LecunUniform(Initializer):
    """Uniform, σ² = 1 / fan_in (LeCun et al. 1998, section 4.6)."""

    LAYER: ClassVar[LayerFields] = {"scheme": "lecun", "distribution": "uniform"}


class LecunNormal(Initializer):
    """Normal cut at ±2σ, σ² = 1 / fan_in (LeCun et al. 1998, section 4.6)."""

    LAYER: ClassVar[LayerFields] = {"scheme": "lecun", "distribution": "truncated_normal"}


class VarianceScaling(Initializer):
    """σ² = scale / fan, with Keras' arguments and defaults.

    Args:
        scale: positive.
        mode: `fan_in`, `fan_out`, `fan_avg` or `fan_geo_avg`.
        distribution: `uniform`, `truncated_normal` or `untruncated_normal`.
        named: `seed`, `name` and the rest, as for Initializer.
    """

    LAYER: ClassVar[LayerFields] = {"scheme": "variance_scaling"}

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        **named: Any,
    ) -> None:
        if distribution not in DISTRIBUTIONS:
            raise refuse("distribution", f"must be one of {', '.join(DISTRIBUTIONS)}", distribution)
        super().__init__(scale=scale, mode=mode, distribution=DISTRIBUTIONS[distribution], **named)
        self.distribution = distribution

    def get_config(self) -> dict[str, Any]:
        """Return the keywords that make this initializer again."""
        config = super().get_config()
        config["distribution"] = self.distribution
        return config


NAMED = (GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, VarianceScaling)
for kind in (Initializer, *NAMED):
    keras.saving.register_keras_serializable(package="weightinit")(kind)
