"""How far does a stack of convolutions see, and how much of that does it use?

The lecture: 5, 10, 20, 40 layers of 3x3 see 11, 21, 41, 81 pixels; what a network really uses is smaller,
about Gaussian, and grows with the root of the layers only. Its pictures are here: uniform weights, random
ones, random ones with ReLU. With uniform weights all of it is arithmetic.
"""

from nnbench import Claim, Probe, Scenario

LAYERS = (5, 10, 20, 40)
FIELD, EFFECTIVE = "nnbench.analysis.receptive_field", "nnbench.analysis.effective_field"


def stack(name, kernel_sizes, **more):
    args = {"kernel_sizes": kernel_sizes, **more}
    return Probe(name=name, function=f"{FIELD}:measured_field", args=args)


stacks = (
    *(stack(f"{layers} layers", (3,) * layers) for layers in LAYERS),
    stack("dilations 1, 2, 4, 8", (3, 3, 3, 3), dilations=(1, 2, 4, 8)),
    stack("strides 2, 2, 2, 2", (3, 3, 3, 3), strides=(2, 2, 2, 2)),
)

theoretical_field = Scenario(
    name="theoretical-field",
    statement="5, 10, 20, 40 layers of 3x3 see 11, 21, 41, 81 pixels.",
    question="How far apart are the pixels that move the centre of the output, found by brute force?",
    axis="nothing",
    arms={"smoke": stacks, "quick": stacks, "full": stacks},
    claims=(
        *(
            Claim(
                text=f"{layers} layers see {1 + 2 * layers} pixels.",
                kind="exact", metric="receptive_field", arms=f"{layers} layers", value=1 + 2 * layers,
            )
            for layers in LAYERS
        ),
        Claim(
            text="Four layers with strides of 2 see as far as fifteen without.",
            kind="exact", metric="receptive_field", arms="strides 2, 2, 2, 2", value=31, slide="B11",
        ),
        Claim(
            text="Four layers with dilations of 1, 2, 4, 8 do so too.",
            kind="exact", metric="receptive_field", arms="dilations 1, 2, 4, 8", value=31, slide="B11",
        ),
    ),
    plots=("overview",),
    repeat="once",
    slides=("B9",),
    source="Araujo et al. 2019, eq. 2",
    remember="Depth sees two pixels further with each layer; strides and dilations double what they add.",
)  # fmt: skip


def uniform(layers):
    return Probe(name=f"uniform, {layers}", function=f"{EFFECTIVE}:uniform", args={"layers": layers})


uniforms = tuple(map(uniform, LAYERS))
SIZES = {5: 8.31, 10: 11.70, 20: 16.16, 40: 22.74}
SHARES = {5: 0.755, 10: 0.557, 20: 0.394, 40: 0.281}
SPREADS = {5: 1.826, 10: 2.582, 20: 3.651, 40: 5.164}

uniform_field = Scenario(
    name="uniform-field",
    statement="What a network really uses is smaller than its receptive field, and Gaussian.",
    question="With equal weights, how large is the effective field, how does it grow, and what is its shape?",
    axis="nothing",
    arms={"smoke": uniforms, "quick": uniforms, "full": uniforms},
    claims=(
        *(
            Claim(
                text=f"After {layers} layers it is {SIZES[layers]} pixels wide.",
                kind="exact", metric="effective_field", arms=f"uniform, {layers}", value=SIZES[layers],
                margin=0.005,
            )
            for layers in LAYERS
        ),
        *(
            Claim(
                text=f"That is {SHARES[layers]} of the theoretical one.",
                kind="exact", metric="effective_share", arms=f"uniform, {layers}", value=SHARES[layers],
                margin=0.0005,
            )
            for layers in (5, 40)
        ),
        *(
            Claim(
                text=f"The spread is the root of {layers} times 8/12: {SPREADS[layers]} pixels.",
                kind="exact", metric="field_spread", arms=f"uniform, {layers}", value=SPREADS[layers],
                margin=0.0005,
            )
            for layers in (5, 40)
        ),
        Claim(
            text="It grows with the root of the layers.",
            kind="slope", metric="effective_field", arms=tuple(arm.name for arm in uniforms),
            over="args.layers", low=0.47, high=0.5,
        ),
        Claim(
            text="Beside the theoretical one it shrinks with the root of the layers.",
            kind="slope", metric="effective_share", arms=tuple(arm.name for arm in uniforms),
            over="args.layers", low=-0.5, high=-0.47,
        ),
        Claim(
            text="From 5 layers on it is a Gaussian up to 0.002 of its correlation.",
            kind="between", metric="gaussian_likeness", arms="uniform, 5", low=0.998,
        ),
    ),
    plots=("effective_fields", "field_growth"),
    repeat="once",
    slides=("B10",),
    source="Luo et al. 2016, section 2.2; variances of boxes add up",
    remember="Twice the layers see twice as far, and use the root of that.",
)  # fmt: skip


def drawn(kind, layers, **more):
    args = {"layers": layers, "relu": kind.endswith("ReLU"), "channels": 16, "draws": 4, **more}
    return Probe(name=f"{kind}, {layers}", function=f"{EFFECTIVE}:drawn", args=args, seeded=True)


