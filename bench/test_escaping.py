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


def three_paths(**more):
    return (Probe(name="three paths", function="nnbench.studies.paths:paths", args=more, seeded=True),)


def detour(text, batch, low=None, high=None, slide="C3"):
    return Claim(text=text, kind="between", metric=f"detour_{batch}", arms="three paths", low=low, high=high,
                 slide=slide)  # fmt: skip


paths = Scenario(
    name="paths",
    statement="Full batch goes straight, online is crazy, minibatches shake.",
    question="How long is the way of each over the same loss, beside the distance that it covers?",
    axis="nothing",
    arms={
        "smoke": three_paths(epochs=1),
        "quick": three_paths(),
        "full": three_paths(epochs=40),
    },
    claims=(
        detour("The full batch goes nearly straight: a path at most 1.3 times the distance.", "full",
               high=1.3),
        detour("Minibatches of 64 go at least twice the distance.", "64", low=2, slide="C4"),
        detour("Online goes at least ten times the distance.", "1", low=10),
        Claim(text="Most of it happens in one plane: more than half of the variance.", kind="between",
              metric="plane_share", arms="three paths", low=0.5, slide="C4"),
    ),
    plots=("loss_surface_paths", "verdicts"),
    repeat="seeds",
    slides=("C3", "C4"),
    source="Li et al. 2018, section 7",
    remember="Noise makes the way long, not wrong: all three go down the same valley.",
)  # fmt: skip


def at_loss(batch, target):
    return Probe(name=f"batch {batch}", function="nnbench.studies.steepness:steepness_at_loss",
                 args={"batch_size": batch, "target": target}, seeded=True)  # fmt: skip


def flatter(text, small, large, **how):
    return Claim(text=text, kind="compare", metric="sharpness_reached",
                 arms=(f"batch {small}", f"batch {large}"), **how)  # fmt: skip


equal_loss = Scenario(
    name="equal-loss",
    statement="The noise of minibatches is sometimes a good thing: it finds flat minima.",
    question="At one training loss and one rate: is the loss flatter where small batches arrive, and is it "
             "better?",
    axis="nothing",
    arms={
        "smoke": (at_loss(32, 1.0), at_loss(200, 1.0)),
        "quick": tuple(at_loss(batch, 0.05) for batch in (8, 200)),
        "lecture": tuple(at_loss(batch, 0.02) for batch in (8, 32, 200, 800)),
        "full": tuple(at_loss(batch, 0.01) for batch in (8, 32, 200, 800)),
    },
    claims=(
        flatter("Batches of 8 arrive where the loss is flatter than where batches of 200 do.", 8, 200),
        flatter("And than where batches of 32 do.", 8, 32),
        flatter("Batches of 32 arrive at a flatter place than batches of 800.", 32, 800),
        flatter("Batches of 200 arrive at a flatter place than batches of 800.", 200, 800),
        Claim(text="What is flatter is more often right on new images.", kind="compare",
              metric="validation_accuracy", arms=("batch 8", "batch 200")),
    ),
    plots=("verdicts",),
    repeat="seeds",
    slides=("C4",),
    source="Keskar et al. 2017; Shallue et al. 2019 found no loss of quality where rates are tuned",
    remember="Small batches do end flatter, at equal loss; that flatter is better does not follow.",
    inexact="Sharpness changes when a layer is scaled and the next one scaled back: it is no law of nature.",
)  # fmt: skip

LONG = {"data": "fashion-mini", "model_args": {"hidden": (64,)}, "batch_size": 32, "lr": 0.1, "epochs": 20}
DROPPED = {**LONG, "schedule": "multistep", "schedule_args": {"milestones": (18,), "gamma": 0.1}}


def long_run(name, arm, **more):
    return Probe(
        name=name, function="nnbench.studies.paths:progress", args={"arm": {**arm, **more}}, seeded=True
    )


ends = (long_run("constant rate", LONG), long_run("a tenth of it in the end", DROPPED))

fast_then_stuck = Scenario(
    name="fast-then-stuck",
    statement="SGD: fast progress in the beginning, fussy and stuck in the end.",
    question="How much is learned in the first tenth of the epochs, and what is it stuck on in the end?",
    axis="epochs",
    arms={
        "smoke": (long_run("constant rate", LONG, epochs=10, train_samples=64),),
        "quick": ends,
        "full": (*ends, long_run("constant rate, 100", LONG, epochs=100)),
    },
    claims=(
        Claim(text="More than two thirds of the gain come in the first tenth.", kind="between",
              metric="first_tenth_share", arms="constant rate", low=2 / 3),
        Claim(text="Less than a twentieth comes in the last half.", kind="between", metric="last_half_share",
              arms="constant rate", high=0.05),
        Claim(text="It is stuck on its own noise: a tenth of the rate lowers the training loss at once.",
              kind="compare", metric="train_loss", arms=("a tenth of it in the end", "constant rate"),
              margin=0.02),
        Claim(text="And it raises the accuracy on new images.", kind="compare", metric="validation_accuracy",
              arms=("a tenth of it in the end", "constant rate")),
    ),
    plots=("progress_by_epoch", "verdicts"),
    repeat="seeds",
    slides=("C8",),
    source="Bottou and Bousquet 2008; Mandt, Hoffman and Blei 2017",
    remember="Stuck in the end is the noise of the rate: lower it, and the loss falls.",
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


def test_paths(arm, probe_benchmark):
    probe_benchmark(arm)


def test_equal_loss(arm, probe_benchmark):
    probe_benchmark(arm)


def test_fast_then_stuck(arm, probe_benchmark):
    probe_benchmark(arm)
