"""Asked for the boot, does Grad-CAM point at the boot? And would a network that learned nothing?

The lecture: Grad-CAM shows where in the image the network found its class, the cat or the dog. Here they are
a trouser and a boot in one picture, each asked for in turn. Ink attracts any map, so that what counts is not
chance but the same network before its training, and with its weights drawn anew.
"""

from nnbench import Claim, Probe, Scenario

STATES = ("trained", "untrained", "head randomized", "all randomized")


def asked(state, **more):
    args = {"state": state, **more}
    return Probe(name=state, function="nnbench.studies.pointing:pointing_game", args=args, seeded=True)


scenario = Scenario(
    name="gradcam",
    statement="Grad-CAM shows where in the image the network found its class: cat or dog.",
    question="Asked for one garment of two, how often does the map point at it, trained and untrained?",
    axis="parameters",
    arms={
        "smoke": tuple(asked(state, epochs=1, samples=200) for state in STATES),
        "quick": tuple(map(asked, STATES)),
        "lecture": tuple(asked(state, epochs=6) for state in STATES),
        "full": tuple(asked(state, epochs=30) for state in STATES),
    },
    claims=(
        Claim(
            text="The trained network points at the right one in 19 of 20 pictures.",
            kind="between", metric="pointing_share", arms="trained", low=0.95,
        ),
        Claim(
            text="It does so more often than before its training, by 20 points at least.",
            kind="compare", metric="pointing_share", arms=("trained", "untrained"), margin=0.2,
        ),
        Claim(
            text="An untrained network points no better than chance, one half.",
            kind="between", metric="pointing_share", arms="untrained", high=0.55,
        ),
        Claim(
            text="With a new head the map is another one: its ranks hardly agree with the trained one's.",
            kind="between", metric="like_trained", arms="head randomized", high=0.5,
        ),
        Claim(
            text="With all weights new too.",
            kind="between", metric="like_trained", arms="all randomized", high=0.5,
        ),
        Claim(
            text="After a mean and a linear layer the map sums to the logit, less its bias.",
            kind="between", metric="completeness_error", arms="trained", high=1e-4,
        ),
    ),
    plots=("pointing_maps", "verdicts"),
    repeat="seeds",
    slides=("B12",),
    source="Selvaraju et al. 2017, eqs. 1 and 2; Adebayo et al. 2018",
    remember="A map that looks right proves little: show the untrained network's beside it.",
    inexact="A map points at ink even where nothing was learned: chance is no baseline.",
)  # fmt: skip


def test_gradcam(arm, probe_benchmark):
    probe_benchmark(arm)
