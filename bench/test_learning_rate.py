"""How large may a step be? On a quadratic the answer can be computed, and a step beyond it blows up.

The lecture: w1 = w0 - rate x gradient; too small a rate is slow, too large a one diverges. Least squares on
the digits have a greatest rate, 2 over the largest eigenvalue of the Hessian; momentum moves it.
"""

from nnbench import Claim, Probe, Scenario

FACTORS = (0.5, 0.9, 0.98, 1.02, 1.1)


def descent(name, factor, **more):
    args = {"factor": factor, **more}
    return Probe(name=name, function="nnbench.studies.descent:edge_of_divergence", args=args)


steps = (
    *(descent(f"{factor} of the edge", factor) for factor in FACTORS),
    descent("momentum, 0.98", 0.98, momentum=0.9),
    descent("momentum, 1.02", 1.02, momentum=0.9),
)

edge_of_divergence = Scenario(
    name="edge-of-divergence",
    statement="Too small a rate is slow, too large a one diverges.",
    question="Is there one rate below which descent on the digits converges, and above which it blows up?",
    axis="steps",
    arms={"smoke": steps, "quick": steps, "full": steps},
    claims=(
        Claim(
            text="The largest eigenvalue of the Hessian is 10.4553.",
            kind="exact", metric="sharpness", arms="0.98 of the edge", value=10.4553, margin=5e-5,
        ),
        Claim(
            text="The edge is at a rate of 0.19129.",
            kind="exact", metric="edge_rate", arms="0.98 of the edge", value=0.19129, margin=5e-6,
        ),
        Claim(text="At 0.98 of it descent converges.", kind="exact", metric="converged",
              arms="0.98 of the edge", value=1),
        Claim(text="At 1.02 of it descent blows up.", kind="exact", metric="converged",
              arms="1.02 of the edge", value=0),
        Claim(
            text="A momentum of 0.9 moves the edge by a factor of 1.9, to 0.36345.",
            kind="exact", metric="edge_rate", arms="momentum, 0.98", value=0.36345, margin=5e-6,
        ),
        Claim(text="With momentum too: at 0.98 of it descent converges.", kind="exact", metric="converged",
              arms="momentum, 0.98", value=1),
        Claim(text="And at 1.02 it blows up.", kind="exact", metric="converged", arms="momentum, 1.02",
              value=0),
    ),
    plots=("losses_at_the_edge",),
    repeat="once",
    slides=("C1",),
    source="Polyak 1964: 2 (1 + m) / lambda",
    remember="Divergence has an edge, and it is set by the sharpest direction.",
)  # fmt: skip


def test_edge_of_divergence(arm, probe_benchmark):
    probe_benchmark(arm)
