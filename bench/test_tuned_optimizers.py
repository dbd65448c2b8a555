"""Momentum, Adagrad, Adam: does each train a network better, sooner, or with less to tune?

The lecture: momentum is faster; Adagrad gives each weight its own rate; Adam is both together and leaves less
to tune. Optimizers can only be compared at their own best rates, so that each has the same grid of them, and
chooses by a part of the training set; what their memories cost, in bytes and in time, stands beside it.
"""

from nnbench import Arm, Claim, Probe, Scenario

# every optimizer at the same 10 rates, 3e-4 to 10; each seed chooses by the last sixth of the training set
FASHION = {
    "data": "fashion-mini", "model_args": {"hidden": (32,)}, "batch_size": 32, "epochs": 3,
    "schedule": "linear",
}  # fmt: skip
MNIST = {**FASHION, "data": "mnist", "train_samples": 10_000, "model_args": {"hidden": (64,)}}


def tuned(name, more="", problem=FASHION, optimizer="", settings=None, **extra):
    arm = {**problem, "optimizer": optimizer or name, "optimizer_args": settings or {}}
    function = "nnbench.studies.tuned_optimizers:tuned"
    return Probe(name=name + more, function=function, args={"arm": arm, **extra}, seeded=True)


ALL_FOUR = ("sgd", "momentum", "adagrad", "adam")
momenta = tuple(
    tuned(f"momentum {b}", optimizer="momentum", settings={"momentum": b}) for b in (0.5, 0.99)
)  # 0.9 is momentum itself


def gain(text, a, b, slide, metric="validation_accuracy", more="", **how):
    return Claim(text=text, kind="compare", metric=metric, arms=(a + more, b + more), slide=slide, **how)


def same_rate(text, name):
    return Claim(
        text=text, kind="equivalent", metric="effective_rate_log10", arms=(name, "sgd"), margin=0.5,
        slide="C10",
    )  # fmt: skip


quick = tuple(tuned(name) for name in ALL_FOUR)
on_mnist = tuple(tuned(name, ", MNIST", MNIST) for name in ALL_FOUR)

tuned_optimizers = Scenario(
    name="tuned-optimizers",
    statement="Momentum is faster; Adam is momentum and Adagrad together, and leaves less to tune.",
    question="At the best rate of one grid for all, who ends how high, and how many rates are good?",
    axis="epochs",
    arms={
        "smoke": tuple(tuned(name, problem={**FASHION, "max_steps": 20}) for name in ALL_FOUR),
        "quick": quick,
        "lecture": (*quick, *momenta, tuned("rmsprop"), *on_mnist),
        "full": tuple(
            tuned(name, more, {**problem, "epochs": 20, "model_args": {"hidden": (128,)}})
            for name in (*ALL_FOUR, "rmsprop") for more, problem in (("", FASHION), (", MNIST", MNIST))
        ),
    },
    claims=(
        gain("Momentum ends more accurate than gradient descent.", "momentum", "sgd", "C10"),
        same_rate("Momentum's best rate is gradient descent's, divided by 1 - 0.9.", "momentum"),
        same_rate("With a momentum of 0.5 too.", "momentum 0.5"),
        same_rate("And with one of 0.99.", "momentum 0.99"),
        gain("Adagrad ends more accurate than gradient descent.", "adagrad", "sgd", "C11"),
        gain("Adam ends more accurate than gradient descent.", "adam", "sgd", "C12"),
        gain("Adam ends more accurate than momentum.", "adam", "momentum", "C12"),
        gain("Adam leaves less to tune than gradient descent: more of its rates are good.", "adam", "sgd",
             "C12", "good_rates_decades"),
        gain("Adam leaves less to tune than momentum.", "adam", "momentum", "C12", "good_rates_decades"),
        Claim(
            text="Adam needs no tuning: at torch's own rate it is as accurate, up to a point.",
            kind="between", metric="untuned_loss", arms="adam", high=0.01, slide="C12",
        ),
        gain("On MNIST, momentum ends more accurate than gradient descent.", "momentum", "sgd", "C10",
             more=", MNIST"),
        gain("On MNIST, Adam leaves less to tune than gradient descent.", "adam", "sgd", "C12",
             "good_rates_decades", ", MNIST"),
    ),
    plots=("accuracy_by_rate", "verdicts"),
    slides=("C10", "C11", "C12"),
    source="Schneider et al. 2019 (DeepOBS); Choi et al. 2019; with g constant, steps of rate g / (1 - b)",
    remember="At their own best rates the optimizers end near each other; at one rate for all they do not.",
    inexact="'Less to tune' is a wider range of good rates, not none to choose.",
)  # fmt: skip

WORDS = {"model": "logistic", "batch_size": 16, "epochs": 1, "schedule": "linear"}
RARE, EVEN = ({**WORDS, "data": f"nnbench.studies.rare_words:{kind}_words"} for kind in ("rare", "even"))
WORD_RATES = tuple(10 ** (k / 2) for k in range(-6, 5))  # 0.001 to 100, two in each decade


def on_words(**limits):
    return tuple(
        tuned(name, more, {**problem, **limits}, rates=WORD_RATES)
        for more, problem in ((", rare words", RARE), (", even words", EVEN))
        for name in ("sgd", "adagrad", "adam")
    )


