"""Stuck in a local minimum? What rate and noise do, where every run can be counted.

The lecture: the learning rate and noise get one out of a local minimum; full batch is deterministic, online
tends to be crazy, minibatches shake up the loss; fast in the beginning, fussy in the end; good for big data.
"""

from nnbench import Arm, Claim, Probe, Scenario

STUDY = "nnbench.studies.descent"
BATCHES = (1, 4, 16, 64, "full")


def well(rate, batch, **more):
    args = {"rate": rate, "batch": batch, **more}
    return Probe(name=f"rate {rate}, batch {batch}", function=f"{STUDY}:double_well", args=args)


wells = tuple(well(rate, batch) for rate in (0.05, 0.2, 0.4) for batch in BATCHES)

double_well = Scenario(
    name="double-well",
    statement="The learning rate and noise get one out of a local minimum.",
    question="Of 4,000 runs that start in the shallow well, how many end in the deep one?",
    axis="steps",
    arms={
        "smoke": tuple(well(0.2, batch, runs=100, steps=100) for batch in BATCHES),
        "quick": wells,
        "full": tuple(
            well(rate, batch) for rate in (0.05, 0.1, 0.2, 0.4, 0.8, 1.2) for batch in BATCHES
        ),
    },
    claims=(
        Claim(
            text="With batches of 4 at a rate of 0.2 nine in ten do.",
            kind="rate", metric="in_deep_well", arms="rate 0.2, batch 4", low=0.9,
        ),
        Claim(
            text="With the full batch none does, at any rate.",
            kind="rate", metric="in_deep_well", arms="rate 0.4, batch full", high=0.002,
        ),
        Claim(
            text="With batches of 64 the noise is too small.",
            kind="rate", metric="in_deep_well", arms="rate 0.2, batch 64", high=0.01,
        ),
        Claim(
            text="A larger rate takes up with a larger batch: at 0.4 and 16 more than 95 % do.",
            kind="rate", metric="in_deep_well", arms="rate 0.4, batch 16", low=0.95,
        ),
        Claim(
            text="At 0.2 and 16 between a quarter and a third.",
            kind="rate", metric="in_deep_well", arms="rate 0.2, batch 16", low=0.25, high=0.33,
        ),
        Claim(
            text="The more noise the better: online, nine in ten end there too.",
            kind="rate", metric="in_deep_well", arms="rate 0.2, batch 1", low=0.9,
        ),
        Claim(
            text="Online all of them have been there.",
            kind="rate", metric="ever_escaped", arms="rate 0.2, batch 1", low=0.99,
        ),
    ),
    plots=("well_ends", "verdicts"),
    repeat="once",
    slides=("C2",),
    source="4,000 runs each; Clopper and Pearson 1934",
    remember="Noise carries out of a well as rate over batch; too much carries out of the good one.",
    inexact="One dimension misleads: in many, what stalls is mostly saddles and plateaus.",
)  # fmt: skip

# Rates that each batch size can stand, no tuning: what is compared is the spread over orders.
RATES = {1: 0.01, 16: 0.05, 64: 0.1, "full": 0.5}


def order(batch, **more):
    args = {"batch_size": batch, "lr": RATES[batch], **more}
    return Probe(name=f"batch {batch}", function="nnbench.studies.orders:order_spread", args=args)


orders = tuple(map(order, RATES))

order_spread = Scenario(
    name="order-spread",
    statement="Full batch is deterministic, online tends to be crazy, minibatches lie between.",
    question="From the same first weights, what does the order of the samples change?",
    axis="epochs",
    arms={
        "smoke": tuple(order(batch, epochs=2) for batch in (64, "full")),
        "quick": orders,
        "lecture": tuple(order(batch, epochs=20) for batch in RATES),
        "full": tuple(order(batch, epochs=20) for batch in RATES),
    },
    claims=(
        Claim(
            text="Full batch: five orders end at one accuracy, exactly.",
            kind="exact", metric="accuracy_spread", arms="batch full", value=0,
        ),
        Claim(
            text="Online they do not.",
            kind="between", metric="accuracy_spread", arms="batch 1", low=0.001,
        ),
        Claim(
            text="Online ends crazier than minibatches of 16: its spread is larger.",
            kind="compare", metric="accuracy_spread", arms=("batch 1", "batch 16"), direction="higher",
        ),
        Claim(
            text="Minibatches shake up the loss: it rises in more than a third of the steps.",
            kind="between", metric="rising_share", arms="batch 64", low=1 / 3, slide="C4",
        ),
        Claim(
            text="With the full batch it never rises.",
            kind="exact", metric="rising_share", arms="batch full", value=0, slide="C4",
        ),
        Claim(
            text="Online it rises in half of the steps, nearly.",
            kind="between", metric="rising_share", arms="batch 1", low=0.45, high=0.5, slide="C4",
        ),
    ),
    plots=("losses_by_order",),
    repeat="once",
    slides=("C3", "C4"),
    remember="The order of the samples is noise; and equal epochs are anything but equal steps.",
    inexact="'Crazy' is the single step: where it ends, online spreads no more than a minibatch.",
)  # fmt: skip

