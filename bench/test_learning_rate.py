"""How large may a step be, with which rate does one start, and how should it end?

The lecture: too small a rate is slow, too large a one diverges; raise it until the loss blows up and one
knows where to start; a rate that decays, or goes in cycles, mends the end of the training; in practice that
does not always matter.
"""

from nnbench import Arm, Claim, Probe, Scenario

FACTORS = (0.5, 0.9, 0.98, 1.02, 1.1)


def descent(name, factor, **more):
    args = {"factor": factor, **more}
    return Probe(name=name, function="nnbench.studies.descent:edge_of_divergence", args=args)


steps = (
    *(descent(f"{factor} of the edge", factor) for factor in FACTORS),
    descent("momentum, 0.98", 0.98, momentum=0.9),
    descent("momentum, 1.02", 1.02, momentum=0.9),
)

edge_of_divergence = Scenario(
    name="edge-of-divergence",
    statement="Too small a rate is slow, too large a one diverges.",
    question="Is there one rate below which descent on the digits converges, and above which it blows up?",
    axis="steps",
    arms={"smoke": steps, "quick": steps, "full": steps},
    claims=(
        Claim(
            text="The largest eigenvalue of the Hessian is 10.4553.",
            kind="exact", metric="sharpness", arms="0.98 of the edge", value=10.4553, margin=5e-5,
        ),
        Claim(
            text="The edge is at a rate of 0.19129.",
            kind="exact", metric="edge_rate", arms="0.98 of the edge", value=0.19129, margin=5e-6,
        ),
        Claim(text="At 0.98 of it descent converges.", kind="exact", metric="converged",
              arms="0.98 of the edge", value=1),
        Claim(text="At 1.02 of it descent blows up.", kind="exact", metric="converged",
              arms="1.02 of the edge", value=0),
        Claim(
            text="A momentum of 0.9 moves the edge by a factor of 1.9, to 0.36345.",
            kind="exact", metric="edge_rate", arms="momentum, 0.98", value=0.36345, margin=5e-6,
        ),
        Claim(text="With momentum too: at 0.98 of it descent converges.", kind="exact", metric="converged",
              arms="momentum, 0.98", value=1),
        Claim(text="And at 1.02 it blows up.", kind="exact", metric="converged", arms="momentum, 1.02",
              value=0),
    ),
    plots=("losses_at_the_edge",),
    repeat="once",
    slides=("C1",),
    source="Polyak 1964: 2 (1 + m) / lambda",
    remember="Divergence has an edge, and it is set by the sharpest direction.",
)  # fmt: skip


def hovering(rate, steps):
    return Probe(name=f"rate {rate}", function="nnbench.studies.steepness:edge_of_stability",
                 args={"rate": rate, "steps": steps}, seeded=True)  # fmt: skip


edge_of_stability = Scenario(
    name="edge-of-stability",
    statement="Too large a rate diverges.",
    question="Full-batch descent on a network: how sharply does its loss bend, beside 2 / rate?",
    axis="steps",
    arms={
        "smoke": (hovering(0.4, 80),),
        "quick": (hovering(0.15, 800), hovering(0.4, 800)),
        "lecture": tuple(hovering(rate, 3000) for rate in (0.1, 0.15, 0.4)),
        "full": tuple(hovering(rate, 6000) for rate in (0.05, 0.1, 0.15, 0.4)),
    },
    claims=(
        *(
            Claim(text=f"At a rate of {rate} the sharpness stays near 2 / {rate}.", kind="between",
                  metric="sharpness_times_rate", arms=f"rate {rate}", low=1.8, high=2.4)
            for rate in (0.1, 0.15, 0.4)
        ),
        Claim(text="At a rate of 0.15 it has risen to there: the first weights are below.", kind="between",
              metric="start_times_rate", arms="rate 0.15", high=1.8),
        Claim(text="At a rate of 0.4 it has fallen to there.", kind="between", metric="start_times_rate",
              arms="rate 0.4", low=2.4),
    ),
    plots=("sharpness_by_step", "verdicts"),
    repeat="seeds",
    slides=("C1",),
    source="Cohen et al. 2021",
    remember="A network walks to the edge of its rate by itself, and stays there.",
    inexact="The edge moves: a rate that is too large at first may be none later, and the other way round.",
)  # fmt: skip