rare_features = Scenario(
    name="rare-features",
    statement="Adagrad gives each weight its own rate, which shrinks.",
    question="Does a rate for each weight help where most features are rare, and only there?",
    axis="epochs",
    arms={"smoke": on_words(max_steps=20), "quick": on_words(), "full": on_words(epochs=10)},
    claims=(
        gain("Where most words are rare, Adagrad learns more from each text than gradient descent.",
             "adagrad", "sgd", "C11", more=", rare words"),
        gain("Adagrad does so where all words are as common.", "adagrad", "sgd", "C11", more=", even words"),
        gain("Where most words are rare, Adam does as well.", "adam", "sgd", "C12", more=", rare words"),
    ),
    plots=("accuracy_by_rate", "verdicts"),
    slides=("C11", "C12"),
    source="Duchi et al. 2011, section 1.1",
    remember="A rate for each weight pays where features differ in how often they are seen.",
)  # fmt: skip


mlp = Arm(model="mlp", model_args={"hidden": (512, 512)}, batch_size=16, lr=0.001, max_steps=60)
steppers = (
    *(mlp.replace(name=name, optimizer=name) for name in (*ALL_FOUR, "lamb")),
    mlp.replace(name="adam, not fused", optimizer="adam", optimizer_args={"foreach": False}),
)


def bytes_of(text, name, value, slide):
    return Claim(text=text, kind="exact", metric="optimizer_bytes", arms=name, value=value, slide=slide)


def slower(text, a, b, slide, margin=None):
    return Claim(
        text=text,
        kind="compare",
        metric="step_s",
        arms=(a, b),
        direction="higher",
        slide=slide,
        margin=margin,
    )


optimizer_cost = Scenario(
    name="optimizer-cost",
    statement="Momentum remembers the last steps, Adagrad all squares, Adam both.",
    question="What do their memories cost, in bytes and in time, in a step of an MLP 512/512 at batch 16?",
    axis="steps",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, max_steps=5) for arm in steppers),
        "quick": steppers,
        "full": tuple(arm.replace(name=arm.name, max_steps=2000) for arm in steppers),
    },
    claims=(
        bytes_of("Gradient descent remembers nothing.", "sgd", 0, "C10"),
        bytes_of("Momentum remembers 4 bytes for each of 669,706 weights.", "momentum", 2_678_824, "C10"),
        bytes_of("Adagrad too, and the number of its steps for each of six tensors.", "adagrad",
                 2_678_848, "C11"),
        bytes_of("Adam remembers 8, and the numbers: 5,357,672 bytes.", "adam", 5_357_672, "C12"),
        slower("A step with momentum takes longer than one of gradient descent.", "momentum", "sgd", "C10"),
        slower("A step with Adam takes longer than one with momentum.", "adam", "momentum", "C12"),
        slower("One operation after another, Adam takes half as long again as fused.", "adam, not fused",
               "adam", "C12", margin=0.5),
    ),
    repeat="blocks",
    plots=("state_against_step_time", "verdicts"),
    slides=("C10", "C11", "C12"),
    source="arithmetic: 4 bytes for each float32, one counter for each tensor",
    remember="Equal steps are not equal time: a memory must be read and written in every step.",
)  # fmt: skip


# Targets: median, rounded down to a point, of the best that the four reach under seeds 100 to 102, which
# no profile runs.
RACES = {
    "fashion logistic": {"model": "logistic", "batch_size": 64, "max_steps": 120, "target_accuracy": 0.80},
    "digits MLP": {
        "data": "digits", "model_args": {"hidden": (32,)}, "batch_size": 32, "max_steps": 200,
        "target_accuracy": 0.95,
    },
    "digits deep MLP": {
        "data": "digits", "model_args": {"hidden": (16, 16, 16)}, "batch_size": 32, "max_steps": 200,
        "target_accuracy": 0.81,
    },
    "rare words": {**RARE, "schedule": "constant", "max_steps": 250, "target_accuracy": 0.89},
}  # fmt: skip


RACE_RATES = tuple(10 ** (k / 2) for k in range(-5, 3))  # 0.003 to 10, two in each decade


def racers(**limits):
    workloads = {name: {**of, "epochs": 30, **limits} for name, of in RACES.items()}
    function = "nnbench.benchmarking.optimizer_races:race"
    return tuple(
        Probe(name=name, function=function, seeded=True,
              args={"optimizer": name, "contestants": ALL_FOUR, "workloads": workloads, "rates": RACE_RATES})
        for name in ALL_FOUR
    )  # fmt: skip


optimizer_race = Scenario(
    name="optimizer-race",
    statement="Momentum is faster; Adam is momentum and Adagrad together.",
    question="On how many workloads is each optimizer how near the first at the target?",
    axis="steps",
    arms={"smoke": racers(max_steps=10), "quick": racers(), "full": racers()},
    claims=(
        gain("Momentum is faster than gradient descent.", "momentum", "sgd", "C10", "race_score"),
        gain("Adagrad is faster than gradient descent.", "adagrad", "sgd", "C11", "race_score"),
        gain("Adam, which is both, is faster than momentum.", "adam", "momentum", "C12", "race_score"),
        gain("Adam is faster than Adagrad.", "adam", "adagrad", "C12", "race_score"),
    ),
    plots=("performance_profile", "verdicts"),
    slides=("C10", "C11", "C12"),
    source="Dahl et al. 2023 (AlgoPerf); Dolan and Moré 2002",
    remember="No optimizer is first everywhere: say on which problems, and how far behind on the others.",
)  # fmt: skip


def test_tuned_optimizers(arm, probe_benchmark):
    probe_benchmark(arm)


def test_rare_features(arm, probe_benchmark):
    probe_benchmark(arm)


def test_optimizer_cost(arm, train_benchmark):
    train_benchmark(arm)


def test_optimizer_race(arm, probe_benchmark):
    probe_benchmark(arm)
