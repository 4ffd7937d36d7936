"""Fuzz a target with coverage feedback: `python -m tests.fuzz TARGET SECONDS`.

It needs Atheris. The fuzzer starts with the kept corpus, which gets what it finds, minimized. An input that
breaks a target is printed, and is kept as well: the tests fail until the parser is mended.
"""

import argparse
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.corpus import FOLDER, read_inputs, write_inputs

MAX_INPUT_BYTES = 2048
MAX_SECONDS = 5  # for an input; a slower one breaks its target
TARGET, SCRIPT = "FUZZ_TARGET", "FUZZ_SCRIPT"  # environment of the fuzzing process


def main() -> int:
    """Fuzz in another process, which libFuzzer ends itself, and keep what it found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=sorted(path.stem for path in FOLDER.glob("*.txt")))
    parser.add_argument("seconds", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        status, kept, broken = fuzz(options.target, options.seconds, Path(folder))
    write_inputs(options.target, kept, broken)
    for data in broken:
        print(f"broken by {data!r}")
    return status or len(broken)


def fuzz(target: str, seconds: int, folder: Path) -> tuple[int, list[bytes], list[bytes]]:
    """Run the fuzzer. Return its exit status, the inputs to keep, and those that break the target."""
    found, merged, broken = (folder / name for name in ("found", "merged", "broken"))
    for path in (found, merged, broken):
        path.mkdir()
    before = read_inputs(target)
    for number, data in enumerate(before):
        (found / f"kept-{number}").write_bytes(data)
    script = folder / "fuzz"  # to merge, libFuzzer starts itself again
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.fuzz "$@"\n')
    script.chmod(0o700)

    def run(*arguments: str) -> int:
        limits = [f"-timeout={MAX_SECONDS}", f"-max_len={MAX_INPUT_BYTES}", f"-artifact_prefix={broken}/"]
        environment = {**os.environ, TARGET: target, SCRIPT: str(script)}
        return subprocess.run([script, *arguments, *limits], env=environment, check=False).returncode

    status = run(f"-max_total_time={seconds}", "-print_final_stats=1", str(found))
    run("-merge=1", str(merged), str(found))
    # What was kept stays: a regular expression has no coverage, so most texts of it would be lost.
    return status, [*before, *read_folder(merged)], read_folder(broken)


def read_folder(folder: Path) -> list[bytes]:
    """Read all files of a folder."""
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def fuzz_here(target: str) -> None:
    """Fuzz in this process: instrument the code, and give libFuzzer the target."""
    import atheris

    kernels = [".".join(path.with_suffix("").parts) for path in Path("service/stream").rglob("*.py")]
    excluded = [name.removesuffix(".__init__") for name in kernels]  # Numba compiles their bytecode
    with atheris.instrument_imports(include=["service", "weightinit", "yaml"], exclude=excluded):
        from tests.fuzz.targets import TARGETS
    logging.disable()  # of each invalid request
    atheris.Setup([os.environ[SCRIPT], *sys.argv[1:]], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    if name := os.environ.get(TARGET):
        fuzz_here(name)
    else:
        sys.exit(main())
