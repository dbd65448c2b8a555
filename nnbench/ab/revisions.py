"""Revisions of the user's project as folders: git worktrees that are gone afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from nnbench.ab.child import undisturbed
from nnbench.config import ConfigError

_PREFIX = "nnbench-ab-"
_OWNER = re.compile(rf"^{_PREFIX}(\d+)-")
# A checkout is to be looked at, not acted upon: no hook of the project runs.
_GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")


def project_of(folder: Path, flag: str) -> Path:
    """Top folder of the git repository that contains *folder*.

    Raises:
        ConfigError: there is none, or no git.
    """
    done = _git(folder, "rev-parse", "--show-toplevel")
    if done.returncode != 0:
        raise ConfigError(f"{flag}: the current folder is in no git repository; go into that of your project")
    return Path(done.stdout.strip())


def commit_of(project: Path, revision: str, flag: str) -> str:
    """The commit that *revision* (a branch, tag or hash) names, 40 digits.

    Raises:
        ConfigError: it names none.
    """
    done = _git(project, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if revision.startswith("-") or done.returncode != 0:
        raise ConfigError(f"{flag}: no revision {revision!r} in this repository; see git log --oneline --all")
    return done.stdout.strip()


def has_changes(project: Path) -> bool:
    """Whether the working tree differs from its last commit; files that git ignores do not count."""
    return bool(_git(project, "status", "--porcelain").stdout.strip())


@contextmanager
def worktrees(project: Path, commits: Mapping[str, str]) -> Iterator[dict[str, Path]]:
    """Label -> a folder with that commit's files, for as long as the context lasts.

    Raises:
        ConfigError: git cannot make one.
    """
    _remove_stale(project)
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as folder:
        trees = {label: Path(folder) / label.lower() for label in commits}
        try:
            for label, tree in trees.items():
                done = _git(project, "worktree", "add", "--quiet", "--detach", str(tree), commits[label])
                if done.returncode != 0:
                    said = (done.stderr.strip().splitlines() or ["git worktree failed"])[-1]
                    raise ConfigError(f"side {label}: cannot check out {commits[label][:12]}: {said}")
            yield trees
        finally:
            with undisturbed():
                _remove(project, list(trees.values()))


def _remove(project: Path, trees: Sequence[Path]) -> None:
    for tree in trees:
        _git(project, "worktree", "remove", "--force", str(tree))
    _git(project, "worktree", "prune")


def _remove_stale(project: Path) -> None:
    """Take away what a comparison has left that was killed; its folder bears the number of its process."""
    listed = _git(project, "worktree", "list", "--porcelain").stdout.splitlines()
    trees = [Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")]
    stale = [tree for tree in trees if (at := _OWNER.search(tree.parent.name)) and not _lives(int(at[1]))]
    _remove(project, stale)
    for tree in stale:
        shutil.rmtree(tree.parent, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git in *folder*; within from a hook, its GIT_… variables would name another repository."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        return subprocess.run(
            [*_GIT, *arguments], cwd=folder, env=clean, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise ConfigError("revisions need git, which is not installed; compare two folders instead") from None


def in_tree(paths: Sequence[str], project: Path, tree: Path) -> list[str]:
    """Those of *paths* that lie in *project* and exist in its *tree*, as they are there.

    What the revision does not have, such as a virtual environment beside the sources, is left to the
    interpreter.
    """
    found = []
    for path in paths:
        whole = Path(path or ".").absolute()
        if whole.is_relative_to(project) and (tree / whole.relative_to(project)).is_dir():
            found.append(str(tree / whole.relative_to(project)))
    return list(dict.fromkeys(found))
