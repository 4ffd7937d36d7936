"""The commands of published models, as a person and as a script use them."""

import hashlib
import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from weightinit.cli import main
from weightinit.cli.commands import COMMANDS

from tests.servers import run_server

MLP = "examples/mnist-mlp.yaml"
ID_LENGTH = 64


pytestmark = pytest.mark.usefixtures("service")


def write_model(path, *tensors):
    path.write_text(json.dumps({"seed": 42, "tensors": list(tensors)}))
    return str(path)


# In which the examples are run: what is retired is not found any more. Completion needs an extra.
ORDER = (
    "parameters",
    "weights",
    "publish",
    "show",
    "pull",
    "list",
    "resolve",
    "diff",
    "status",
    "cache",
    "retire",
)


def list_examples(commands):
    for command in commands:
        yield from command.examples
        yield from list_examples(command.commands)


def test_the_examples_of_the_commands_work(monkeypatch, tmp_path):
    by_name = {command.name: command for command in COMMANDS}
    assert by_name.keys() - {"completion"} == set(ORDER)
    prelude = f'set -eo pipefail\nweightinit() {{ {sys.executable} -m weightinit "$@"; }}\n'
    with run_server() as server:
        monkeypatch.setenv("WEIGHTINIT_URL", server.url)
        monkeypatch.setenv("WEIGHTINIT_CACHE", str(tmp_path / "cache"))
        for example in list_examples(by_name[name] for name in ORDER):
            done = subprocess.run(
                ["bash", "-c", prelude + example], capture_output=True, text=True, check=False
            )
            assert (done.returncode, "Traceback" in done.stderr) == (0, False), f"{example}: {done.stderr}"


# --- publish --------------------------------------------------------------------------------------


def test_publish_prints_the_id_alone_and_says_what_to_do_next(run, name):
    status, out, err = run("publish", MLP, "--as", name)
    assert (status, len(out.strip())) == (0, ID_LENGTH)
    assert err.startswith("published: 6 tensors, 266,610 elements, 1,066,440 bytes\nnext:\n")
    assert f"weightinit pull {name} -o model.safetensors" in err


def test_publish_without_a_name_says_how_to_give_one(run):
    _, out, err = run("publish", MLP)
    assert "publish it again with --as team/name/version" in err
    assert f"weightinit show {out.strip()}" in err


def test_publish_says_where_nothing_is_new(run, name):
    run("publish", MLP, "--as", name)
    assert run("publish", MLP, "--as", name)[2].startswith("already published: 6 tensors")


def test_publish_takes_another_seed(run, client):
    _, out, _ = run("publish", MLP, "--seed", "18446744073709551615")
    assert client.model(out.strip()).seed == 2**64 - 1


def test_publish_says_who_and_why(run, name, client):
    run("publish", MLP, "--as", name, "--author", "Grace", "--note", "for the course")
    entry = client.resolve(name)
    assert (entry.author, entry.note) == ("Grace", "for the course")


def test_a_taken_name_is_1_and_says_what_it_stands_for(run, name):
    _, out, _ = run("publish", MLP, "--as", name)
    status, _, err = run("publish", MLP, "--seed", "43", "--as", name)
    assert status == 1
    assert out.strip() in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["publish", "missing.yaml"], "missing.yaml cannot be read: No such file or directory"),
        (["publish", "examples"], "must end in .yaml or .yml or .json"),
        (["publish", MLP, "--as", "mlp"], "--as must be team/name/version"),
        (["publish", MLP, "--seed", "x"], "--seed must be an integer from 0"),
        (["show", "mlp"], "MODEL must be a model's id"),
        (["show", "missing.json"], "missing.json cannot be read"),
        (["pull", "mlp", "-o", "x"], "MODEL must be a model's id"),
        (["diff", MLP, "mlp"], "TWO must be a model's id"),
        (["retire", "mlp", "--note", "x", "--yes"], "NAME must be team/name/version"),
        (["list", "a//b"], "PATTERN must"),
    ],
)
def test_what_cannot_be_honoured_is_2(run, arguments, words):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert words in err


