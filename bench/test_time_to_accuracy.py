"""How many seconds of training until the network is good enough? A table as DAWNBench has it.

The baseline is what one writes first: the CNN stack 16-32 and Adam at its usual rate, in batches of 128. The
fastest recipe is made of the lecture's own ingredients: strides instead of pooling, batch norm, Nesterov
momentum, short trainings, a one-cycle rate that ends with the training (Smith and Topin 2019, arXiv
1708.07120), standardized pixels; and of two standard tricks, smoothed labels (Szegedy et al. 2016, arXiv
1512.00567) and channels_last memory. Both use one thread; validation is not counted.

Targets were fixed beforehand: 90 and 92 % on Fashion-MNIST, 99 % on MNIST and MedNIST, 80 % on fashion-mini,
which the baseline reaches on the tune split, the last sixth of train, after four epochs. Recipes were chosen
on the tune split, under seeds from 100 on, and then confirmed on validation under seeds 0 to 5. Validation
was looked at for one thing, how much harder it is: two recipes that were just above their target on the tune
split missed it there under some seeds, one for Fashion-MNIST of 782 steps and one for MNIST of 586, and
longer ones took their place: their seeds 0 to 5 are no longer fresh, 6 to 8 are. That for 92 % is not
confirmed. A missing seed takes forever, as does the mean.

The real sets come from `nnbench data fetch mnist fashion-mnist mednist`; without them their arms are skipped.
"""

from nnbench import Arm, Claim, Scenario

baseline = Arm(
    model="cnn", model_args={"channels": (16, 32)}, optimizer="adam", lr=0.001, batch_size=128, epochs=20
)
strided = {"stride": 2, "pool": "none", "batch_norm": True}
fastest = Arm(
    model="cnn", model_args={**strided, "channels": (16, 32), "kernel_size": (5, 3)}, optimizer="nesterov",
    lr=0.05, schedule="onecycle", schedule_args={"cycle_momentum": False}, batch_size=32, epochs=1,
    normalize=True, memory_format="channels_last",
)  # fmt: skip
deep = {**strided, "channels": (16, 32, 64), "kernel_size": (5, 3, 3)}
dense = {**strided, "channels": (16, 32), "kernel_size": (5, 3), "hidden": (128,)}
# Budgets are the steps that sufficed on the tune split: 2 epochs of it for digits, 3 and 8 for clothes.
digits = fastest.replace(
    model_args=deep, batch_size=128, lr=0.2, label_smoothing=0.1, epochs=2, max_steps=782
)
clothes = fastest.replace(model_args=dense, batch_size=128, lr=0.2, epochs=3, max_steps=1173)
clothes_well = clothes.replace(
    model_args={"channels": (16, 32), "batch_norm": True, "hidden": (128,)}, epochs=7, max_steps=3128,
    optimizer_args={"weight_decay": 0.0005},
)  # fmt: skip
radiographs = fastest.replace(max_steps=274)


def towards(data, target, recipe, **changes):
    both = {"baseline": baseline.replace(**changes), "fastest": recipe}
    return tuple(
        arm.replace(name=f"{data} {target:.0%}, {name}", data=data, target_accuracy=target)
        for name, arm in both.items()
    )


def times_as_fast(goal, factor):
    return Claim(
        text=f"To {goal} the fastest recipe is at least {factor} times as fast as the baseline.",
        kind="compare",
        metric="target_s",
        arms=(f"{goal}, fastest", f"{goal}, baseline"),
        margin=factor - 1,
    )


mini = towards("fashion-mini", 0.80, fastest, epochs=6)

scenario = Scenario(
    name="time-to-accuracy",
    statement="Learning rate, batch size and architecture decide how long a training takes.",
    question="How many seconds of training until a stated accuracy: by a first try, and by the best recipe?",
    axis="nothing",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, epochs=1, max_steps=20) for arm in mini),
        "quick": mini,
        "full": (
            *mini,
            *towards("mnist", 0.99, digits),
            *towards("fashion-mnist", 0.90, clothes),
            *towards("fashion-mnist", 0.92, clothes_well, epochs=30),
            *towards("mednist-28", 0.99, radiographs, epochs=3),
        ),
    },
    claims=(
        times_as_fast("fashion-mini 80%", 4),
        times_as_fast("mnist 99%", 8),
        times_as_fast("fashion-mnist 90%", 4),
    ),
    plots=("verdicts", "overview"),
    repeat="blocks",
    remember="Most of a training's time is spent on settings that nobody has chosen.",
)


def test_time_to_accuracy(arm, train_benchmark):
    train_benchmark(arm)
