"""t-SNE before and after: its points have not been trained on, and its measures are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

import nnbench.studies.embedding as study
from lecture_runs import draw_all, records_of, scenarios_of, verdicts_of
from nnbench.claims import REFUTED
from nnbench.config import ConfigError
from nnbench.data import load

SCENARIO = scenarios_of("test_embedding.py")["embedding"]
CLOTHES = {"data": "fashion-mini", "model": "logistic", "optimizer": "adam", "lr": 0.003, "epochs": 3}


def drawn(space, seed=0, **more):
    return study.embedding(CLOTHES, space, seed, points=120, perplexity=20.0, **more)


def test_both_spaces_get_the_same_held_out_points():
    before, after = drawn("before", method="PCA"), drawn("after", method="PCA")
    assert np.array_equal(before.arrays["labels"], after.arrays["labels"])
    assert len(before.arrays["positions"]) == 120
    assert not np.array_equal(before.arrays["labels"], drawn("before", 1, method="PCA").arrays["labels"])


def test_the_points_before_are_pixels_of_the_validation_set():
    held = load("fashion-mini").validation.images.flatten(1).numpy() / 255
    found = drawn("before", method="PCA")
    # the nearest neighbours' accuracy is that of pixels: the same from scratch
    import torch
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    chosen = torch.randperm(len(held), generator=torch.Generator().manual_seed(0))[:120].numpy()
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    expected = cross_val_score(KNeighborsClassifier(5), held[chosen], found.arrays["labels"], cv=folds).mean()
    assert found.metrics["space_accuracy"] == pytest.approx(expected)


def test_the_measures_are_those_of_the_drawn_positions():
    found = drawn("after")
    score = silhouette_score(found.arrays["positions"], found.arrays["labels"])
    assert found.metrics["silhouette"] == pytest.approx(score, abs=1e-5)
    assert 0.5 < found.metrics["trustworthiness"] <= 1
    assert found.metrics == drawn("after").metrics


def test_an_untrained_network_does_not_pull_the_classes_apart(monkeypatch):
    """Planted: 'after' without its training."""
    monkeypatch.setattr(study.Training, "run", lambda self, *_, **__: None)
    only = ("before, t-SNE", "after, t-SNE")
    verdicts = verdicts_of(SCENARIO, "quick", seeds=range(4), only=only)
    assert verdicts["Neighbours in the plane have the same label more often."] == REFUTED


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: drawn("between"), "space, method: .*, got 'between' and 't-SNE'"),
        (lambda: drawn("after", method="UMAP"), "got 'after' and 'UMAP'"),
        (lambda: study.embedding(CLOTHES, "before", 0, points=20), "points: expected 90 or more .*, got 20"),
    ],
)
def test_what_is_none_is_refused(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


def test_every_plot_is_drawn(tmp_path):
    draw_all(SCENARIO, records_of(SCENARIO), tmp_path)
