"""The lecture's large-batch table, in miniature: can a batch be 64 times as large at equal quality?

The table is of Ying et al. 2018: ImageNet in 2.2 minutes on 1,024 chips, by batches of 32,768, LARS, warm-up
and distributed batch norm. It is quoted; nothing here reproduces it. ``large-batch-table`` does its sums.
``large-batch`` trains a small network for equal epochs, hence fewer and fewer steps, by the rules that are
used for the rate: the same, with the root of the batch, in proportion to it (Goyal et al. 2017), that with
warm-up, tuned for each batch, and LARS (You et al. 2017), tuned with as many tries. ``shared-norm`` asks what
becomes of batch norm when a batch is spread over so many workers that each sees two samples.
"""

from nnbench import Arm, Claim, Probe, Scenario

small = Arm(
    data="fashion-mini", model="mlp", model_args={"hidden": (64,)}, optimizer="momentum", schedule="linear",
    lr=0.02, batch_size=32, epochs=5, train_samples=3000,
)  # fmt: skip
mnist = small.replace(data="mnist", model_args={"hidden": (128,)}, train_samples=20000)

# Best on the tune split of nine rates each, by twos: 0.01 to 2.56 for momentum, 0.5 to 128 for LARS, whose
# layers take a thousandth of it; two seeds for clothes, one for digits. None is at the edge of its grid.
TUNED = {32: 0.04, 128: 0.16, 512: 0.32, 2048: 0.32}
LARS = {32: 8.0, 128: 16.0, 512: 16.0, 2048: 16.0}
TUNED_DIGITS = {32: 0.08, 512: 0.64, 2048: 0.64, 8192: 0.64}
LARS_DIGITS = {32: 4.0, 512: 16.0, 2048: 16.0, 8192: 16.0}


def rules(base, batch, tuned, lars, name=""):
    times = batch // base.batch_size
    rates = {"fixed": base.lr, "sqrt": base.lr * times**0.5, "linear": base.lr * times, "tuned": tuned}
    rise = {"anneal_strategy": "linear", "pct_start": 0.2, "div_factor": times, "cycle_momentum": False}
    at = base.replace(batch_size=batch)
    arms = {f"{rule}, {batch:,}": at.replace(lr=lr) for rule, lr in rates.items()}
    arms[f"warm-up, {batch:,}"] = at.replace(lr=base.lr * times, schedule="onecycle", schedule_args=rise)
    arms[f"LARS, {batch:,}"] = at.replace(lr=lars, optimizer="lars")
    return tuple(arm.replace(name=name + label) for label, arm in arms.items())


def start(base, tuned, lars, name=""):
    arms = {
        "fixed, 32": base,
        "tuned, 32": base.replace(lr=tuned),
        "LARS, 32": base.replace(lr=lars, optimizer="lars"),
    }
    return tuple(arm.replace(name=name + label) for label, arm in arms.items())


SIZES, GROWN = (128, 512, 2048), (512, 2048, 8192)
quick = (
    *start(small, TUNED[32], LARS[32]),
    *(arm for size in SIZES for arm in rules(small, size, TUNED[size], LARS[size])),
)
tried = (*start(small, TUNED[32], LARS[32]), *rules(small, 2048, TUNED[2048], LARS[2048]))
digits = (
    *start(mnist, TUNED_DIGITS[32], LARS_DIGITS[32], "MNIST, "),
    *(arm for size in GROWN for arm in rules(mnist, size, TUNED_DIGITS[size], LARS_DIGITS[size], "MNIST, ")),
)


def about(value, arm):
    return Claim(
        text=f"On MNIST, {arm}: about {value:.1%}.",
        kind="between",
        metric="validation_accuracy",
        arms=f"MNIST, {arm}",
        low=round(value - 0.02, 3),
        high=round(value + 0.02, 3),
        source="one or two seeds of our own, measured before",
    )


def ahead(text, first, second, **more):
    return Claim(
        text=text, kind="compare", metric="validation_accuracy", arms=(first, second), **more
    )  # fmt: skip


large_batch = Scenario(
    name="large-batch",
    statement="With LARS, warm-up and enough chips, a batch of 32,768 trains at equal quality.",
    question="At equal epochs, which rule for the rate keeps the accuracy while the batch grows 64-fold?",
    axis="epochs",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, epochs=1, max_steps=2) for arm in tried),
        "quick": quick,
        "lecture": (*quick, *digits),
        "full": (*quick, *digits),
    },
    claims=(
        Claim(
            text="With LARS, batches of 2,048 are as good as batches of 32, tuned as well.",
            kind="equivalent",
            metric="validation_accuracy",
            arms=("LARS, 2,048", "tuned, 32"),
            margin=0.01,
            source="Ying et al. 2018",
        ),
        Claim(
            text="A rate in proportion loses nothing at four times the batch.",
            kind="equivalent",
            metric="validation_accuracy",
            arms=("linear, 128", "fixed, 32"),
            margin=0.02,
            source="Goyal et al. 2017, sec. 2.1",
        ),
        Claim(
            text="Nor does it at 64 times the batch.",
            kind="equivalent",
            metric="validation_accuracy",
            arms=("linear, 2,048", "fixed, 32"),
            margin=0.02,
        ),
        ahead(
            "Without another rate, a batch of 2,048 falls behind one of 32.",
            "fixed, 32",
            "fixed, 2,048",
            margin=0.1,
        ),
        ahead(
            "LARS mends much of that.",
            "LARS, 2,048",
            "fixed, 2,048",
            margin=0.1,
            source="You et al. 2017",
        ),
        ahead("At 2,048, the root of the batch is the better rule.", "sqrt, 2,048", "linear, 2,048"),
        ahead("At 2,048, warm-up mends the rate in proportion.", "warm-up, 2,048", "linear, 2,048"),
        ahead("At 2,048, LARS beats momentum at its own best rate.", "LARS, 2,048", "tuned, 2,048"),
        ahead(
            "On MNIST, at 8,192, LARS beats momentum at its own best rate.",
            "MNIST, LARS, 8,192",
            "MNIST, tuned, 8,192",
        ),
        about(0.957, "fixed, 32"),
        about(0.892, "fixed, 512"),
        about(0.953, "linear, 512"),
        about(0.805, "sqrt, 8,192"),
        about(0.403, "fixed, 8,192"),
    ),
    plots=("accuracy_by_rate_rule", "verdicts"),
    factor="batch_size",
    slides=("C7",),
    remember="At equal epochs no rule gives back the steps that a large batch does not take.",
    inexact="The slide's equal quality took distributed batch norm and a schedule of its own as well.",
    source="Ying et al. 2018",
    may_diverge=("linear, 2,048", "warm-up, 2,048", "MNIST, linear, 8,192", "MNIST, warm-up, 8,192"),
)


