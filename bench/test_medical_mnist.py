"""The lecture's program: Medical MNIST by logistic regression and by a multilayer perceptron.

Six kinds of medical images, 42,000 to learn from and 16,954 to score, in batches of 16 by SGD at a rate of
0.001: 2,625 steps an epoch, and a last validation batch of 10. The lecture's settings stand beside tuned
ones, since at an untuned rate the larger network may well lose; a small stack of convolutions stands beside
both. The images come from `nnbench data fetch mednist`; without them every arm is skipped.

What is in the set is counted beside it, copies too. The lecture's two networks are put to clothes and digits
as well, at its settings and at others: what it shows is a matter of the rate as much as of the network.
"""

from nnbench import Arm, Claim, Probe, Scenario

base = Arm(data="mednist-28", optimizer="sgd", batch_size=16, lr=0.001, epochs=1)
tuned = base.replace(optimizer="momentum", schedule="linear", batch_size=64, lr="tuned")
logistic, mlp = {"model": "logistic"}, {"model": "mlp", "model_args": {"hidden": (512, 512)}}
cnn = {"model": "cnn", "model_args": {"channels": (8, 16), "init": "he"}}

arms = (
    base.replace(name="logistic, lecture", **logistic),
    base.replace(name="mlp 512-512, lecture", **mlp),
    tuned.replace(name="logistic, tuned", **logistic),
    tuned.replace(name="mlp 512-512, tuned", **mlp),
    tuned.replace(name="cnn 8-16, tuned", **cnn),
)
whole = tuple(arm.replace(name=arm.name, data="mednist", epochs=10) for arm in arms)

scenario = Scenario(
    name="medical-mnist",
    statement="A multilayer perceptron classifies Medical MNIST better than logistic regression.",
    question="Is the larger network ahead at the lecture's own settings too, or only at a tuned rate?",
    axis="epochs",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, max_steps=20) for arm in arms),
        "quick": arms,
        "full": whole,
    },
    claims=(
        Claim(
            text="At the lecture's settings the perceptron with hidden layers beats logistic regression.",
            kind="compare",
            metric="validation_accuracy",
            arms=("mlp 512-512, lecture", "logistic, lecture"),
        ),
        Claim(
            text="At tuned settings it does.",
            kind="compare",
            metric="validation_accuracy",
            arms=("mlp 512-512, tuned", "logistic, tuned"),
        ),
        Claim(
            text="Convolutions beat it with a hundredth of its parameters.",
            kind="compare",
            metric="validation_accuracy",
            arms=("cnn 8-16, tuned", "mlp 512-512, tuned"),
            margin=0.001,  # so near to 100 % a whole point is more than is left to be won
        ),
    ),
    plots=("verdicts", "overview", "learning_curves", "accuracy_against_cost", "roofline"),
    slides=("D2", "D4"),
    remember="The settings of a slide are part of its result: compare networks at rates of their own.",
)


def counted(data):
    return Probe(name=data, function="nnbench.studies.loader_arithmetic:contents", args={"data": data})


def is_exactly(text, metric, value, arm="mednist"):
    return Claim(text=text, kind="exact", metric=metric, arms=arm, value=value)


sets = (counted("mednist"), counted("mednist-clean"))

medical_contents = Scenario(
    name="medical-contents",
    statement="42,000 images to train and 16,954 to validate.",
    question="How many images are there, how many twice, and how many on both sides of the split?",
    axis="nothing",
    arms={"smoke": sets, "quick": sets, "full": sets},
    claims=(
        is_exactly("There are 58,954 images.", "images", 58954),
        is_exactly("Of 6 classes, where the slide's configuration says 10.", "classes", 6),
        is_exactly("42,000 are to train with.", "train_images", 42000),
        is_exactly("16,954 are to validate with.", "validation_images", 16954),
        is_exactly("58,514 are distinct: 440 are copies.", "distinct_images", 58514),
        is_exactly("No validation image is also in the training set.", "leaked_images", 0),
        Claim(text="One in a hundred is, nearly.", kind="between", metric="leaked_share", arms="mednist",
              low=0.005, high=0.015),
        is_exactly("None is in mednist-clean.", "leaked_images", 0, "mednist-clean"),
    ),
    repeat="once",
    slides=("D2",),
    source="Project MONAI: MedNIST; 10,000 x 5 + 8,954",
    remember="A random split of a set with copies puts some of them on both sides: count before you train.",
    inexact="The slide's configuration is MNIST's, 28x28 and 10 classes; the images are 64x64, of 6 classes.",
)  # fmt: skip

