"""The two sides: what each changes, with which interpreter and in which folder it runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nnbench.ab.revisions import commit_of, has_changes, in_tree, project_of, worktrees
from nnbench.config import ConfigError
from nnbench.processes import child_environment

LABELS = ("A", "B")
_FACTS = """
import importlib.util, json, sys
found = importlib.util.find_spec("nnbench")
print(json.dumps([sys.path, found.submodule_search_locations[0] if found else None]))
"""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line asks of a side: KEY=VALUE changes, a revision and an interpreter, or neither."""

    changes: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    python: str = ""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side, ready to run.

    Attributes:
        label: "A", the base, or "B", the head.
        folder: where its processes run: the current folder, or the same one in a worktree.
        revision: its commit; empty for the working tree.
        paths: in front of the import path of its processes.
        project: top of the user's repository, whose working tree this side must not import; None without a
            revision.
    """

    label: str
    changes: Mapping[str, str]
    python: str
    folder: Path
    revision: str = ""
    paths: tuple[str, ...] = ()
    project: Path | None = None

    def environment(self) -> dict[str, str]:
        """The variables of a process that measures for this side."""
        return child_environment(PYTHONPATH=os.pathsep.join(self.paths))

    def told(self) -> str:
        """What sets it apart, for a person: 'batch_size=64', 'revision 0123456789ab'; empty for nothing."""
        parts = [f"{key}={value}" for key, value in self.changes.items()]
        parts += [f"revision {self.revision[:12]}"] if self.revision else []
        parts += [_short(self.python)] if self.python != sys.executable else []
        return ", ".join(parts)

    def to_json(self) -> dict[str, object]:
        """What run.json says of it; of an interpreter its place without this machine's folders."""
        return {
            "changes": dict(self.changes),
            "revision": self.revision or None,
            "python": _short(self.python),
        }


def _short(path: str) -> str:
    home = str(Path.home())
    return "~" + path.removeprefix(home) if path.startswith(f"{home}/") else Path(path).name


def parse_changes(flag: str, texts: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE texts as a mapping.

    Raises:
        ConfigError: one is none, or a key comes twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"{flag}: expected KEY=VALUE, got {text!r}; for example {flag} batch_size=64")
        if key in found:
            raise ConfigError(f"{flag}: {key!r} is given twice, as {found[key]!r} and {value!r}")
        found[key] = value
    return found


@contextmanager
def prepared(a: Asked, b: Asked, *, measures: bool = True) -> Iterator[tuple[Side, Side, list[str]]]:
    """Both sides ready to run, and notes for the user; worktrees are gone when the context ends.

    Args:
        measures: whether the sides' interpreters must have nnbench; a command's need not.

    Raises:
        ConfigError: no such revision or interpreter, or one without nnbench.
    """
    asked = dict(zip(LABELS, (a, b), strict=True))
    revised = {label: each.revision for label, each in asked.items() if each.revision}
    notes: list[str] = []
    with ExitStack() as stack:
        project, trees, commits = None, {}, {}
        if revised:
            project = project_of(Path.cwd(), f"--{next(iter(revised)).lower()}-rev")
            commits = {
                label: commit_of(project, rev, f"--{label.lower()}-rev") for label, rev in revised.items()
            }
            trees = stack.enter_context(worktrees(project, commits))
            if len(trees) == 1 and has_changes(project):
                other = next(label for label in LABELS if label not in trees)
                notes.append(f"side {other} is the working tree, with changes that are not committed")
        links = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nnbench-link-")))
        sides = []
        for label, each in asked.items():
            python = _interpreter(f"--{label.lower()}-python", each.python)
            import_path, package = _facts(f"--{label.lower()}-python", python, measures=measures)
            side = Side(label=label, changes=each.changes, python=python, folder=Path.cwd(),
                        revision=commits.get(label, ""), paths=_own_paths())  # fmt: skip
            if project is not None and label in trees:
                side, note = _in_worktree(side, project, trees[label], import_path, package, links)
                notes += [note] if note and note not in notes else []
            sides.append(side)
        yield sides[0], sides[1], notes


def _own_paths() -> tuple[str, ...]:
    """The current folder, where one's own package.module:factory lies, and what PYTHONPATH names."""
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return tuple(dict.fromkeys([str(Path.cwd()), *(str(Path(path).absolute()) for path in named if path)]))


def _in_worktree(
    side: Side, project: Path, tree: Path, import_path: Sequence[str], package: str | None, links: Path
) -> tuple[Side, str]:
    """*side* moved into its *tree*: all of the project comes from there, nnbench from the interpreter."""
    folder = tree / Path.cwd().relative_to(project)
    if not folder.is_dir():
        raise ConfigError(f"side {side.label}: revision {side.revision[:12]} has no folder {folder.name!r}")
    own = in_tree([*side.paths, *import_path, str(project / "src")], project, tree)
    outside = [path for path in side.paths if not Path(path).is_relative_to(project)]
    note = ""
    if package and any((Path(path) / "nnbench" / "__init__.py").is_file() for path in own):
        link = links / side.label
        link.mkdir()
        (link / "nnbench").symlink_to(package)
        own.insert(0, str(link))
        note = (
            "this project is nnbench: both sides measure with the nnbench that runs, and only what else the "
            "revision holds differs; compare its own revisions by a command: -- python -m nnbench train …"
        )
    paths = tuple(dict.fromkeys([*own, *outside]))
    return Side(label=side.label, changes=side.changes, python=side.python, folder=folder, paths=paths,
                revision=side.revision, project=project), note  # fmt: skip


def _interpreter(flag: str, name: str) -> str:
    """Path of the interpreter; links are kept, since a virtual environment's is one."""
    if not name:
        return sys.executable
    found = shutil.which(os.path.expanduser(name))
    if found is None:
        raise ConfigError(f"{flag}: {name!r} is no program; give the path of a Python interpreter")
    return os.path.abspath(found)


def _facts(flag: str, python: str, *, measures: bool) -> tuple[list[str], str | None]:
    """Import path of the interpreter *python* and the folder of its nnbench."""
    if python == sys.executable:
        return list(sys.path), str(Path(__file__).parents[1])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-P", "-c", _FACTS], cwd="/", env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    try:
        path, package = json.loads(done.stdout)
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise ConfigError(f"{flag}: {python} is no Python of 3.11 or later: {said}") from None
    if measures and package is None:
        raise ConfigError(
            f"{flag}: {python} has no nnbench; install it there, in a checkout of nnbench: "
            f"{python} -m pip install -e ."
        )
    return path, package
