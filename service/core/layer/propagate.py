"""Propagation of a layer: its parameters, with what becomes of signals and gradients."""

from dataclasses import replace

from service.core.layer.fans import Fans, compute_fans
from service.core.layer.layouts import has_kernel_axes
from service.core.layer.parameters import Parameters
from service.core.layer.spec import LayerSpec
from service.core.signal.propagation import compute_propagation


def add_propagation(spec: LayerSpec, parameters: Parameters) -> Parameters:
    """Return the parameters with their propagation, unless the layer has no fans or draws nothing.

    >>> from service.core.layer.parameters import resolve_parameters
    >>> spec = LayerSpec(shape=(512, 512), activation="gelu")
    >>> add_propagation(spec, resolve_parameters(spec)).propagation.forward
    0.8504
    """
    fans = count_connections(spec, parameters)
    if fans is None or not parameters.variance:
        return parameters
    propagation = compute_propagation(
        spec.activation,
        spec.activation_parameter or (spec.negative_slope and (spec.negative_slope,)) or None,
        fans.select("fan_in"),
        fans.select("fan_out"),
        parameters.variance,
    )
    return replace(parameters, propagation=propagation)


def count_connections(spec: LayerSpec, parameters: Parameters) -> Fans | None:
    """Return the fans that signals meet: those of the shape, unless the spec sets them."""
    if not has_kernel_axes(parameters.layout):
        return None if spec.fan_in is None or spec.fan_out is None else Fans(spec.fan_in, spec.fan_out)
    return compute_fans(
        spec.shape,
        parameters.layout,
        spec.groups,
        spec.fan_in,
        spec.fan_out,
        transposed=spec.transposed,
        stride=spec.stride or (),
    )
