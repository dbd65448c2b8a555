"""What does one more seed cost?

Nothing of what is learned can be believed from one seed, and many seeds take long. The steps of a small
network are mostly the calls of their operations, and those are the same for every seed. Here the seeds of a
network train as one batched model, each from its own first weights and in its own order, and are held against
seeds that train one after the other; both learn the same. What a seed costs falls with their number until the
arithmetic, and no longer the calls, takes the time.
"""

from nnbench import Claim, Probe, Scenario

NETS = {
    "XOR 2-4-2": {
        "data": "xor", "model_args": {"hidden": (4,), "activation": "tanh"}, "batch_size": "full",
        "epochs": 100,
    },
    "MLP 32/32, batch 16": {
        "data": "digits", "model_args": {"hidden": (32, 32)}, "batch_size": 16, "max_steps": 60,
    },
    "MLP 64/64, batch 1": {
        "data": "digits", "model_args": {"hidden": (64, 64)}, "batch_size": 1, "lr": 0.01, "max_steps": 100,
    },
}  # fmt: skip


def seeds_of(net, number, together=True):
    name = f"{net}, {number} as one" if together else f"{net}, one by one"
    args = {"arm": NETS[net], "seeds": number, "together": together}
    return Probe(name=name, function="nnbench.benchmarking.seed_costs:seed_cost", args=args)


def grid(**numbers):
    return tuple(
        arm
        for net, wanted in zip(NETS, numbers.values(), strict=True)
        for arm in (seeds_of(net, 2, together=False), *(seeds_of(net, number) for number in wanted))
    )


quick = grid(xor=(8, 200), small=(8, 32), online=(8, 32))

scenario = Scenario(
    name="many-seeds",
    statement="An experiment must be repeated under many seeds, which takes as many times as long.",
    question="What does a seed cost when many of them train as one model?",
    axis="nothing",
    arms={
        "smoke": quick,
        "quick": quick,
        "full": grid(xor=(2, 8, 32, 200, 1000), small=(2, 4, 8, 16, 32, 64), online=(2, 4, 8, 16, 32, 64)),
    },
    claims=(
        Claim(
            text="Of 200 XOR networks as one model, each takes a fiftieth of its time alone.",
            kind="compare",
            metric="seed_s",
            arms=("XOR 2-4-2, 200 as one", "XOR 2-4-2, one by one"),
            margin=49,
        ),
        Claim(
            text="Of 32 small networks as one model, each takes a fifth of its time alone.",
            kind="compare",
            metric="seed_s",
            arms=("MLP 32/32, batch 16, 32 as one", "MLP 32/32, batch 16, one by one"),
            margin=4,
        ),
        Claim(
            text="Eight networks that train online are 1.7 times as fast as one model.",
            kind="compare",
            metric="seed_s",
            arms=("MLP 64/64, batch 1, 8 as one", "MLP 64/64, batch 1, one by one"),
            margin=0.7,
        ),
    ),
    plots=("cost_per_seed", "verdicts"),
    repeat="blocks",
    remember="Seeds of a small network are cheap once they share its calls: ask for many.",
)


def test_many_seeds(arm, probe_benchmark):
    probe_benchmark(arm)
