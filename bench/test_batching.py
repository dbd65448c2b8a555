"""Full batch, online or minibatch: the same loop, told apart by one number.

The lecture says that full-batch training is deterministic, that online training 'tends to be crazy', and
that minibatches 'shake up' the loss. All arms start from the same weights (init_seed): what differs
between the seeds is the order of the samples alone. Equal epochs are anything but equal steps, so the
accuracy is drawn against epochs, steps, samples and seconds, and one arm gives the full batch, which
takes a single step per epoch, ten times the epochs of the others.
"""

from nnbench import Arm, Claim, Scenario

base = Arm(
    data="fashion-mini", model="mlp", model_args={"hidden": (64,)}, optimizer="sgd", lr="tuned",
    epochs=2, init_seed=0,
)  # fmt: skip
online = base.replace(name="online (1)", batch_size=1)
minibatches = tuple(
    base.replace(name=f"minibatch {size}", batch_size=size) for size in (4, 16, 64, 256, 1024)
)
full_batch = base.replace(name="full batch", batch_size="full")
patient = full_batch.replace(name="full batch, 10x epochs", epochs=10 * base.epochs)
arms = (online, *minibatches, full_batch, patient)

scenario = Scenario(
    name="batching",
    statement="Full batch is deterministic, online tends to be crazy, minibatches shake up the loss.",
    question="From the same first weights, what does the batch size change: the path, the end, or the time?",
    axis="epochs",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, epochs=1, max_steps=20) for arm in arms),
        "quick": arms,
        "full": tuple(arm.replace(name=arm.name, epochs=10 * arm.epochs) for arm in arms),
    },
    claims=(
        Claim(
            text="At equal epochs, minibatches of 64 beat the full batch.",
            kind="compare",
            metric="validation_accuracy",
            arms=("minibatch 64", "full batch"),
        ),
        Claim(
            text="They do so even when the full batch gets ten times the epochs.",
            kind="compare",
            metric="validation_accuracy",
            arms=("minibatch 64", "full batch, 10x epochs"),
        ),
        Claim(
            text="Minibatches of 16 are ahead of online training after equally many epochs.",
            kind="compare",
            metric="validation_accuracy",
            arms=("minibatch 16", "online (1)"),
        ),
        Claim(
            text="An epoch of minibatches of 64 takes less time than one of online training.",
            kind="compare",
            metric="train_s",
            arms=("minibatch 64", "online (1)"),
        ),
        Claim(
            text="The time of a step grows less than its batch, from 1 to 1024 samples.",
            kind="slope",
            metric="step_s",
            arms=("online (1)", *(arm.name for arm in minibatches)),
            over="batch_size",
            high=1.0,
        ),
        Claim(
            text="Larger batches make more of the hardware: the larger, the more samples a second.",
            kind="order",
            metric="samples_per_s",
            arms=("minibatch 256", "minibatch 16", "online (1)"),
            slide="C5",
        ),
        Claim(
            text="They go on doing so: 1024 has at least 1.5 times the throughput of 256.",
            kind="compare",
            metric="samples_per_s",
            arms=("minibatch 1024", "minibatch 256"),
            margin=0.5,
            slide="C5",
        ),
    ),
    repeat="blocks",
    plots=("verdicts", "accuracy_by_budget", "loss_by_step", "by_factor", "roofline"),
    factor="batch_size",
    slides=("C3", "C5"),
    remember="At equal epochs a larger batch means fewer steps: compare on the axis that you pay for.",
)


def test_batching(arm, train_benchmark):
    train_benchmark(arm)
