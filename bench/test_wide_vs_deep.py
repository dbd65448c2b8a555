"""Wide or deep, at equal parameters.

The lecture asks whether to spend neurons on width or on depth. Every arm here has 100,000 parameters
within 1 %, from one hidden layer of 126 units to eight of 75, and its own tuned rate: without one, depth
would only show which rate was chosen. The first weights are He's: from torch's own, whose signals fade
from layer to layer, eight layers do not begin to learn in this budget at any rate.
"""

from nnbench import Arm, Claim, Scenario

WIDTHS = {1: 126, 2: 110, 3: 100, 4: 93, 5: 87, 6: 82, 7: 79, 8: 75}  # depth -> units per layer

base = Arm(
    data="fashion-mini",
    model="mlp",
    optimizer="momentum",
    schedule="linear",
    lr="tuned",
    batch_size=64,
    epochs=4,
)
arms = tuple(
    base.replace(name=f"{depth} x {width}", model_args={"depth": depth, "width": width, "init": "he"})
    for depth, width in WIDTHS.items()
)
ends = (arms[0], arms[1], arms[3], arms[7])

scenario = Scenario(
    name="wide-vs-deep",
    statement="A network can be made wide or deep; deep networks need fewer units for the same function.",
    question="With 100,000 parameters to spend, does a deeper network classify clothing better?",
    axis="parameters",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, epochs=1, max_steps=20) for arm in ends),
        "quick": ends,
        "full": tuple(arm.replace(name=arm.name, epochs=30) for arm in arms),
    },
    claims=(
        Claim(
            text="Two hidden layers beat one of the same number of parameters.",
            kind="compare",
            metric="validation_accuracy",
            arms=("2 x 110", "1 x 126"),
        ),
        Claim(
            text="Eight hidden layers beat one of the same number of parameters.",
            kind="compare",
            metric="validation_accuracy",
            arms=("8 x 75", "1 x 126"),
        ),
        Claim(
            text="An epoch of one wide layer takes less time than one of eight narrow layers.",
            kind="compare",
            metric="train_s",
            arms=("1 x 126", "8 x 75"),
        ),
    ),
    repeat="blocks",
    plots=("verdicts", "by_factor", "learning_curves", "roofline"),
    factor="model_args.depth",
    slides=("A4",),
    remember="Compare depths at equal parameters, each at its own rate, from weights that let it begin.",
)


def test_wide_vs_deep(arm, train_benchmark):
    train_benchmark(arm)
