"""What is an activation for, and which one lets gradients through?

The lecture: without an activation a deep network is no more than one linear map; sigmoids saturate and stop
the gradient, ReLU does not. The first weights match the activation in every arm, or it would be their fault;
rates are tuned for each arm on one grid.
"""

from nnbench import Arm, Claim, Probe, Scenario

DEPTHS = (2, 5, 10, 20)
GRADIENTS = "nnbench.analysis.gradients"


def flat(activation, depth):
    args = {"activation": activation, "depth": depth}
    return Probe(name=f"{activation}, {depth} layers", function=f"{GRADIENTS}:collapse", args=args)


flats = (flat("identity", 1), flat("identity", 6), flat("identity", 20), flat("relu", 6))

no_activation = Scenario(
    name="no-activation",
    statement="Without an activation depth adds nothing.",
    question="Is a deep network without activation one linear map, to the last digit?",
    axis="nothing",
    arms={"smoke": flats, "quick": flats, "full": flats},
    claims=(
        Claim(
            text="Six layers without activation are one linear map.",
            kind="exact", metric="linear_error", arms="identity, 6 layers", value=0, margin=1e-12,
        ),
        Claim(
            text="So are twenty.",
            kind="exact", metric="linear_error", arms="identity, 20 layers", value=0, margin=1e-12,
        ),
        Claim(
            text="Six layers of ReLU are none.",
            kind="between", metric="linear_error", arms="relu, 6 layers", low=0.1,
        ),
    ),
    repeat="once",
    slides=("A2",),
    source="a product of matrices is a matrix",
    remember="What makes a network deep is what stands between its matrices.",
)  # fmt: skip


def reach(activation, depth):
    args = {"activation": activation, "depth": depth}
    name = f"{activation}, {depth}"
    return Probe(name=name, function=f"{GRADIENTS}:gradient_reach", args=args, seeded=True)


def reaches(*activations):
    return tuple(reach(activation, depth) for activation in activations for depth in DEPTHS)


gradient_reach = Scenario(
    name="gradient-reach",
    statement="Sigmoids stop the gradient, ReLU does not.",
    question="Before any training, how large is the first hidden layer's gradient beside the last one's?",
    axis="nothing",
    arms={
        "smoke": reaches("sigmoid", "relu"),
        "quick": reaches("sigmoid", "tanh", "relu", "gelu"),
        "full": reaches("identity", "sigmoid", "tanh", "relu", "leaky-relu", "gelu", "silu", "elu"),
    },
    claims=(
        Claim(
            text="Through five layers of sigmoids less than a fiftieth of it is left.",
            kind="between", metric="gradient_ratio", arms="sigmoid, 5", high=0.02,
        ),
        Claim(
            text="Through twenty less than a billionth.",
            kind="between", metric="gradient_ratio", arms="sigmoid, 20", high=1e-9,
        ),
        Claim(
            text="Through twenty layers of ReLU all of it, within a factor of four.",
            kind="between", metric="gradient_ratio", arms="relu, 20", low=0.25, high=4,
        ),
        Claim(
            text="Through twenty of tanh too: only the sigmoid stops it.",
            kind="between", metric="gradient_ratio", arms="tanh, 20", low=0.25, high=4,
        ),
    ),
    plots=("gradient_by_layer", "verdicts"),
    repeat="seeds",
    slides=("A2",),
    source="Glorot and Bengio 2010; He et al. 2015",
    remember="Each sigmoid divides the gradient by four at least; with matching first weights tanh does not.",
    inexact="Saturating is not stopping: tanh from Glorot's first weights lets the gradient through.",
)  # fmt: skip

INIT = {"identity": "xavier", "sigmoid": "xavier", "tanh": "xavier"}
base = Arm(
    data="fashion-mini", optimizer="momentum", schedule="linear", lr="tuned", batch_size=64, epochs=3,
)  # fmt: skip


def mlp(activation, depth, **changes):
    args = {"width": 64, "depth": depth, "activation": activation, "init": INIT.get(activation, "he")}
    return base.replace(name=f"{activation}, {depth}", model_args=args, **changes)


def grid(activations, depths, **changes):
    return tuple(mlp(activation, depth, **changes) for activation in activations for depth in depths)


ends = grid(("identity", "sigmoid", "tanh", "relu", "gelu"), (1, 6))
digits = tuple(
    arm.replace(name=f"mnist: {arm.name}", data="mnist", train_samples=10000, epochs=5)
    for arm in grid(("identity", "sigmoid", "tanh", "relu", "gelu"), (1, 3, 6))
)

activations = Scenario(
    name="activations",
    statement="Sigmoids stop deep networks from learning; ReLU lets them.",
    question="At its own tuned rate, what does each activation learn with one hidden layer and with six?",
    axis="epochs",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, epochs=1, max_steps=10) for arm in ends),
        "quick": ends,
        "lecture": (*ends, *digits),
        "full": (*grid(("identity", "sigmoid", "tanh", "relu", "leaky-relu", "gelu", "silu", "elu"),
                       (1, 3, 6, 20), epochs=20), *digits),
    },
    claims=(
        Claim(
            text="With one hidden layer ReLU beats no activation.",
            kind="compare", metric="validation_accuracy", arms=("relu, 1", "identity, 1"),
        ),
        Claim(
            text="Without activation six layers learn what one learns.",
            kind="equivalent", metric="validation_accuracy", arms=("identity, 6", "identity, 1"),
            margin=0.02,
        ),
        Claim(
            text="Six layers of sigmoids learn nothing: ten classes, one in ten right.",
            kind="between", metric="validation_accuracy", arms="sigmoid, 6", low=0.08, high=0.12,
        ),
        Claim(
            text="Six layers of ReLU learn more than six of tanh.",
            kind="compare", metric="validation_accuracy", arms=("relu, 6", "tanh, 6"),
        ),
        Claim(
            text="Six layers of ReLU learn more than one.",
            kind="compare", metric="validation_accuracy", arms=("relu, 6", "relu, 1"),
        ),
        Claim(
            text="On MNIST six layers of sigmoids learn nothing.",
            kind="between", metric="validation_accuracy", arms="mnist: sigmoid, 6", low=0.09, high=0.13,
        ),
        Claim(
            text="On MNIST ReLU beats no activation, with one hidden layer.",
            kind="compare", metric="validation_accuracy", arms=("mnist: relu, 1", "mnist: identity, 1"),
        ),
    ),
    plots=("by_factor", "verdicts"),
    repeat="seeds",
    factor="model_args.depth",
    slides=("A2",),
    source="Glorot and Bengio 2010; He et al. 2015",
    remember="An activation is needed, and not the sigmoid in depth; between the others there is little.",
    inexact="ReLU has no lead over tanh here, where both start from weights that suit them.",
)  # fmt: skip


def test_no_activation(arm, probe_benchmark):
    probe_benchmark(arm)


def test_gradient_reach(arm, probe_benchmark):
    probe_benchmark(arm)


def test_activations(arm, train_benchmark):
    train_benchmark(arm)
