"""A network with enough neurons approximates any function: written down, by chance, or by training?

The lecture: enough neurons suffice for any function from R^N to R^M. That they suffice is shown by weights
that are written down; that training finds such weights is another claim, tested beside it. And depth: the
tent map, folded k times over, takes 6k + 1 parameters in k layers, and three times 2^k in one.
"""

from nnbench import Claim, Probe, Scenario

SIZES = {"sine": (4, 8, 16, 32, 64), "swirl": (2, 4, 8, 16)}  # pieces along a side, R -> R and R^2 -> R^2
UNITS = {"smoke": (4, 16, 64), "quick": (4, 16, 64, 256), "full": (4, 16, 64, 256, 1024)}


def constructed(function, resolution):
    name, args = f"{function}, {resolution}", {"function": function, "resolution": resolution}
    return Probe(name=name, function="nnbench.studies.approximation:constructed", args=args)


written = tuple(constructed(function, size) for function, sizes in SIZES.items() for size in sizes)

universality = Scenario(
    name="universality",
    statement="A network with enough neurons approximates any function from R^N to R^M.",
    question="Does the error of networks that are written down fall to nothing, and how fast?",
    axis="nothing",
    arms={"smoke": written, "quick": written, "full": written},
    claims=(
        Claim(
            text="With 16 units a sine is met up to 0.0188.",
            kind="exact", metric="sup_error", arms="sine, 16", value=0.0188, margin=0.00005,
        ),
        Claim(
            text="With 64 units up to 0.00120.",
            kind="exact", metric="sup_error", arms="sine, 64", value=0.00120, margin=0.000005,
        ),
        Claim(
            text="From R to R the error falls with the square of the number of units.",
            kind="slope", metric="sup_error", arms=("sine, 16", "sine, 32", "sine, 64"),
            over="args.resolution", low=-2.05, high=-1.95,
        ),
        Claim(
            text="From R^2 to R^2 it falls with the square of the resolution.",
            kind="slope", metric="sup_error", arms=("swirl, 4", "swirl, 8", "swirl, 16"),
            over="args.resolution", low=-2.1, high=-1.9,
        ),
        Claim(
            text="For R^2 to R^2 no more units are needed than for R to R.",
            kind="compare", metric="units", arms=("swirl, 16", "sine, 16"),
        ),
    ),
    plots=("approximation_error",),
    repeat="once",
    slides=("A3",),
    source="linear interpolation: error at most max|f''| / (8 n^2)",
    remember="Enough neurons suffice, and in many dimensions enough is very many.",
    inexact="That weights exist says nothing about finding them: see learned-approximation.",
)  # fmt: skip


def learned(way, units):
    name, function = f"{way}, {units}", f"nnbench.studies.approximation:{way.replace(' ', '_')}"
    return Probe(name=name, function=function, args={"function": "sine", "units": units}, seeded=True)


def ways(profile):
    return tuple(learned(way, units) for way in ("random features", "trained") for units in UNITS[profile])


learned_approximation = Scenario(
    name="learned-approximation",
    statement="A network with enough neurons approximates any function.",
    question="Do random first weights, and weights that are trained, come as near as those written down?",
    axis="nothing",
    arms={"smoke": ways("smoke"), "quick": ways("quick"), "full": ways("full")},
    claims=(
        Claim(
            text="With random first weights and the last ones by least squares the error falls to nothing.",
            kind="slope", metric="drawn_rms_error", over="args.units", high=-1.0,
            arms=tuple(f"random features, {units}" for units in UNITS["quick"]),
        ),
        Claim(
            text="Trained by Adam the error falls with the square of the units, as it could.",
            kind="slope", metric="drawn_sup_error", over="args.units", low=-2.2, high=-1.8,
            arms=tuple(f"trained, {units}" for units in UNITS["quick"]),
        ),
        Claim(
            text="Training all weights finds a better sine with 256 units than random first weights.",
            kind="compare", metric="drawn_sup_error", arms=("trained, 256", "random features, 256"),
            margin=0.0,
        ),
    ),
    plots=("approximation_error", "fitted_lines"),
    repeat="seeds",
    slides=("A3",),
    source="Rahimi and Recht 2008; Barron 1993",
    remember="What a network can represent, and what training finds of it, are two questions.",
    inexact="'Can approximate' is about existence: no theorem says that gradient descent gets there.",
)  # fmt: skip


