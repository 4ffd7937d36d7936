"""status, resolve, cache, parameters of files, pipes and files that are there: as a script uses them."""

import hashlib
import io
import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from weightinit import Client, __version__
from weightinit.cache import ENTRY
from weightinit.cli import main

MLP = "examples/mnist-mlp.yaml"
LAYER = {"shape": [784, 300], "activation": "relu"}


pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def give(monkeypatch):
    """Give text to standard input."""

    def give(text):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return give


def run_json(run, *arguments):
    status, out, _ = run(*arguments, "--json")
    assert status == 0
    return json.loads(out)


# --- status ---------------------------------------------------------------------------------------


def test_status_says_who_answers_and_what_is_set(run, service):
    status, out, err = run("status")
    fields = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert (status, err) == (0, "")
    assert fields["service"].startswith(f"{service}, responds in ")
    assert (fields["stream"], fields["client"], fields["token"]) == ("1", __version__, "not set")
    assert "0 entries" in fields["cache"]


def test_status_is_json_for_programs(run, service):
    told = run_json(run, "status", "--token", "secret")
    (answer,) = told["services"]
    assert (answer["url"], answer["stream"], answer["error"]) == (service, 1, None)
    assert answer["latency_ms"] > 0
    assert told["token"] is True
    assert "secret" not in json.dumps(told)


def test_status_is_1_where_one_of_several_does_not_answer(run, service):
    status, out, _ = run("status", "--url", f"{service},http://127.0.0.1:1")
    assert status == 1
    assert "http://127.0.0.1:1 cannot be reached" in out
    assert f"{service}, responds in" in out


def test_a_quiet_status_is_only_the_exit_status(run):
    assert run("status", "-q") == (0, "", "")
    assert run("status", "-q", "--url", "http://127.0.0.1:1") == (1, "", "")


def test_status_knows_what_is_no_weightinit(run, small_server):
    small_server.extra = {"Weightinit-Stream": ""}
    status, out, _ = run("status", "--url", small_server.url)
    assert (status, "the server is not weightinit" in out) == (1, True)


# --- resolve, list --------------------------------------------------------------------------------


def test_resolve_prints_the_id(run, name):
    _, out, _ = run("publish", MLP, "--as", name)
    assert run("resolve", name) == (0, out, "")
    assert run_json(run, "resolve", name)["author"] == "Ada"


@pytest.fixture
def names(run):
    """Names of a team of their own, published in another order than theirs."""
    team = f"team{uuid.uuid4().hex}"
    names = [f"{team}/{rest}" for rest in ("mlp/10", "mlp/9", "resnet/1")]
    for index, name in enumerate(names):
        run("publish", MLP, "--as", name, "--author", "CAB"[index], "-q")
    return team, names


def test_list_takes_a_pattern_and_is_in_natural_order(run, names):
    team, (ten, nine, resnet) = names
    assert run("list", f"{team}/*", "-q")[1].split() == [nine, ten, resnet]
    assert run("list", f"{team}/*/1", "-q")[1].split() == [resnet]
    assert run("list", f"*{team}/mlp/?", "-q")[1].split() == [nine]
    assert run("list", f"{team}/m", "-q")[1].split() == [nine, ten]


def test_list_is_sorted_as_asked(run, names):
    team, (ten, nine, resnet) = names
    assert run("list", team, "-q", "--sort", "published")[1].split() == [ten, nine, resnet]
    assert run("list", team, "-q", "--sort", "author")[1].split() == [nine, resnet, ten]
    assert run("list", team, "-q", "--reverse", "--limit", "1")[1].split() == [resnet]


def test_list_says_that_nothing_matches(run, name):
    assert run("list", f"{name}*") == (0, "", f"no name matches {name}*\n")


# --- files and pipes ------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".json", ".yaml", "-"])
def test_parameters_of_a_layer_that_is_written_down(run, give, tmp_path, suffix):
    path = suffix if suffix == "-" else str(tmp_path / f"layer{suffix}")
    if suffix == "-":
        give(json.dumps(LAYER))
    else:
        Path(path).write_text(json.dumps(LAYER))
    assert run_json(run, "parameters", path)["scheme"] == "he"


def test_an_option_changes_what_is_written_down(run, give):
    give(json.dumps(LAYER))
    assert run_json(run, "parameters", "-", "--activation", "tanh")["scheme"] == "glorot"


def test_yaml_in_braces_is_read_from_standard_input(run, give):
    give("{shape: [784, 300], activation: relu}")
    assert run_json(run, "parameters", "-")["scheme"] == "he"


def test_parameters_of_a_model_are_those_of_its_tensors(run):
    told = run_json(run, "parameters", MLP)
    assert told == run_json(run, "show", MLP)
    assert told["tensors"][0]["parts"][0]["parameters"]["fan_in"] == 784


