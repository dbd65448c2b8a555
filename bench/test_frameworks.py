"""The same training by a bare loop, by nnbench and by other frameworks: what does convenience cost?

All of them train the 512/512 network by plain SGD, from the same first weights under each seed, on the same
batches in the same order; each in the fastest settings that its documentation has, none compiled, all on one
thread of a CPU, where steps are short and what is not arithmetic shows. Timed are the epochs, from the first
to the last: no import, no building of models and trainers, no warm-up of ten steps, no validation.

``bare`` is what a good engineer writes by hand (nnbench/frameworks/bare.py); ``lecture`` reads single samples
by the lecture's Dataset and DataLoader. What is not installed is skipped, with the line that installs it.
"""

from nnbench import Arm, Claim, Scenario

base = Arm(
    data="fashion-mini", model="mlp", model_args={"hidden": (512, 512)}, optimizer="sgd", lr=0.05, epochs=3,
    device="cpu",
)  # fmt: skip
hands = {
    "bare": base.replace(framework="bare"),
    "nnbench": base,
    "lecture": base.replace(loader="dataloader"),
    "Lightning": base.replace(framework="lightning"),
    "skorch": base.replace(framework="skorch"),
    "Keras": base.replace(framework="keras"),
    "scikit-learn": base.replace(framework="scikit-learn"),
}


def batches_of(size, **changes):
    return tuple(
        arm.replace(name=f"{name}, batch {size}", batch_size=size, **changes) for name, arm in hands.items()
    )


def faster_than(framework):
    return Claim(
        text=f"nnbench trains faster than {framework}.",
        kind="compare",
        metric="samples_per_s",
        arms=("nnbench, batch 64", f"{framework}, batch 64"),
    )


def learns_as(framework):
    return Claim(
        text=f"{framework} learns what the bare loop does.",
        kind="equivalent",
        metric="validation_loss",  # accuracies are often equal to the last image, which gives no interval
        arms=(f"{framework}, batch 64", "bare, batch 64"),
        margin=0.02,
    )


scenario = Scenario(
    name="frameworks",
    statement="A framework takes the loop off your hands, and costs nothing that matters.",
    question="How many samples a second does each train, against the loop that one writes by hand?",
    axis="epochs",
    arms={
        "smoke": batches_of(64, data="digits", epochs=1),
        "quick": batches_of(64),
        "full": (*batches_of(16, epochs=10), *batches_of(64, epochs=10), *batches_of(1024, epochs=10)),
    },
    claims=(
        Claim(
            text="nnbench trains at least 0.97 times as fast as the bare loop.",
            kind="compare",
            metric="samples_per_s",
            arms=("nnbench, batch 64", "bare, batch 64"),
            margin=-0.03,
        ),
        Claim(
            text="The bare loop is more than 1.1 times as fast as the lecture's DataLoader.",
            kind="compare",
            metric="samples_per_s",
            arms=("bare, batch 64", "lecture, batch 64"),
            margin=0.1,
        ),
        *map(faster_than, ("Lightning", "skorch", "Keras", "scikit-learn")),
        *map(learns_as, ("nnbench", "Lightning", "skorch", "Keras", "scikit-learn")),
    ),
    plots=("framework_tax", "verdicts"),
    factor="batch_size",
    repeat="blocks",
    remember="What is added to each step weighs most where steps are short: small batches, small networks.",
)


def test_frameworks(arm, train_benchmark):
    train_benchmark(arm)
