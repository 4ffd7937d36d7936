import pytest

from service.core import SpecError
from service.core.layer.layouts import measure_kernel, resolve_layout


@pytest.mark.parametrize(
    ("layout", "orders"),
    [("keras", ["O", "IO", "WIO", "HWIO", "DHWIO"]), ("torch", ["O", "OI", "OIW", "OIHW", "OIDHW"])],
)
def test_each_framework_has_its_order_for_ranks_1_to_5(layout, orders):
    assert [resolve_layout(layout, rank) for rank in range(1, 6)] == orders


@pytest.mark.parametrize("layout", ["keras", "torch"])
@pytest.mark.parametrize("rank", [6, 7, 8])
def test_higher_ranks_need_letters(layout, rank):
    with pytest.raises(SpecError, match="layout supports ranks 1 to 5 only"):
        resolve_layout(layout, rank)


@pytest.mark.parametrize("layout", ["IO", "OI", "IOO", "BGIODHW", "DHWIOBGI"])
def test_letters_stand_for_themselves(layout):
    assert resolve_layout(layout, len(layout)) == layout


@pytest.mark.parametrize("layout", ["", "I", "IOO"])
def test_another_length_than_the_rank_is_refused(layout):
    with pytest.raises(SpecError, match="layout must have as many letters as shape has axes, 2; received"):
        resolve_layout(layout, 2)


@pytest.mark.parametrize("layout", ["IX", "XI", "IXO", "io", "NHWC", "Keras", "I O", "ΙΟ", "\ud800"])
def test_unknown_letters_are_refused(layout):
    with pytest.raises(SpecError, match="layout must be keras or torch, or one letter of"):
        resolve_layout(layout, len(layout))


@pytest.mark.parametrize(("wrong", "right"), [("hwio", "HWIO"), ("Keras", "keras"), ("TORCH", "torch")])
def test_the_wrong_case_gets_the_right_one_suggested(wrong, right):
    with pytest.raises(SpecError) as caught:
        resolve_layout(wrong, 4)
    assert caught.value.errors[0].suggestions == (right,)


def test_stacked_axes_count_in_no_extent():
    assert measure_kernel("BGIODHW", (2, 3, 5, 7, 11, 13, 17)) == (5, 7, 11 * 13 * 17, 1)
