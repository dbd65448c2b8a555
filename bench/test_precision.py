"""The same training by other means: fewer bits, another order in memory, a compiler, a recorded step.

The lecture's frameworks run a network layer by layer in 32-bit numbers, and promise more speed for a keyword.
``bf16`` multiplies in 16 bits with the exponent of 32, and keeps the weights in 32. ``channels_last`` lays
the channels of a pixel side by side. ``compiled`` is torch.compile. ``graph`` records a whole step on a GPU
once, and replays it. They change digits, or the order of sums, and not the mathematics: so first, does it
learn the same, and then, what does it bring? The MLP is small: what a step costs beside its arithmetic shows.

Compiling takes 10 to 40 s of a CPU. It comes before the first step and is counted apart (``compile_s``; torch
keeps on the disk what it compiled, so that later blocks take less), and is in ``full`` alone. Without a CUDA
device the arms of graphs are skipped, without a C++ compiler the compiled ones.
"""

from nnbench import Arm, Claim, Scenario

base = Arm(data="fashion-mini", optimizer="momentum", lr=0.02, batch_size=128, epochs=1)
cnn = base.replace(name="cnn", model="cnn", model_args={"channels": (16, 32), "init": "he"})
mlp = base.replace(name="mlp", model="mlp", model_args={"hidden": (128,), "init": "he"})

bf16 = {"precision": "bf16-mixed"}
channels_last = {"memory_format": "channels_last"}
compiled = {"execution": "compiled"}
graph = {"execution": "cuda-graph"}


def mode(of, name, **changes):
    return of.replace(name=f"{of.name}, {name}", **changes)


arms = (
    mode(cnn, "eager"),
    mode(cnn, "bf16", **bf16),
    mode(cnn, "channels_last", **channels_last),
    mode(cnn, "channels_last, bf16", **channels_last, **bf16),
    mode(cnn, "graph", **graph),
    mode(cnn, "graph, channels_last, bf16", **graph, **channels_last, **bf16),
    mode(mlp, "eager"),
    mode(mlp, "bf16", **bf16),
    mode(mlp, "graph", **graph),
)
compiled_arms = (
    mode(cnn, "compiled", **compiled),
    mode(cnn, "compiled, channels_last, bf16", **compiled, **channels_last, **bf16),
    mode(mlp, "compiled", **compiled),
)


def learns_the_same(how, one):
    text = f"A CNN learns the same {how}."
    return Claim(text=text, kind="equivalent", metric="validation_accuracy", arms=(one, "cnn, eager"))


def faster(text, one, other):
    return Claim(text=text, kind="compare", metric="epoch_s", arms=(one, other))


scenario = Scenario(
    name="precision",
    statement="Half the bits, a compiler or a recorded step train the same network, only faster.",
    question="Which way of running the same steps is faster on this machine, and which learns otherwise?",
    axis="epochs",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, max_steps=3) for arm in arms),
        "quick": tuple(arm.replace(name=arm.name, train_samples=3000) for arm in arms),
        "full": tuple(arm.replace(name=arm.name, epochs=10) for arm in (*arms, *compiled_arms)),
    },
    claims=(
        learns_the_same("with half the bits", "cnn, bf16"),
        learns_the_same("in another order in memory", "cnn, channels_last"),
        learns_the_same("with both", "cnn, channels_last, bf16"),
        learns_the_same("compiled", "cnn, compiled"),
        learns_the_same("by recorded steps", "cnn, graph"),
        faster("Half the bits make a CNN faster.", "cnn, bf16", "cnn, eager"),
        faster("So does another order in memory.", "cnn, channels_last", "cnn, eager"),
        faster("Both are faster than half the bits alone.", "cnn, channels_last, bf16", "cnn, bf16"),
        faster("Half the bits make a small MLP faster.", "mlp, bf16", "mlp, eager"),
        faster("A compiler makes a CNN faster.", "cnn, compiled", "cnn, eager"),
        faster("A compiler makes a small MLP faster.", "mlp, compiled", "mlp, eager"),
        faster("A recorded step makes a small MLP faster.", "mlp, graph", "mlp, eager"),
    ),
    plots=("verdicts", "overview"),
    repeat="blocks",
    remember="A keyword may double the speed or halve it: what it brings belongs to the machine. Measure.",
)


def test_precision(arm, train_benchmark):
    train_benchmark(arm)
