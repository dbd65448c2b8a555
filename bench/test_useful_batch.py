"""How large a batch is of use?

Twice the batch halves the steps to a target while batches are small, then saves fewer, then none: Shallue et
al. 2019 find these three regimes everywhere. ``steps-to-target`` counts steps and samples, at the rate that
suits each batch best: one grid, chosen on the tune split under other seeds. The network is scored after every
3 % of its steps, not once an epoch, so that no batch is rounded more than another. ``noise-scale`` asks
whether the gradient could have told: McCandlish et al. 2018 compare the noise of single samples' gradients
with the gradient itself, exactly and from two batches. ``seconds-to-target`` asks the clock.
"""

from nnbench import Arm, Claim, Probe, Scenario

STUDY = "nnbench.studies.batches:"
digits = {
    "arm": {"data": "digits", "model": "mlp", "model_args": {"hidden": (64,)}}, "target": 0.93, "runs": 5,
    "rates": (0.015625, 0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0), "most_steps": 3000,
}  # fmt: skip
mnist = {
    "arm": {"data": "mnist", "model": "mlp", "model_args": {"hidden": (64,)}, "train_samples": 50000},
    "target": 0.95, "scored": 4000, "rates": (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0), "most_steps": 6000,
    "tuning_seeds": 1,
}  # fmt: skip
easy = {**digits, "target": 0.3, "rates": (0.125, 0.25, 0.5), "most_steps": 100, "tuning_seeds": 1, "runs": 1}
BATCHES, FEW, MANY = (2, 4, 8, 32, 128, 256, 512), (2, 32, 512), (8, 32, 128, 512, 2048)


def probe(name, function, args):
    return Probe(name=name, function=STUDY + function, args=args, seeded=True)


def steps_at(problem, batches, name=""):
    runs = {f"{name}batch {batch:,}": {**problem, "batch": batch} for batch in batches}
    fit = {**problem, "batches": batches}
    return (
        *(probe(run, "steps_to_target", args) for run, args in runs.items()),
        probe(f"{name}fit", "critical_batch", fit),
    )


steps_to_target = Scenario(
    name="steps-to-target",
    statement="Larger batches make more of the hardware; beyond some batch, more samples bring nothing.",
    question="How many steps, and how many samples, does a target take at each batch, at its own best rate?",
    axis="nothing",
    arms={
        "smoke": steps_at(easy, FEW),
        "quick": steps_at(digits, BATCHES),
        "lecture": (*steps_at(digits, BATCHES), *steps_at(mnist, MANY, "MNIST, ")),
        "full": (*steps_at(digits, (1, *BATCHES, 1024)), *steps_at(mnist, (*MANY, 8192), "MNIST, ")),
    },
    claims=(
        Claim(
            text="Twice the batch takes half the steps, at every batch.",
            kind="slope",
            metric="steps_to_target",
            arms=tuple(f"batch {batch}" for batch in BATCHES),
            over="args.batch",
            low=-1.1,
            high=-0.9,
        ),
        Claim(
            text="It does so from 2 to 8 samples, or nearly.",
            kind="slope",
            metric="steps_to_target",
            arms=("batch 2", "batch 4", "batch 8"),
            over="args.batch",
            low=-1.15,
            high=-0.7,
            source="Shallue et al. 2019, sec. 4.1",
        ),
        Claim(
            text="From 128 to 512 samples the steps hardly fall.",
            kind="slope",
            metric="steps_to_target",
            arms=("batch 128", "batch 256", "batch 512"),
            over="args.batch",
            low=-0.3,
            slide="C6",
            source="Shallue et al. 2019, sec. 4.1",
        ),
        Claim(
            text="Batches of 512 take more than eight times the samples of batches of 8.",
            kind="slope",
            metric="samples_to_target",
            arms=("batch 8", "batch 32", "batch 128", "batch 512"),
            over="args.batch",
            low=0.5,
            slide="C6",
            source="arithmetic: 64^0.5 = 8",
        ),
        Claim(
            text="One number tells the regimes: S = S_min (1 + B_crit / B) is off by a quarter at worst.",
            kind="between",
            metric="critical_batch_error",
            arms=("fit",),
            high=0.25,
            slide="C6",
            source="McCandlish et al. 2018, eq. 2.7",
        ),
        Claim(
            text="On MNIST the fewest steps to 95 % are about 226.",
            kind="between",
            metric="least_steps",
            arms=("MNIST, fit",),
            low=170,
            high=300,
            slide="C6",
            source="three seeds of our own, measured before",
        ),
        Claim(
            text="On MNIST the critical batch is about 120.",
            kind="between",
            metric="critical_batch",
            arms=("MNIST, fit",),
            low=80,
            high=180,
            slide="C6",
            source="three seeds of our own, measured before",
        ),
    ),
    plots=("steps_against_batch", "verdicts"),
    factor="args.batch",
    slides=("C5", "C6"),
    remember="Below the critical batch twice the samples halve the steps; far above it they are wasted.",
    inexact="How much of the hardware a batch uses is one thing, what it learns from a sample another.",
    source="Shallue et al. 2019",
)


def after(steps, problem, batch, lr, sizes, draws, name=""):
    arm = {**problem["arm"], "batch_size": batch, "lr": lr}
    args = {"arm": arm, "steps": steps, "small": sizes[0], "big": sizes[1], "draws": draws}
    return probe(f"{name}step {steps:,}", "noise_scale", args)


