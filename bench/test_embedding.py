"""t-SNE before and after training: do the classes come apart, or does it only look so?

The lecture shows the test images in a plane, as pixels and as the scores of a trained network. What the eye
takes for classes that have come apart is measured: how tight they lie, how often the nearest neighbours in
the plane have the same label, and whether they are neighbours in the space that was drawn. No point has been
trained on. Principal components stand beside t-SNE.
"""

from nnbench import Claim, Probe, Scenario

CLOTHES = {
    "data": "fashion-mini", "model": "logistic", "optimizer": "adam", "lr": 0.003, "batch_size": 64,
    "epochs": 10,
}  # fmt: skip
MNIST = {**CLOTHES, "data": "mnist", "lr": 0.001, "batch_size": 128, "epochs": 5}


def drawn(arm, more="", **args):
    return tuple(
        Probe(name=f"{space}, {method}{more}", function="nnbench.studies.embedding:embedding",
              args={"arm": arm, "space": space, "method": method, **args}, seeded=True)
        for method in ("t-SNE", "PCA") for space in ("before", "after")
    )  # fmt: skip


def rises(text, metric, more="", a="after, t-SNE", b="before, t-SNE"):
    return Claim(text=text, kind="compare", metric=metric, arms=(a + more, b + more))


embedding = Scenario(
    name="embedding",
    statement="t-SNE before and after training: the classes come apart.",
    question="On images that nobody has trained on: are the classes tighter after, and better to tell apart?",
    axis="samples",
    arms={
        "smoke": drawn({**CLOTHES, "max_steps": 5}, points=100, perplexity=20.0),
        "quick": drawn(CLOTHES, points=260),
        "lecture": (*drawn(CLOTHES, points=500), *drawn(MNIST, ", MNIST", points=1000)),
        "full": (*drawn(CLOTHES, points=2000), *drawn(MNIST, ", MNIST", points=10000)),
    },
    claims=(
        rises("After training the classes lie tighter in the plane.", "silhouette"),
        rises("Neighbours in the plane have the same label more often.", "neighbour_accuracy"),
        rises("They do so in the space itself.", "space_accuracy"),
        rises("The picture is truer: neighbours in the plane are neighbours in the space more often.",
              "trustworthiness"),
        rises("Principal components show classes that lie tighter too.", "silhouette", a="after, PCA",
              b="before, PCA"),
        rises("t-SNE is truer than principal components.", "trustworthiness", a="before, t-SNE",
              b="before, PCA"),
        rises("On MNIST the classes lie tighter after training.", "silhouette", ", MNIST"),
        rises("On MNIST neighbours in the plane have the same label more often.", "neighbour_accuracy",
              ", MNIST"),
        rises("On MNIST the picture is truer.", "trustworthiness", ", MNIST"),
    ),
    plots=("embeddings", "verdicts"),
    repeat="seeds",
    slides=("D8",),
    source="van der Maaten and Hinton 2008; scikit-learn's measures",
    remember="Tighter is not better told apart: measure neighbours on points that nobody trained on.",
    inexact="Sizes of t-SNE's clusters and the distances between them mean nothing.",
)  # fmt: skip


def test_embedding(arm, probe_benchmark):
    probe_benchmark(arm)
