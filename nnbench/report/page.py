"""An executed notebook to one HTML page that loads nothing: pictures and style are inside."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

STYLE = """
:root { --ink: #1b1b1b; --quiet: #5c5c5c; --line: #dedede; --accent: #0b5c8a; --alarm: #a3262a; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 5rem; max-width: 74rem; background: #fff; color: var(--ink);
  font: 1.08rem/1.6 Charter, "Bitstream Charter", "Source Serif 4", Cambria, Georgia, serif;
  text-rendering: optimizeLegibility; }
h1, h2, h3, nav, table, summary, pre, .verdict, footer {
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
p, ul, blockquote { max-width: 43rem; }
h1 { font-size: 2.1rem; line-height: 1.15; margin: 0 0 .4rem; letter-spacing: -.015em; }
h2 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 .9rem; letter-spacing: -.01em; }
h3 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
section { border-top: 1px solid var(--line); margin-top: 3.2rem; padding-top: 2.2rem; }
li { margin: .35rem 0; }
a { color: var(--accent); }
nav { margin: 1.2rem 0 0; font-size: .95rem; }
nav a { display: inline-block; margin: 0 1.1rem .3rem 0; text-decoration: none; }
nav a:hover { text-decoration: underline; }
nav strong { display: block; margin: .7rem 0 .1rem; font-size: .8rem; color: var(--quiet); }
main > h1 + section { margin-top: 1rem; }
main > section + h1 { margin-top: 4.5rem; }
.scroll { overflow-x: auto; margin: 1rem 0 1.4rem; }
table { border-collapse: collapse; font-size: .875rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
th, td { padding: .42rem .8rem; text-align: right; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--quiet); border-bottom: 1.5px solid #999; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
.prose th, .prose td { text-align: left; }
.prose td { min-width: 7rem; max-width: 26rem; overflow-wrap: anywhere; }
td.status, th.status { text-align: left; min-width: 6rem; max-width: 22rem; }
td.reason { min-width: 18rem; font-size: .8rem; }
.numbers td { white-space: nowrap; } .numbers td:last-child { white-space: normal; }
.verdict { font-size: .78rem; font-weight: 700; letter-spacing: .03em; padding: .1rem .5rem;
  white-space: nowrap;  border-radius: .25rem; border: 1.5px solid currentColor; }
.supported { color: #05603f; } .refuted { color: var(--alarm); }
.undecided, .not-run, .not_comparable { color: var(--quiet); }
img { display: block; max-width: min(100%, 60rem); height: auto; margin: 1.2rem 0; }
blockquote { margin: 1.4rem 0; padding: .1rem 1.2rem; border-left: .25rem solid var(--accent); }
.banner blockquote { max-width: none; border: 2px solid var(--alarm); color: var(--alarm);
  background: #fdf3f3; }
details { margin: .3rem 0; } summary { cursor: pointer; color: var(--quiet); font-size: .78rem; }
pre { overflow-x: auto; background: #f6f6f4; padding: .8rem 1rem; border-radius: .3rem; font-size: .85rem;
  line-height: 1.45; }
pre, code { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
pre.error { color: var(--alarm); }
footer { margin-top: 4rem; color: var(--quiet); font-size: .85rem; }
@media (max-width: 40rem) { body { padding-top: 1.2rem; font-size: 1rem; } h1 { font-size: 1.7rem; } }
@media print { body { max-width: none; padding: 0; font-size: 10.5pt; } details, nav { display: none; }
  img, tr, blockquote { break-inside: avoid; } h2, h3 { break-after: avoid; } a { color: inherit; }
  .scroll { overflow: visible; } .numbers td, .numbers th { padding: .25rem .4rem; }
  table { font-size: 8pt; } }
"""
_CONTENTS = "<!-- contents -->"
_WORD = 24  # characters of a status without a reason
_VERDICTS = ("SUPPORTED", "REFUTED", "UNDECIDED", "NOT RUN", "NOT_COMPARABLE")


def render(notebook: Any) -> str:
    """The whole page; what a cell says of itself in its metadata gives sections, banner and alt texts."""
    body: list[str] = []
    links: list[str] = []
    opened = False
    for cell in notebook.cells:
        notes = cell.metadata.get("nnbench", {})
        if not links and ("part" in notes or "anchor" in notes):
            body.append(_CONTENTS)  # the contents stand below the title
        if "part" in notes:
            body.append("</section>" if opened else "")
            links.append(f"<strong>{html.escape(str(notes['part']))}</strong>")
            opened = False
        if "anchor" in notes:
            body.append(f'{"</section>" if opened else ""}<section id="{cell.id}">')
            links.append(f'<a href="#{cell.id}">{html.escape(str(notes["anchor"]))}</a>')
            opened = True
        body.append(_cell(cell, notes))
    title = html.escape(str(notebook.metadata.get("title", "nnbench report")))
    text = "\n".join([*body, "</section>" if opened else ""])
    nav = f'<nav aria-label="Contents">{"".join(links)}</nav>'
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style></head>\n<body>\n<main>\n{text.replace(_CONTENTS, nav, 1)}\n</main>\n"
        "<footer>Made by nnbench from the results beside this page. It loads nothing from anywhere; the "
        "notebook report.ipynb holds the same cells, ready to be changed and run.</footer>\n</body></html>\n"
    )


def _cell(cell: Any, notes: Mapping[str, Any]) -> str:
    if cell.cell_type == "markdown":
        text = markdown(cell.source)
        return f'<div class="banner" role="note">{text}</div>' if notes.get("banner") else text
    shown = "".join(_output(output, str(notes.get("alt", ""))) for output in cell.outputs)
    code = f"<pre><code>{html.escape(cell.source)}</code></pre>"
    if notes.get("to_try"):
        return f"{code}\n{shown}"
    return f"{shown}\n<details><summary>code</summary>{code}</details>"


def markdown(source: str) -> str:
    """HTML of Markdown; HTML within it is shown as text, never passed on."""
    import mistune

    class Renderer(mistune.HTMLRenderer):
        """As mistune's, which leaves entities alone; but no raw HTML."""

        def block_html(self, raw: str) -> str:
            return f"<p>{html.escape(raw)}</p>\n"

        def inline_html(self, raw: str) -> str:
            return html.escape(raw)

    made = mistune.create_markdown(renderer=Renderer(escape=False))(source)
    return str(made)


def _output(output: Any, alt: str) -> str:
    if output.output_type == "error":
        return f'<pre class="error">{html.escape(f"{output.ename}: {output.evalue}")}</pre>'
    if output.output_type == "stream":
        return f"<pre>{html.escape(output.text)}</pre>"
    data = output.data
    if "image/png" in data:
        encoded = "".join(str(data["image/png"]).split())
        return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{encoded}">'
    if "text/html" in data:
        return _table(str(data["text/html"]))
    if "text/markdown" in data:
        return markdown(str(data["text/markdown"]))
    return f"<pre>{html.escape(str(data.get('text/plain', '')))}</pre>"


def _status_cell(found: re.Match[str]) -> str:
    """The last cell of a row; a reason that would not fit into a word's width gets room of its own."""
    cell, text, end = found.groups()
    long = " reason" if len(text) > _WORD else ""
    return f'<t{cell} class="status{long}">{text}</t{cell}>{end}'


def _table(text: str) -> str:
    """A table of pandas, in a frame that scrolls; verdicts are set off by word, border and colour."""
    for verdict in _VERDICTS:
        css = verdict.lower().replace(" ", "-")
        text = text.replace(f"<td>{verdict}</td>", f'<td><span class="verdict {css}">{verdict}</span></td>')
    text = re.sub(r' style="text-align: \w+;"', "", text)
    prose = re.search(r"<th>(claim|value)</th>", text)
    if "<th>status</th>" in text:  # the last column is prose
        text = re.sub(r"<t([dh])>([^<]*)</t[dh]>(\s*</tr>)", _status_cell, text)
    kind = "prose" if prose else "numbers"
    return f'<div class="scroll {kind}" tabindex="0" role="region" aria-label="table">{text}</div>'
