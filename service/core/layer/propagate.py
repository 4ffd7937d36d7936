"""Propagation of a layer: its parameters, with what becomes of signals and gradients."""

from dataclasses import replace

from service.core.layer.layouts import has_kernel_axes
from service.core.layer.parameters import Parameters, count_connections
from service.core.layer.spec import LayerSpec
from service.core.signal.propagation import compute_propagation


def add_propagation(spec: LayerSpec, parameters: Parameters) -> Parameters:
    """Return the parameters with their propagation, unless the layer has no fans or draws nothing.

    >>> from service.core.layer.parameters import resolve_parameters
    >>> spec = LayerSpec(shape=(512, 512), activation="gelu")
    >>> add_propagation(spec, resolve_parameters(spec)).propagation.forward
    0.8504
    """
    has_fans = has_kernel_axes(parameters.layout) or None not in {spec.fan_in, spec.fan_out}
    if not has_fans or not parameters.variance:
        return parameters
    fans = count_connections(spec, parameters.layout)
    propagation = compute_propagation(
        spec.activation,
        spec.activation_parameter or (spec.negative_slope and (spec.negative_slope,)) or None,
        fans.select("fan_in"),
        fans.select("fan_out"),
        parameters.variance,
    )
    return replace(parameters, propagation=propagation)
