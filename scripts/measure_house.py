#!/usr/bin/env python3
"""Measure how easy it is to navigate the code: sizes, imports, and the files that a request runs through.

    python scripts/measure_house.py                         # the service and the client
    python scripts/measure_house.py starlette httpx svcs    # and other packages, installed or as a folder
    python scripts/measure_house.py --request               # and the files that a GET of weights runs
    python scripts/measure_house.py --checkout ../old       # the same for another checkout

Sizes are read from the source with `ast`. Files are modules that are neither tests nor an `__init__`. A
function is counted from `def` to its last line; methods and nested functions count too. `lines` and
`functions` are the median and the 90th percentile. Imports are those at the top level of a module, without
`if TYPE_CHECKING`. The depth is the length of the longest chain of imports; packages (`__init__`) count, and
a cycle counts as one. A module is imported once if exactly one other module imports it, and short if it has
less than 45 lines.

The real server handles the requests in this process, after a warm-up. A file is counted if its code runs
between the request and the end of the response, in any thread. A boundary is crossed when a function is
called or resumed in another file than the previous one in the same thread. `calls` are those made directly
from one project file into another. Timing varies between threads, so these are medians of several requests.
"""

import argparse
import ast
import http.client
import importlib.util
import os
import runpy
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from types import FrameType

SHORT, LONG_FILES, LONG_FUNCTION = 45, (250, 300), 60  # lines
REQUESTS = {
    "4 KB": "/v1/weights?shape=100,10&activation=relu&seed=42&name=hidden1/kernel",
    "941 KB": "/v1/weights?shape=784,300&activation=relu&seed=42&name=hidden1/kernel",
    "32 MB": "/v1/weights?shape=4096,2048&activation=relu&seed=42&name=hidden1/kernel",
}
REPEATS = 7
COLUMNS = ["package", "files", "lines", "functions", "folder", "depth", "imported once", "and short"]


@dataclass
class Module:
    """A module of a package: its size, the sizes of its functions, and its imports from the package."""

    name: str
    path: Path
    lines: int
    functions: dict[str, int]  # name to lines
    imports: set[str] = field(default_factory=set)

    @property
    def is_package(self) -> bool:
        """Whether this is the `__init__` of a folder."""
        return self.path.stem == "__init__"