CLOTHES = {
    "data": "fashion-mini", "model_args": {"hidden": (64,)}, "batch_size": 64, "epochs": 3,
    "schedule": "linear",
}  # fmt: skip
DIGITS = {**CLOTHES, "data": "mnist", "train_samples": 10_000}


def starting(name, arm):
    return Probe(
        name=name, function="nnbench.studies.starting_rates:starting_rate", args={"arm": arm}, seeded=True
    )


def of_rule(text, metric, low=None, high=None, slide="C15", arm="clothes"):
    return Claim(text=text, kind="between", metric=metric, arms=arm, low=low, high=high, slide=slide)


starting_rates = Scenario(
    name="starting-rates",
    statement="Raise the rate until the loss blows up: that finds the one to start with.",
    question="Does a test of 200 steps find the rate that a grid of ten trainings finds?",
    axis="epochs",
    arms={
        "smoke": (starting("clothes", {**CLOTHES, "max_steps": 10}),),
        "quick": (starting("clothes", CLOTHES),),
        "lecture": (starting("clothes", CLOTHES), starting("MNIST", DIGITS)),
        "full": (starting("clothes", {**CLOTHES, "epochs": 10}), starting("MNIST", {**DIGITS, "epochs": 10})),
    },
    claims=(
        of_rule("Where the loss falls fastest on its way to its least: within a factor of two of the best "
                "rate.",
                "start_octaves", -1, 1),
        of_rule("It costs two points of accuracy at most.", "start_loss", high=0.02),
        of_rule("A tenth of the rate of the least loss, the cautious rule, costs two points at most.",
                "tenth_loss",
                high=0.02),
        of_rule("It is too small, four times at least.", "tenth_octaves", high=-2),
        of_rule("torch-lr-finder's rule, the steepest descent anywhere, is within a factor of two.",
                "steepest_octaves", -1, 1),
        of_rule("Too small a rate is slow: a 64th of the best loses ten points.", "slow_rate_loss", 0.1,
                slide="C1",
                arm="MNIST"),
        of_rule("Too large a rate diverges: a cliff stands within a factor of 16 of the best.",
                "cliff_octaves", 0, 4,
                slide="C1"),
        of_rule("On MNIST the cliff stands within a factor of eight.", "cliff_octaves", 0, 3, slide="C1",
                arm="MNIST"),
        of_rule("On MNIST the steepest descent before the least is within a factor of two of the best.",
                "start_octaves", -1, 1, arm="MNIST"),
        of_rule("On MNIST a tenth of the least is too small, four times at least.", "tenth_octaves", high=-2,
                arm="MNIST"),
        Claim(text="The best rate on MNIST is 0.5.", kind="between", metric="best_rate_octaves", arms="MNIST",
              low=-1.5, high=-0.5, slide="C1"),
    ),
    plots=("range_test", "verdicts"),
    repeat="seeds",
    slides=("C15", "C1"),
    source="Smith 2017, section 3.3; torch-lr-finder",
    remember="200 steps find the rate within a factor of two, if one looks before the least loss only.",
    inexact="A loss that has blown up may fall again, faster than ever: 'the steepest descent' alone may "
            "pick that.",
)  # fmt: skip

SHAPES = {
    "constant": ("constant", {}),
    "step": ("step", {"gamma": 0.1, "step_size": 2}),
    "1/t": ("inverse", {}),
    "linear": ("linear", {}),
    "cosine": ("cosine", {}),
    "warm-up, cosine": ("cosine", {"warmup": 0.1}),
    "two triangles": ("cyclic", {"cycles": 2}),
    "triangular2": ("cyclic", {"cycles": 2, "mode": "triangular2"}),
    "exp_range": ("cyclic", {"cycles": 2, "mode": "exp_range"}),
    "cycles, cut": ("cyclic", {"cycles": 2.5}),
    "one cycle": ("onecycle", {}),
}


def shape(name):
    schedule, args = SHAPES[name]
    return Probe(name=name, function="nnbench.studies.rate_schedules:rate_by_step",
                 args={"schedule": schedule, "args": args})  # fmt: skip


def share(text, metric, name, value, margin=None, slide="C13"):
    return Claim(text=text, kind="exact", metric=metric, arms=name, value=value, margin=margin, slide=slide)


shapes = tuple(shape(name) for name in SHAPES)