FLOORS = {
    "rate 0.05": {"rate": 0.05},
    "rate 0.2": {"rate": 0.2},
    "rate 0.8": {"rate": 0.8},
    "rate 0.2, batch 4": {"rate": 0.2, "batch": 4},
    "rate 0.2, momentum 0.9": {"rate": 0.2, "momentum": 0.9},
}
VALUES = {"rate 0.05": 0.0128, "rate 0.2": 0.0556, "rate 0.8": 0.3333, "rate 0.2, batch 4": 0.0139}
floors = tuple(
    Probe(name=name, function=f"{STUDY}:loss_floor", args=args, seeded=True) for name, args in FLOORS.items()
)

loss_floor = Scenario(
    name="loss-floor",
    statement="SGD: fast progress in the beginning, fussy and stuck in the end.",
    question="At which loss does descent with noise stay, and is it the one that can be computed?",
    axis="nothing",
    arms={"smoke": floors, "quick": floors, "full": floors},
    claims=(
        *(
            Claim(
                text=f"At {name} the formula says {value}.",
                kind="exact", metric="floor_formula", arms=name, value=value, margin=5e-5,
            )
            for name, value in VALUES.items()
        ),
        Claim(
            text="The simulation stays there, within one in a hundred.",
            kind="between", metric="floor_error", arms="rate 0.2", high=0.01,
        ),
        Claim(
            text="With momentum of 0.9 too, nearly ten times as high.",
            kind="between", metric="drawn_floor", arms="rate 0.2, momentum 0.9", low=0.5, high=0.56,
        ),
        Claim(
            text="A quarter of the rate is less than a quarter of the floor.",
            kind="compare", metric="drawn_floor", arms=("rate 0.05", "rate 0.2"), margin=0.04,
        ),
    ),
    plots=("verdicts",),
    repeat="seeds",
    slides=("C8",),
    source="stationary variance of the chain; Mandt, Hoffman and Blei 2017",
    remember="What looks stuck in the end is the noise's floor: lower the rate, or enlarge the batch.",
    inexact="'Stuck' may be the floor, or nothing left to learn, or too small a rate: they need other cures.",
)  # fmt: skip

base = Arm(
    data="fashion-mini", model_args={"hidden": (64,)}, lr=0.1, batch_size=32, epochs=1000, max_steps=300
)
sizes = tuple(base.replace(name=f"{n} samples", train_samples=n) for n in (200, 1000, 6000))

more_data = Scenario(
    name="more-data",
    statement="SGD is good for big data.",
    question="With equally many steps, does a network learn more of more samples?",
    axis="steps",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, max_steps=5) for arm in sizes),
        "quick": sizes,
        "full": tuple(arm.replace(name=arm.name, max_steps=10000) for arm in sizes),
    },
    claims=(
        Claim(
            text="300 steps on 6,000 samples teach more than on 1,000.",
            kind="compare", metric="validation_accuracy", arms=("6000 samples", "1000 samples"),
        ),
        Claim(
            text="And on 1,000 more than on 200.",
            kind="compare", metric="validation_accuracy", arms=("1000 samples", "200 samples"),
        ),
    ),
    plots=("verdicts", "overview"),
    repeat="seeds",
    slides=("C8",),
    remember="A step costs the same whatever the size of the set: more data are free, per step.",
)  # fmt: skip


def test_double_well(arm, probe_benchmark):
    probe_benchmark(arm)


def test_order_spread(arm, probe_benchmark):
    probe_benchmark(arm)


def test_loss_floor(arm, probe_benchmark):
    probe_benchmark(arm)


def test_more_data(arm, train_benchmark):
    train_benchmark(arm)
