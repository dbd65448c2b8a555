"""From logistic regression to AlexNet: what does each step of the lecture buy, and what does it cost?

The lecture goes from a linear model to fully connected layers to convolutions, each said to be better
for images than the one before. Every arm here sees the same samples equally often, at its own tuned
rate; time, memory and parameters are printed beside the accuracy because they are not equal. Networks of
ReLU units start from He's weights, which keep a signal through many layers.
"""

from nnbench import Arm, Claim, Scenario

base = Arm(data="fashion-mini", optimizer="momentum", schedule="linear", lr="tuned", batch_size=64, epochs=2)
arms = (
    base.replace(name="logistic", model="logistic"),
    base.replace(name="mlp 512-512", model="mlp", model_args={"hidden": (512, 512), "init": "he"}),
    base.replace(name="lenet-5", model="lenet5"),
    base.replace(name="cnn 16-32", model="cnn", model_args={"channels": (16, 32), "init": "he"}),
    base.replace(name="alexnet 1/8", model="alexnet", model_args={"width": 0.125, "init": "he"}),
)

scenario = Scenario(
    name="architectures",
    statement="Fully connected layers beat logistic regression on images; convolutions beat both.",
    question="After equally many looks at each image, which network is right most often, at what price?",
    axis="epochs",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, epochs=1, max_steps=20) for arm in arms),
        "quick": arms,
        "full": tuple(arm.replace(name=arm.name, epochs=30) for arm in arms),
    },
    claims=(
        Claim(
            text="A multilayer perceptron beats logistic regression.",
            kind="compare",
            metric="validation_accuracy",
            arms=("mlp 512-512", "logistic"),
        ),
        Claim(
            text="A stack of convolutions beats the multilayer perceptron.",
            kind="compare",
            metric="validation_accuracy",
            arms=("cnn 16-32", "mlp 512-512"),
        ),
        Claim(
            text="The multilayer perceptron trains faster than convolutions do, with 30 times the weights.",
            kind="compare",
            metric="train_s",
            arms=("mlp 512-512", "cnn 16-32"),
        ),
        Claim(
            text="nn.Linear(784, 10) has 7,850 parameters.",
            kind="exact",
            metric="parameters",
            arms=("logistic",),
            value=7850,
            slide="D3",
        ),
        Claim(
            text="The lecture's 512/512 network has 669,706 parameters.",
            kind="exact",
            metric="parameters",
            arms=("mlp 512-512",),
            value=669706,
            slide="D4",
        ),
    ),
    repeat="blocks",
    slides=("D4", "B1"),
    plots=("verdicts", "overview", "learning_curves", "accuracy_against_cost", "roofline"),
    remember="Sharing weights buys accuracy with few parameters, and is paid for in arithmetic.",
)


def test_architectures(arm, train_benchmark):
    train_benchmark(arm)
