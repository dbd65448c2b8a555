"""Should detectors of one thing at two places share their weights? And what does an encoder do?

The lecture: flattening loses the geometry of an image; a detector of a beak is of use wherever the beak is.
A convolution shares its weights over all places: it has few, and moves with the image. That its network does
not mind where a thing is would be another claim, tested beside it.
"""

from nnbench import Arm, Claim, Probe, Scenario


def layer(kind):
    return Probe(name=kind, function="nnbench.analysis.weight_sharing:parameters", args={"kind": kind})


layers = tuple(map(layer, ("dense", "locally connected", "convolution")))

shared_weights = Scenario(
    name="shared-weights",
    statement="Detectors of the same thing at two places should share their parameters.",
    question="How many parameters do eight maps of a 28x28 image take, with weights shared and not?",
    axis="receptive field",
    arms={"smoke": layers, "quick": layers, "full": layers},
    claims=(
        Claim(text="A convolution has 80.", kind="exact", metric="parameters", arms="convolution", value=80),
        Claim(
            text="The same windows without sharing have 62,720.",
            kind="exact", metric="parameters", arms="locally connected", value=62720,
        ),
        Claim(
            text="A dense layer has 4,923,520.",
            kind="exact", metric="parameters", arms="dense", value=4923520,
        ),
    ),
    plots=("overview",),
    repeat="once",
    slides=("B1",),
    source="arithmetic: K K C + C; (K K + 1) C H W; (H W + 1) C H W",
    remember="Looking at windows saves a factor of 80, sharing them another of 800.",
)  # fmt: skip


def moved(name, kind, **more):
    args = {"kind": kind, **more}
    return Probe(name=name, function="nnbench.analysis.weight_sharing:equivariance", args=args, seeded=True)


shifted_layers = (
    moved("dense", "dense"),
    moved("locally connected", "locally connected"),
    moved("convolution", "convolution"),
    moved("stride 2, shift 2", "convolution", stride=2, shift=2),
    moved("stride 2, shift 1", "convolution", stride=2, shift=1),
)

equivariance = Scenario(
    name="equivariance",
    statement="Flattening loses the geometry of an image; a convolution keeps it.",
    question="When the image moves by a pixel, does the layer's output move with it and not change?",
    axis="nothing",
    arms={"smoke": shifted_layers, "quick": shifted_layers, "full": shifted_layers},
    claims=(
        Claim(
            text="The output of a convolution moves with the image, exactly.",
            kind="between", metric="equivariance_error", arms="convolution", high=1e-12,
        ),
        Claim(
            text="So it does with a stride of 2, for a shift by 2.",
            kind="between", metric="equivariance_error", arms="stride 2, shift 2", high=1e-12,
        ),
        Claim(
            text="And for a shift by 1.",
            kind="between", metric="equivariance_error", arms="stride 2, shift 1", high=0.5,
        ),
        Claim(
            text="The output of a dense layer does not: it is another one altogether.",
            kind="between", metric="equivariance_error", arms="dense", low=1.0,
        ),
        Claim(
            text="Nor does that of windows whose weights are not shared.",
            kind="between", metric="equivariance_error", arms="locally connected", low=1.0,
        ),
    ),
    plots=("verdicts",),
    repeat="seeds",
    slides=("B1",),
    source="Cohen and Welling 2016",
    remember="Sharing weights makes a layer move with its image; a stride breaks that between its steps.",
    inexact="A convolution is equivariant, not invariant: its output moves, and a dense head minds.",
)  # fmt: skip

# Rates from .003, .01, .03, .1, .3 on the last sixth of the training set, seed 0; none is at an edge.
MODELS = {
    "logistic": {"model": "logistic", "lr": 0.1},
    "mlp 64": {"model": "mlp", "model_args": {"hidden": (64,), "init": "he"}, "lr": 0.03},
    "cnn 3x3": {"model": "cnn", "model_args": {"channels": (4, 8), "init": "he"}, "lr": 0.03},
    "cnn 5x5": {
        "model": "cnn", "model_args": {"channels": (4, 8), "kernel_size": 5, "init": "he"}, "lr": 0.03,
    },
}  # fmt: skip
TRAINING = {
    "data": "fashion-mini", "optimizer": "momentum", "schedule": "linear", "batch_size": 32, "epochs": 2,
}  # fmt: skip


def under_shift(name, before="", **changes):
    args = {"arm": {**TRAINING, **MODELS[name], **changes}, "shifts": (0, 2, 4)}
    function = "nnbench.studies.shifts:accuracy_under_shift"
    return Probe(name=f"{before}{name}", function=function, args=args, seeded=True)


models = tuple(map(under_shift, MODELS))
digits = tuple(under_shift(name, "mnist, ", data="mnist", train_samples=6000, epochs=4) for name in MODELS)