def read_package(name: str, folder: Path) -> dict[str, Module]:
    """Read the modules of a package, by name."""
    modules, trees = {}, {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if any(part in {"tests", "test", "conftest"} or part.startswith("test_") for part in parts):
            continue
        dotted = ".".join([name, *parts]).removesuffix(".__init__")
        text = path.read_text("utf-8")
        trees[dotted] = ast.parse(text)
        functions = {
            f"{dotted}.{node.name}": node.end_lineno - node.lineno + 1
            for node in ast.walk(trees[dotted])
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
        }
        modules[dotted] = Module(dotted, path, len(text.splitlines()), functions)
    for dotted, module in modules.items():
        module.imports = set(find_imports(trees[dotted], module, modules)) - {dotted}
    return modules


def find_imports(tree: ast.AST, module: Module, modules: dict[str, Module]) -> Iterator[str]:
    """Yield the modules of the package that a module imports at its top level."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_base(node, module)
            for alias in node.names:
                candidates = (f"{base}.{alias.name}", base)
                yield from [name for name in candidates if name in modules][:1]
        else:
            yield from find_imports(node, module, modules)


def resolve_base(node: ast.ImportFrom, module: Module) -> str:
    """Return the absolute name of the module in a `from` import."""
    if not node.level:
        return node.module or ""
    up = node.level - 1 if module.is_package else node.level
    package = module.name.split(".")[: -up or None]
    return ".".join([*package, *([node.module] if node.module else [])])


def measure_depth(modules: dict[str, Module]) -> int:
    """Return the length of the longest chain of imports, where a cycle counts as one."""
    reached: dict[str, set[str]] = {}
    for name in modules:
        seen, stack = set(), [name]
        while stack:
            new = modules[stack.pop()].imports - seen
            seen |= new
            stack += new
        reached[name] = seen
    cycle_of = {
        name: min([name, *(other for other in seen if name in reached[other])])
        for name, seen in reached.items()
    }
    graph: dict[str, set[str]] = defaultdict(set)
    for name, module in modules.items():
        graph[cycle_of[name]] |= {cycle_of[other] for other in module.imports} - {cycle_of[name]}
    depth: dict[str, int] = {}
    for name in TopologicalSorter(graph).static_order():
        depth[name] = 1 + max((depth[other] for other in graph[name]), default=0)
    return max(depth.values())


def find_importers(modules: dict[str, Module]) -> dict[str, list[str]]:
    """Return the modules that import each module."""
    return {name: [other.name for other in modules.values() if name in other.imports] for name in modules}


def find_imported_once(modules: dict[str, Module]) -> dict[str, str]:
    """Return the modules that exactly one other module imports, with that module."""
    importers = find_importers(modules)
    return {
        name: importers[name][0]
        for name, module in modules.items()
        if len(importers[name]) == 1 and not module.is_package
    }


def count_folders(modules: dict[str, Module]) -> dict[str, int]:
    """Count the modules directly in each folder."""
    folders: dict[str, int] = defaultdict(int)
    for module in modules.values():
        folders[module.name.rpartition(".")[0]] += not module.is_package
    return folders


def summarize(values: list[int]) -> str:
    """Return the median and the 90th percentile."""
    return f"{statistics.median(values):.0f}/{sorted(values)[len(values) * 9 // 10]}"


def print_sizes(packages: dict[str, dict[str, Module]]) -> None:
    """Print the table, then the modules that break a rule."""
    print_table([COLUMNS, *(measure_package(name, modules) for name, modules in packages.items())])
    for name, modules in packages.items():
        if name in {"service", "weightinit"}:
            print(f"\n{name}")
            for line in list_faults(modules):
                print("  " + line)


def measure_package(name: str, modules: dict[str, Module]) -> list[str]:
    """Return the row of the table for one package."""
    files = [module for module in modules.values() if not module.is_package]
    functions = [lines for module in modules.values() for lines in module.functions.values()]
    once = find_imported_once(modules)
    short = [module for module in once if modules[module].lines < SHORT]
    return [
        name,
        str(len(files)),
        summarize([module.lines for module in files]),
        summarize(functions),
        str(max(count_folders(modules).values())),
        str(measure_depth(modules)),
        str(len(once)),
        str(len(short)),
    ]


def list_faults(modules: dict[str, Module]) -> Iterator[str]:
    """Yield a line for each module, folder or function that is too small or too large."""
    for name, importer in find_imported_once(modules).items():
        if modules[name].lines < SHORT:
            yield f"{name}: {modules[name].lines} lines, imported only by {importer}"
    for folder, count in count_folders(modules).items():
        if count > 15:
            yield f"{folder}: {count} modules"
    for name, module in modules.items():
        if module.lines > LONG_FILES[0]:
            yield f"{name}: {module.lines} lines, more than {max(n for n in LONG_FILES if module.lines > n)}"
        for function, lines in module.functions.items():
            if lines > LONG_FUNCTION:
                yield f"{function}: a function of {lines} lines"


@dataclass
class Recorder:
    """A profile function that records the files of a project that run, for each thread."""

    folder: str
    is_on: bool = False
    files: set[str] = field(default_factory=set)
    crossed: int = 0
    calls: int = 0
    last: dict[int, str] = field(default_factory=dict)  # thread to the file that ran last

    def start(self) -> None:
        """Reset the records and start recording."""
        self.files, self.crossed, self.calls, self.last = set(), 0, 0, {}
        self.is_on = True

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Record that a function of the project is called or resumed."""
        file = frame.f_code.co_filename
        if not self.is_on or event != "call" or not file.startswith(self.folder):
            return
        self.files.add(file)
        thread = threading.get_ident()
        self.crossed += self.last.get(thread) != file
        self.last[thread] = file
        caller = frame.f_back and frame.f_back.f_code.co_filename
        self.calls += bool(caller and caller != file and caller.startswith(self.folder))


def measure_requests(checkout: Path) -> None:
    """Serve a checkout in this process, and print the files that its requests run."""
    import uvicorn  # noqa: PLC0415  # sizes are measured without it

    os.chdir(checkout)
    sys.path.insert(0, str(checkout))
    recorder = Recorder(str(checkout / "service") + os.sep)
    threading.setprofile(recorder)
    rows: list[list[str]] = []

    def run(app: str, **options: object) -> None:
        server = uvicorn.Server(uvicorn.Config(app, **{**options, "log_level": "warning"}))  # type: ignore[arg-type]
        client = threading.Thread(target=send_requests, args=(server, recorder, rows.append))
        client.start()
        sys.setprofile(recorder)
        server.run()
        client.join()

    uvicorn.run = run  # starts the client in a thread beside the server
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WEIGHTINIT_DATA_DIRECTORY"] = folder
        sys.argv = ["service", "serve", "--port", "0"]
        try:
            runpy.run_module("service", run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise
    sys.setprofile(None)
    print_table([["response", "files", "crossed", "calls"], *rows])


def send_requests(server: object, recorder: Recorder, add: Callable[[list[str]], None]) -> None:
    """Send each request several times, and add a row of medians for each."""
    sys.setprofile(None)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", wait_for_port(server))
        while send(connection, "/readyz") != 200:
            time.sleep(0.1)
        for label, path in REQUESTS.items():
            send(connection, path)
            counts = []
            for _ in range(REPEATS):
                recorder.start()
                assert send(connection, path) == 200
                time.sleep(0.2)  # threads may still run for a moment after the last byte
                recorder.is_on = False
                counts.append((len(recorder.files), recorder.crossed, recorder.calls))
            add([label, *(f"{statistics.median(column):.0f}" for column in zip(*counts, strict=True))])
    finally:
        server.should_exit = True  # type: ignore[attr-defined]


def wait_for_port(server: object) -> int:
    """Wait until the server listens, and return its port."""
    while not server.started:  # type: ignore[attr-defined]
        time.sleep(0.05)
    return server.servers[0].sockets[0].getsockname()[1]  # type: ignore[attr-defined]


def send(connection: http.client.HTTPConnection, path: str) -> int:
    """Send a request, read the response and return its status."""
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    return response.status


def print_table(rows: list[list[str]]) -> None:
    """Print rows with aligned columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join([row[0].ljust(len(first)), *rest]))


def find_folder(package: str) -> tuple[str, Path]:
    """Find a package by its folder or, if there is no such folder, by its name. Raises SystemExit."""
    if Path(package).is_dir():
        return Path(package).name, Path(package).resolve()
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"measure_house: {package} is neither a folder nor an installed package")
    return package, Path(spec.submodule_search_locations[0])


def main() -> None:
    """Measure the packages and requests of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="another package, by name or folder")
    parser.add_argument(
        "--checkout", type=Path, default=Path(__file__).parents[1], help="(default: this one)"
    )
    parser.add_argument("--request", action="store_true", help="measure requests too")
    options = parser.parse_args()
    checkout = options.checkout.resolve()
    folders = {"service": checkout / "service", "weightinit": checkout / "clients/weightinit"}
    folders.update(find_folder(package) for package in options.packages)
    print_sizes({name: read_package(name, folder) for name, folder in folders.items()})
    if options.request:
        print()
        measure_requests(checkout)


if __name__ == "__main__":
    main()
