"""For each epoch a train loop, then a validation loop: what is each call of it good for?

The lecture walks through the control flow of a training. Here every call is left out once, in a loop as on
the slides, and what goes wrong is measured; nnbench's own loop has to pass the same questions. The sums of a
loader (60,000 samples in batches of 16 are 3,750 steps) are done beside it.
"""

from nnbench import Claim, Probe, Scenario

FLOW = "nnbench.studies.control_flow"
LOADER = "nnbench.studies.loader_arithmetic"
FORGOTTEN = ("nothing", "zero_grad", "eval", "no_grad", "train")


def without(call, **more):
    name = "by hand" if call == "nothing" else f"without {call}"
    return Probe(name=name, function=f"{FLOW}:loop_without", args={"forget": call, **more}, seeded=True)


def loops(**more):
    return (
        Probe(name="nnbench", function=f"{FLOW}:own_loop", args=more, seeded=True),
        *(without(call, **more) for call in FORGOTTEN),
    )


def exactly(text, metric, arm, value):
    return Claim(text=text, kind="exact", metric=metric, arms=arm, value=value)


def worse(text, arm, metric="validation_accuracy"):
    return Claim(text=text, kind="compare", metric=metric, arms=("by hand", arm))


control_flow = Scenario(
    name="control-flow",
    statement="For each epoch a train loop, then a validation loop.",
    question="Which harm does each forgotten call do, and does nnbench's loop do any of it?",
    axis="epochs",
    arms={"smoke": loops(epochs=2), "quick": loops(), "full": loops(epochs=40)},
    claims=(
        exactly("nnbench takes a step for each of the 11 batches.", "steps_per_epoch", "nnbench", 11),
        exactly("It validates once an epoch, in one batch.", "validations_per_epoch", "nnbench", 1),
        exactly("No image that it is scored on has it trained on.", "seen_images", "nnbench", 0),
        exactly("Its validation changes nothing, neither weights nor the statistics of batch norm.",
                "changed_by_validation", "nnbench", 0),
        exactly("It keeps nothing for a backward pass.", "kept_by_validation", "nnbench", 0),
        Claim(text="No older gradient is in its steps.", kind="between", metric="left_over_gradient",
              arms="nnbench", high=1e-6),
        exactly("Asked twice, it says the same.", "tells_two_things", "nnbench", 0),
        Claim(text="Without zero_grad more than half of a step is older gradients.", kind="between",
              metric="left_over_gradient", arms="without zero_grad", low=0.5),
        worse("And it learns worse.", "without zero_grad"),
        exactly("Without eval validation changes the model.", "changed_by_validation", "without eval", 1),
        exactly("Asked twice, it says two things.", "tells_two_things", "without eval", 1),
        worse("And it tells less than the network can.", "without eval", "told_accuracy"),
        exactly("Without no_grad validation changes nothing.", "changed_by_validation", "without no_grad", 0),
        Claim(text="But every validation keeps hundreds of kilobytes for a backward pass that never comes.",
              kind="between", metric="kept_by_validation", arms="without no_grad", low=100_000),
        worse("Who does not go back to train() learns worse.", "without train"),
    ),
    plots=("call_trace", "verdicts"),
    repeat="seeds",
    slides=("D1",),
    source="torch documentation: Module.eval, no_grad, Optimizer.zero_grad",
    remember="Every call is there for a reason, and none of the omissions raises an error.",
)  # fmt: skip


def sums(name, samples, **more):
    return Probe(
        name=name, function=f"{LOADER}:loader_sums", args={"samples": samples, "batch_size": 16, **more}
    )


tenth = Probe(name="MNIST's x[10]", function=f"{LOADER}:label_at", args={"data": "mnist", "place": 10})
loaders = (
    sums("60,000", 60_000, shuffle=True),
    sums("42,000", 42_000, shuffle=True),
    sums("16,954", 16_954),
    sums("16,954, drop_last", 16_954, drop_last=True),
)

loader_sums = Scenario(
    name="loader-sums",
    statement="60,000 samples in batches of 16 are 3,750 steps; only training is shuffled.",
    question="How many steps has an epoch, what is left for the last, and in which order do they come?",
    axis="nothing",
    arms={"smoke": loaders, "quick": loaders, "lecture": (*loaders, tenth), "full": (*loaders, tenth)},
    claims=(
        exactly("60,000 samples in batches of 16 are 3,750 steps.", "loader_steps", "60,000", 3750),
        exactly("42,000 are 2,625.", "loader_steps", "42,000", 2625),
        exactly("16,954 are 1,060.", "loader_steps", "16,954", 1060),
        exactly("The last of them has 10 samples.", "last_batch", "16,954", 10),
        exactly("Without it they are 1,059.", "loader_steps", "16,954, drop_last", 1059),
        exactly("Shuffled, every epoch has another order.", "orders_differ", "60,000", 1),
        exactly("Each meets every sample.", "met_share", "60,000", 1),
        exactly("And none twice.", "met_twice", "60,000", 0),
        exactly("Not shuffled, they are the same.", "orders_differ", "16,954", 0),
        exactly("x[10] of MNIST is a 3.", "label", "MNIST's x[10]", 3),
    ),
    repeat="once",
    slides=("D7",),
    source="60000 / 16 = 3750; ceil(16954 / 16) = 1060",
    remember="The last batch is smaller: a mean of batch means is not the mean of the samples.",
)  # fmt: skip


def test_control_flow(arm, probe_benchmark):
    probe_benchmark(arm)


def test_loader_sums(arm, probe_benchmark):
    probe_benchmark(arm)