accuracy_under_shift = Scenario(
    name="accuracy-under-shift",
    statement="A detector that shares its weights finds its thing at every place.",
    question="Which network is still right when all images have moved by two or four pixels?",
    axis="epochs",
    arms={
        "smoke": tuple(under_shift(name, max_steps=10) for name in MODELS),
        "quick": models,
        "lecture": (*models, *digits),
        "full": (*models, *digits),
    },
    claims=(
        Claim(
            text="Moved by two pixels, a CNN is right more often than an MLP.",
            kind="compare", metric="shifted_2_accuracy", arms=("cnn 3x3", "mlp 64"),
        ),
        Claim(
            text="With a 5x5 kernel more often than with a 3x3.",
            kind="compare", metric="shifted_2_accuracy", arms=("cnn 5x5", "cnn 3x3"),
        ),
        Claim(
            text="A CNN does not mind a shift by four pixels: it is right in three cases of four.",
            kind="between", metric="shifted_4_accuracy", arms="cnn 5x5", low=0.75,
        ),
        Claim(
            text="On MNIST, moved by two pixels: 5x5 before 3x3 before MLP.",
            kind="order", metric="shifted_2_accuracy",
            arms=("mnist, cnn 5x5", "mnist, cnn 3x3", "mnist, mlp 64"),
        ),
        Claim(
            text="On MNIST a CNN does not mind a shift by four pixels.",
            kind="between", metric="shifted_4_accuracy", arms="mnist, cnn 5x5", low=0.75,
        ),
    ),
    plots=("accuracy_by_shift", "verdicts"),
    repeat="seeds",
    slides=("B1",),
    remember="Shared weights carry a network over small shifts; its dense head still minds where things are.",
    inexact="Equivariant features under a dense head do not make an invariant network.",
)  # fmt: skip

PERMUTED = "nnbench.studies.permuted:fashion_mini"


def permuted(name):
    plain = Arm(name=name, **TRAINING, **MODELS[name])
    return plain, plain.replace(name=f"{name}, permuted", data=PERMUTED)


pairs = (*permuted("mlp 64"), *permuted("cnn 3x3"))

permuted_pixels = Scenario(
    name="permuted-pixels",
    statement="Flattening loses the geometry of the image.",
    question="If all images have their pixels permuted alike, who notices?",
    axis="epochs",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, max_steps=10) for arm in pairs),
        "quick": pairs,
        "full": tuple(arm.replace(name=arm.name, epochs=20) for arm in pairs),
    },
    claims=(
        Claim(
            text="An MLP learns permuted pixels as well as whole images.",
            kind="equivalent", metric="validation_accuracy", arms=("mlp 64, permuted", "mlp 64"),
            margin=0.02,
        ),
        Claim(
            text="A CNN learns whole images better.",
            kind="compare", metric="validation_accuracy", arms=("cnn 3x3", "cnn 3x3, permuted"),
        ),
        Claim(
            text="Of permuted pixels the MLP learns more than the CNN.",
            kind="compare", metric="validation_accuracy", arms=("mlp 64, permuted", "cnn 3x3, permuted"),
        ),
    ),
    plots=("verdicts", "overview"),
    repeat="seeds",
    slides=("B1",),
    remember="What a CNN is better by on images is what it knows of neighbours.",
)  # fmt: skip

CHANNELS = (64, 128, 256, 512)


def stage(number):
    args = {"channels": CHANNELS, "number": number}
    return Probe(name=f"stage {number}", function="nnbench.analysis.encoding:stage", args=args)


stages = tuple(map(stage, range(1, len(CHANNELS) + 1)))

encoding = Scenario(
    name="encoding",
    statement="Layer by layer the channels grow from 3 to 64 and more, while X and Y shrink.",
    question="What becomes of a 64x64 image, its bytes and the weights, from stage to stage?",
    axis="nothing",
    arms={"smoke": stages, "quick": stages, "full": stages},
    claims=(
        Claim(
            text="The first stage has 1,792 parameters.",
            kind="exact", metric="parameters", arms="stage 1", value=1792,
        ),
        Claim(
            text="It leaves 4,194,304 bytes of a batch of 16.",
            kind="exact", metric="stage_bytes", arms="stage 1", value=4194304,
        ),
        Claim(
            text="Twice the channels at half the side are half the bytes, stage by stage.",
            kind="slope", metric="stage_bytes", arms=tuple(arm.name for arm in stages),
            over="args.number", high=-0.5,
        ),
        Claim(
            text="The data shrink: the last stage holds less than an eighth of the image's 786,432 bytes.",
            kind="between", metric="stage_bytes", arms="stage 4", high=98304,
        ),
        Claim(
            text="And the weights grow: each stage has more than the one before.",
            kind="order", metric="parameters", direction="higher",
            arms=("stage 4", "stage 3", "stage 2", "stage 1"),
        ),
    ),
    plots=("encoding_stages",),
    repeat="once",
    slides=("B3",),
    source="arithmetic: 4 B C H W bytes",
    remember="Early stages hold the bytes, late stages the weights.",
    inexact="The encoding is no compression at first: 64 channels at half the side are five times the image.",
)  # fmt: skip


def test_shared_weights(arm, probe_benchmark):
    probe_benchmark(arm)


def test_equivariance(arm, probe_benchmark):
    probe_benchmark(arm)


def test_accuracy_under_shift(arm, probe_benchmark):
    probe_benchmark(arm)


def test_permuted_pixels(arm, train_benchmark):
    train_benchmark(arm)


def test_encoding(arm, probe_benchmark):
    probe_benchmark(arm)
