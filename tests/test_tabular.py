"""Tables as CSV, Markdown and Parquet: what a cell may do to its reader, and what a torn file costs."""

import pandas as pd
import pytest

from fake_runs import lecture, write_json
from nnbench.config import ConfigError, NnbenchError
from nnbench.records import StorageError
from nnbench.results import load_run
from nnbench.tabular import escape_markdown, to_csv, to_markdown, write_table


def test_csv_never_holds_a_formula():
    frame = pd.DataFrame(
        {"=1+1": ["=cmd|' /C calc'!A0", "-x", "-1.5", "+49", "@a", "fine"], "n": [-1, 2, 3, 4, 5, 6]}
    )
    lines = to_csv(frame).splitlines()
    assert lines[0] == "'=1+1,n"
    assert lines[1].startswith("'=cmd")
    assert [line.split(",")[0] for line in lines[2:]] == ["'-x", "-1.5", "+49", "'@a", "fine"]
    assert lines[1].endswith(",-1")


def test_markdown_cells_cannot_break_the_table():
    frame = pd.DataFrame({"arm": ["a|b", "<script>x</script>\n[l](u) `c` $m$ *s*"], "n": ["1.5 ± 0.2", "–"]})
    head, rule, first, second = to_markdown(frame).splitlines()
    assert (head, rule) == ("| arm | n |", "| --- | ---: |")
    assert first == r"| a\|b | 1.5 ± 0.2 |"
    assert "<" not in second
    assert r"[l\](u) \`c\` \$m\$ \*s\*" in second


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("- a", r"\- a"),
        ("1. a", r"1\. a"),
        ("---", r"\---"),
        ("snake_case", "snake_case"),
        ("_a_", r"\_a\_"),
        ("-1.5", "-1.5"),
    ],
)
def test_markdown_at_the_start_of_a_line(text, escaped):
    assert escape_markdown(text) == escaped


def test_tables_are_written_by_suffix_or_kind(tmp_path):
    table = load_run(write_json(tmp_path / "out.json", lecture(1), seeds=1))
    assert len(pd.read_csv(write_table(table, tmp_path / "t.csv"))) == len(table)
    assert write_table(table, tmp_path / "deep" / "t.md").read_text().startswith("| scenario | arm |")
    assert write_table(table, tmp_path / "t.txt", "markdown").read_text().startswith("| scenario")
    back = pd.read_parquet(write_table(table, tmp_path / "t.parquet"))
    assert set(back["batch_size"].dropna()) >= {"64", "full"}
    assert back["validation_accuracy"].dtype == "float64"
    with pytest.raises(ConfigError, match="unknown format 'xlsx'"):
        write_table(table, tmp_path / "t.xlsx")


def test_parquet_is_derived_and_a_torn_file_costs_nothing(tmp_path):
    """S6: the records are the truth. A table that is torn at any place is no input, and is written anew."""
    source = write_json(tmp_path / "out.json", lecture(1), seeds=1)
    path = write_table(load_run(source), tmp_path / "t.parquet")
    whole, frame = path.read_bytes(), pd.read_parquet(path)
    for cut in range(0, len(whole), len(whole) // 50):
        path.write_bytes(whole[:cut])
        pd.testing.assert_frame_equal(pd.read_parquet(write_table(load_run(source), path)), frame)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out.json", "t.parquet"]


def test_parquet_without_pyarrow_names_the_install_line(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(NnbenchError, match=r"pip install -e '.\[store\]'"):
        write_table(pd.DataFrame({"a": [1]}), tmp_path / "t.parquet")


def test_an_unwritable_folder_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write_table(pd.DataFrame({"a": [1]}), tmp_path / "file" / "t.parquet")
