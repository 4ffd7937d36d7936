"""Names that changed work for one more release, and say what to use."""

import pytest
import weightinit
from weightinit import Spec, TensorSpec
from weightinit.models import Part

RENAMED = {
    "DecidedPart": "PartParameters",
    "DecidedTensor": "TensorParameters",
    "read_document": "read_model",
}


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_is_the_new_one_with_a_warning(old, new):
    with pytest.deprecated_call(match=f"weightinit.{old} is deprecated: use weightinit.{new}"):
        found = getattr(weightinit, old)
    assert found is getattr(weightinit, new)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        weightinit.nothing  # noqa: B018 - it raises


def test_the_old_method_returns_what_the_new_one_does(service_url):
    model = weightinit.Model(42, (TensorSpec.of("fc", Part.of(Spec((2, 3), name="fc"))),))
    with weightinit.Client(service_url) as client:
        expected = client.model_parameters(model)
        with pytest.deprecated_call(match=r"Client.decided is deprecated: use Client.model_parameters"):
            assert client.decided(model) == expected
