"""The lecture's program: Medical MNIST by logistic regression and by a multilayer perceptron.

Six kinds of medical images, 42,000 to learn from and 16,954 to score, in batches of 16 by SGD at a rate of
0.001: 2,625 steps an epoch, and a last validation batch of 10. The lecture's settings stand beside tuned
ones, since at an untuned rate the larger network may well lose; a small stack of convolutions stands beside
both. The images come from `nnbench data fetch mednist`; without them every arm is skipped.
"""

from nnbench import Arm, Claim, Scenario

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
    remember="The settings of a slide are part of its result: compare networks at rates of their own.",
)


def test_medical_mnist(arm, train_benchmark):
    train_benchmark(arm)