as_shown = Arm(data="fashion-mini", optimizer="sgd", batch_size=16, lr=0.001, epochs=3)
by_adam = as_shown.replace(optimizer="adam", lr=0.001, batch_size=128, epochs=3)
ours = (
    as_shown.replace(name="logistic, lecture", **logistic),
    as_shown.replace(name="mlp 512-512, lecture", **mlp),
    by_adam.replace(name="logistic, Adam", **logistic),
    by_adam.replace(name="mlp 512-512, Adam", **mlp),
)


def on_digits(name, base, **more):
    return base.replace(name=name, data="mnist", **more)


digits = (
    on_digits("MNIST, logistic, lecture", as_shown, **logistic, epochs=1),
    on_digits("MNIST, logistic, lecture, 5 epochs", as_shown, **logistic, epochs=5),
    on_digits("MNIST, mlp 512-512, lecture", as_shown, **mlp, epochs=1),
    on_digits("MNIST, logistic, SGD 0.1", by_adam, **logistic, optimizer="sgd", lr=0.1, epochs=10),
    on_digits("MNIST, logistic, Adam", by_adam, **logistic, epochs=10),
    on_digits("MNIST, mlp 512-512, Adam", by_adam, **mlp, epochs=5),
)


def about(text, arm, value, within=0.005, slide="D3"):
    return Claim(
        text=text, kind="between", metric="validation_accuracy", arms=f"MNIST, {arm}", slide=slide,
        low=round(value - within, 4), high=round(value + within, 4), source="our own, measured before",
    )  # fmt: skip


def better(text, a, b, slide="D4"):
    return Claim(text=text, kind="compare", metric="validation_accuracy", arms=(a, b), slide=slide)


lecture_settings = Scenario(
    name="lecture-settings",
    statement="Two hidden layers of 512 beat logistic regression, by SGD at 0.001 in batches of 16.",
    question="Do they at the lecture's settings, after as many looks at each image, or only at others?",
    axis="epochs",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, max_steps=10) for arm in ours),
        "quick": ours,
        "lecture": (*ours, *digits),
        "full": (*(arm.replace(name=arm.name, epochs=50) for arm in ours), *digits),
    },
    claims=(
        better("At the lecture's settings two hidden layers beat logistic regression.",
               "mlp 512-512, lecture", "logistic, lecture"),
        better("By Adam they do.", "mlp 512-512, Adam", "logistic, Adam"),
        better("Logistic regression is better by Adam than at the lecture's settings.", "logistic, Adam",
               "logistic, lecture", "D3"),
        Claim(text="nn.Linear(784, 10) has 7,850 parameters.", kind="exact", metric="parameters",
              arms="logistic, lecture", value=7850, slide="D3"),
        Claim(text="784-512-512-10 has 669,706.", kind="exact", metric="parameters",
              arms="mlp 512-512, lecture", value=669706, slide="D4"),
        about("On MNIST, one epoch at the lecture's settings: 83.6 %.", "logistic, lecture", 0.836),
        about("Five: 88.2 %.", "logistic, lecture, 5 epochs", 0.882),
        about("By SGD at 0.1 in batches of 128, ten epochs: 92.0 %.", "logistic, SGD 0.1", 0.920),
        about("By Adam, ten epochs: 92.6 %, about all that the model can.", "logistic, Adam", 0.9262),
        about("Two hidden layers by Adam, five epochs: 97.9 %.", "mlp 512-512, Adam", 0.979, slide="D4"),
        better("On MNIST they lose at the lecture's settings, after one epoch.", "MNIST, logistic, lecture",
               "MNIST, mlp 512-512, lecture"),
    ),
    plots=("learning_curves", "verdicts"),
    repeat="seeds",
    slides=("D3", "D4"),
    source="LeCun et al. 1998: linear classifiers on MNIST err on 12 %",
    remember="The larger network wins at its own rate; at the slide's it learns more slowly.",
    inexact="50 epochs of MNIST in batches of 16 are 187,500 steps; the slide calls epochs steps.",
)  # fmt: skip


def test_medical_mnist(arm, train_benchmark):
    train_benchmark(arm)


def test_medical_contents(arm, probe_benchmark):
    probe_benchmark(arm)


def test_lecture_settings(arm, train_benchmark):
    train_benchmark(arm)
