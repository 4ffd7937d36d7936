"""The maths of weight initialization: from a layer spec to the parameters of its weights."""

from service.core.dtypes import DTYPES, Dtype, DtypeName
from service.core.errors import FieldError, SpecError
from service.core.parameters import Parameters, resolve_parameters
from service.core.schemes import TRUNCATED_UNIT_STDDEV, DistributionName, Mode, SchemeName
from service.core.spec import LayerSpec, check_element_count, require_seed

__all__ = [
    "DTYPES",
    "TRUNCATED_UNIT_STDDEV",
    "DistributionName",
    "Dtype",
    "DtypeName",
    "FieldError",
    "LayerSpec",
    "Mode",
    "Parameters",
    "SchemeName",
    "SpecError",
    "check_element_count",
    "require_seed",
    "resolve_parameters",
]
