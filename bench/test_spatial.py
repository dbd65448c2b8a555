"""Pooling, stride, padding, dilation: what do they keep of an image, and what do they miss?

The lecture: pooling makes features independent of where a thing is, and of its scale; not every point need be
sampled, which is risky for small lesions; padding keeps the border; dilation sees further; medical images
need fine detail and far context at once. Much of it is arithmetic, and exact; what networks make of it is
trained.
"""

from nnbench import Claim, Probe, Scenario

SPATIAL = "nnbench.analysis.spatial"


def probe(name, function, *, seeded=False, **args):
    return Probe(name=name, function=f"{SPATIAL}:{function}", args=args, seeded=seeded)


POOLS = ("none", "max 2", "max 4", "average 4", "every fourth", "global max", "global average")
moved = tuple(probe(pool, "change_by_shift", seeded=True, pool=pool) for pool in POOLS)
grown = tuple(probe(f"{pool}, scaled", "change_by_scale", seeded=True, pool=pool) for pool in POOLS[:4])

pooled_features = Scenario(
    name="pooled-features",
    statement="Max pooling makes features independent of scale and of where they are.",
    question="How much do features change when the image moves by a pixel, or is half as large again?",
    axis="nothing",
    arms={"smoke": (*moved, *grown), "quick": (*moved, *grown), "full": (*moved, *grown)},
    claims=(
        Claim(
            text="Max pooling of 4x4 halves the change by a shift of one pixel, nearly.",
            kind="compare", metric="change_by_shift", arms=("max 4", "none"), margin=0.15,
        ),
        Claim(
            text="Taking every fourth pixel, as a stride does, changes nothing of it.",
            kind="equivalent", metric="change_by_shift", arms=("every fourth", "none"), margin=0.1,
        ),
        Claim(
            text="Only the greatest of all pixels does not mind where it is.",
            kind="between", metric="change_by_shift", arms="global max", high=1e-6,
        ),
        Claim(
            text="Features after max pooling of 4x4 are independent of a shift.",
            kind="between", metric="change_by_shift", arms="max 4", high=0.1,
        ),
        Claim(
            text="And of scale.",
            kind="between", metric="change_by_scale", arms="max 4, scaled", high=0.1,
        ),
    ),
    plots=("verdicts",),
    repeat="seeds",
    slides=("B4",),
    source="Zhang 2019 (Making convolutional networks shift-invariant again)",
    remember="Pooling tolerates shifts of its own size, and no change of scale.",
    inexact="'Independent of scale' is not delivered by pooling at all, and 'of place' only within a window.",
)  # fmt: skip

TRAINING = {
    "data": "fashion-mini", "model": "cnn", "optimizer": "momentum", "schedule": "linear", "batch_size": 32,
    "epochs": 2, "lr": 0.03,
}  # fmt: skip
SMALLER = {
    "max pooling": {"pool": "max"},
    "average pooling": {"pool": "average"},
    "stride": {"pool": "none", "stride": 2},
}


def network(name, before="", **changes):
    arm = {**TRAINING, "model_args": {"channels": (4, 8), "init": "he", **SMALLER[name]}, **changes}
    args = {"arm": arm, "shifts": (0, 2), "scales": (0.75, 1.25)}
    function = "nnbench.studies.shifts:accuracy_under_shift"
    return Probe(name=f"{before}{name}", function=function, args=args, seeded=True)


networks = tuple(map(network, SMALLER))
digits = tuple(network(name, "mnist, ", data="mnist", train_samples=6000, epochs=4) for name in SMALLER)

