"""A run to a report: an executed notebook, an HTML page and the plots; reads files, needs no network.

What is written::

    report/
      report.ipynb    prose and short code; reads the results beside it, so the folder can be moved
      report.html     the same, one file that loads nothing
      tour.ipynb      with ``tour``, in the place of the report: the lecture slide by slide, with cells to try
      tour.html
      report-data.json  a copy of the results (or report-data/, for a run folder)
      plots/          PNG, SVG and the numbers as CSV, written by the notebook's own cells
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from nnbench.config import NnbenchError, install_line
from nnbench.records import StorageError, copy_records, write_atomic
from nnbench.report.notebook import build
from nnbench.report.page import render
from nnbench.report.tour import build_tour
from nnbench.results import read_results

__all__ = ["ReportError", "write_report"]

CELL_TIMEOUT_S = 120
Progress = Callable[[int, int], None]


class ReportError(NnbenchError):
    """The report cannot be made here: a package is missing, or a cell of its notebook failed."""

    exit_code: ClassVar[int] = 5


def write_report(
    source: str | Path,
    folder: str | Path,
    *,
    tour: bool = False,
    execute: bool = True,
    html: bool = True,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the report of the results in *source* into *folder*.

    Args:
        source: a run folder, or what ``pytest --benchmark-json`` wrote.
        folder: made where it is missing; what a former report left there is replaced.
        tour: write the tour of the lecture instead, ``tour.ipynb`` with cells to try.
        execute: run the notebook; without it there are no plots and no page.
        html: write the page too.
        progress: called with the number of cells that are done, and of all.

    Returns:
        The paths written: notebook, page, plots.

    Raises:
        StorageError: *source* is no result, or *folder* cannot be written to.
        ReportError: a package of the extra ``report`` is missing, or a cell failed; the notebook as far
            as it went is then in *folder*.
    """
    source, folder = Path(source), Path(folder)
    run = read_results(source)
    _need("nbformat", *(("nbclient", "ipykernel") if execute else ()), *(("mistune",) if html else ()))
    import nbformat

    name, make = ("tour", build_tour) if tour else ("report", build)
    notebook = make(run, _copy_results(source, folder))
    path = folder / f"{name}.ipynb"
    written = [path]
    try:
        if execute:
            _execute(notebook, folder, path, progress)
    finally:
        write_atomic(path, nbformat.writes(notebook) + "\n")  # type: ignore[no-untyped-call]
    if execute and html:
        written.append(folder / f"{name}.html")
        write_atomic(written[-1], render(notebook))
    return written + (_pictures(notebook, folder) if execute else [])


def _need(*packages: str) -> None:
    for name in packages:
        try:
            __import__(name)
        except ImportError as error:
            raise ReportError(f"a report needs {name}; install it with: {install_line('report')}") from error


def _copy_results(source: Path, folder: Path) -> str:
    """Copy the results beside the notebook, so that the folder stands alone; returns their name."""
    name = "report-data" if source.is_dir() else "report-data.json"
    target = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.samefile(source):
            return name
        if source.is_file():
            write_atomic(target, source.read_text(encoding="utf-8"))
            return name
        # those of a former report go; the name is ours alone, and nothing else in there is touched
        copy_records(source, target)
        shutil.copy2(source / "run.json", target)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror}; choose another folder") from error
    return name


def _execute(notebook: Any, folder: Path, path: Path, progress: Progress | None) -> None:
    """Run the notebook's cells in a kernel of this very interpreter; outputs go into *notebook*."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    total = len(notebook.cells)

    def done(cell: Any, cell_index: int, **_: Any) -> None:
        if progress is not None:
            progress(cell_index + 1, total)

    # A socket's path holds about 100 characters: the runtime folder of Jupyter may be longer.
    with tempfile.TemporaryDirectory(prefix="nnbench-") as scratch:
        kernel = AsyncKernelManager(
            kernel_name="python3",
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),  # not a spec of another Python
            transport="tcp" if sys.platform == "win32" else "ipc",
            connection_file=str(Path(scratch) / "kernel.json"),
        )
        client = NotebookClient(
            notebook, km=kernel, timeout=CELL_TIMEOUT_S, record_timing=False, on_cell_complete=done,
            resources={"metadata": {"path": str(folder)}},
        )  # fmt: skip
        try:
            client.execute(env=_environment(scratch), cleanup_kc=True)
            done(None, total - 1)
        except CellExecutionError as error:
            raise ReportError(f"a cell failed: {error.ename}: {error.evalue}; see {path}") from error
        except CellTimeoutError as error:
            raise ReportError(f"a cell took more than {CELL_TIMEOUT_S} s; so far: {path}") from error
        except (DeadKernelError, RuntimeError) as error:
            raise ReportError(f"the notebook's kernel died ({error}); so far: {path}") from error


def _environment(scratch: str) -> dict[str, str]:
    """The kernel's environment: this nnbench, and nothing of the user's start-up files."""
    here = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(part for part in (here, os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": paths, "IPYTHONDIR": scratch, "JUPYTER_PLATFORM_DIRS": "1"}


def _pictures(notebook: Any, folder: Path) -> list[Path]:
    """The files that the notebook's figures were saved to."""
    from nnbench.plots import safe_stem

    stems = []
    for cell in notebook.cells:
        found = cell.metadata.get("nnbench", {}).get("plot")
        if found:
            stems.append(safe_stem(found))
    paths = [folder / "plots" / f"{stem}.{kind}" for stem in stems for kind in ("png", "svg", "csv")]
    return [path for path in paths if path.exists()]