rate_schedules = Scenario(
    name="rate-schedules",
    statement="A rate may decay, or go in cycles.",
    question="Which rate does each schedule give each step?",
    axis="steps",
    arms={"smoke": shapes, "quick": shapes, "full": shapes},
    claims=(
        share("1/t leaves a tenth of the rate.", "last_rate", "1/t", 0.1, 0.001),
        share("A straight line to a hundredth has half of the rate in the mean.", "mean_rate", "linear",
              0.505, 0.002),
        share("Half a cosine too.", "mean_rate", "cosine", 0.5, 0.002),
        share("One cycle starts at a 25th of its peak.", "first_rate", "one cycle", 0.04, 1e-9, "C14"),
        share("It turns once.", "turns", "one cycle", 1, slide="C14"),
        share("Two triangles turn three times.", "turns", "two triangles", 3, slide="C14"),
        share("They end where they began, at a tenth.", "last_rate", "two triangles", 0.1, 1e-9, "C14"),
        share("Cut at their top, they end at their peak.", "last_rate", "cycles, cut", 1.0, 0.01, "C14"),
    ),
    plots=("rates_of_schedules",),
    repeat="once",
    slides=("C13", "C14"),
    source="Robbins and Monro 1951; Smith 2017; Loshchilov and Hutter 2017; Smith and Topin 2018",
    remember="Each schedule ends low; they differ in where the rate has been before.",
)  # fmt: skip

clothes = Arm(data="fashion-mini", model_args={"hidden": (64,)}, batch_size=16, lr=0.25, epochs=3)
digits = clothes.replace(data="mnist", lr=0.5, train_samples=10_000, epochs=5)
medical = Arm(data="mednist", model="logistic", batch_size=64, lr=0.1, epochs=3)


def scheduled(base, low, more=""):
    arms = {name: base.replace(schedule=kind, schedule_args=args) for name, (kind, args) in SHAPES.items()}
    arms["constant, lower"] = base.replace(lr=low)
    return tuple(arm.replace(name=name + more) for name, arm in arms.items())


def ends(text, a, b, slide, metric="validation_accuracy", **how):
    return Claim(text=text, kind="compare", metric=metric, arms=(a, b), slide=slide, **how)


on_clothes, on_digits = scheduled(clothes, 0.06), scheduled(digits, 0.125, ", MNIST")
on_medical = tuple(
    medical.replace(name=f"{name}, MedNIST", schedule=kind)
    for name, kind in (("constant", "constant"), ("linear", "linear"))
)


def about(name, value):
    return Claim(text=f"On MNIST {name} ends at {value:.1%}.", kind="between", metric="validation_accuracy",
                 arms=f"{name}, MNIST", low=round(value - 0.01, 3), high=round(value + 0.01, 3),
                 slide="C13")  # fmt: skip


decay = Scenario(
    name="decay",
    statement="A rate that decays mends the end of the training; one that goes in cycles is faster.",
    question="After equally many steps from one highest rate, who ends how low, and how accurate?",
    axis="epochs",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, max_steps=10, epochs=1) for arm in on_clothes),
        "quick": on_clothes,
        "lecture": (*on_clothes, *on_digits, *on_medical),
        "full": (*(arm.replace(name=arm.name, epochs=20) for arm in on_clothes), *on_digits, *on_medical),
    },
    claims=(
        *(
            ends(f"{name} ends more accurate than the same rate throughout.", arm, "constant", "C13")
            for name, arm in (("Decay by 1/t", "1/t"), ("Decay in a line", "linear"), ("Half a cosine",
                                                                                       "cosine"))
        ),
        ends("And with less training loss.", "linear", "constant", "C13", "train_loss"),
        ends("Decay beats a lower rate throughout too.", "linear", "constant, lower", "C13"),
        Claim(text="Warm-up before the cosine changes nothing in so shallow a network, up to two points.",
              kind="equivalent", metric="validation_accuracy", arms=("warm-up, cosine", "cosine"),
              margin=0.02,
              slide="C13"),
        ends("Two cycles end more accurate than the same rate throughout.", "two triangles", "constant",
             "C14"),
        ends("Two cycles end more accurate than decay in a line.", "two triangles", "linear", "C14"),
        ends("One cycle ends more accurate than decay in a line.", "one cycle", "linear", "C14"),
        ends("A cycle has to end low: cut at its top it ends less accurate.", "two triangles", "cycles, cut",
             "C14"),
        ends("Mending the end is worth a point over the best constant rate tried.", "one cycle",
             "constant, lower", "C16", margin=0.01),
        about("constant", 0.940), about("cosine", 0.955), about("one cycle", 0.958),
        about("constant, lower", 0.948), about("two triangles", 0.956),
        ends("On MNIST decay in a line beats the same rate throughout.", "linear, MNIST", "constant, MNIST",
             "C13"),
        ends("On MNIST one cycle beats the lower constant rate by half a point.", "one cycle, MNIST",
             "constant, lower, MNIST", "C16", margin=0.005),
        Claim(text="It does not always matter: on MedNIST, where logistic regression is right nearly always, "
                   "decay "
              "gains less than a point.", kind="equivalent", metric="validation_accuracy",
              arms=("linear, MedNIST", "constant, MedNIST"), margin=0.01, slide="C16"),
    ),
    plots=("learning_curves", "verdicts"),
    repeat="seeds",
    slides=("C13", "C14", "C16"),
    source="Robbins and Monro 1951; Smith 2017; Smith and Topin 2018",
    remember="Every schedule that ends low beats the same rate throughout; which one it is matters little.",
    inexact="A cycle beats a bad constant rate; so does plain decay, which belongs beside it.",
)  # fmt: skip


