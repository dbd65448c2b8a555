"""Momentum, Adagrad, Adam: what does each make of a gradient?

The lecture: momentum remembers the last steps and is faster; Adagrad gives each weight its own rate, which
shrinks; Adam, 'Adams' on the slide, is both together. Here they walk down slopes that can be written down,
where all is exact; how they train networks is next door, in ``test_tuned_optimizers.py``.
"""

from nnbench import Claim, Probe, Scenario

WALKERS = ("sgd", "momentum", "adagrad", "adam", "slide-adagrad", "slide-adams")
SLOPES = {"1e-4": 1e-4, "1": 1.0, "100": 100.0}


def walk(optimizer, slope, steps=100):
    name = f"{optimizer}, gradient {slope}" + (f", {steps} steps" if steps != 100 else "")
    args = {"optimizer": optimizer, "gradient": SLOPES[slope], "steps": steps}
    return Probe(name=name, function="nnbench.studies.constant_gradient:walk", args=args)


def walked(text, optimizer, slope, value, margin, metric="walked_distance", slide=""):
    return Claim(
        text=text, kind="exact", metric=metric, arms=f"{optimizer}, gradient {slope}", value=value,
        margin=margin, slide=slide,
    )  # fmt: skip


walks = tuple(walk(optimizer, slope) for optimizer in WALKERS for slope in SLOPES)
long_walks = tuple(
    walk(optimizer, "1", steps) for optimizer in ("adagrad", "adam", "slide-adams") for steps in (400, 1600)
)

constant_gradient = Scenario(
    name="constant-gradient",
    statement="Momentum remembers the last steps; Adagrad's steps shrink; 'Adams' is both together.",
    question="How far does each optimizer walk down a slope that never changes, 100 steps at a rate of 0.01?",
    axis="steps",
    arms=dict.fromkeys(("smoke", "quick", "full"), walks + long_walks),
    claims=(
        walked("Momentum's steps grow to rate / (1 - 0.9) times the gradient.", "momentum", "1",
               0.1000, 0.00005, "walk_last_step"),
        *(
            walked(f"On a slope of {slope} Adagrad walks 0.18590.", "adagrad", slope, 0.18590, 0.000005,
                   slide="C11")
            for slope in SLOPES
        ),
        *(
            walked(f"On a slope of {slope} the slide's Adagrad, with epsilon inside the root, does so too.",
                   "slide-adagrad", slope, 0.18590, 0.000005, slide="C11")
            for slope in ("1e-4", "100")
        ),
        walked("Adagrad's first step is the rate, whatever the slope.", "adagrad", "1e-4",
               0.01, 0.000005, "walk_first_step", slide="C11"),
        Claim(
            text="Adagrad's steps shrink with the root of their number.", slide="C11",
            kind="slope", metric="walk_last_step", over="args.steps", low=-0.501, high=-0.499,
            arms=("adagrad, gradient 1", "adagrad, gradient 1, 400 steps", "adagrad, gradient 1, 1600 steps"),
        ),
        *(
            walked(f"On a slope of {slope} Adam walks its rate in every step.", "adam", slope,
                   value, 0.00005, slide="C12")
            for slope, value in (("1e-4", 0.9999), ("1", 1.0000), ("100", 1.0000))
        ),
        Claim(
            text="The slide's 'Adams' is Adam: it walks as far.", slide="C12",
            kind="equivalent", metric="walked_distance", margin=0.01,
            arms=("slide-adams, gradient 1", "adam, gradient 1"),
        ),
        walked("The slide's 'Adams' walks 0.344.", "slide-adams", "1", 0.344, 0.0005, slide="C12"),
        Claim(
            text="Its steps shrink as Adagrad's do: it is momentum and Adagrad together.", slide="C12",
            kind="slope", metric="walk_last_step", over="args.steps", low=-0.501, high=-0.499,
            arms=(
                "slide-adams, gradient 1", "slide-adams, gradient 1, 400 steps",
                "slide-adams, gradient 1, 1600 steps",
            ),
        ),
    ),
    plots=("gradient_walks",),
    repeat="once",
    slides=("C10", "C11", "C12"),
    source="geometric series; Duchi et al. 2011; Kingma and Ba 2015, Algorithm 1; arithmetic",
    remember="SGD and momentum walk with the gradient's size; Adagrad, Adam and 'Adams' only with its sign.",
    inexact="The slide's 'Adams' has no running means and no correction of their start: it is no Adam. Its "
    "Adagrad has epsilon inside the root, where it shortens the steps of small gradients.",
)  # fmt: skip

KAPPAS = (10, 30, 100, 300)
RATES = tuple(10 ** (k / 4) for k in range(-8, 9))  # 0.01 to 100, four in each decade


def valley(optimizer, kappa, degrees=0):
    grid = {} if optimizer in ("sgd", "momentum") else {"rates": RATES}  # of those two the best one is known
    name = f"{optimizer}, kappa {kappa}" + (f", turned by {degrees}" if degrees else "")
    args = {"optimizer": optimizer, "kappa": kappa, "degrees": degrees, **grid}
    return Probe(name=name, function="nnbench.studies.quadratics:steps_down", args=args)