def test_a_field_that_a_layer_does_not_have_is_2_and_names_the_file(run, give):
    give('{"shape": [2], "activatoin": "relu"}')
    status, _, err = run("parameters", "-")
    assert status == 2
    assert err.startswith(
        "weightinit: standard input: activatoin is not a field here: did you mean activation?"
    )


def test_weights_of_a_layer_that_is_written_down(run, give, tmp_path):
    give(json.dumps({**LAYER, "seed": 42, "name": "fc1"}))
    assert run_json(run, "weights", "-", "-o", "one.npy")["shape"] == [784, 300]
    run("weights", "784,300", "--activation", "relu", "--seed", "42", "--name", "fc1", "-o", "two.npy")
    assert (tmp_path / "one.npy").read_bytes() == (tmp_path / "two.npy").read_bytes()


def test_a_model_is_published_shown_and_compared_from_standard_input(run, give, name):
    text = Path(MLP).read_text()
    give(text)
    assert run("publish", "-", "--as", name, "-q")[0] == 0
    give(text)
    assert run("diff", name, "-") == (0, "", "")
    give(text)
    assert run("show", "-")[1].startswith("standard input\nseed 42")


def test_one_standard_input_is_not_two_models(capsys):
    with pytest.raises(SystemExit):
        main(["diff", "-", "-"])
    assert "only one of the two models" in capsys.readouterr().err


def test_a_pull_goes_to_standard_output(run, name, tmp_path):
    run("publish", MLP, "--as", name)
    line = run("pull", name, "-o", "m.safetensors")[1]
    command = [sys.executable, "-m", "weightinit", "pull", name, "-o", "-"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stdout == (tmp_path / "m.safetensors").read_bytes()
    assert done.stderr.decode() == line.replace("m.safetensors", "-")
    assert not (tmp_path / "-").exists()


def test_bytes_and_json_do_not_both_go_to_standard_output(capsys, run, name):
    run("publish", MLP, "--as", name)
    with pytest.raises(SystemExit):
        main(["pull", name, "-o", "-", "--json"])
    assert "--json and -o -" in capsys.readouterr().err


# --- a file that is there -------------------------------------------------------------------------


@pytest.fixture
def pulled(run, name, tmp_path):
    """A file that was pulled, as old as can be."""
    import os

    run("publish", MLP, "--as", name)
    run("pull", name, "-o", "m.safetensors")
    path = tmp_path / "m.safetensors"
    os.utime(path, (0, 0))
    return path


def test_a_pull_leaves_a_file_alone_that_is_right(run, name, pulled):
    digest = hashlib.sha256(pulled.read_bytes()).hexdigest()
    status, out, err = run("pull", name, "-o", "m.safetensors")
    assert (status, out) == (0, f"{digest}  m.safetensors\n")
    assert err == "m.safetensors is up to date\n"
    assert pulled.stat().st_mtime == 0


@pytest.mark.parametrize(
    "harm", [lambda data: data[:-1] + b"?", lambda data: data[:-1]], ids=["changed", "cut"]
)
def test_a_pull_mends_a_file_that_is_wrong(run, name, pulled, harm):
    whole = pulled.read_bytes()
    pulled.write_bytes(harm(whole))
    assert run("pull", name, "-o", "m.safetensors")[0] == 0
    assert pulled.read_bytes() == whole


def test_force_pulls_it_again(run, name, pulled):
    told = run_json(run, "pull", name, "-o", "m.safetensors", "--force")
    assert (told["is_new"], told["bytes"]) == (True, pulled.stat().st_size)
    assert pulled.stat().st_mtime > 0


# --- cache ----------------------------------------------------------------------------------------


@pytest.fixture
def filled(service, tmp_path, monkeypatch):
    """A cache with two entries."""
    monkeypatch.setenv("WEIGHTINIT_CACHE", str(tmp_path / "kept"))
    with Client() as client:
        for seed in (1, 2):
            client.raw((64, 64), seed=seed, name="w")
    return tmp_path / "kept"


def test_the_cache_is_where_the_platform_has_caches(run, tmp_path):
    assert run("cache", "dir")[1] == f"{tmp_path / 'caches' / 'weightinit'}\n"
    assert "no (set WEIGHTINIT_CACHE=1 to turn it on)" in run("cache", "info")[1]


def test_the_cache_is_described(run, filled):
    told = run_json(run, "cache", "info")
    size = sum(path.stat().st_size for path in filled.glob(f"*{ENTRY}"))
    assert (told["directory"], told["is_on"], told["entries"], told["bytes"]) == (str(filled), True, 2, size)


def test_the_entries_are_listed(run, filled):
    keys = {path.name.removesuffix(ENTRY) for path in filled.glob(f"*{ENTRY}")}
    assert set(run("cache", "list", "--quiet")[1].split()) == keys
    assert len(run("cache", "list")[1].splitlines()) == 3


def test_the_cache_is_cleared(run, filled):
    assert run("cache", "clear")[2].startswith("2 entries removed, ")
    assert list(filled.glob(f"*{ENTRY}")) == []
    assert run("cache", "list") == (0, "", "the cache is empty\n")