def at_best(name, kind, epochs, **limits):
    arm = {"data": "fashion-mini", "model_args": {"hidden": (32,)}, "batch_size": 64, "epochs": epochs,
           "schedule": kind, **limits}  # fmt: skip
    return Probe(name=name, function="nnbench.studies.tuned_optimizers:tuned",
                 args={"arm": arm, "rates": tuple(2.0**k for k in range(-5, 3))}, seeded=True)  # fmt: skip


def tuned_arms(epochs, **limits):
    return (
        *(at_best(name, kind, epochs, **limits)
          for name, kind in (("constant", "constant"), ("linear", "linear"), ("one cycle", "onecycle"))),
        *(at_best(f"{name} in a quarter", kind, epochs // 4, **limits)
          for name, kind in (("constant", "constant"), ("linear", "linear"), ("one cycle", "onecycle"))),
    )  # fmt: skip


tuned_schedules = Scenario(
    name="tuned-schedules",
    statement="One cycle is faster; in practice the end does not always matter.",
    question="Each at the best of eight rates: what is a schedule worth, and what in a quarter of the steps?",
    axis="nothing",
    arms={
        "smoke": tuned_arms(4, max_steps=10),
        "quick": tuned_arms(4),
        "lecture": tuned_arms(8),
        "full": tuned_arms(40),
    },
    claims=(
        ends("At its best rate decay still ends more accurate than a constant rate at its own.", "linear",
             "constant", "C13"),
        ends("By two points.", "linear", "constant", "C16", margin=0.02),
        ends("One cycle ends more accurate than decay in a line.", "one cycle", "linear", "C14"),
        Claim(text="One cycle in a quarter of the steps ends as accurate as a constant rate in all, up to "
                   "two points.",
              kind="equivalent", metric="validation_accuracy", arms=("one cycle in a quarter", "constant"),
              margin=0.02,
              slide="C14"),
        ends("In a quarter of the steps one cycle ends more accurate than decay in a line.",
             "one cycle in a quarter",
             "linear in a quarter", "C14"),
        ends("It ends more accurate than a constant rate in as few.", "one cycle in a quarter",
             "constant in a quarter", "C14"),
    ),
    plots=("accuracy_by_rate", "verdicts"),
    repeat="seeds",
    slides=("C14", "C16"),
    source="Smith and Topin 2018",
    remember="Compare a schedule with the best constant rate, and with plain decay, or every one of them "
             "wins.",
)  # fmt: skip


def test_edge_of_divergence(arm, probe_benchmark):
    probe_benchmark(arm)


def test_edge_of_stability(arm, probe_benchmark):
    probe_benchmark(arm)


def test_starting_rates(arm, probe_benchmark):
    probe_benchmark(arm)


def test_rate_schedules(arm, probe_benchmark):
    probe_benchmark(arm)


def test_decay(arm, train_benchmark):
    train_benchmark(arm)


def test_tuned_schedules(arm, probe_benchmark):
    probe_benchmark(arm)
