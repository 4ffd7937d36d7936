"""YAML says what JSON would, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weightinit import SpecRejected
from weightinit.models.yaml import parse_yaml

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]))
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc.", min_size=1), inner), max_leaves=20
)


@given(VALUES)
def test_json_is_read_as_json(value):
    assert parse_yaml(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4e-4", 4e-4),
        ("1.6666666666666667e-5", 1 / 60000),
        ("+.5", 0.5),
        ("1.", 1.0),
        ("010", 10),
        ("1:30", "1:30"),
        ("0:128", "0:128"),
        ("no", "no"),
        ("on", "on"),
        ("0x10", "0x10"),
        ("0o10", "0o10"),
        ("True", "True"),
        ("FALSE", "FALSE"),
        ("Null", "Null"),
        ("NULL", "NULL"),
        ("true", True),
        ("null", None),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("2026-01-02", "2026-01-02"),
        ("<<", "<<"),
        ("'42'", "42"),
        ("", None),
        ("~", None),
        ("# nothing", None),
    ],
)
def test_what_is_not_quoted_is_read_as_in_yaml_1_2(text, value):
    assert parse_yaml(text) == value


@pytest.mark.parametrize("text", ["a: 1\nb: &x 2", "a: 1\nb: *x", "a: 1\nb: &x [*x]"])
def test_anchors_and_aliases_are_refused_with_their_line(text):
    with pytest.raises(SpecRejected, match=r"^line 2 must not have anchors or aliases"):
        parse_yaml(text)


def test_a_bomb_of_aliases_does_not_go_off():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    with pytest.raises(SpecRejected, match=r"^line 1 must not have anchors"):
        parse_yaml("\n".join(lines))


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!int", "!!binary", "!", "!own", "!<tag:yaml.org,2002:str>"]
)
def test_tags_are_refused_with_their_line(tag):
    with pytest.raises(SpecRejected, match=r"^line 3 must not have tags"):
        parse_yaml(f"a: 1\n\nb: {tag} [x]")


def test_a_key_that_is_there_twice_is_refused_with_its_line():
    with pytest.raises(SpecRejected, match=r"^line 3 must not have a key twice; received 'a'"):
        parse_yaml("a: 1\nb: 2\na: 3")


@pytest.mark.parametrize("key", ["1", "null", "[a]", "{a: b}", "1.5", "true"])
def test_a_key_that_is_no_text_is_refused_with_its_line(key):
    with pytest.raises(SpecRejected, match=r"^line 2 must have text as a key"):
        parse_yaml(f"a: 1\n{key}: 2")


def test_several_documents_are_refused():
    with pytest.raises(SpecRejected, match=r"^line 2: but found another document"):
        parse_yaml("a: 1\n---\nb: 2")


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000])
def test_depth_is_refused_before_it_does_harm(text):
    with pytest.raises(SpecRejected, match=r"^line 1 must be nested at most 16 deep"):
        parse_yaml(text)


@pytest.mark.parametrize("text", ["a: [1", "a: 'x", "\t- a", "a: b: c", "%YAML 3.0\n---\na", "@a"])
def test_what_is_no_yaml_is_refused_with_its_line(text):
    with pytest.raises(SpecRejected, match=r"^line [12]: "):
        parse_yaml(text)


def test_characters_that_do_not_print_are_refused():
    with pytest.raises(SpecRejected, match="not allowed"):
        parse_yaml("a: \x00")