def test_a_file_that_is_no_model_is_2_and_names_the_line(run, tmp_path):
    (tmp_path / "bad.yaml").write_text("seed: 1\nseed: 2")
    assert run("publish", "bad.yaml")[2] == (
        "weightinit: bad.yaml: line 2 must not have a key twice; received 'seed'\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["publish", MLP],
        ["show", MLP],
        ["list"],
        ["pull", "a/b/1", "-o", "x"],
        ["retire", "a/b/1", "--note", "x", "--yes"],
    ],
)
def test_an_absent_service_is_1(run, arguments):
    assert run(*arguments, "--url", "http://127.0.0.1:1", "--retries", "0")[0] == 1


@pytest.mark.parametrize("arguments", [["show"], ["pull", "-o", "x"], ["retire", "--note", "x", "--yes"]])
def test_an_unknown_name_is_1(run, name, arguments):
    command, *options = arguments
    status, _, err = run(command, name, *options)
    assert (status, "404" in err) == (1, True)


# --- show -----------------------------------------------------------------------------------------


def test_show_is_a_line_for_each_tensor_and_the_reasons(run):
    _, out, _ = run("show", MLP)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[:2] == [
        MLP,
        "seed 42, stream 1",
    ]
    assert lines[2] == "6 tensors, 266,610 parameters, 1,066,440 bytes (1.0 MiB)"
    assert lines[4] == "NAME SHAPE DTYPE SCHEME DISTRIBUTION σ σ² = WHY"
    assert "hidden1/kernel 784,300 float32 he uniform 0.05051 2 / fan_in = 2 / 784 1" in lines
    assert "output/kernel 100,10 float32 glorot uniform 0.1348 1 / fan_avg = 1 / 55 2" in lines
    assert "hidden1/bias 300 float32 constant 0" in lines
    assert "1 ReLU zeroes half of its inputs" in out.replace("1  ", "1 ")
    assert "Glorot & Bengio" in out
    assert max(map(len, out.splitlines()[10:])) <= 100


def test_show_has_a_line_for_each_part(run, tmp_path):
    parts = [{"shape": [1, 8], "constant": 0.5}, {"shape": [100, 8], "slice": "1:100"}]
    path = write_model(tmp_path / "m.json", {"name": "emb", "shape": [100, 8], "parts": parts})
    lines = [" ".join(line.split()) for line in run("show", path)[1].splitlines()]
    assert "emb 100,8 float32 2 parts" in lines
    assert "emb 1,8 constant 0.5" in lines
    assert "emb [1:100] 99,8 glorot uniform 0.1361 1 / fan_avg = 1 / 54 1" in lines


def test_show_is_json_for_programs(run, name):
    run("publish", MLP, "--as", name)
    shown = json.loads(run("show", name, "--json")[1])
    assert (shown["seed"], len(shown["tensors"])) == ("42", 6)
    kernel = shown["tensors"][1]
    assert (kernel["name"], kernel["parts"][0]["parameters"]["fan_in"]) == ("hidden1/kernel", 784)


def test_show_writes_scalars_and_integers_in_full(run, tmp_path):
    count = {"name": "count", "shape": [], "dtype": "int64", "constant": 16777217}
    path = write_model(tmp_path / "m.json", count, {"name": "empty", "shape": [0, 3], "constant": 0.5})
    lines = [line.split() for line in run("show", path)[1].splitlines()]
    assert ["count", "scalar", "int64", "constant", "16777217"] in lines
    assert ["empty", "0,3", "float32", "constant", "0.5"] in lines


def test_a_yaml_of_counters_is_published_pulled_and_like_itself(run, tmp_path):
    path = tmp_path / "counters.yaml"
    path.write_text(
        "seed: 42\ntensors:\n"
        '  - {name: "bn{1..2}.num_batches_tracked", shape: [], dtype: int64, constant: 0}\n'
        "  - {name: empty, shape: [0, 3], constant: 0}\n"
        "  - {name: mask, shape: [2], dtype: bool, constant: 1}\n"
    )
    model = run("publish", str(path))[1].strip()
    assert run("diff", model, str(path))[0] == 0
    assert run("pull", model, "-o", str(tmp_path / "counters.safetensors"))[0] == 0
    loaded = load_file(tmp_path / "counters.safetensors")
    assert {name: (array.shape, array.dtype.name) for name, array in loaded.items()} == {
        "bn1.num_batches_tracked": ((), "int64"),
        "bn2.num_batches_tracked": ((), "int64"),
        "empty": ((0, 3), "float32"),
        "mask": ((2,), "bool"),
    }


