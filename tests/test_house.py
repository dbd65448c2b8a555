"""The architecture: who may import whom, what `import nnbench` costs, who may print, how long a file may be."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nnbench

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nnbench"
LAYERS: dict[str, float] = {
    "config": 0, "stats": 0, "lecture": 0,
    "arm_flags": 1, "records": 1, "metrics": 1, "processes": 1, "deferred_compiler": 1,
    "work": 1.5, "time_to_accuracy": 1.5,
    "claims": 2, "summary": 2, "efficiency": 2,
    "comparing": 2.5, "findings": 2.6, "terminal": 2.8,
    "catalog": 3, "devices": 3, "data": 3, "models": 3, "optim": 3, "distributed": 3.5,
    "training": 4, "analysis": 4, "frameworks": 4.5,
    "meters": 5, "studies": 5,
    "benchmarking": 6,
    "tuning": 7, "thread_tuning": 7, "forecast": 7,
    "selftest": 7.8,
    "ab": 8.5, "doctor": 8, "pytest_plugin": 8, "runner": 8, "scaling": 7.5,
    "results": 9, "tabular": 9, "plots": 10, "report": 11,
    "cli": 12, "__main__": 13,
}  # fmt: skip
REPORTING = ("results", "tabular", "plots", "report")
# Read by people who have no torch, or before it is worth its seconds.
WITHOUT_TORCH = ("config", "stats", "lecture", "records", "metrics", "claims", "comparing", "summary", "efficiency", "catalog", "arm_flags",
                 "processes", "work", "time_to_accuracy", "findings", "terminal", "runner", *REPORTING)  # fmt: skip
# The lazily loaded names of `nnbench`: whoever takes one from there imports its home.
HOMES = {name: home.removeprefix("nnbench.") for name, home in nnbench._HOMES.items()}
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = [path for path in FILES if path != PACKAGE / "__init__.py"]  # that one is everybody's
BENCH_FILES = sorted((ROOT / "bench").rglob("*.py"))


def dotted(path: Path) -> str:
    """``nnbench/data/idx.py`` -> ``nnbench.data.idx``; a package is its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    """``nnbench.data.idx`` -> ``data``: the unit that has a layer."""
    return module.split(".")[1]


def imported(source: str, module: str, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """(line, absolute name) of all that *source* imports, in functions and ``if TYPE_CHECKING`` too.

    ``from a import b`` gives ``a.b``. What is taken as an attribute of ``nnbench`` counts as imported.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            above = parts[: len(parts) - node.level + is_package] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "nnbench"
        ):
            yield node.lineno, f"nnbench.{node.attr}"


def rooms_used(source: str, module: str, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """(line, room) of the parts of nnbench that *source* imports; nnbench itself is everybody's."""
    for line, name in imported(source, module, is_package):
        parts = name.split(".")
        if parts[0] == "nnbench" and len(parts) > 1 and not parts[1].startswith("__version"):
            yield line, HOMES.get(parts[1], parts[1])


def wrong_imports(source: str, module: str, is_package: bool = False) -> list[str]:
    """The imports of *source* that do not run downwards, as 'line: room'."""
    own = room(module)
    wrong = []
    for line, used in rooms_used(source, module, is_package):
        allowed = used == own or LAYERS.get(used, 99) < LAYERS[own]
        if own in REPORTING and used not in REPORTING:
            allowed = LAYERS.get(used, 99) < 3
        if not allowed:
            wrong.append(f"{line}: {used}")
    return wrong


def calls(source: str) -> set[str]:
    """Names of what *source* calls, dotted: 'print', 'sys.exit'."""
    return {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}


# layers


def test_every_module_has_a_layer_and_every_layer_a_module():
    assert {room(dotted(path)) for path in ROOMS} == set(LAYERS)


@pytest.mark.parametrize("path", ROOMS, ids=dotted)
def test_imports_run_downwards_only(path):
    assert wrong_imports(path.read_text(encoding="utf-8"), dotted(path), path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("nnbench.stats", "from nnbench.records import Record", ["1: records"]),
        ("nnbench.stats", "from nnbench.config import Arm", ["1: config"]),  # a neighbour
        ("nnbench.claims", "import nnbench.summary", ["1: summary"]),
        ("nnbench.claims", "def f():\n    from nnbench import devices", ["2: devices"]),
        ("nnbench.config", "if TYPE_CHECKING:\n    from nnbench.records import Record", ["2: records"]),
        ("nnbench.training.loop", "from nnbench.meters.timing import Stopwatch", ["1: meters"]),
        ("nnbench.training.loop", "from nnbench import benchmarking as b, devices", ["1: benchmarking"]),
        ("nnbench.training.loop", "from ..tuning import GRID", ["1: tuning"]),
        ("nnbench.models.cnn", "from .. import data", ["1: data"]),
        ("nnbench.models", "from ..data import load", ["1: data"]),
        ("nnbench.data.idx", "from nnbench import measure", ["1: benchmarking"]),
        ("nnbench.data.idx", "import nnbench\nnnbench.fit", ["2: training"]),
        ("nnbench.data.idx", "from nnbench.utils import helper", ["1: utils"]),
        ("nnbench.report.page", "from nnbench.benchmarking import measure", ["1: benchmarking"]),
        ("nnbench.plots.arms", "from nnbench import catalog", ["1: catalog"]),
        ("nnbench.plots.arms", "from nnbench.report import write_report", ["1: report"]),
        ("nnbench.results", "from nnbench.plots import PLOTS", ["1: plots"]),
        ("nnbench.training.loop", "from nnbench.training.batches import Order", []),
        ("nnbench.training.loop", "from .batches import Order\nfrom ..devices import wait", []),
        ("nnbench.training", "from .batches import Order\nfrom . import events", []),
        ("nnbench.tuning", "import nnbench\nnnbench.__version__", []),
        ("nnbench.tuning", "from nnbench import __version__", []),
        ("nnbench.plots.arms", "from nnbench.results import Run\nfrom nnbench import findings, stats", []),
        ("nnbench.config", "import torch\nfrom pathlib import Path", []),
    ],
)  # fmt: skip
def test_the_checker_finds_planted_imports_and_no_others(module, source, wrong):
    assert (
        wrong_imports(source, module, module.count(".") == 1 and room(module) in ("models", "training"))
        == wrong
    )


