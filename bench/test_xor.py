"""Pizza or pineapple, but not both: what no line can tell apart, and how often one hidden layer learns it.

The lecture: a perceptron cannot learn XOR, a network with a hidden layer can. That no linear model can is a
matter of four inequalities. That a hidden layer learns it depends on where it starts: what counts is from how
many first weights it does.
"""

from nnbench import Claim, Probe, Scenario

STUDY = "nnbench.studies.xor"
limits = (
    Probe(name="best line", function=f"{STUDY}:linear_limit"),
    Probe(name="logistic regression", function=f"{STUDY}:logistic_limit"),
    Probe(name="perceptron", function=f"{STUDY}:perceptron_rule"),
)

xor_limits = Scenario(
    name="xor-limits",
    statement="A perceptron cannot learn XOR.",
    question="How many of the four corners can a line get right, and where do linear models come to rest?",
    axis="nothing",
    arms={"smoke": limits, "quick": limits, "full": limits},
    claims=(
        Claim(
            text="The best line is right at three corners of four.",
            kind="exact", metric="best_linear_accuracy", arms="best line", value=0.75,
        ),
        Claim(
            text="Logistic regression ends at a loss of ln 2, 0.693147.",
            kind="exact", metric="xor_loss", arms="logistic regression", value=0.693147, margin=5e-7,
        ),
        Claim(
            text="It says one half at every corner.",
            kind="exact", metric="from_half", arms="logistic regression", value=0, margin=1e-6,
        ),
        Claim(
            text="The perceptron's rule is never right everywhere: it goes in circles.",
            kind="between", metric="cycle_epochs", arms="perceptron", low=1,
        ),
    ),
    plots=("linear_xor",),
    repeat="once",
    slides=("A1",),
    source="Minsky and Papert 1969; Rosenblatt 1958",
    remember="A linear model of XOR can do no better than chance, and three right of four is no learning.",
)  # fmt: skip


def net(activation, hidden, **more):
    args = {"hidden": hidden, "activation": activation, **more}
    return Probe(name=f"{activation}, {hidden}", function=f"{STUDY}:solve_rate", args=args)


ACTIVATIONS = ("sigmoid", "tanh", "relu", "gelu")
quick = (
    net("identity", 8, steps=800),
    *(net(activation, hidden, steps=1200) for activation in ACTIVATIONS for hidden in (1, 2, 4, 8)),
)
many = tuple(
    net(activation, hidden, trials=500, steps=4000)
    for activation in ("identity", *ACTIVATIONS)
    for hidden in (1, 2, 3, 4, 8)
)
parity = tuple(
    Probe(name=f"parity of {bits}", function=f"{STUDY}:solve_rate",
          args={"hidden": bits, "activation": "tanh", "bits": bits, "trials": 10000, "steps": 4000})
    for bits in range(2, 9)
)  # fmt: skip

xor_learned = Scenario(
    name="xor-learned",
    statement="One hidden layer learns XOR.",
    question="From how many of 200 first weights does a network 2-H-1 learn it, by activation and width?",
    axis="steps",
    arms={
        "smoke": tuple(net(activation, 2, trials=20, steps=20) for activation in ("identity", *ACTIVATIONS)),
        "quick": quick,
        "lecture": many,
        "full": (*many, *parity),
    },
    claims=(
        Claim(
            text="Without an activation no width learns it.",
            kind="rate", metric="xor_solved", arms="identity, 8", high=0.05,
        ),
        Claim(
            text="Two ReLU units are enough, as the slide has it: nine in ten learn it.",
            kind="rate", metric="xor_solved", arms="relu, 2", low=0.9,
        ),
        Claim(
            text="Eight are: nine in ten learn it.",
            kind="rate", metric="xor_solved", arms="relu, 8", low=0.9,
        ),
        Claim(
            text="Two tanh units learn it from about half of all first weights.",
            kind="rate", metric="xor_solved", arms="tanh, 2", low=0.35, high=0.65,
        ),
        Claim(
            text="One sigmoid unit never learns it: a single unit bends nothing back.",
            kind="rate", metric="xor_solved", arms="sigmoid, 1", high=0.05,
        ),
        Claim(
            text="One unit of GELU learns it from nine in ten: it falls before it rises.",
            kind="rate", metric="xor_solved", arms="gelu, 1", low=0.9,
        ),
    ),
    plots=("solve_rate", "decision_regions", "verdicts"),
    repeat="once",
    slides=("A1",),
    source="Clopper and Pearson 1934, over first weights",
    remember="'Can learn' is a rate over first weights: of two ReLU units one in five, of eight nearly all.",
    inexact="That a hidden layer can represent XOR does not make two units learn it.",
)  # fmt: skip


def test_xor_limits(arm, probe_benchmark):
    probe_benchmark(arm)


def test_xor_learned(arm, probe_benchmark):
    probe_benchmark(arm)