pooled_networks = Scenario(
    name="pooled-networks",
    statement="Pooling makes a network independent of where a thing is, and of its size.",
    question="Is a network with max pooling right more often on images that moved, or of another size?",
    axis="epochs",
    arms={
        "smoke": tuple(network(name, max_steps=5) for name in SMALLER),
        "quick": networks,
        "lecture": (*networks, *digits),
        "full": (*networks, *digits),
    },
    claims=(
        Claim(
            text="Moved by two pixels, max pooling is right more often than stride.",
            kind="compare", metric="shifted_2_accuracy", arms=("max pooling", "stride"),
        ),
        Claim(
            text="And more often than average pooling.",
            kind="compare", metric="shifted_2_accuracy", arms=("max pooling", "average pooling"),
        ),
        Claim(
            text="With pooling a network does not mind images at three quarters of their size.",
            kind="between", metric="scaled_75_accuracy", arms="max pooling", low=0.8,
        ),
        Claim(
            text="At that size it is right more often than with stride.",
            kind="compare", metric="scaled_75_accuracy", arms=("max pooling", "stride"),
        ),
        Claim(
            text="On MNIST, moved by two pixels, max pooling is right more often than stride.",
            kind="compare", metric="shifted_2_accuracy", arms=("mnist, max pooling", "mnist, stride"),
        ),
    ),
    plots=("accuracy_by_shift", "verdicts"),
    repeat="seeds",
    slides=("B4",),
    source="Springenberg et al. 2014; Ruderman et al. 2018",
    remember="Pooling helps a little where things move, and not where they grow.",
    inexact="'Independent of scaling' is not what pooling gives.",
)  # fmt: skip

orders = tuple(probe(pool, "order_of_pool", seeded=True, pool=pool) for pool in ("max", "average"))

pool_order = Scenario(
    name="pool-order",
    statement="Convolution, pooling, activation; or convolution, activation, pooling.",
    question="Is it the same, bit by bit, whether ReLU stands before the pooling or after it?",
    axis="nothing",
    arms={"smoke": orders, "quick": orders, "full": orders},
    claims=(
        Claim(
            text="With max pooling the order makes no difference, not in one bit.",
            kind="between", metric="order_difference", arms="max", high=0.0,
        ),
        Claim(
            text="With average pooling neither.",
            kind="between", metric="order_difference", arms="average", high=1e-6,
        ),
        Claim(
            text="Pooling first leaves ReLU a quarter of the elements: 32,768 of 131,072.",
            kind="exact", metric="activated_last", arms="max", value=32768,
        ),
    ),
    plots=("verdicts",),
    repeat="seeds",
    slides=("B5",),
    source="ReLU is monotone",
    remember="Max pooling and ReLU may change places; with a mean the order is another network.",
)  # fmt: skip

STEPS = ((3, 1), (3, 2), (3, 3), (3, 4), (3, 5), (5, 4), (1, 2))
covers = tuple(probe(f"{k}x{k}, stride {s}", "coverage", kernel=k, stride=s) for k, s in STEPS)
unseen = tuple(
    probe(f"lesion, {k}x{k}, stride {s}", "unseen_lesion", seeded=True, kernel=k, stride=s)
    for k, s in ((3, 2), (3, 4))
)

stride_coverage = Scenario(
    name="stride-coverage",
    statement="Not every point need be sampled; risky for which case?",
    question="Which share of the pixels does a convolution look at, and can it miss one altogether?",
    axis="nothing",
    arms={"smoke": (*covers, *unseen), "quick": (*covers, *unseen), "full": (*covers, *unseen)},
    claims=(
        *(
            Claim(
                text=f"A {k}x{k} kernel, stride {s}, looks at {min(1, k / s) ** 2:.2%} of the pixels.",
                kind="exact", metric="coverage", arms=f"{k}x{k}, stride {s}", value=min(1, k / s) ** 2,
                margin=1e-9,
            )
            for k, s in STEPS
        ),
        Claim(
            text="With a stride of 4 a lesion of one pixel can change nothing at all.",
            kind="between", metric="lesion_change", arms="lesion, 3x3, stride 4", high=0.0,
        ),
        Claim(
            text="With a stride of 2 it cannot hide.",
            kind="between", metric="lesion_change", arms="lesion, 3x3, stride 2", low=0.1,
        ),
    ),
    plots=("verdicts",),
    repeat="seeds",
    slides=("B6",),
    source="arithmetic: min(1, k / s)^2",
    remember="A stride up to the kernel's side misses nothing; a larger one is blind in between.",
)  # fmt: skip


