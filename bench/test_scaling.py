"""Several processes for one training: how much faster, and does it learn the same?

The lecture's large-batch table trains on hundreds of chips: each takes its share of the batch, and their
gradients are averaged. ``scaling`` holds the global batch (strong scaling) or the batch of each rank (weak
scaling) for a network with much arithmetic per weight and for one with little. ``batch-scaling`` lets the
batch grow with the ranks, and the learning rate with the batch. One launch of torchrun measures all arms in
turns, every rank with one thread; ranks that an arm does not need sleep.
"""

from nnbench import Arm, Claim, Scenario

base = Arm(data="fashion-mini", optimizer="momentum", lr=0.02, batch_size=256, epochs=1)
cnn = base.replace(model="cnn", model_args={"channels": (16, 32), "init": "he"})
mlp = base.replace(model="mlp", model_args={"hidden": (512, 512), "init": "he"})


def strong_and_weak(name, one, ranks):
    arms = [one.replace(name=f"{name}, 1 rank")]
    for n in ranks:
        arms.append(one.replace(name=f"{name}, {n} ranks, strong", ranks=n))
        arms.append(one.replace(name=f"{name}, {n} ranks, weak", ranks=n, batch_size=256 * n))
    return arms


def both(*ranks, **changes):
    arms = strong_and_weak("cnn", cnn, ranks) + strong_and_weak("mlp", mlp, ranks)
    return tuple(arm.replace(name=arm.name, **changes) for arm in arms)


scaling = Scenario(
    name="scaling",
    statement="With N processors, training is N times as fast.",
    question="How many samples a second do more ranks train, and how far is that from N times one's?",
    axis="epochs",
    arms={
        "smoke": both(2, max_steps=5),
        "quick": both(2, train_samples=3072),
        "full": both(2, 4, 8, epochs=10),
    },
    claims=(
        Claim(
            text="Two ranks train a CNN faster than one, each with the batch of one.",
            kind="compare",
            metric="samples_per_s",
            arms=("cnn, 2 ranks, weak", "cnn, 1 rank"),
        ),
        Claim(
            text="They do so too when they share the batch of one.",
            kind="compare",
            metric="samples_per_s",
            arms=("cnn, 2 ranks, strong", "cnn, 1 rank"),
        ),
    ),
    plots=("scaling", "verdicts"),
    factor="ranks",
    repeat="blocks",
    slides=("C7",),
    remember="Ranks pay where there is much to compute for each weight whose gradient must be sent.",
)

small = mlp.replace(
    model_args={"hidden": (64,), "init": "he"}, schedule="linear", batch_size=64, epochs=2, lr=0.01
)


def growing(*ranks, **changes):
    arms = [small.replace(name="1 rank, batch 64")]
    for n in ranks:
        more = small.replace(ranks=n, batch_size=64 * n)
        arms.append(more.replace(name=f"{n} ranks, batch {64 * n}, linear rule", lr=small.lr * n))
        arms.append(more.replace(name=f"{n} ranks, batch {64 * n}, same rate"))
    return tuple(arm.replace(name=arm.name, **changes) for arm in arms)


batch_scaling = Scenario(
    name="batch-scaling",
    statement="The batch may grow with the processors if the learning rate grows with the batch.",
    question="Does the linear rule keep the accuracy when ranks multiply the batch, and what time is won?",
    axis="epochs",
    arms={"smoke": growing(2, max_steps=5), "quick": growing(2), "full": growing(2, 4, 8, epochs=20)},
    claims=(
        Claim(
            text="At twice the batch, twice the rate learns more than the same rate.",
            kind="compare",
            metric="validation_accuracy",
            arms=("2 ranks, batch 128, linear rule", "2 ranks, batch 128, same rate"),
        ),
    ),
    plots=("verdicts", "overview", "accuracy_by_budget"),
    factor="ranks",
    repeat="blocks",
    slides=("C7",),
    remember="A larger batch takes fewer steps; the linear rule makes each longer (Goyal et al. 2017).",
)


def test_scaling(arm, train_benchmark):
    train_benchmark(arm)


def test_batch_scaling(arm, train_benchmark):
    train_benchmark(arm)