def row(batch, chips, **times):
    args = {"batch": batch, "chips": chips, **times}
    return Probe(
        name=f"{chips:,} chips", function="nnbench.analysis.chips:chip_arithmetic", args=args
    )  # fmt: skip


# 8.0 hours on 4 chips of TPU v2 against 2.2 minutes on 1,024 of TPU v3: the chips differ too.
rows = (row(8192, 256), row(32768, 1024, minutes=2.2, base_chips=4, base_minutes=480))

large_batch_table = Scenario(
    name="large-batch-table",
    statement="ImageNet in 2.2 minutes on 1,024 chips, in 8.0 hours on 4.",
    question="Is that the speed of 256 times the chips, and does a chip do the same work?",
    axis="epochs",
    arms={"smoke": rows, "quick": rows, "full": rows},
    claims=(
        Claim(
            text="256 times the chips are 218.2 times as fast.",
            kind="exact",
            metric="chip_speedup",
            arms="1,024 chips",
            value=218.2,
            margin=0.05,
        ),
        Claim(
            text="That is 85 % of what as many chips could bring.",
            kind="exact",
            metric="chip_efficiency",
            arms="1,024 chips",
            value=0.85,
            margin=0.005,
        ),
        Claim(
            text="The speed grows with the chips: at least 256 times.",
            kind="between",
            metric="chip_speedup",
            arms="1,024 chips",
            low=256,
        ),
        Claim(
            text="Each of 256 chips has 32 samples of a batch of 8,192.",
            kind="exact",
            metric="chip_samples",
            arms="256 chips",
            value=32,
        ),
        Claim(
            text="Each of 1,024 chips has 32 samples of a batch of 32,768.",
            kind="exact",
            metric="chip_samples",
            arms="1,024 chips",
            value=32,
        ),
    ),
    plots=("large_batch_table", "verdicts"),
    repeat="once",
    slides=("C7",),
    remember="What a chip computes stays the same; what grows is the batch.",
    inexact="The 4 chips are TPU v2, the 1,024 are v3: newer chips made part of the 218 times.",
    source="arithmetic on the lecture's table, of Ying et al. 2018",
)

deep = Arm(
    data="fashion-mini", model="cnn", optimizer="momentum", schedule="linear", lr=0.1, batch_size=128,
    epochs=2,
)  # fmt: skip


def normed(name, **own):
    args = {"channels": (6, 12, 16, 16, 16), "stride": 2, "pool": "none", "init": "he", "batch_norm": True}
    return deep.replace(name=name, model_args={**args, **own})


spread = (
    normed("2 samples", norm_part=2),
    normed("32 samples", norm_part=32),
    normed("all 128 samples"),
)

shared_norm = Scenario(
    name="shared-norm",
    statement="Workers that see two samples each share the statistics of their batch norm.",
    question="Does batch norm on two samples learn less, and do 16 workers that share theirs mend it?",
    axis="epochs",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, max_steps=3) for arm in spread),
        "quick": spread,
        "full": tuple(arm.replace(name=arm.name, epochs=20) for arm in spread),
    },
    claims=(
        ahead(
            "Where 16 workers of two samples share their statistics, the network learns more.",
            "32 samples",
            "2 samples",
            margin=0.1,
            source="Ying et al. 2018",
        ),
        Claim(
            text="More than 32 samples need not be shared.",
            kind="equivalent",
            metric="validation_accuracy",
            arms=("32 samples", "all 128 samples"),
            margin=0.02,
            source="Goyal et al. 2017, sec. 3",
        ),
    ),
    plots=("verdicts", "learning_curves"),
    slides=("C7",),
    remember="Batch norm asks for some dozens of samples; who holds them does not matter.",
    inexact="Workers of one process: what they would send each other costs nothing here.",
    source="Hoffer et al. 2017, alg. 1",
)


def test_large_batch(arm, train_benchmark):
    train_benchmark(arm)


def test_large_batch_table(arm, probe_benchmark):
    probe_benchmark(arm)


def test_shared_norm(arm, train_benchmark):
    train_benchmark(arm)
