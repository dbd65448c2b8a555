"""Tables of pandas as text and as files: CSV, Markdown, Parquet. All derived: the truth is in the records."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nnbench.config import ConfigError, NnbenchError, install_line
from nnbench.records import StorageError, write_atomic


def to_csv(frame: pd.DataFrame) -> str:
    """*frame* as CSV; a text that a spreadsheet would run as a formula gets a leading apostrophe."""
    safe = frame.rename(columns=_no_formula)
    for column in safe.columns[[not pd.api.types.is_numeric_dtype(t) for t in safe.dtypes]]:
        safe[column] = safe[column].map(_no_formula, na_action="ignore")
    text: str = safe.to_csv(index=False, lineterminator="\n")
    return text


def _no_formula(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(tuple("=+-@\t\r\n＝＋－＠")):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def to_markdown(frame: pd.DataFrame) -> str:
    """*frame* as a table for GitHub; nothing in a cell can break the table or become markup."""
    cells = frame.astype(object).where(frame.notna(), "").map(escape_markdown)
    heads = [escape_markdown(column) for column in frame.columns]
    numeric = [_looks_numeric(frame[column]) for column in frame.columns]
    rule = ["---:" if right else "---" for right in numeric]
    lines = [heads, rule, *cells.to_numpy().tolist()]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def _looks_numeric(column: pd.Series[Any]) -> bool:
    return all(re.fullmatch(r"[-+]?[\d.,/e-]+( ± [\d.,]+)?|–|nan|", str(value)) for value in column)


def escape_markdown(value: object) -> str:
    """*value* as text that Markdown prints as it is: one line, no markup, no HTML, no formula."""
    text = " ".join(str(value).split())
    text = re.sub(r"([\\`*|$~#]|\](?=[(\[:]))", r"\\\1", text)
    text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)  # within a word Markdown leaves _ alone
    text = re.sub(r"^(\d*)(?=[-+.)]\s|[-+]$|[-=]+$)", r"\1\\", text)  # no list, rule or heading
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    write_atomic(path, to_csv(frame))


def _write_markdown(frame: pd.DataFrame, path: Path) -> None:
    write_atomic(path, to_markdown(frame))


def _write_parquet(frame: pd.DataFrame, path: Path) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise NnbenchError(f"Parquet needs pyarrow; install it with: {install_line('store')}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        part = Path(folder) / "part"
        _one_type_per_column(frame).to_parquet(part, index=False)
        os.replace(part, path)


def _one_type_per_column(frame: pd.DataFrame) -> pd.DataFrame:
    """Parquet's columns have one type each; a mixed one (batch sizes 64 and 'full') becomes text."""
    frame = frame.copy()
    for column in frame.columns:
        if len({type(value) for value in frame[column].dropna()} - {int, float}) > 0:
            frame[column] = frame[column].map(str, na_action="ignore")
    return frame


WRITERS: Mapping[str, Callable[[pd.DataFrame, Path], None]] = {
    "csv": _write_csv,
    "markdown": _write_markdown,
    "parquet": _write_parquet,
}


def write_table(frame: pd.DataFrame, path: str | Path, kind: str = "") -> Path:
    """Write *frame* as *kind*: csv, markdown or parquet; left empty, the suffix of *path* decides.

    Raises:
        ConfigError: no such format.
        NnbenchError: Parquet without pyarrow.
        StorageError: the folder cannot be written to.
    """
    path = Path(path)
    name = kind or path.suffix.lower().removeprefix(".").replace("md", "markdown")
    if name not in WRITERS:
        raise ConfigError(f"{path}: unknown format {name!r}; known: {', '.join(WRITERS)}")
    try:
        WRITERS[name](frame, path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; choose another folder") from error
    return path
