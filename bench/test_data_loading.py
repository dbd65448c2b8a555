"""Where do the batches come from, and what does the way cost?

The lecture reads every sample through a Dataset, and stacks samples by a DataLoader. Where the data fit into
memory, slicing a tensor gives the same batches. Workers prepare batches beside the training, in processes of
their own: what they bring must outweigh that each batch is handed over. The network is small, so that the way
to the batch shows. All arms without a transform learn the same, bit for bit; so do those with one.

``equalize`` stands for any transform of single images. Pinned memory speeds the copy to a GPU; without one
its arms are skipped.
"""

from nnbench import Arm, Claim, Scenario

base = Arm(
    data="fashion-mini", model="mlp", model_args={"hidden": (128,)}, optimizer="sgd", lr=0.05, batch_size=64,
    epochs=2,
)  # fmt: skip


def loader(name, **args):
    return base.replace(name=name, loader="dataloader", loader_args=args)


arms = (
    base.replace(name="slices"),
    loader("no workers"),
    loader("2 workers", num_workers=2),
    loader("2 workers, kept", num_workers=2, persistent_workers=True),
    loader("4 workers, kept", num_workers=4, persistent_workers=True),
    loader("no workers, pinned", pin_memory=True),
    loader("2 workers, kept, pinned", num_workers=2, persistent_workers=True, pin_memory=True),
    loader("equalize, no workers", transform="equalize"),
    loader("equalize, 2 workers, kept", transform="equalize", num_workers=2, persistent_workers=True),
    loader(
        "equalize, 2 workers, kept, prefetch 8",
        transform="equalize", num_workers=2, persistent_workers=True, prefetch_factor=8,
    ),
)  # fmt: skip

scenario = Scenario(
    name="data-loading",
    statement="A DataLoader feeds the network, and workers make it faster.",
    question="How long does an epoch take when its batches are sliced, loaded, or loaded by workers?",
    axis="epochs",
    arms={
        "smoke": tuple(arm.replace(name=arm.name, data="digits", epochs=1) for arm in arms),
        "quick": tuple(arm.replace(name=arm.name, train_samples=2400) for arm in arms),
        "full": tuple(arm.replace(name=arm.name, epochs=20) for arm in arms),
    },
    claims=(
        Claim(
            text="Slicing is more than 1.5 times as fast as a DataLoader without workers.",
            kind="compare",
            metric="epoch_s",
            arms=("slices", "no workers"),
            margin=0.5,
        ),
        Claim(
            text="Two workers make a DataLoader over data in memory faster.",
            kind="compare",
            metric="epoch_s",
            arms=("2 workers, kept", "no workers"),
        ),
        Claim(
            text="Four workers are faster than two.",
            kind="compare",
            metric="epoch_s",
            arms=("4 workers, kept", "2 workers, kept"),
        ),
        Claim(
            text="Workers that are kept are faster than those started for each epoch.",
            kind="compare",
            metric="epoch_s",
            arms=("2 workers, kept", "2 workers"),
        ),
        Claim(
            text="Where each image is transformed, two workers make it faster.",
            kind="compare",
            metric="epoch_s",
            arms=("equalize, 2 workers, kept", "equalize, no workers"),
        ),
        Claim(
            text="Pinned memory makes it faster.",
            kind="compare",
            metric="epoch_s",
            arms=("no workers, pinned", "no workers"),
        ),
    ),
    plots=("verdicts", "overview"),
    repeat="blocks",
    slides=("D7",),
    remember="Data in memory need no loader; workers pay where batches are dear to make and cheap to pass.",
)


def test_data_loading(arm, train_benchmark):
    train_benchmark(arm)