KINDS = ("random", "random + ReLU")
variants = (
    Probe(name="skips, 20", function=f"{EFFECTIVE}:drawn", seeded=True,
          args={"layers": 20, "channels": 16, "draws": 4, "skips": True}),
    Probe(name="dilations, 20", function=f"{EFFECTIVE}:drawn", seeded=True,
          args={"layers": 20, "channels": 4, "draws": 4, "dilations": (1, 2)}),
)  # fmt: skip
maps = (*(drawn(kind, layers) for kind in KINDS for layers in LAYERS), *variants)

effective_field = Scenario(
    name="effective-field",
    statement="The effective receptive field is Gaussian and smaller than the theoretical one.",
    question="With random weights, with ReLU, with skips, with dilations: how large, and how Gaussian?",
    axis="nothing",
    arms={
        "smoke": tuple(drawn(kind, layers, draws=2, channels=8) for kind in KINDS for layers in (5, 10)),
        "quick": maps,
        "lecture": (*uniforms, *(drawn(kind, n, draws=20) for kind in KINDS for n in LAYERS), *variants),
        "full": tuple(drawn(kind, n, draws=1000, channels=64) for kind in KINDS for n in LAYERS),
    },
    claims=(
        Claim(
            text="With random weights too it grows with about the root of the layers.",
            kind="slope", metric="drawn_effective_field", over="args.layers", low=0.4, high=0.6,
            arms=tuple(f"random, {layers}" for layers in LAYERS),
        ),
        Claim(
            text="After 40 layers it is a third of the theoretical one, or less.",
            kind="between", metric="drawn_effective_share", arms="random, 40", high=1 / 3,
        ),
        Claim(
            text="ReLU makes it less Gaussian.",
            kind="compare", metric="drawn_gaussian_likeness", arms=("random, 20", "random + ReLU, 20"),
            margin=0.0,
        ),
        Claim(
            text="Skips make it smaller.",
            kind="compare", metric="drawn_effective_field", arms=("random, 20", "skips, 20"),
        ),
        Claim(
            text="Dilation makes it larger.",
            kind="compare", metric="drawn_effective_field", arms=("dilations, 20", "random, 20"),
        ),
    ),
    plots=("effective_fields", "field_growth", "verdicts"),
    repeat="seeds",
    slides=("B10",),
    source="Luo et al. 2016",
    remember="What counts is not how far a network could look, but where its gradients come from.",
)  # fmt: skip


def trained(name, steps):
    args = {"steps": steps}
    return Probe(name=name, function="nnbench.studies.fields:trained_field", args=args, seeded=True)


trained_field = Scenario(
    name="trained-field",
    statement="Training enlarges the effective receptive field.",
    question="Is the field of a trained network wider than before its first step?",
    axis="parameters",
    arms={
        "smoke": (trained("untrained", 0), trained("trained", 2)),
        "quick": (trained("untrained", 0), trained("trained", 150)),
        "lecture": (trained("untrained", 0), trained("trained", 1000)),
        "full": (trained("untrained", 0), trained("trained", 5000)),
    },
    claims=(
        Claim(
            text="The field of a trained network spreads wider than before.",
            kind="compare", metric="drawn_field_spread", arms=("trained", "untrained"), margin=0.0,
        ),
    ),
    plots=("effective_fields", "verdicts"),
    repeat="seeds",
    slides=("B10",),
    source="Luo et al. 2016, section 3",
    remember="First weights decide what a network looks at first; training changes it.",
)  # fmt: skip


def way(name, **more):
    return Probe(name=name, function=f"{EFFECTIVE}:route", args={"way": name, **more}, seeded=True)


ways = tuple(map(way, ("depth", "dilation", "stride", "wide kernels")))

routes_afar = Scenario(
    name="routes-afar",
    statement="Depth, dilation and stride are ways to see afar.",
    question="Of four networks that all see 31 pixels, which use how many of them, at what price?",
    axis="receptive field",
    arms={"smoke": tuple(way(arm.name, draws=1) for arm in ways), "quick": ways, "full": ways},
    claims=(
        Claim(
            text="Stride uses more of the 31 pixels than depth.",
            kind="compare", metric="drawn_effective_field", arms=("stride", "depth"),
        ),
        Claim(
            text="So does dilation.",
            kind="compare", metric="drawn_effective_field", arms=("dilation", "depth"),
        ),
        Claim(
            text="For each of its parameters dilation sees more than wide kernels.",
            kind="compare", metric="drawn_field_per_parameter", arms=("dilation", "wide kernels"),
        ),
        Claim(
            text="The same theoretical field is the same effective one, whatever the way.",
            kind="equivalent", metric="drawn_effective_field", arms=("stride", "depth"), margin=2.0,
        ),
    ),
    plots=("effective_fields", "verdicts"),
    repeat="seeds",
    slides=("B11",),
    source="Luo et al. 2016",
    remember="The same receptive field is not the same effective one: steps and holes use more of it.",
)  # fmt: skip


def test_theoretical_field(arm, probe_benchmark):
    probe_benchmark(arm)


def test_uniform_field(arm, probe_benchmark):
    probe_benchmark(arm)


def test_effective_field(arm, probe_benchmark):
    probe_benchmark(arm)


def test_trained_field(arm, probe_benchmark):
    probe_benchmark(arm)


def test_routes_afar(arm, probe_benchmark):
    probe_benchmark(arm)