def study(function, net, before="", **more):
    path = f"nnbench.studies.lesions:{function}"
    return Probe(name=f"{before}{net}", function=path, args={"net": net, **more}, seeded=True)


strides = tuple(study("lesion_recall", f"stride {stride}") for stride in (1, 2, 4))

small_lesions = Scenario(
    name="small-lesions",
    statement="Strides are risky for small lesions.",
    question="One false alarm in twenty allowed, how many lesions of each size are found with each stride?",
    axis="parameters",
    arms={
        "smoke": tuple(study("lesion_recall", f"stride {s}", epochs=1, samples=64) for s in (1, 4)),
        "quick": strides,
        "lecture": tuple(
            study("lesion_recall", f"stride {s}", epochs=10, samples=4096) for s in (1, 2, 4)
        ),
        "full": tuple(study("lesion_recall", f"stride {s}", epochs=30, samples=16384) for s in (1, 2, 4)),
    },
    claims=(
        Claim(
            text="Of lesions of one pixel a stride of 2 finds fewer than no stride, by 20 points at least.",
            kind="compare", metric="lesion_1_recall", arms=("stride 1", "stride 2"), margin=0.2,
        ),
        Claim(
            text="A stride of 4 finds fewer still.",
            kind="compare", metric="lesion_1_recall", arms=("stride 2", "stride 4"),
        ),
        Claim(
            text="Lesions of eight pixels it finds all the same.",
            kind="between", metric="lesion_8_recall", arms="stride 4", low=0.98,
        ),
    ),
    plots=("recall_by_size", "verdicts"),
    repeat="seeds",
    slides=("B6",),
    remember="A stride is free where things are large, and blind where they are smaller than its step.",
    inexact="A stride up to the kernel's side sees every pixel, and still loses the small.",
)  # fmt: skip

paddings = (probe("no padding", "uses", padding=0), probe("padding 1", "uses", padding=1))
layers = (probe("28 px, no padding", "valid_layers"),)
sizes = (
    probe("28 px, 3x3, padding 1", "output_size", side=28, kernel=3, padding=1),
    probe("224 px, 7x7, stride 2, padding 3", "output_size", side=224, kernel=7, stride=2, padding=3),
)

padding = Scenario(
    name="padding",
    statement="Padding keeps the size, and what lies at the border.",
    question="How often is a pixel in the corner looked at, and how many layers does an image live through?",
    axis="nothing",
    arms=dict.fromkeys(("smoke", "quick", "full"), (*paddings, *layers, *sizes)),
    claims=(
        Claim(text="Without padding a corner is looked at once.", kind="exact", metric="corner_uses",
              arms="no padding", value=1),
        Claim(text="With padding four times.", kind="exact", metric="corner_uses", arms="padding 1", value=4),
        Claim(text="Padding treats a corner as it does the middle.", kind="exact", metric="corner_uses",
              arms="padding 1", value=9),
        Claim(text="Without padding 28 pixels are gone after 13 layers of 3x3.", kind="exact",
              metric="layers", arms="28 px, no padding", value=13),
        Claim(text="Two of them are left.", kind="exact", metric="output_side", arms="28 px, no padding",
              value=2),
        Claim(text="With padding the size stays: 28.", kind="exact", metric="output_side",
              arms="28 px, 3x3, padding 1", value=28),
        Claim(text="224 pixels by 7x7 with a stride of 2 and padding of 3 are 112.", kind="exact",
              metric="output_side", arms="224 px, 7x7, stride 2, padding 3", value=112),
    ),
    repeat="once",
    slides=("B7",),
    source="arithmetic: floor((H + 2p - d(k - 1) - 1) / s + 1)",
    remember="Padding keeps the size; the border is still looked at less than the middle.",
    inexact="Padding keeps half of the corner's evidence: four uses where the middle has nine.",
)  # fmt: skip

