"""t-SNE before and after: held-out images as pixels, and as a trained network's scores, drawn in a plane.

Shapes: N points, D dimensions, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nnbench.config import ConfigError, ProbeResult, arm_from
from nnbench.training import Training

Points = NDArray[np.floating[Any]]
SPACES = ("before", "after")
METHODS = ("t-SNE", "PCA")
_NEIGHBOURS = 5
_FOLDS = 5


def embedding(
    arm: Mapping[str, Any],
    space: str,
    seed: int,
    *,
    method: str = "t-SNE",
    points: int = 400,
    perplexity: float = 30.0,
    data_folder: Path | None = None,
) -> ProbeResult:
    """Train *arm*, then bring held-out points into a plane: from their pixels, or from the network's scores.

    The points are drawn by the seed from the validation set, which no training has seen; both spaces get the
    same ones. t-SNE starts from the first two principal components (van der Maaten and Hinton 2008,
    "Visualizing Data using t-SNE"; Kobak and Berens 2019 on that start). All measures are scikit-learn's.

    Args:
        space: ``before`` or ``after``.
        points: at most; all of a smaller set.

    Returns:
        neighbour_accuracy, of the 5 nearest neighbours in the plane, in 5 folds; silhouette of the classes
        there; trustworthiness, how far neighbours in the plane are neighbours in the space (Venna and Kaski
        2001); space_accuracy, of the neighbours in the space itself. Arrays: positions, (N, 2), and labels.

    Raises:
        ConfigError: an unknown space or method, or too few points.
    """
    if space not in SPACES or method not in METHODS:
        raise ConfigError(
            f"space, method: expected one of {', '.join(SPACES)} and one of {', '.join(METHODS)}, "
            f"got {space!r} and {method!r}"
        )
    if points < 3 * perplexity:
        raise ConfigError(
            f"points: expected {3 * perplexity:g} or more for a perplexity of {perplexity:g}, got {points}"
        )
    from sklearn.manifold import trustworthiness
    from sklearn.metrics import silhouette_score

    training = Training(arm_from(arm), seed, data_folder)
    if space == "after":
        training.run(validate=False)
    held = training.dataset.validation
    chosen = torch.randperm(len(held), generator=torch.Generator().manual_seed(seed))[:points]
    images, labels = held.images[chosen], held.labels[chosen].numpy()
    if space == "before":
        found: Points = images.flatten(1).numpy() / 255
    else:
        training.model.eval()
        with torch.no_grad():
            found = training.model(training.scored.decode(images)).numpy()
    plane = _plane(found, method, perplexity, seed)
    return ProbeResult(
        metrics={
            "neighbour_accuracy": _neighbour_accuracy(plane, labels),
            "space_accuracy": _neighbour_accuracy(found, labels),
            "silhouette": float(silhouette_score(plane, labels)),
            "trustworthiness": float(trustworthiness(found, plane, n_neighbors=_NEIGHBOURS)),
        },
        arrays={"positions": plane.astype(np.float32), "labels": labels.astype(np.int16)},
    )


def _plane(found: Points, method: str, perplexity: float, seed: int) -> Points:
    """(N, D) to (N, 2)."""
    if method == "PCA":
        from sklearn.decomposition import PCA

        plane: Points = PCA(2, random_state=seed).fit_transform(found)
        return plane
    from sklearn.manifold import TSNE

    plane = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(found)
    return plane


def _neighbour_accuracy(points: Points, labels: NDArray[np.integer[Any]]) -> float:
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    return float(cross_val_score(KNeighborsClassifier(_NEIGHBOURS), points, labels, cv=folds).mean())
