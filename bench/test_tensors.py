"""Neuron, layer, loss and tensor, as arithmetic: what do the slides' numbers come from?

The lecture: nn.Linear(784, 10), the cross-entropy of [5, 1, -2], a batch of images of the shape (8, 3, 224,
224), view and flatten. All of it can be computed, and is.
"""

from nnbench import Claim, Probe, Scenario

STUDY = "nnbench.studies.tensors"


def loss(name, scores, label, **more):
    return Probe(
        name=name, function=f"{STUDY}:cross_entropy", args={"scores": scores, "label": label, **more}
    )


def exactly(text, metric, arm, value, margin=None, slide=None):
    return Claim(text=text, kind="exact", metric=metric, arms=arm, value=value, margin=margin, slide=slide)


losses = (
    loss("[5, 1, -2]", (5, 1, -2), 0),
    loss("[1, 5, -2]", (1, 5, -2), 0),
    loss("ten of a kind", (0,) * 10, 3),
    loss("[1000, 1, -2]", (1000, 1, -2), 0, dtype="float32"),
    loss("[100, 1, -2] in float16", (100, 1, -2), 0, dtype="float16"),
)

cross_entropy = Scenario(
    name="cross-entropy",
    statement="The loss of [5, 1, -2] is small where label 0 is right, and large where it is wrong.",
    question="How large is it, what is it for a network that knows nothing, and what must not be fed to it?",
    axis="nothing",
    arms={"smoke": losses, "quick": losses, "full": losses},
    claims=(
        exactly("[5, 1, -2] with label 0 costs 0.0190450.", "cross_entropy", "[5, 1, -2]", 0.0190450, 5e-8),
        exactly("[1, 5, -2] with label 0 costs 4.0190449, four more: the lead of the wrong class.",
                "cross_entropy", "[1, 5, -2]", 4.0190449, 2e-7),
        exactly("It is the logarithm of the sum of exponentials less the score.", "by_hand_loss",
                "[5, 1, -2]",
                0.0190450, 5e-8),
        exactly("A network that knows nothing of ten classes pays ln 10, 2.302585.", "cross_entropy",
                "ten of a kind", 2.302585, 5e-7),
        exactly("A score of 1,000 costs nothing.", "cross_entropy", "[1000, 1, -2]", 0, 1e-9),
        exactly("Softmax first and its logarithm after fail there.", "naive_is_finite", "[1000, 1, -2]", 0),
        exactly("In float16 they fail at 100.", "naive_is_finite", "[100, 1, -2] in float16", 0),
        exactly("It wants scores: after a softmax of one's own even certainty pays 0.5514.",
                "softmax_twice_loss",
                "[1000, 1, -2]", 0.5514, 5e-5),
    ),
    plots=("cross_entropy_curve",),
    repeat="once",
    slides=("D5",),
    source="-log softmax(scores)[label]",
    remember="Cross-entropy is the lead that the right class lacks; it takes scores, not probabilities.",
)  # fmt: skip

shapes = (
    Probe(
        name="Linear(784, 10)",
        function=f"{STUDY}:linear_layer",
        args={"inputs": 784, "outputs": 10, "batch": 3},
    ),
    Probe(name="(8, 3, 224, 224)", function=f"{STUDY}:image_batch"),
)

tensors = Scenario(
    name="tensors",
    statement="A batch of images has the shape (8, 3, 224, 224); view and flatten change it.",
    question="How large is it, and which of the changes move anything in memory?",
    axis="nothing",
    arms={"smoke": shapes, "quick": shapes, "full": shapes},
    claims=(
        exactly("The weight of nn.Linear(784, 10) has 10 rows.", "weight_rows", "Linear(784, 10)", 10,
                slide="D3"),
        exactly("And 784 columns.", "weight_columns", "Linear(784, 10)", 784, slide="D3"),
        exactly("With 10 biases these are 7,850 parameters.", "layer_parameters", "Linear(784, 10)", 7850,
                slide="D3"),
        exactly("Three images give three rows.", "output_rows", "Linear(784, 10)", 3, slide="D3"),
        exactly("Of ten scores.", "output_columns", "Linear(784, 10)", 10, slide="D3"),
        exactly("Each is a sum of products and a bias.", "layer_error", "Linear(784, 10)", 0, 1e-12,
                slide="D3"),
        exactly("(8, 3, 224, 224) in float32 are 4,816,896 bytes.", "tensor_bytes", "(8, 3, 224, 224)",
                4816896),
        exactly("view copies nothing.", "view_shares", "(8, 3, 224, 224)", 1),
        exactly("flatten copies nothing where it need not.", "flatten_shares", "(8, 3, 224, 224)", 1),
        exactly("After permute view refuses.", "permuted_view_works", "(8, 3, 224, 224)", 0),
        exactly("And flatten copies.", "permuted_flatten_shares", "(8, 3, 224, 224)", 0),
        exactly("Channels last has the same values.", "channels_last_equal", "(8, 3, 224, 224)", 1),
        exactly("In another order: the next channel is at the next address.", "channels_last_stride",
                "(8, 3, 224, 224)", 1),
        exactly("And not 50,176 further.", "contiguous_stride", "(8, 3, 224, 224)", 50176),
    ),
    plots=("memory_formats",),
    repeat="once",
    slides=("D6", "D3"),
    source="torch documentation: Tensor.view, torch.flatten, memory formats",
    remember="A shape is a way of reading memory: most changes of it are free, some are a copy.",
)  # fmt: skip


def test_cross_entropy(arm, probe_benchmark):
    probe_benchmark(arm)


def test_tensors(arm, probe_benchmark):
    probe_benchmark(arm)
