"""Cells of a notebook, with ids that stay the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from nnbench.plots import safe_stem

# A cell to be: "markdown" or "code", a name that makes its id, its source, and notes for the page.
Part = tuple[str, str, str, Mapping[str, Any]]


def notebook_of(parts: Iterable[Part], title: str) -> Any:
    """A notebook of *parts*, not executed."""
    import nbformat

    notebook = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"},
        "language_info": {"name": "python"},
        "title": title,
    }
    notebook.cells = [_cell(nbformat.v4, *part) for part in parts]
    return notebook


def part(scenario: str, kind: str, what: str, source: str, **notes: Any) -> Part:
    """A cell about *scenario*; *what* tells it from the others about it."""
    return kind, f"{scenario} {what}", source, notes


def _cell(v4: Any, kind: str, name: str, source: str, notes: Mapping[str, Any]) -> Any:
    make = v4.new_markdown_cell if kind == "markdown" else v4.new_code_cell
    return make(source, id=_cell_id(name), metadata={"nnbench": dict(notes)} if notes else {})


def _cell_id(name: str) -> str:
    """An id that nbformat takes (64 of A-Z a-z 0-9 - _), the same for the same *name*."""
    stem = safe_stem(name).replace(".", "-")[:50]
    return f"{stem}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