def test_every_folder_is_a_package_and_no_file_hides_it():
    for folder in {path.parent for path in FILES}:
        assert (folder / "__init__.py").is_file()
        assert not folder.with_suffix(".py").exists()


@pytest.mark.parametrize(
    "path", [p for p in ROOMS if room(dotted(p)) in ("training", "frameworks")], ids=dotted
)
def test_training_never_reads_a_clock(path):
    source = path.read_text(encoding="utf-8")
    used = {name.split(".")[0] for _, name in imported(source, dotted(path))}
    assert not used & {"time", "datetime", "timeit"}
    names = {n.attr if isinstance(n, ast.Attribute) else n.id for n in ast.walk(ast.parse(source))
             if isinstance(n, (ast.Attribute, ast.Name))}  # fmt: skip
    assert not names & {
        "perf_counter",
        "perf_counter_ns",
        "monotonic",
        "process_time",
        "Event",
        "elapsed_time",
    }


@pytest.mark.parametrize("path", [p for p in ROOMS if room(dotted(p)) in WITHOUT_TORCH], ids=dotted)
def test_reading_and_reporting_need_no_torch(path):
    used = {name.split(".")[0] for _, name in imported(path.read_text(encoding="utf-8"), dotted(path))}
    assert not used & {"torch", "torchvision", "bench"}


# printing and leaving


def test_only_the_command_line_prints_and_exits():
    commands = (PACKAGE / "__main__.py", PACKAGE / "scaling" / "__main__.py")
    may = {path for path in FILES if path.is_relative_to(PACKAGE / "cli") or path in commands}
    assert may
    for path in {*FILES, *BENCH_FILES} - may:
        found = calls(path.read_text(encoding="utf-8"))
        assert not found & {"print", "sys.exit", "exit", "quit", "sys.stdout.write"}, path


def test_the_checker_sees_calls():
    assert calls("def f():\n    print(sys.exit(len('print()')))") == {"print", "sys.exit", "len"}


# size and names


@pytest.mark.parametrize("path", [*FILES, *BENCH_FILES], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short_and_named_after_a_thing(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert path.stem.strip("_") not in ("utils", "util", "common", "helpers", "helper", "base", "misc")
    assert path.parent.name not in ("utils", "util", "common", "helpers", "helper", "base", "misc")


# public names and what they cost

PUBLIC = {
    "Arm": "nnbench.config", "Probe": "nnbench.config", "Scenario": "nnbench.claims",
    "Claim": "nnbench.claims", "fit": "nnbench.training", "measure": "nnbench.benchmarking",
    "load_run": "nnbench.results",
}  # fmt: skip


def test_the_public_names_are_these_seven():
    assert sorted(nnbench.__all__) == sorted(PUBLIC)
    assert set(PUBLIC) <= set(dir(nnbench))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there_and_at_home_in_its_room(name):
    value = getattr(nnbench, name)
    assert value.__module__.startswith(PUBLIC[name])
    assert value.__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'nnbench' has no attribute 'train'"):
        nnbench.train  # noqa: B018


def python(code: str, *, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run *code* in a fresh interpreter, away from the checkout."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("nnbench", ("torch", "pandas", "numpy", "matplotlib", "scipy", "argparse")),
        ("nnbench.config", ("torch", "pandas", "numpy", "matplotlib", "scipy")),
        ("nnbench.claims", ("torch", "pandas", "numpy", "matplotlib", "scipy")),
        ("nnbench.catalog", ("torch", "pandas", "numpy", "matplotlib", "scipy")),
        ("nnbench.cli", ("torch", "pandas", "numpy", "matplotlib", "scipy", "pytest")),
        ("nnbench.pytest_plugin", ("torch", "pandas", "numpy", "matplotlib", "scipy")),
        ("nnbench.report", ("torch",)),
    ],
)
def test_importing_brings_nothing_heavy(module, heavy, tmp_path):
    done = python(f"import sys, {module}; print(*{set(heavy)!r} & sys.modules.keys())", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_what_is_heavy_would_be_seen(tmp_path):
    done = python("import sys, nnbench; nnbench.fit; print('torch' in sys.modules)", cwd=tmp_path)
    assert done.stdout == "True\n"


def nnbench_without_torch(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return python(
        "import runpy, sys; sys.modules['torch'] = None; "
        f"sys.argv = ['nnbench', *{arguments!r}]; runpy.run_module('nnbench', run_name='__main__')",
        cwd=cwd,
    )


def test_help_needs_no_torch(tmp_path):
    done = nnbench_without_torch("--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout
    assert done.stderr == ""


def test_a_misspelt_model_is_told_without_torch(tmp_path):
    done = nnbench_without_torch("train", "--model", "mpl", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'mlp'" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
