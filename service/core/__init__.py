"""The maths of weight initialization: from a layer spec to the parameters of its weights."""

from service.core.dtypes import DTYPES, TENSOR_DTYPES, Dtype, DtypeName, IntegerDtype, TensorDtypeName
from service.core.errors import FieldError, SpecError
from service.core.layer.parameters import Parameters, resolve_parameters
from service.core.layer.spec import LayerSpec, check_element_count, require_seed
from service.core.schemes import TRUNCATED_UNIT_STDDEV, DistributionName, Mode, SchemeName

__all__ = [
    "DTYPES",
    "TENSOR_DTYPES",
    "TRUNCATED_UNIT_STDDEV",
    "DistributionName",
    "Dtype",
    "DtypeName",
    "FieldError",
    "IntegerDtype",
    "LayerSpec",
    "Mode",
    "Parameters",
    "SchemeName",
    "SpecError",
    "TensorDtypeName",
    "check_element_count",
    "require_seed",
    "resolve_parameters",
]