def along(steps, *args):
    return tuple(after(each, *args) for each in steps)


def foretold(problem, batches, batch, name=""):
    args = {**problem, "batches": batches, "batch": batch, "looks": 5}
    return probe(f"{name}until the target", "foretold_batch", args)


# 0.5 and 0.5 are the rates that steps-to-target chooses at batch 32
small_steps = along((0, 20, 100, 300, 1000), digits, 32, 0.5, (32, 512), 150)
noise_scale = Scenario(
    name="noise-scale",
    statement="There is a batch beyond which more samples bring nothing.",
    question="Does the noise of the gradient tell which, without a try; and can two batches measure it?",
    axis="nothing",
    arms={
        "smoke": (*along((0, 20), digits, 32, 0.5, (8, 64), 5), foretold(easy, FEW, 32)),
        "quick": (*small_steps, foretold(digits, BATCHES, 32)),
        "lecture": (
            *small_steps,
            foretold(digits, BATCHES, 32),
            *along((0, 50, 200, 600, 1500, 3500), mnist, 32, 0.5, (32, 1024), 150, "MNIST, "),
            foretold(mnist, MANY, 32, "MNIST, "),
        ),
        "full": (
            *small_steps,
            *along((0, 50, 200, 600, 1500, 3500, 10000), mnist, 32, 0.5, (32, 1024), 1000, "MNIST, "),
        ),
    },
    claims=(
        Claim(
            text="Until the target, the noise scale is the critical batch within a factor of two.",
            kind="between",
            metric="foretold_ratio",
            arms=("until the target",),
            low=0.5,
            high=2.0,
            source="McCandlish et al. 2018, sec. 2.4",
        ),
        Claim(
            text="The useful batch grows while the network learns: the noise scale, from step 20 to 1,000.",
            kind="compare",
            metric="noise_scale",
            arms=("step 1,000", "step 20"),
            direction="higher",
        ),
        Claim(
            text="Two batches measure the noise scale within a fifth, after 300 steps.",
            kind="between",
            metric="two_batch_ratio",
            arms=("step 300",),
            low=0.8,
            high=1.25,
            source="McCandlish et al. 2018, app. A.1",
        ),
        Claim(
            text="A typical ratio of two single batches would do as well.",
            kind="between",
            metric="median_of_ratios",
            arms=("step 300",),
            low=0.8,
            high=1.25,
            source="refuted by Jensen's inequality",
        ),
        Claim(
            text="On MNIST the noise scale is above 500 after 3,500 steps.",
            kind="between",
            metric="noise_scale",
            arms=("MNIST, step 3,500",),
            low=500,
            source="one seed of our own, measured before: 1842",
        ),
        Claim(
            text="So it is on MNIST.",
            kind="between",
            metric="foretold_ratio",
            arms=("MNIST, until the target",),
            low=0.5,
            high=2.0,
            source="McCandlish et al. 2018, sec. 2.4",
        ),
    ),
    plots=("noise_scale_by_step", "verdicts"),
    factor="args.steps",
    slides=("C6",),
    remember="As the gradient shrinks its noise does not: late in a training larger batches are of use.",
    source="McCandlish et al. 2018",
)

# Each the fastest to 80 % on the tune split of seven rates, 1/64 to 1, under two seeds; none is at the edge.
sgd = Arm(
    data="fashion-mini", model="mlp", model_args={"hidden": (32,)}, target_accuracy=0.8, epochs=40
)  # fmt: skip
RATES = {8: 0.0625, 32: 0.125, 128: 0.125, 512: 0.5}
timed = tuple(sgd.replace(name=f"batch {batch}", batch_size=batch, lr=lr) for batch, lr in RATES.items())

seconds_to_target = Scenario(
    name="seconds-to-target",
    statement="Larger batches make more of the hardware.",
    question="Do they also reach a target sooner, each at its own best rate?",
    axis="nothing",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, epochs=1, max_steps=10) for arm in timed),
        "quick": timed,
        "full": timed,
    },
    claims=(
        Claim(
            text="The larger the batch, the more samples a second.",
            kind="order",
            metric="samples_per_s",
            arms=("batch 512", "batch 128", "batch 32", "batch 8"),
        ),
        Claim(
            text="Batches of 128 are at 80 % before batches of 8.",
            kind="compare",
            metric="target_s",
            arms=("batch 128", "batch 8"),
        ),
        Claim(
            text="Batches of 512 are at 80 % before batches of 128.",
            kind="compare",
            metric="target_s",
            arms=("batch 512", "batch 128"),
        ),
    ),
    plots=("by_factor", "verdicts"),
    factor="batch_size",
    repeat="blocks",
    slides=("C5",),
    remember="More samples a second are of use only while they save steps.",
    inexact="A target is looked at once an epoch here: time to it is rounded up to whole epochs.",
    source="Shallue et al. 2019, sec. 4.1",
)


def test_steps_to_target(arm, probe_benchmark):
    probe_benchmark(arm)


def test_noise_scale(arm, probe_benchmark):
    probe_benchmark(arm)


def test_seconds_to_target(arm, train_benchmark):
    train_benchmark(arm)
