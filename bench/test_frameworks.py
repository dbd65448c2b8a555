"""The same training by a bare loop, by nnbench and by other frameworks: what does convenience cost?

All of them train the 512/512 network by plain SGD, from the same first weights under each seed, on the same
batches in the same order; each in the fastest settings that its documentation has, none compiled, all on one
thread of a CPU, where steps are short and what is not arithmetic shows. Timed are the epochs, from the first
to the last: no import, no building of models and trainers, no warm-up of ten steps, no validation.

``bare`` is what a good engineer writes by hand (nnbench/frameworks/bare.py); ``lecture`` what a lecture and
PyTorch's tutorials show: images one by one through ToTensor and a DataLoader, every loss read back; ``in
backward`` is nnbench's fastest way for plain SGD.
What is not installed is skipped, with the line that installs it.
"""

from nnbench import Arm, Claim, Scenario

base = Arm(
    data="fashion-mini", model="mlp", model_args={"hidden": (512, 512)}, optimizer="sgd", lr=0.05, epochs=3,
    device="cpu",
)  # fmt: skip
hands = {
    "bare": base.replace(framework="bare"),
    "nnbench": base,
    "nnbench in backward": base.replace(execution="in-backward"),
    "lecture": base.replace(framework="lecture"),
    "Lightning": base.replace(framework="lightning"),
    "skorch": base.replace(framework="skorch"),
    "Keras": base.replace(framework="keras"),
    "scikit-learn": base.replace(framework="scikit-learn"),
}


def batches_of(size, **changes):
    return tuple(
        arm.replace(name=f"{name}, batch {size}", batch_size=size, **changes) for name, arm in hands.items()
    )


def faster_than(framework, ratio, size, who="nnbench"):
    return Claim(
        text=f"At batch {size} {who} trains at least {ratio} times as fast as {framework}.",
        kind="compare",
        metric="samples_per_s",
        arms=(f"{who}, batch {size}", f"{framework}, batch {size}"),
        margin=ratio - 1,
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
        "quick": batches_of(64, epochs=2),
        "full": (*batches_of(16), *batches_of(64), *batches_of(1024)),
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
            text="The bare loop is more than 1.1 times as fast as the lecture's.",
            kind="compare",
            metric="samples_per_s",
            arms=("bare, batch 64", "lecture, batch 64"),
            margin=0.1,
        ),
        *(
            faster_than(framework, ratio, size)
            for size, ratio in {64: 1.2, 16: 1.1, 1024: 1.2}.items()
            for framework in ("Lightning", "skorch", "Keras", "scikit-learn")
        ),
        *(
            faster_than("lecture", ratio, size, who="nnbench in backward")
            for size, ratio in {64: 3, 16: 1.8, 1024: 4}.items()
        ),
        *map(learns_as, ("nnbench", "Lightning", "skorch", "Keras", "scikit-learn")),
    ),
    plots=("framework_tax", "verdicts"),
    factor="batch_size",
    repeat="blocks",
    remember="What is added to each step weighs most where steps are short: small batches, small networks.",
)


def test_frameworks(arm, train_benchmark):
    train_benchmark(arm)


def by_hand_and_by_nnbench(name, **changes):
    arm = base.replace(**changes)
    size = arm.batch_size
    return (
        arm.replace(name=f"{name}, bare, batch {size}", framework="bare"),
        arm.replace(name=f"{name}, nnbench, batch {size}"),
    )


def in_backward(size, **changes):
    name = f"MLP 512/512, in backward, batch {size}"
    return base.replace(name=name, batch_size=size, execution="in-backward", **changes)


def at_least(ratio, faster, slower="bare", size=16, what="MLP 512/512"):
    return Claim(
        text=f"{what} at batch {size}: {faster} is at least {ratio:g} times as fast as {slower}.",
        kind="compare",
        metric="samples_per_s",
        arms=(f"{what}, {faster}, batch {size}", f"{what}, {slower}, batch {size}"),
        margin=ratio - 1,
    )


MLP, LOGISTIC, CNN = "MLP 512/512", "logistic regression", "CNN 16-32"
short = (
    *by_hand_and_by_nnbench(MLP, batch_size=16, epochs=1),
    in_backward(16, epochs=1),
    *by_hand_and_by_nnbench(LOGISTIC, model="logistic", model_args={}, batch_size=16),
)

hand_written = Scenario(
    name="hand-written",
    statement="Nothing is faster than the loop that one writes by hand.",
    question="How near does nnbench's loop come to the one written by hand, and what is faster still?",
    axis="epochs",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, data="digits", epochs=1) for arm in short),
        "quick": short,
        "full": (
            *by_hand_and_by_nnbench(MLP, batch_size=1, epochs=1),
            in_backward(1, epochs=1),
            *by_hand_and_by_nnbench(MLP, batch_size=16),
            in_backward(16),
            *by_hand_and_by_nnbench(MLP, batch_size=64),
            in_backward(64),
            *by_hand_and_by_nnbench(MLP, batch_size=256),
            *by_hand_and_by_nnbench(MLP, batch_size=1024),
            *by_hand_and_by_nnbench(MLP, batch_size=4096),
            *by_hand_and_by_nnbench(LOGISTIC, model="logistic", model_args={}, batch_size=16, epochs=10),
            *by_hand_and_by_nnbench(CNN, model="cnn", model_args={"channels": (16, 32)}, batch_size=64),
        ),
    },
    claims=(
        *(at_least(0.97, "nnbench", size=size) for size in (1, 16, 64, 256, 1024)),
        at_least(0.97, "nnbench", size=16, what=LOGISTIC),
        at_least(0.97, "nnbench", size=64, what=CNN),
        at_least(1.3, "in backward", size=1),
        at_least(1.1, "in backward", size=16),
    ),
    plots=("framework_tax", "verdicts", "roofline"),
    factor="batch_size",
    repeat="blocks",
    remember="Weights that change as their gradients are made save a way through memory; small batches gain.",
)


def test_hand_written(arm, train_benchmark):
    train_benchmark(arm)
