"""A4: every number that `nnbench table` prints, computed again from the JSON files, by other means.

Neither nnbench nor pandas nor scipy: ``nnbench table RUN | python tests/recompute.py RUN`` prints what differs.
"""

import json
import math
import statistics
import sys
from pathlib import Path

T = (12.7062047, 4.3026527, 3.1824463, 2.7764451, 2.5705818, 2.4469119, 2.3646243, 2.3060041, 2.2621572,
     2.2281389, 2.2009852, 2.1788128, 2.1603687, 2.1447867)  # fmt: skip  # Student's 97.5 % by degrees of freedom
# what a column is called: what the record calls it, its factor, how it is printed
COLUMNS = {
    "validation accuracy [%]": ("validation_accuracy", 100, "mean"), "training time [s]": ("train_s", 1, "time"),
    "throughput [samples/s]": ("samples_per_s", 1, "time"), "peak memory [MiB]": ("peak_bytes", 2**-20, "median"),
    "time to target [s]": ("target_s", 1, "time"), "parameters": ("parameters", 1, "count"),
    "receptive field [px]": ("receptive_field", 1, "count"), "multiply-adds per image": ("macs", 1, "count"),
    "layers": ("layers", 1, "count"),
}  # fmt: skip


def three(x):
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}"


def interval(values):
    mean, n = math.fsum(values) / len(values), len(values)
    return mean, T[n - 2] * math.sqrt(
        math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n
    ) if n > 1 else None


def cell(values, how):
    if not values:
        return "–"
    if how == "count":
        return f"{values[0]:,.0f}"
    if how == "mean":
        mean, half = interval(values)
        return f"{mean:.2f}" + ("" if half is None else f" ± {half:.2f}")
    if how == "time" and len(values) > 3:
        ordered, last = sorted(values), len(values) - 1
        ends = [ordered[int(p * last)] + (p * last) % 1 * (ordered[min(last, int(p * last) + 1)] - ordered[int(p * last)])
                for p in (0.25, 0.5, 0.75)]  # fmt: skip
        digits = max(0, 2 - math.floor(math.log10(ends[1])))
        low, middle, high = (f"{end:,.{digits}f}" for end in ends)
        return f"{middle} ({low}–{high})"
    return three(statistics.median(values))


def pick(records, name, factor=1, how=""):
    fine = [r for r in records if r["status"] == "OK"]
    calm = [r for r in fine if "INVALID" not in r["quality"]] if how == "time" else fine
    return [r["metrics"][name] * factor for r in calm or fine if r["metrics"].get(name) is not None]


def row_of(records, row):
    """The cells of a row about measurements."""
    found = {head: cell(pick(records, *COLUMNS[head]), COLUMNS[head][2]) for head in row if head in COLUMNS}
    for part in {"seeds", "blocks"} & set(row):
        every = {r[part[:-1]] for r in records}
        lost = {r[part[:-1]] for r in records if r["status"] != "OK"}
        found[part] = f"{len(every - lost)}/{len(every)}"
    return found


def scaling_of(many, one, row):
    """The cells of a row about ranks: throughputs paired by seed and block, medians over the seeds of a block."""
    rates = [{(r["seed"], r["block"]): r["metrics"]["samples_per_s"] for r in records
              if r["status"] == "OK" and not {"INVALID", "CLOCK"} & set(r["quality"])} for records in (many, one)]  # fmt: skip
    both = sorted(rates[0].keys() & rates[1].keys())
    by = 1 if len({block for _, block in both}) > 1 else 0
    units = {key[by]: [[rate[k] for k in both if k[by] == key[by]] for rate in rates] for key in both}
    logs = [math.log(statistics.median(a) / statistics.median(b)) for a, b in units.values()]
    mean, half = interval(logs)
    ends = [math.exp(mean)] if half is None else [math.exp(x) for x in (mean, mean - half, mean + half)]
    told = [[three(x) for x in ends], [f"{100 * x / int(row['ranks']):.0f}" for x in ends]]
    texts = [
        x[0] + unit + (f" ({x[1]} to {x[2]})" if len(x) > 1 else "")
        for x, unit in zip(told, ("", "\u00a0%"), strict=True)
    ]
    return {"speed-up": texts[0], "efficiency": texts[1], "pairs": str(len(units))}


def differences(folder, text):
    """How many cells were computed again, and those that differ, as (scenario, arm, column, printed, computed)."""
    records = [
        json.loads(path.read_text())["record"] for path in sorted(Path(folder, "records").glob("*.json"))
    ]
    lines, cells, wrong, scenario = text.splitlines(), 0, [], ""
    for number, line in enumerate(lines):
        if line.startswith("---"):  # columns are where the dashes are
            starts = [i for i in range(len(line)) if line[i] == "-" and (i == 0 or line[i - 1] == " ")]
            heads = split(lines[number - 1], starts)
            scenario = scenario if "ranks" in heads else lines[number - 2].split(":")[0]
            for below in lines[number + 1 : lines.index("", number)]:
                row = dict(zip(heads, split(below, starts), strict=True))
                of = {name: [r for r in records if (r["scenario"], r["arm"]["name"]) == (scenario, name)]
                      for name in (row["arm"], row.get("against"))}  # fmt: skip
                expected = (
                    scaling_of(of[row["arm"]], of[row["against"]], row)
                    if "against" in row
                    else row_of(of[row["arm"]], row)
                )
                cells += len(expected)
                wrong += [
                    (scenario, row["arm"], head, row[head], value)
                    for head, value in expected.items()
                    if row[head] != value
                ]
    return cells, wrong


def split(line, starts):
    return [line[a:b].strip(" ") for a, b in zip(starts, [*starts[1:], None], strict=True)]


if __name__ == "__main__":
    print(*differences(sys.argv[1], sys.stdin.read()), sep="\n")
