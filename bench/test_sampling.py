"""Shuffled, or drawn with replacement: does it matter in which order the samples come?

The lecture: samples are drawn shuffled, with or without replacement. On least squares, after many epochs, the
orders differ by a power of the rate. In three epochs on garments nothing of that is to be seen.
"""

from nnbench import Arm, Claim, Probe, Scenario

STUDY = "nnbench.studies.descent"
ORDERS = ("replacement", "shuffle-once", "reshuffle")
RATES = (0.2, 0.1, 0.05)


def floor(order, rate, **more):
    args = {"sampling": order, "rate": rate, **more}
    return Probe(name=f"{order}, {rate}", function=f"{STUDY}:sampling_floor", args=args, seeded=True)


def slope(order, low, high):
    return {
        "kind": "slope", "metric": "excess_loss", "arms": tuple(f"{order}, {rate}" for rate in RATES),
        "over": "args.rate", "low": low, "high": high,
    }  # fmt: skip


floors = tuple(floor(order, rate) for order in ORDERS for rate in RATES)

sampling_floor = Scenario(
    name="sampling-floor",
    statement="Samples are drawn shuffled, with or without replacement.",
    question="How far above the least loss does SGD stay with each order, by rate?",
    axis="samples",
    arms={
        "smoke": tuple(floor(order, rate, epochs=5) for order in ORDERS for rate in RATES),
        "quick": tuple(floor(order, rate, epochs=120) for order in ORDERS for rate in RATES),
        "lecture": floors,
        "full": tuple(floor(order, rate) for order in ORDERS for rate in (*RATES, 0.025, 0.0125)),
    },
    claims=(
        Claim(text="With replacement the floor falls as the rate.", **slope("replacement", 0.8, 1.3)),
        Claim(text="Shuffled once, as its square.", **slope("shuffle-once", 1.8, 2.4)),
        Claim(text="Shuffled anew each epoch, as its cube, nearly.", **slope("reshuffle", 2.5, 3.3)),
        Claim(
            text="At the smallest rate a new shuffle stays lower than one for all.",
            kind="compare", metric="excess_loss", arms=("reshuffle, 0.05", "shuffle-once, 0.05"),
        ),
    ),
    plots=("floor_by_rate", "verdicts"),
    repeat="seeds",
    slides=("C9",),
    source="Safran and Shamir 2020; Mishchenko et al. 2020",
    remember="A new shuffle each epoch is worth a power of the rate, in the long run.",
)  # fmt: skip

draws = (Probe(name="with replacement", function=f"{STUDY}:distinct_share", seeded=True),)

distinct_samples = Scenario(
    name="distinct-samples",
    statement="With replacement some samples come twice.",
    question="Which share of the samples does an epoch with replacement meet?",
    axis="samples",
    arms={"smoke": draws, "quick": draws, "full": draws},
    claims=(
        Claim(
            text="1 - 1/e of them: 0.632.",
            kind="between", metric="distinct_share", arms="with replacement", low=0.627, high=0.637,
        ),
        Claim(
            text="All of them.",
            kind="between", metric="distinct_share", arms="with replacement", low=0.99,
        ),
    ),
    plots=("verdicts",),
    repeat="seeds",
    slides=("C9",),
    source="1 - (1 - 1/N)^N",
    remember="An epoch with replacement leaves more than a third of the samples out.",
)  # fmt: skip

base = Arm(data="fashion-mini", model_args={"hidden": (64,)}, lr=0.1, batch_size=64, epochs=3)
arms = tuple(
    base.replace(name=order, sampling=order) for order in ("reshuffle", "shuffle-once", "replacement")
)

sampling_orders = Scenario(
    name="sampling-orders",
    statement="Samples are drawn shuffled, with or without replacement.",
    question="In three epochs on garments, does the way of drawing change what is learned?",
    axis="samples",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, epochs=1, max_steps=5) for arm in arms),
        "quick": arms,
        "full": tuple(arm.replace(name=arm.name, epochs=100) for arm in arms),
    },
    claims=(
        Claim(
            text="A new shuffle each epoch beats drawing with replacement.",
            kind="compare", metric="validation_accuracy", arms=("reshuffle", "replacement"),
        ),
        Claim(
            text="It learns the same, within two points.",
            kind="equivalent", metric="validation_accuracy", arms=("reshuffle", "replacement"), margin=0.02,
        ),
        Claim(
            text="One shuffle for all epochs learns the same as a new one, within two points.",
            kind="equivalent", metric="validation_accuracy", arms=("shuffle-once", "reshuffle"), margin=0.02,
        ),
    ),
    plots=("verdicts", "learning_curves"),
    repeat="seeds",
    slides=("C9",),
    remember="In a few epochs no way of drawing is better: it takes many, at small rates.",
)  # fmt: skip


def test_sampling_floor(arm, probe_benchmark):
    probe_benchmark(arm)


def test_distinct_samples(arm, probe_benchmark):
    probe_benchmark(arm)


def test_sampling_orders(arm, train_benchmark):
    train_benchmark(arm)
