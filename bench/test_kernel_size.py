"""3x3 or 5x5, and two small kernels for one large: what does a larger window buy?

The lecture: a 5x5 kernel sees more and costs 25/9 of a 3x3; two 3x3 in a row see as much as one 5x5 with
fewer weights. ``kernel-size`` trains them; ``kernel-stack`` is arithmetic, exact and without training.
"""

from nnbench import Arm, Claim, Probe, Scenario

base = Arm(
    data="fashion-mini", model="cnn", optimizer="momentum", schedule="linear", lr="tuned",
    batch_size=32, epochs=1,
)  # fmt: skip


def cnn(name, kernel_size, convs_per_block=1):
    args = {"channels": (4, 8), "kernel_size": kernel_size, "convs_per_block": convs_per_block, "init": "he"}
    return base.replace(name=name, model_args=args)


arms = (
    cnn("1x1", 1),
    cnn("3x3", 3),
    cnn("5x5", 5),
    cnn("7x7", 7),
    cnn("9x9", 9),
    cnn("3x3 twice", 3, convs_per_block=2),
    cnn("3x3 three times", 3, convs_per_block=3),
)

kernel_size = Scenario(
    name="kernel-size",
    statement="A 5x5 kernel sees more than a 3x3; two 3x3 in a row see as much with fewer weights.",
    question="Does a wider window read images better, and is a stack of small ones as good for less?",
    axis="epochs",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, epochs=1, max_steps=10) for arm in arms),
        "quick": tuple(arm for arm in arms if arm.name != "9x9"),
        "lecture": arms,
        "full": tuple(arm.replace(name=arm.name, epochs=20) for arm in arms),
    },
    claims=(
        Claim(
            text="A 3x3 kernel beats a 1x1 kernel, which sees no neighbours.",
            kind="compare",
            metric="validation_accuracy",
            arms=("3x3", "1x1"),
        ),
        Claim(
            text="A 5x5 kernel beats a 3x3 kernel.",
            kind="compare",
            metric="validation_accuracy",
            arms=("5x5", "3x3"),
        ),
        Claim(
            text="Two 3x3 in a row beat one 5x5 of the same field.",
            kind="compare",
            metric="validation_accuracy",
            arms=("3x3 twice", "5x5"),
        ),
        Claim(
            text="An epoch with 3x3 kernels takes less time than one with 5x5.",
            kind="compare",
            metric="train_s",
            arms=("3x3", "5x5"),
        ),
        Claim(
            text="Two 3x3 in a row take less time than one 5x5 of the same field.",
            kind="compare",
            metric="train_s",
            arms=("3x3 twice", "5x5"),
        ),
    ),
    repeat="blocks",
    plots=("verdicts", "by_factor", "overview", "accuracy_against_cost", "roofline"),
    factor="model_args.kernel_size",
    slides=("B2",),
    remember="A stack of small kernels has the field of a large one, fewer weights, and more layers to run.",
)


def stack(name, kernel_sizes):
    args = {"kernel_sizes": kernel_sizes, "channels": 64}
    return Probe(name=name, function="nnbench.analysis.receptive_field:conv_stack", args=args)


stacks = (
    stack("3x3", (3,)),
    stack("5x5", (5,)),
    stack("3x3 twice", (3, 3)),
    stack("7x7", (7,)),
    stack("3x3 three times", (3, 3, 3)),
    stack("9x9", (9,)),
    stack("3x3 four times", (3, 3, 3, 3)),
)

kernel_stack = Scenario(
    name="kernel-stack",
    statement="Two 3x3 layers have the receptive field of one 5x5, with 18 C^2 weights instead of 25 C^2.",
    question="How many weights and multiply-adds does a field of 3, 5, 7 or 9 pixels cost at 64 channels?",
    axis="receptive field",
    arms={"smoke": stacks, "quick": stacks, "full": stacks},
    claims=(
        Claim(
            text="A 3x3 layer with 64 channels has 36,928 parameters.",
            kind="exact",
            metric="parameters",
            arms=("3x3",),
            value=36928,
        ),
        Claim(
            text="A 5x5 layer with 64 channels has 102,464 parameters.",
            kind="exact",
            metric="parameters",
            arms=("5x5",),
            value=102464,
        ),
        Claim(
            text="Two 3x3 layers in a row have 73,856.",
            kind="exact",
            metric="parameters",
            arms=("3x3 twice",),
            value=73856,
        ),
        Claim(
            text="Two 3x3 layers see 5 pixels.",
            kind="exact",
            metric="receptive_field",
            arms=("3x3 twice",),
            value=5,
        ),
        Claim(
            text="Two 3x3 layers have fewer parameters than one 5x5.",
            kind="compare",
            metric="parameters",
            arms=("3x3 twice", "5x5"),
        ),
    ),
    plots=("overview",),
    repeat="once",
    slides=("B2",),
    source="arithmetic: K K C C + C; Araujo et al. 2019, eq. 2",
    remember="At equal field, small kernels in a row are cheaper, and the more so the wider the field.",
)


def test_kernel_size(arm, train_benchmark):
    train_benchmark(arm)


def test_kernel_stack(arm, probe_benchmark):
    probe_benchmark(arm)
