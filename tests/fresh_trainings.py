"""Arms trained in a process of its own, in the order that its arguments give: what they came to, as hashes."""

import hashlib
import json
import sys

from nnbench.config import Arm

BASE = Arm(data="digits", model="mlp", model_args={"hidden": (32,), "dropout": 0.2}, batch_size=64, epochs=2)
ARMS = {
    "tensors": BASE,
    "adam": BASE.replace(optimizer="adam", lr=0.001),
    "cnn": BASE.replace(model="cnn", model_args={"channels": (4, 8)}, max_steps=10),
    "no workers": BASE.replace(loader="dataloader", loader_args={"num_workers": 0}),
    "two workers": BASE.replace(loader="dataloader", loader_args={"num_workers": 2}),
}


def digest(value):
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def came_to(arm, seed):
    """Hashes of the losses of all steps and epochs, of the weights, and of the accuracies."""
    from nnbench import measure

    record = measure(arm, seed=seed, memory=False)
    assert record.status == "OK", record.reason
    losses = [record.samples["step_loss"], record.curves["train_loss"], record.curves["validation_loss"]]
    accuracies = [record.curves["train_accuracy"], record.curves["validation_accuracy"]]
    return [digest(losses), record.weights_sha256, digest(accuracies)]


if __name__ == "__main__":
    seed, *names = sys.argv[1:]
    print(json.dumps({name: came_to(ARMS[name], int(seed)) for name in names}))
