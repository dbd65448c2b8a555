"""The tables and sentences of the report: what its notebook calls, and a student may call too."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nnbench import findings
from nnbench.efficiency import efficiency_rows
from nnbench.metrics import heading, metric, number
from nnbench.records import Record
from nnbench.results import Run, summary_table
from nnbench.tabular import escape_markdown
from nnbench.time_to_accuracy import rows_of_times


def glance(run: Run) -> pd.DataFrame:
    """Two columns: what was run, on what, and how much of it ended well."""
    count = findings.counts(run.plan, run.records)
    ends = {
        "OK": "OK", "expected": "diverged as foretold", "failed": "failed", "SKIPPED": "SKIPPED",
        "missing": "without a record",
    }  # fmt: skip
    parts = [f"{count[k]} {text}" for k, text in ends.items() if count[k] or k in ("OK", "failed", "SKIPPED")]
    seeds = int(run.plan.get("seeds", 1))
    rows = {
        "profile": f"{run.profile}, {seeds} seed{'s' if seeds != 1 else ''} for what learns",
        "machine": "; ".join(_machines(run)) or "unknown",
        "data": "; ".join(_data(run)) or "none",
        "measurements": f"{count['planned']} planned = {' + '.join(parts)}",
    }
    if run.rejected:
        rows["files"] = run.rejection()
    if run.outcomes:
        bad = sum(outcome not in ("passed", "skipped") for outcome in run.outcomes.values())
        rows["tests"] = f"{len(run.outcomes)} run, {bad} failed"
    return pd.DataFrame(rows.items(), columns=["what", "value"])


def _machines(run: Run) -> list[str]:
    texts = []
    for record in run.records:
        of = record.environment
        parts = [str(of.get("device_name") or of.get("cpu") or "unknown device")]
        if of.get("cores"):
            parts.append(f"{of['cores']} cores")
        if of.get("threads"):
            parts.append(f"{of['threads']} intra-op thread{'s' if of['threads'] != 1 else ''}")
        if of.get("memory_bytes"):
            parts.append(f"{of['memory_bytes'] / 2**30:.0f} GiB")
        parts += [f"{name} {of[name]}" for name in ("python", "torch") if of.get(name)]
        texts.append(", ".join(parts))
    return list(dict.fromkeys(texts))


def _data(run: Run) -> list[str]:
    texts = []
    for of in (record.data for record in run.records if record.data.get("name")):
        sizes = [f"{of[split]:,} {split}" for split in ("train", "validation") if of.get(split)]
        texts.append(f"{of['name']} ({' + '.join(sizes)})" if sizes else str(of["name"]))
    return list(dict.fromkeys(texts))


def shown(run: Run, scenario: str) -> str:
    """Which arms the tables of a scenario show, as Markdown; empty where they show all."""
    records = run.of(scenario)
    choice = findings.for_table(run.scenario(scenario), records)
    texts = [f"{choice.text}; {findings.ALL_ARMS}"] if choice else []
    for name, (_, text) in (
        ("ranks", findings.few_efficiencies(records)),
        ("times to accuracy", findings.few_times(records)),
    ):
        texts += [f"of the {name} {text}"] if text else []
    return escape_markdown(f"Showing {'; '.join(texts)}.") if texts else ""


def _few(run: Run, scenario: str) -> Run:
    """*run* with the scenario alone; of very many arms only those that its tables show."""
    plan = run.scenario(scenario)
    choice = findings.for_table(plan, run.of(scenario))
    return run.only(scenario, choice.arms) if choice else run


def summary(run: Run, scenario: str) -> pd.DataFrame:
    """One row per arm that is `shown`; `nnbench.results.summary_table` has all."""
    return summary_table(_few(run, scenario), scenario)


def shown_claims(run: Run, scenario: str | None = None) -> str:
    """Which claims of one scenario, or of each, `verdicts` shows, as a list in Markdown; empty where all."""
    found = [(name, _judged(run, name)[1]) for name in _names(run, scenario)]
    texts = [f"{name}: {text}; {findings.ALL_CLAIMS}" for name, text in found if text]
    return "\n".join(f"- {escape_markdown(text)}" for text in texts)


def _names(run: Run, scenario: str | None) -> list[str]:
    return [str(plan["name"]) for plan in run.plan["scenarios"] if scenario in (None, plan["name"])]


def _judged(
    run: Run, scenario: str, most: int | None = findings.CLAIMS_MOST
) -> tuple[list[dict[str, str]], str]:
    rows = findings.verdict_rows(run.of(scenario), run.scenario(scenario), run.profile)
    chosen, text = findings.of_claims([row["verdict"] for row in rows], most)
    return [rows[i] for i in chosen], text


def verdicts(run: Run, scenario: str | None = None, most: int | None = findings.CLAIMS_MOST) -> pd.DataFrame:
    """One row per claim: verdict, effect, interval; of one scenario with the reason, of all without.

    Args:
        most: claims of a scenario, see `shown_claims`; None for all.
    """
    rows: list[dict[str, str]] = []
    for name in _names(run, scenario):
        rows += [{"scenario": name, **row} for row in _judged(run, name, most)[0]]
    told = [name for name in findings.COLUMNS if name != "reason"]
    return pd.DataFrame(rows, columns=["scenario", *told] if scenario is None else findings.COLUMNS)


def slides(run: Run) -> pd.DataFrame:
    """One row per slide of the lecture: what it says, where it is measured, how the verdicts fell."""
    scenarios = [(plan, run.of(str(plan["name"]))) for plan in run.plan["scenarios"]]
    return pd.DataFrame(findings.slide_rows(scenarios, run.profile), columns=findings.SLIDE_COLUMNS)


def claims_about(run: Run, slide: str) -> pd.DataFrame:
    """One row per claim about a slide of the lecture, of every scenario: verdict, effect, interval."""
    rows = []
    for name in _names(run, None):
        plan = run.scenario(name)
        texts = {claim.get("text") for claim in plan.get("claims", ()) if claim.get("slide") == slide}
        if texts:  # all are judged: how many there are widens their intervals
            judged = findings.verdict_rows(run.of(name), plan, run.profile)
            rows += [row for row in judged if row["claim"] in texts]
    return pd.DataFrame(rows, columns=[name for name in findings.COLUMNS if name != "reason"])


def figures(record: Record) -> pd.DataFrame:
    """What was measured of one arm, one row per metric; why it was not, where it was not."""
    rows = [("status", record.status if not record.reason else f"{record.status}: {record.reason}")]
    for name, value in record.metrics.items():
        of = metric(name)
        text = record.missing.get(name, "–") if value is None else number(value * of.scale)
        rows.append((heading(of), text))
    return pd.DataFrame(rows, columns=["what", "value"])


def axes(run: Run, scenario: str) -> pd.DataFrame:
    """One row per arm: what it spent on the axis of equality, first, and on the others."""
    rows = findings.axes_rows(_few(run, scenario).of(scenario), str(run.scenario(scenario)["axis"]))
    return pd.DataFrame(rows).fillna("–")


def scaling(run: Run, scenario: str) -> pd.DataFrame:
    """One row per arm of several ranks: its speed-up over one, and what share of the ideal that is."""
    return pd.DataFrame(efficiency_rows(findings.few_efficiencies(run.of(scenario))[0]))


def targets(run: Run, scenario: str) -> pd.DataFrame:
    """One row per arm that has a target accuracy: how many seconds of training it takes to get there."""
    return pd.DataFrame(rows_of_times(findings.few_times(run.of(scenario))[0]))


def says(run: Run, scenario: str) -> str:
    """What the numbers of a scenario say, as a list in Markdown."""
    plan, records = run.scenario(scenario), run.of(scenario)
    texts = [findings.equality(records, str(plan["axis"]))] if records else []
    texts += findings.sentences(records, run.profile, plan.get("may_diverge", ()))
    return "\n".join(f"- {escape_markdown(text)}" for text in texts)


def environment(run: Run) -> pd.DataFrame:
    """Every fact that the records state of their environment; several values are separated by ;."""
    found: dict[str, list[str]] = {}
    for record in run.records:
        for key, value in record.environment.items():
            if key != "load_1min" and value is not None:
                found.setdefault(key, []).append(str(value))
    rows: list[dict[str, Any]] = [
        {"what": key, "value": "; ".join(dict.fromkeys(values))} for key, values in found.items()
    ]
    started = sorted(record.started_at for record in run.records if record.started_at)
    if started:
        rows.append({"what": "measured (UTC)", "value": f"{started[0]} to {started[-1]}"})
    sums = {f"{r.data['name']}: {r.data['sha256']}" for r in run.records if r.data.get("sha256")}
    rows += [{"what": "data, SHA-256", "value": text} for text in sorted(sums)]
    return pd.DataFrame(rows, columns=["what", "value"])