def valleys(kappas):
    lies = (("sgd", 0), ("momentum", 0), ("adagrad", 0), ("adagrad", 45), ("adam", 0), ("adam", 45))
    return tuple(valley(optimizer, kappa, degrees) for optimizer, degrees in lies for kappa in kappas)


def growth(text, optimizer, low, high, degrees=0, slide="C10"):
    return Claim(
        text=text, kind="slope", metric="steps_to_bottom", over="args.kappa", low=low, high=high, slide=slide,
        arms=tuple(valley(optimizer, kappa, degrees).name for kappa in KAPPAS),
    )  # fmt: skip


narrow_valley = Scenario(
    name="narrow-valley",
    statement="Momentum is faster; Adagrad and Adam give each weight a rate of its own.",
    question="How many steps more does a narrower valley take, each optimizer at its best rate?",
    axis="nothing",
    arms={"smoke": valleys(KAPPAS[:3]), "quick": valleys(KAPPAS), "full": valleys((*KAPPAS, 1000, 3000))},
    claims=(
        growth("Gradient descent takes as many times the steps as the valley is narrower.", "sgd",
               0.95, 1.05),
        growth("Momentum takes the root of that.", "momentum", 0.45, 0.6),
        Claim(
            text="In a valley of 100 to 1 momentum takes a fifth of the steps or less.",
            kind="compare", metric="steps_to_bottom", margin=276,
            arms=("momentum, kappa 100", "sgd, kappa 100"),
        ),
        growth("With a rate for each weight, Adagrad takes the same steps down any valley.", "adagrad",
               -0.05, 0.05, slide="C11"),
        growth("Adagrad does so where the valley lies across the weights.", "adagrad", -0.05, 0.05, 45,
               "C11"),
        growth("With a rate for each weight, Adam takes the same steps down any valley.", "adam", -0.05, 0.05,
               slide="C12"),
        growth("Adam does so where the valley lies across the weights.", "adam", -0.05, 0.05, 45, "C12"),
    ),
    plots=("steps_by_kappa",),
    repeat="once",
    slides=("C10", "C11", "C12"),
    source="Polyak 1964; Goh 2017; Adagrad and Adam divide each weight's curvature away",
    remember="Momentum pays with the root of the narrowness. A rate for each weight removes it altogether, "
    "but only where valleys lie along the weights.",
)  # fmt: skip

DESCENDERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam")


def path(surface, optimizer, steps):
    args = {"surface": surface, "optimizer": optimizer, "steps": steps}
    return Probe(name=f"{surface}, {optimizer}", function="nnbench.studies.surfaces:descent", args=args)


def paths(steps):
    surfaces = ("valley", "Rosenbrock", "Beale", "saddle")
    return tuple(path(surface, optimizer, steps) for surface in surfaces for optimizer in DESCENDERS)


def lower(text, surface, a, b, slide="C10"):
    return Claim(
        text=text,
        kind="compare",
        metric="surface_height",
        arms=(f"{surface}, {a}", f"{surface}, {b}"),
        slide=slide,
    )


descent_paths = Scenario(
    name="descent-paths",
    statement="Momentum is faster, and Adam is momentum and Adagrad together.",
    question="Which way does each optimizer take, and how low is it after 200 steps at the best of 21 rates?",
    axis="steps",
    arms={"smoke": paths(20), "quick": paths(200), "full": paths(1000)},
    claims=(
        lower("In a narrow valley momentum ends lower than gradient descent.", "valley", "momentum", "sgd"),
        lower("Momentum ends lower along Rosenbrock's bend.", "Rosenbrock", "momentum", "sgd"),
        lower("Momentum ends lower over Beale's plateaus.", "Beale", "momentum", "sgd"),
        lower("Momentum ends lower beside a saddle.", "saddle", "momentum", "sgd"),
        lower("In a narrow valley Adam ends lower than Adagrad, which has no momentum.", "valley",
              "adam", "adagrad", "C12"),
        lower("Along Rosenbrock's bend Adam ends lower than momentum.", "Rosenbrock",
              "adam", "momentum", "C12"),
        lower("Along Rosenbrock's bend Adagrad ends lower than gradient descent.", "Rosenbrock",
              "adagrad", "sgd", "C11"),
    ),
    plots=("descent_on_surfaces",),
    repeat="once",
    slides=("C10", "C11", "C12"),
    source="Beale 1958; Rosenbrock 1960",
    remember="Where the ground is smooth, plain descent is best; where it is narrow or bent, memory pays.",
)  # fmt: skip


def test_constant_gradient(arm, probe_benchmark):
    probe_benchmark(arm)


def test_narrow_valley(arm, probe_benchmark):
    probe_benchmark(arm)


def test_descent_paths(arm, probe_benchmark):
    probe_benchmark(arm)
