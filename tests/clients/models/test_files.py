"""A file is a model, or says where it is not."""

import json
import sys

import pytest
from weightinit import ConfigurationError, SpecRejected
from weightinit.models.files import MAX_FILE_BYTES, MAX_TENSORS, is_document, read_model


@pytest.fixture
def write(tmp_path):
    """Write a file, of YAML unless said otherwise."""

    def write(text, name="model.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refuse(path):
    """Read what is no model, and return the error's text without the path that it begins with."""
    with pytest.raises(SpecRejected) as raised:
        read_model(path)
    assert str(raised.value).startswith(f"{path}: ")
    return str(raised.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("text", ["model.yaml", "nets/model.json", "./a/b/c.yml", "/a/b/c.json", "é/b/c.yml"])
def test_a_suffix_says_a_file_though_it_is_not_there(text):
    assert is_document(text)


@pytest.mark.parametrize("text", ["team/net/1", "team/net/v1.0", "0123456789abcdef" * 4])
def test_without_a_suffix_it_is_no_file(text):
    assert not is_document(text)


@pytest.mark.parametrize("suffix", MAX_FILE_BYTES)
def test_what_could_be_a_name_is_a_file_where_there_is_one(suffix, tmp_path, monkeypatch):
    text = f"team/net/v1{suffix}"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "team/net").mkdir(parents=True)
    assert not is_document(text)
    (tmp_path / text).touch()
    assert is_document(text)


BLOCK = """
seed: 42
defaults: {layout: torch}
tensors:
  - {name: "layers.{0..1}.{q,k}.weight", shape: [8, 8]}
  - name: layers.{0..1}.in_proj
    shape: [16, 8]
    parts:
      - {name: "layers.{0..1}.in_proj.a", shape: [8, 8]}
      - {shape: [9, 8], slice: 1:9}
"""


def test_braces_are_the_names_of_tensors(write):
    names = [tensor.name for tensor in read_model(write(BLOCK)).tensors]
    assert names[:4] == ["layers.0.q.weight", "layers.0.k.weight", "layers.1.q.weight", "layers.1.k.weight"]
    assert names[4:] == ["layers.0.in_proj", "layers.1.in_proj"]


def test_names_of_parts_go_along_with_their_tensors(write):
    tensors = read_model(write(BLOCK, "model.yml")).tensors[4:]
    names = [[part.spec.name for part in tensor.parts] for tensor in tensors]
    assert names == [["layers.0.in_proj.a", "layers.0.in_proj"], ["layers.1.in_proj.a", "layers.1.in_proj"]]


def test_a_part_whose_name_many_tensors_would_share_is_refused(write):
    text = "{seed: 1, tensors: [{name: 'a{0..2}', shape: [2, 2], parts: [{name: b, shape: [2, 2]}]}]}"
    assert refuse(write(text)).startswith("tensors[0].parts must have as many names as the tensor, 3")


def test_json_takes_names_as_they_are(write):
    said = {"seed": 1, "tensors": [{"name": "a{0..2}", "shape": [2, 2]}]}
    (tensor,) = read_model(write(json.dumps(said), "model.json")).tensors
    assert tensor.name == "a{0..2}"


def test_a_million_tensors_are_refused_before_they_are_made(write):
    text = "{seed: 1, tensors: [{name: 'a{0..999999}', shape: [2, 2]}]}"
    assert refuse(write(text)).startswith(f"tensors[0].name must expand to at most {MAX_TENSORS} names")


def test_entries_of_too_many_tensors_in_all_are_refused(write):
    entries = ", ".join(f"{{name: 'a{n}.{{0..9999}}', shape: [2, 2]}}" for n in range(100))
    assert refuse(write(f"{{seed: 1, tensors: [{entries}]}}")).startswith(
        "tensors must be at most 20000 in a file"
    )


MANY = "{seed: 1, tensors: [{name: 'a{0..19999}', shape: [2], %s}]}"
TOO_MANY = "tensors must be at most 20000 in a file, each part counting as one"
TOO_LONG = "tensors must come to at most 8388608 bytes of JSON with braces expanded"


@pytest.mark.timeout(30)  # seconds, for what would take minutes and gigabytes
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MANY % f"parts: [{', '.join(['{shape: [1]}'] * 2000)}]", TOO_MANY),
        (MANY % f"parts: [{', '.join(['{name: b, shape: [1]}'] * 2000)}]", TOO_MANY),
        (MANY % ", ".join(f"k{number}: 1" for number in range(20_000)), TOO_LONG),
        (MANY % f"fans: [{', '.join('1' * 20_000)}]", TOO_LONG),
        (MANY.replace("'a", "'a" + "b" * 500_000) % "", TOO_LONG),
    ],
)
def test_braces_are_not_expanded_to_more_than_a_file_may_say(write, text, words):
    assert refuse(write(text)).startswith(words)


