"""Braces stand for the names that bash makes of them."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weightinit import SpecRejected
from weightinit.models.files import expand_braces

NUMBER = st.integers(0, 99)
RANGE = st.tuples(NUMBER, st.integers(0, 3)).map(lambda pair: f"{{{pair[0]}..{pair[0] + pair[1]}}}")
WORD = st.text("abq.", max_size=3).filter(lambda word: ".." not in word)
LIST = st.lists(WORD, min_size=2, max_size=3).map(lambda words: "{" + ",".join(words) + "}")


@given(
    st.lists(st.one_of(RANGE, LIST, st.sampled_from([".", "w", "attn."])), min_size=1, max_size=4).map(
        "".join
    )
)
def test_they_are_bashs(text):
    done = subprocess.run(
        ["bash", "-c", f'printf "%s\\n" x{text}'], capture_output=True, text=True, check=True
    )
    assert [f"x{name}" for name in expand_braces(text, 1000)] == done.stdout.splitlines()


def test_a_name_without_braces_is_itself():
    assert expand_braces("conv1.weight", 1) == ["conv1.weight"]


@pytest.mark.parametrize("text", ["{", "}", "{0..1", "0..1}", "{{0..1}}", "}{", "{a,{b,c}}"])
def test_braces_that_do_not_close_are_refused(text):
    with pytest.raises(SpecRejected, match="must close each brace"):
        expand_braces(text, 100)


@pytest.mark.parametrize(
    "text", ["{}", "{a}", "{0...3}", "{3..0}", "{00..03}", "{a..c}", "{0..9..2}", "{0..1,5}", "{-1..1}"]
)
def test_braces_that_say_nothing_known_are_refused(text):
    with pytest.raises(SpecRejected, match=r"must have {first..last}, ascending, or {one,another} in braces"):
        expand_braces(text, 100)


@pytest.mark.parametrize("text", ["{0..100}", "{0..9}.{0..10}", "{0..999999999}" * 9])
def test_too_many_names_are_refused_before_they_are_made(text):
    with pytest.raises(SpecRejected, match="must expand to at most 100 names"):
        expand_braces(text, 100)