def tent(folds, shape):
    args = {"folds": folds, "shape": shape}
    return Probe(name=f"{shape}, {folds} folds", function="nnbench.studies.depth:constructed", args=args)


tents = tuple(tent(folds, shape) for folds in (3, 5, 7, 10) for shape in ("deep", "shallow"))

depth_separation = Scenario(
    name="depth-separation",
    statement="The number of iterations asks for depth, the size of information for width.",
    question="How many parameters take the tent map's 2^k pieces, in k layers and in one?",
    axis="nothing",
    arms={"smoke": tents, "quick": tents, "full": tents},
    claims=(
        Claim(
            text="Seven folds in seven layers of two units take 43 parameters.",
            kind="exact", metric="parameters", arms="deep, 7 folds", value=43,
        ),
        Claim(
            text="They make 128 straight pieces.",
            kind="exact", metric="line_pieces", arms="deep, 7 folds", value=128,
        ),
        Claim(
            text="The deep network is the tent map, without any error.",
            kind="exact", metric="sup_error", arms="deep, 10 folds", value=0,
        ),
        Claim(
            text="One hidden layer takes 385 for the same.",
            kind="exact", metric="parameters", arms="shallow, 7 folds", value=385,
        ),
        Claim(
            text="Its parameters double with each fold, where those of depth grow by six.",
            kind="compare", metric="parameters", arms=("deep, 10 folds", "shallow, 10 folds"), margin=3000,
        ),
    ),
    plots=("pieces_by_parameters",),
    repeat="once",
    slides=("A4",),
    source="Telgarsky 2015, Lemma 3.11",
    remember="Depth folds: each layer doubles the pieces, each unit of width adds one.",
)  # fmt: skip

SHAPES = {"1 x 140": (1, 140), "2 x 19": (2, 19), "3 x 13": (3, 13), "5 x 9": (5, 9)}  # about 400 parameters


def fold(shape, **more):
    layers, width = SHAPES[shape]
    args = {"folds": 4, "layers": layers, "width": width, **more}
    return Probe(name=shape, function="nnbench.studies.depth:trained", args=args, seeded=True)


depth_trained = Scenario(
    name="depth-trained",
    statement="Deep networks need fewer units for the same function.",
    question="With 400 parameters, does training find the tent map of 16 pieces sooner in depth?",
    axis="parameters",
    arms={
        "smoke": tuple(fold(shape, restarts=2, steps=20) for shape in ("1 x 140", "3 x 13")),
        "quick": tuple(fold(shape, steps=1200) for shape in ("1 x 140", "3 x 13")),
        "lecture": tuple(fold(shape, restarts=16, steps=3000) for shape in SHAPES),
        "full": tuple(fold(shape, restarts=64, steps=10000) for shape in SHAPES),
    },
    claims=(
        Claim(
            text="The best restart of five layers is nearer to the tent map than the best of one wide layer.",
            kind="compare", metric="best_rms_error", arms=("5 x 9", "1 x 140"), margin=0.0,
        ),
        Claim(
            text="The best restart of three layers is nearer to it than the best of one wide layer.",
            kind="compare", metric="best_rms_error", arms=("3 x 13", "1 x 140"), margin=0.0,
        ),
        Claim(
            text="The median restart of three layers is nearer to it, by more than 0.05.",
            kind="compare", metric="median_rms_error", arms=("3 x 13", "1 x 140"), margin=0.05,
        ),
        Claim(
            text="Most restarts of three layers find it.",
            kind="rate", metric="found_share", arms="3 x 13", low=0.5,
        ),
    ),
    plots=("fitted_lines", "verdicts"),
    repeat="seeds",
    slides=("A4",),
    source="Telgarsky 2015",
    remember="Depth can fold the line; training finds the folds only now and then. Look at best and median.",
    inexact="Fewer units suffice, but few trainings find them.",
)  # fmt: skip


def test_universality(arm, probe_benchmark):
    probe_benchmark(arm)


def test_learned_approximation(arm, probe_benchmark):
    probe_benchmark(arm)


def test_depth_separation(arm, probe_benchmark):
    probe_benchmark(arm)


def test_depth_trained(arm, probe_benchmark):
    probe_benchmark(arm)