@pytest.mark.timeout(30)
def test_one_key_of_many_that_is_there_twice_is_soon_found(write):
    keys = [*range(60_000), 59_999]
    text = "{" + ", ".join(f'"{key}": 1' for key in keys) + "}"
    assert "must not have a key twice; received '59999'" in refuse(write(text, "model.json"))


@pytest.mark.parametrize(
    "tensor",
    [
        {"name": "a" * 10_000, "shape": 0},
        {"name": "a", "shape": [0] * 10_000},
        {"name": "a", "shape": [1], "k" * 10_000: 1},
        {"name": "a", "shape": [1], "k": "1" * 10_000},
        {"name": "a", "shape": [1], "parts": [{"shape": [1] * 10_000}]},
    ],
)
def test_what_was_received_is_told_in_short(write, tensor):
    assert len(refuse(write(json.dumps({"seed": 1, "tensors": [tensor]}), "model.json"))) < 500


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a model must be an object with a seed and tensors"),
        ("- 1", "a model must be an object with a seed and tensors"),
        ("seed: 1", "tensors must be a list"),
        ("seed: 1\ntensors: 3", "tensors must be a list"),
        ("seed: 1\ntensors:\n- 3", "tensors[0] must be an object with a name"),
        ("seed: 1\ntensors:\n- {shape: [2]}", "tensors[0] must be an object with a name"),
        ("seed: 1\ntensors:\n- {name: 1, shape: [2]}", "name must be text"),
        ("seed: 1\ntensors:\n- {name: a{, shape: [2]}", "line 3: "),
        ("seed: 1\ntensors:\n- {name: 'a{', shape: [2]}", "tensors[0].name must close each brace"),
        ("seed: 1\nseed: 2", "line 2 must not have a key twice"),
        (
            "seed: 1\ntensors:\n- {name: a, shape: [2, 2], parts: []}",
            'tensors["a"].parts must be at least one',
        ),
        (
            "seed: 1\ntensors:\n- {name: 'a{0..1}', shape: [2], parts: [1]}",
            'tensors["a0"].parts[0].entry must be',
        ),
        (
            "seed: 1\ntensors:\n- {name: a, shape: [2], constant: .nan}",
            'tensors["a"].constant must be a finite',
        ),
        (
            "seed: 1\ntensors:\n- {name: a, shape: [2], <<: {constant: 1}}",
            'tensors["a"].<< is not a field here',
        ),
    ],
)
def test_what_is_no_model_is_refused(write, text, words):
    assert refuse(write(text)).startswith(words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "invalid JSON"),
        ("seed: 1", "invalid JSON"),
        ("[" * 100_000, "invalid JSON"),
        ('{"seed": 1, "seed": 2}', "an object must not have a key twice; received 'seed'"),
        ('{"seed": NaN}', "a number must be finite; received 'NaN'"),
        ('{"seed": ' + "1" * 5000 + "}", "invalid JSON"),
    ],
)
def test_what_is_no_json_is_refused(write, text, words):
    assert refuse(write(text, "model.json")).startswith(words)


@pytest.mark.parametrize("suffix", MAX_FILE_BYTES)
def test_a_file_that_is_too_long_is_not_read(write, suffix):
    path = write(b" " * (MAX_FILE_BYTES[suffix] + 1), f"model{suffix}")
    with pytest.raises(ConfigurationError, match="is longer than"):
        read_model(path)


def test_a_file_that_is_not_utf_8_is_an_error(write):
    with pytest.raises(ConfigurationError, match="is not UTF-8"):
        read_model(write(b"\xff"))


def test_a_file_of_another_kind_is_an_error(write):
    with pytest.raises(ConfigurationError, match=r"must end in \.yaml or \.yml or \.json"):
        read_model(write("", "model.toml"))


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match=r"missing\.json cannot be read: No such file"):
        read_model(tmp_path / "missing.json")


def test_without_pyyaml_yaml_is_an_error_that_says_what_to_install(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "weightinit.models.yaml", raising=False)
    with pytest.raises(ConfigurationError, match=r"needs PyYAML: pip install 'weightinit\[cli\]'"):
        read_model(write("seed: 1"))


def test_without_pyyaml_json_is_read(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert read_model(write('{"seed": 1, "tensors": []}', "model.json")).seed == 1