def test_show_of_a_file_publishes_nothing(run):
    seed = str(uuid.uuid4().int >> 64)
    Path(MLP).write_text(Path(MLP).read_text().replace("seed: 42", f"seed: {seed}"))
    assert run("show", MLP)[0] == 0
    assert run("publish", MLP)[2].startswith("published: ")


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_a_name_may_end_as_a_file_does(run, name, suffix):
    run("publish", MLP, "--as", name + suffix)
    assert "hidden1/kernel  784,300  float32  he" in run("show", name + suffix)[1]
    assert run("diff", name + suffix, MLP) == (0, "", "")


def test_where_there_is_a_file_of_a_name_it_is_the_file(run, name, tmp_path):
    run("publish", MLP, "--as", f"{name}.json")
    (tmp_path / name).parent.mkdir(parents=True)
    write_model(tmp_path / f"{name}.json", {"name": "a", "shape": [2], "constant": 0})
    assert "a     2      float32  constant 0" in run("show", f"{name}.json")[1]


def test_what_is_neither_a_name_nor_a_file_is_1_and_says_both(run, name):
    status, _, err = run("show", f"{name}.json")
    assert (status, "404" in err) == (1, True)
    assert f"there is no file {name}.json either" in err


@pytest.mark.parametrize("command", ["show", "diff"])
def test_the_help_says_what_a_file_is(capsys, command):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "an existing file takes precedence over a name" in text


# --- pull -----------------------------------------------------------------------------------------


def test_pull_prints_what_sha256sum_would(run, name, tmp_path):
    run("publish", MLP, "--as", name)
    status, out, err = run("pull", name, "-o", "m.safetensors", "--verify")
    digest = hashlib.sha256((tmp_path / "m.safetensors").read_bytes()).hexdigest()
    assert (status, out, err) == (0, f"{digest}  m.safetensors\n", "")


def test_pull_shows_a_bar_where_asked(run, name):
    run("publish", MLP, "--as", name)
    assert "100%" in run("pull", name, "-o", "m.safetensors", "--progress")[2]


def test_an_output_that_cannot_be_written_is_1(run, name):
    run("publish", MLP, "--as", name)
    assert run("pull", name, "-o", "missing/m.safetensors")[0] == 1


# --- list, retire ---------------------------------------------------------------------------------


def test_list_is_a_line_for_each_name(run, name):
    _, out, _ = run("publish", MLP, "--as", name, "--note", "for the course")
    header, line = run("list", name)[1].splitlines()
    assert header.split() == ["NAME", "MODEL", "PUBLISHED", "AUTHOR", "NOTE"]
    shown, model, _, author, *note = line.split()
    assert (shown, model, author, note) == (name, out[:12], "Ada", ["for", "the", "course"])


def test_list_is_json_lines_for_programs(run, name):
    _, out, _ = run("publish", MLP, "--as", name)
    (line,) = run("list", name, "--json")[1].splitlines()
    entry = json.loads(line)
    assert (entry["name"], entry["model"], entry["retired"]) == (name, out.strip(), None)


def test_a_retired_name_is_listed_as_such_and_not_found(run, name):
    _, out, _ = run("publish", MLP, "--as", name)
    assert run("retire", name, "--note", "superseded by 2", "--yes")[:2] == (0, out)
    assert "retired by Ada, " in run("list", name)[1]
    status, _, err = run("pull", name, "-o", "x")
    assert status == 1
    assert "superseded by 2" in err
    assert out.strip() in err


def test_a_strangers_words_do_nothing_to_a_terminal(run, name):
    run("publish", MLP, "--as", name, "--note", "red\u202ealert")
    assert "red alert" in run("list", name)[1]


# --- diff -----------------------------------------------------------------------------------------


def test_diff_of_what_starts_alike_is_0_and_silent(run, name):
    run("publish", MLP, "--as", name)
    assert run("diff", name, MLP) == (0, "", "")


def test_diff_of_what_starts_differently_is_1_and_says_so(run, tmp_path):
    one = write_model(
        tmp_path / "one.json", {"name": "a", "shape": [4, 4]}, {"name": "b", "shape": [2], "constant": 0}
    )
    two = write_model(
        tmp_path / "two.json",
        {"name": "a", "shape": [4, 4], "scheme": "he"},
        {"name": "c", "shape": [2], "constant": 0},
    )
    status, out, err = run("diff", one, two)
    assert (status, err) == (1, "")
    assert out.splitlines() == ["a  variance 0.25 → 0.5", f"b  only in {one}", f"c  only in {two}"]
