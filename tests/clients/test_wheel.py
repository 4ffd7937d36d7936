"""The built wheel, in an environment that has its dependencies and nothing of the service's."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parents[2] / "clients"

PROGRAM = """
import importlib.util, json, sys
import weightinit
names = ("fastapi", "numba", "service", "tqdm", "yaml")
modules = {name: importlib.util.find_spec(name) is not None for name in names}
array = weightinit.weights((784, 300), activation="relu", seed=42, name="hidden1")
told = {"modules": modules, "shape": array.shape, "version": weightinit.__version__}
told["loaded"] = [name for name in ("diff", "yaml") if f"weightinit.models.{name}" in sys.modules]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The client's wheel, built as for a release."""
    folder = tmp_path_factory.mktemp("dist")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(CLIENTS),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


def read_metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name).decode().splitlines()


def test_it_requires_filelock_httpx_and_numpy_alone(wheel):
    required = [
        line for line in read_metadata(wheel) if line.startswith("Requires-Dist:") and "extra ==" not in line
    ]
    assert [line.split()[1].rstrip("<>=0123456789.,") for line in required] == ["filelock", "httpx", "numpy"]


def test_its_extras_are_those_that_are_documented(wheel):
    extras = {line.split()[1] for line in read_metadata(wheel) if line.startswith("Provides-Extra:")}
    assert extras == {"cli", "jax", "keras", "plot", "progress", "torch"}


def test_it_has_types_and_nothing_but_the_client(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "weightinit/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"weightinit"}


def test_it_has_all_of_the_client(wheel):
    source = {path.relative_to(CLIENTS) for path in (CLIENTS / "weightinit").rglob("*") if path.is_file()}
    with zipfile.ZipFile(wheel) as archive:
        packed = {Path(name) for name in archive.namelist() if name.startswith("weightinit/")}
    assert packed == {path for path in source if "__pycache__" not in path.parts}
    assert {Path("weightinit/models/model.py"), Path("weightinit/adapters/matching.py")} <= packed


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    """An environment with the wheel, and its requirements of this one by a path: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("bare")
    packages = folder / "packages"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--target",
            str(packages),
            str(wheel),
        ],
        check=True,
        timeout=120,
    )
    link_dependencies(packages)
    return packages


def link_dependencies(packages):
    """Link filelock, httpx, NumPy and what they require from the environment of the tests."""
    from importlib.metadata import distribution, files
    from re import match

    wanted, seen = ["filelock", "httpx", "numpy"], set()
    while wanted:
        name = wanted.pop()
        if name.lower() in seen:
            continue
        seen.add(name.lower())
        required = [
            line
            for line in distribution(name).requires or []
            if "extra ==" not in line and "python_version <" not in line
        ]
        wanted += [match(r"[A-Za-z0-9_.-]+", line)[0] for line in required]
        for top in {path.parts[0] for path in files(name) or []} - {"..", "__pycache__"}:
            source, target = distribution(name).locate_file(top), packages / top
            if not target.exists():
                target.symlink_to(source)


def run_bare(packages, *arguments, url):
    # -S leaves out the environment's own packages, -E its variables.
    return subprocess.run(
        [sys.executable, "-S", *arguments],
        env={"PYTHONPATH": str(packages), "WEIGHTINIT_URL": url},
        cwd=packages,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def test_it_fetches_weights_where_nothing_of_the_service_is_installed(bare, service_url):
    told = json.loads(run_bare(bare, "-c", PROGRAM, url=service_url))
    assert told["modules"] == dict.fromkeys(["fastapi", "numba", "service", "tqdm", "yaml"], False)
    assert told["shape"] == [784, 300]


def test_it_loads_no_more_than_it_needs(bare, service_url):
    assert json.loads(run_bare(bare, "-c", PROGRAM, url=service_url))["loaded"] == []


def test_its_command_line_needs_no_extra(bare, service_url):
    text = run_bare(
        bare, "-m", "weightinit", "parameters", "784,300", "--activation", "relu", url=service_url
    )
    assert "he" in text
    assert (
        run_bare(
            bare,
            "-m",
            "weightinit",
            "weights",
            "9,9",
            "--seed",
            "1",
            "--name",
            "w",
            "-o",
            "w.npy",
            url=service_url,
        )
        == ""
    )
    assert (bare / "w.npy").stat().st_size == 128 + 9 * 9 * 4


def test_it_publishes_json_and_pulls_without_pyyaml(bare, service_url):
    (bare / "m.json").write_text('{"seed": 42, "tensors": [{"name": "fc", "shape": [9, 9]}]}')
    published = run_bare(bare, "-m", "weightinit", "publish", "m.json", url=service_url).strip()
    line = run_bare(bare, "-m", "weightinit", "pull", published, "-o", "m.safetensors", url=service_url)
    assert line.split() == [
        hashlib.sha256((bare / "m.safetensors").read_bytes()).hexdigest(),
        "m.safetensors",
    ]


def test_it_says_what_yaml_needs(bare, service_url):
    (bare / "m.yaml").write_text("seed: 42")
    with pytest.raises(subprocess.CalledProcessError) as raised:
        run_bare(bare, "-m", "weightinit", "publish", "m.yaml", url=service_url)
    assert raised.value.returncode == 2
    assert "pip install 'weightinit[cli]'" in raised.value.stderr


def test_it_installs_a_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "weightinit = weightinit.cli:main" in archive.read(name).decode()
