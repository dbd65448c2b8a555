"""A contact sheet: many pictures on one page, small."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nnbench.config import ConfigError
from nnbench.records import StorageError

WIDTH_PX = 480
_GAP_PX = 14
_COLOURS = 128


def contact_sheet(pictures: Sequence[Path], path: Path, columns: int = 3) -> Path:
    """Write *pictures*, PNG files, as one PNG of so many *columns*, each 480 pixels wide.

    Each goes below the column that is shortest so far, in their order.

    Raises:
        ConfigError: no pictures, or no columns. StorageError: *path* cannot be written.
    """
    if not pictures or columns < 1:
        raise ConfigError(f"contact sheet: expected pictures in 1 or more columns, got {len(pictures)}")
    from PIL import Image  # comes with matplotlib

    ends = [_GAP_PX] * columns
    placed = []
    for picture in pictures:
        with Image.open(picture) as image:
            height = round(image.height * WIDTH_PX / image.width)
            small = image.convert("RGB").resize((WIDTH_PX, height), Image.Resampling.LANCZOS)
        column = ends.index(min(ends))
        placed.append((small, (_GAP_PX + column * (WIDTH_PX + _GAP_PX), ends[column])))
        ends[column] += height + _GAP_PX
    sheet = Image.new("RGB", (_GAP_PX + columns * (WIDTH_PX + _GAP_PX), max(ends)), "white")
    for small, place in placed:
        sheet.paste(small, place)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".sheet.") as parts:
            part = Path(parts) / "sheet.png"
            sheet.quantize(_COLOURS, dither=Image.Dither.NONE).save(part, optimize=True)
            os.replace(part, path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; choose another file") from error
    return path