LISTS = {(1, 1, 1): (7, 1.0), (2, 2, 2): (13, 0.290), (1, 2, 4): (15, 1.0), (1, 2, 5): (17, 1.0),
         (4, 4, 4): (25, 0.078)}  # fmt: skip


def name_of(dilations):
    return ", ".join(map(str, dilations))


grids = tuple(probe(name_of(dilations), "gridding", dilations=dilations) for dilations in LISTS)

dilation = Scenario(
    name="dilation",
    statement="A dilated kernel sees further with the same parameters.",
    question="With three 3x3 layers, how far is seen with which dilations, and with which holes?",
    axis="parameters",
    arms={"smoke": grids, "quick": grids, "full": grids},
    claims=(
        *(
            Claim(
                text=f"Dilations {name_of(dilations)} see {span} pixels.",
                kind="exact", metric="receptive_field", arms=name_of(dilations), value=span,
            )
            for dilations, (span, _) in LISTS.items()
        ),
        Claim(
            text="All of them: with 1, 2, 4 there are no holes.",
            kind="exact", metric="density", arms="1, 2, 4", value=1,
        ),
        Claim(
            text="With 2, 2, 2 too.",
            kind="between", metric="density", arms="2, 2, 2", low=1,
        ),
        Claim(
            text="With 4, 4, 4 one pixel in thirteen is seen: 0.0784.",
            kind="exact", metric="density", arms="4, 4, 4", value=0.0784, margin=5e-5,
        ),
    ),
    plots=("dilation_holes",),
    repeat="once",
    slides=("B8",),
    source="arithmetic: 1 + sum d (k - 1)",
    remember="Dilations that grow see far without holes; equal ones look through a grid.",
    inexact="The formula of the field hides the holes.",
)  # fmt: skip

NETS = ("far by stride", "far by dilation", "two branches")

several_scales = Scenario(
    name="several-scales",
    statement="Medical images need fine detail and far context at once.",
    question="Which network finds lesions of a pixel, and also tells what lies to the left of what?",
    axis="nothing",
    arms={
        "smoke": tuple(study("two_tasks", net, epochs=1, samples=64) for net in NETS),
        "quick": tuple(study("two_tasks", net, epochs=4, samples=512) for net in NETS),
        "lecture": tuple(study("two_tasks", net) for net in ("stride 1", *NETS)),
        "full": tuple(study("two_tasks", net, epochs=30, samples=8192) for net in ("stride 1", *NETS)),
    },
    claims=(
        Claim(
            text="On fine detail two branches are right more often than stride.",
            kind="compare", metric="fine_accuracy", arms=("two branches", "far by stride"),
        ),
        Claim(
            text="On far context they are as good, within two points.",
            kind="equivalent", metric="far_accuracy", arms=("two branches", "far by stride"), margin=0.02,
        ),
        Claim(
            text="Dilation alone is worse on fine detail than two branches.",
            kind="compare", metric="fine_accuracy", arms=("two branches", "far by dilation"),
        ),
        Claim(
            text="A network that looks near only is worse on far context.",
            kind="compare", metric="far_accuracy", arms=("two branches", "stride 1"),
        ),
    ),
    plots=("fine_and_far", "verdicts"),
    repeat="seeds",
    slides=("B13",),
    remember="What sees far by steps is blind to the small; look at several scales, or dilate.",
)  # fmt: skip


def test_pooled_features(arm, probe_benchmark):
    probe_benchmark(arm)


def test_pooled_networks(arm, probe_benchmark):
    probe_benchmark(arm)


def test_pool_order(arm, probe_benchmark):
    probe_benchmark(arm)


def test_stride_coverage(arm, probe_benchmark):
    probe_benchmark(arm)


def test_small_lesions(arm, probe_benchmark):
    probe_benchmark(arm)


def test_padding(arm, probe_benchmark):
    probe_benchmark(arm)


def test_dilation(arm, probe_benchmark):
    probe_benchmark(arm)


def test_several_scales(arm, probe_benchmark):
    probe_benchmark(arm)
