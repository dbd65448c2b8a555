"""The one registry of metrics: what a number in a record means and how it is printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What a number in a record means.

    Attributes:
        unit: as printed, after scaling; empty for a count.
        scale: multiply the recorded number by it to print it in *unit*.
        better: "higher", "lower", or None where neither is.
        nature: "exact" (arithmetic), "learned" (varies with the seed), "share" (of trials, whose number the
            same record holds as `TRIALS`), "timed", "energy", "memory".
        margin: smallest difference that a claim takes for one, in the recorded number's unit.
    """

    name: str
    label: str
    unit: str = ""
    scale: float = 1.0
    better: str | None = None
    nature: str = "exact"
    margin: Mapping[str, float] = field(default_factory=dict)


TRIALS = "trials"
_POINT = {"smoke": 0.01, "quick": 0.01, "lecture": 0.01, "full": 0.003}
_LEARNED: dict[str, Any] = {"nature": "learned"}
# What a range test may pick, in words.
RATE_RULES: Mapping[str, str] = {
    "start": "steepest before the least",
    "steepest": "steepest anywhere",
    "tenth": "a tenth of the least's",
    "least": "least loss",
}
# Where a training step spends its time; with `other` they sum to the time of the train loop.
PHASES = ("load", "copy", "forward", "backward", "communication", "optimizer", "other")

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="validation_accuracy", label="validation accuracy", unit="%", scale=100,
               better="higher", margin=_POINT, **_LEARNED),
        Metric(name="validation_loss", label="validation loss", unit="nat", better="lower", **_LEARNED),
        Metric(name="train_accuracy", label="training accuracy", unit="%", scale=100,
               better="higher", margin=_POINT, **_LEARNED),
        Metric(name="train_loss", label="training loss", unit="nat", better="lower", **_LEARNED),
        Metric(name="train_s", label="training time", unit="s", better="lower", nature="timed"),
        Metric(name="epoch_s", label="time per epoch", unit="s", better="lower", nature="timed"),
        Metric(name="step_s", label="time per step", unit="ms", scale=1e3, better="lower", nature="timed"),
        Metric(name="samples_per_s", label="throughput", unit="samples/s", better="higher", nature="timed"),
        Metric(name="target_s", label="time to target", unit="s", better="lower", nature="timed"),
        Metric(name="validation_s", label="validation time", unit="s", better="lower", nature="timed"),
        Metric(name="warmup_s", label="warm-up", unit="s", nature="timed"),
        Metric(name="compile_s", label="compile, capture", unit="s", better="lower", nature="timed"),
        Metric(name="step_p90_s", label="step, 90 %", unit="ms", scale=1e3, better="lower", nature="timed"),
        Metric(name="step_p99_s", label="step, 99 %", unit="ms", scale=1e3, better="lower", nature="timed"),
        *(
            Metric(name=f"{phase}_s", label=f"{phase} per step", unit="ms", scale=1e3, better="lower",
                   nature="timed")
            for phase in PHASES
        ),
        Metric(name="observing_share", label="cost of looking at phases", unit="%", scale=100,
               better="lower", nature="timed"),
        Metric(name="command_s", label="wall time", unit="s", better="lower", nature="timed"),
        Metric(name="energy_j", label="energy", unit="J", better="lower", nature="energy"),
        Metric(name="sample_j", label="energy per sample", unit="mJ", scale=1e3, better="lower",
               nature="energy"),
        Metric(name="flops_per_sample", label="FLOPs per sample", unit="MFLOP", scale=1e-6, better="lower"),
        Metric(name="flops_per_s", label="arithmetic", unit="GFLOP/s", scale=1e-9, better="higher",
               nature="timed"),
        Metric(name="mfu", label="share of the matrix-product peak", unit="%", scale=100, better="higher",
               nature="timed"),
        Metric(name="peak_flops_per_s", label="matrix-product peak", unit="GFLOP/s", scale=1e-9,
               better="higher", nature="timed"),
        Metric(name="moved_bytes", label="moved per step, at least", unit="MiB", scale=2**-20,
               better="lower"),
        Metric(name="bandwidth_bytes_per_s", label="bandwidth", unit="GB/s", scale=1e-9, better="higher",
               nature="timed"),
        Metric(name="limit_share", label="of the device's limit", unit="%", scale=100, better="higher",
               nature="timed"),
        Metric(name="seed_s", label="time per seed", unit="ms", scale=1e3, better="lower", nature="timed"),
        Metric(name="probe_s", label="probe time", unit="ms", scale=1e3, better="lower", nature="timed"),
        Metric(name="peak_bytes", label="peak memory", unit="MiB", scale=2**-20, better="lower",
               nature="memory"),
        Metric(name="parameter_bytes", label="parameters", unit="MiB", scale=2**-20, better="lower"),
        Metric(name="gradient_bytes", label="gradients", unit="MiB", scale=2**-20, better="lower"),
        Metric(name="optimizer_bytes", label="optimizer state", unit="MiB", scale=2**-20, better="lower"),
        Metric(name="activation_bytes", label="activations", unit="MiB", scale=2**-20, better="lower"),
        Metric(name="rest_bytes", label="rest of the peak", unit="MiB", scale=2**-20, nature="memory"),
        Metric(name="reserved_bytes", label="reserved by the allocator", unit="MiB", scale=2**-20,
               better="lower", nature="memory"),
        Metric(name="device_used_bytes", label="used on the device", unit="MiB", scale=2**-20,
               better="lower", nature="memory"),
        Metric(name="parameters", label="parameters", better="lower"),
        Metric(name="receptive_field", label="receptive field", unit="px", better="higher"),
        Metric(name="layers", label="layers"),
        Metric(name="macs", label="multiply-adds per image", better="lower"),
        Metric(name="steps", label="steps"),
        Metric(name="samples", label="samples"),
        Metric(name="epochs", label="epochs"),
        Metric(name=TRIALS, label="trials"),
        # Grad-CAM
        Metric(name="pointing_share", label="maps that point at the garment asked for", unit="%", scale=100,
               better="higher", margin=_POINT, **_LEARNED),
        Metric(name="empty_maps", label="maps that are 0 everywhere", unit="%", scale=100, better="lower",
               **_LEARNED),
        Metric(name="canvas_accuracy", label="accuracy on single garments", unit="%", scale=100,
               better="higher", margin=_POINT, **_LEARNED),
        Metric(name="like_trained", label="rank correlation with the trained map", **_LEARNED),
        Metric(name="completeness_error", label="sum of the map against the logit", better="lower",
               **_LEARNED),
        # descent
        Metric(name="sharpness", label="largest eigenvalue of the Hessian"),
        Metric(name="edge_rate", label="greatest rate that converges"),
        Metric(name="loss_growth", label="last loss over first", better="lower"),
        Metric(name="converged", label="converged", better="higher"),
        Metric(name="sharpness_reached", label="sharpness at equal loss", better="lower", **_LEARNED),
        Metric(name="sharpness_times_rate", label="sharpness x rate, late", **_LEARNED),
        Metric(name="start_times_rate", label="sharpness x rate, first weights", **_LEARNED),
        Metric(name="in_deep_well", label="runs that end in the deep well", unit="%", scale=100,
               better="higher", nature="share"),
        Metric(name="ever_escaped", label="runs that were ever there", unit="%", scale=100, better="higher",
               nature="share"),
        Metric(name="drawn_floor", label="loss at which it stays", better="lower", **_LEARNED),
        Metric(name="floor_formula", label="by the formula", better="lower"),
        Metric(name="floor_error", label="simulation against formula", better="lower", **_LEARNED),
        Metric(name="excess_loss", label="loss above the least", better="lower", **_LEARNED),
        Metric(name="step_rate", label="learning rate"),
        Metric(name="distinct_share", label="samples met in an epoch", unit="%", scale=100, better="higher",
               **_LEARNED),
        Metric(name="accuracy_spread", label="spread of the accuracy over orders", better="lower"),
        Metric(name="mean_accuracy", label="mean accuracy over orders", unit="%", scale=100, better="higher"),
        Metric(name="rising_share", label="steps whose loss rises", unit="%", scale=100, better="lower"),
        # pooling, stride, padding, dilation
        Metric(name="output_side", label="side of the output", unit="px"),
        Metric(name="formula_error", label="formula against torch", unit="px", better="lower"),
        Metric(name="change_by_shift", label="change by a shift", better="lower", **_LEARNED),
        Metric(name="change_by_scale", label="change by a scaling", better="lower", **_LEARNED),
        Metric(name="order_difference", label="change by the order", better="lower", **_LEARNED),
        Metric(name="activated_first", label="elements activated before pooling", better="lower"),
        Metric(name="activated_last", label="elements activated after pooling", better="lower"),
        Metric(name="coverage", label="pixels looked at", unit="%", scale=100, better="higher"),
        Metric(name="lesion_change", label="change by a lesion of 1 px", better="higher", **_LEARNED),
        Metric(name="corner_uses", label="uses of a corner"),
        Metric(name="edge_uses", label="uses of an edge"),
        Metric(name="inner_uses", label="uses inside"),
        Metric(name="density", label="pixels seen within the field", unit="%", scale=100, better="higher"),
        *(
            Metric(name=f"lesion_{side}_recall", label=f"lesions of {side} px found", unit="%", scale=100,
                   better="higher", margin=_POINT, **_LEARNED)
            for side in (1, 2, 4, 8)
        ),
        Metric(name="false_alarms", label="false alarms", unit="%", scale=100, better="lower", **_LEARNED),
        Metric(name="fine_accuracy", label="accuracy, fine task", unit="%", scale=100, better="higher",
               margin=_POINT, **_LEARNED),
        Metric(name="far_accuracy", label="accuracy, far task", unit="%", scale=100, better="higher",
               margin=_POINT, **_LEARNED),
        *(
            Metric(name=f"scaled_{percent}_accuracy", label=f"accuracy at {percent} % of the size", unit="%",
                   scale=100, better="higher", margin=_POINT, **_LEARNED)
            for percent in (50, 75, 125, 150)
        ),
        # receptive fields
        Metric(name="seen_pixels", label="pixels seen in a row", unit="px", better="higher"),
        *(
            Metric(name=f"{drawn}{name}", label=label, unit=unit, better=better,
                   nature="learned" if drawn else "exact")
            for drawn in ("", "drawn_")
            for name, label, unit, better in (
                ("effective_field", "effective field", "px", "higher"),
                ("effective_share", "effective over theoretical field", "", "higher"),
                ("field_spread", "spread of the field", "px", "higher"),
                ("gaussian_likeness", "correlation with a Gaussian", "", "higher"),
                ("excess_kurtosis", "excess kurtosis", "", None),
                ("field_per_parameter", "effective field per parameter", "px", "higher"),
            )
        ),
        # activations
        Metric(name="linear_error", label="distance from a linear map", better="lower"),
        Metric(name="gradient_ratio", label="gradient, first layer over last", **_LEARNED),
        # XOR
        Metric(name="best_linear_accuracy", label="accuracy of the best line", unit="%", scale=100,
               better="higher"),
        Metric(name="xor_loss", label="loss", unit="nat", better="lower"),
        Metric(name="from_half", label="farthest from one half", better="lower"),
        Metric(name="cycle_epochs", label="cycle", unit="epochs"),
        Metric(name="least_wrong", label="least corners wrong", better="lower"),
        Metric(name="xor_solved", label="first weights that learn XOR", unit="%", scale=100, better="higher",
               nature="share"),
        # optimizers
        Metric(name="walked_distance", label="distance walked"),
        Metric(name="walk_first_step", label="first step"),
        Metric(name="walk_last_step", label="last step"),
        Metric(name="steps_to_bottom", label="steps to the bottom", better="lower"),
        Metric(name="surface_height", label="height at the end", better="lower"),
        Metric(name="chosen_rate", label="rate chosen"),
        Metric(name="chosen_at_edge", label="rate at the edge of its grid"),
        Metric(name="effective_rate_log10", label="best rate / (1 - momentum), log10", **_LEARNED),
        Metric(name="good_rates_decades", label="width of the good rates", unit="decades", better="higher",
               margin=dict.fromkeys(_POINT, 0.1), **_LEARNED),
        Metric(name="race_score", label="score of the race, by steps", better="higher",
               margin=dict.fromkeys(_POINT, 0.05), **_LEARNED),
        Metric(name="race_score_s", label="score of the race, by seconds", better="higher", nature="timed"),
        Metric(name="untuned_loss", label="accuracy lost at torch's own rate", unit="%", scale=100,
               better="lower", margin=_POINT, **_LEARNED),
        # the rate to start with, and schedules
        *(
            metric
            for rule, label in RATE_RULES.items()
            for metric in (
                Metric(name=f"{rule}_rate", label=f"rate: {label}"),
                Metric(name=f"{rule}_octaves", label=f"{label}, above the best rate", unit="octaves",
                       **_LEARNED),
                Metric(name=f"{rule}_loss", label=f"accuracy lost: {label}", unit="%", scale=100,
                       better="lower", margin=_POINT, **_LEARNED),
            )
        ),
        Metric(name="best_rate_octaves", label="best rate, above 1", unit="octaves", **_LEARNED),
        Metric(name="slow_rate_loss", label="accuracy lost at a 64th of the best rate", unit="%", scale=100,
               better="lower", margin=_POINT, **_LEARNED),
        Metric(name="cliff_octaves", label="cliff above the best rate", unit="octaves", **_LEARNED),
        Metric(name="blow_up_octaves", label="blow-up above the best rate", unit="octaves", **_LEARNED),
        Metric(name="first_rate", label="rate of the first step, of the peak"),
        Metric(name="last_rate", label="rate of the last step, of the peak"),
        Metric(name="highest_rate", label="highest rate, of the peak"),
        Metric(name="mean_rate", label="mean rate, of the peak"),
        Metric(name="turns", label="turns up or down"),
        # paths of trainings
        *(
            Metric(name=f"detour_{batch}", label=f"path by distance, {words}", better="lower", **_LEARNED)
            for batch, words in (("full", "full batch"), ("64", "batches of 64"), ("1", "online"))
        ),
        Metric(name="plane_share", label="variance of the paths in the plane", unit="%", scale=100,
               **_LEARNED),
        Metric(name="first_tenth_share", label="gain in the first tenth", unit="%", scale=100, **_LEARNED),
        Metric(name="last_half_share", label="gain in the last half", unit="%", scale=100, **_LEARNED),
        # control flow, loaders, tensors
        Metric(name="told_accuracy", label="accuracy as its validation tells it", unit="%", scale=100,
               better="higher", margin=_POINT, **_LEARNED),
        Metric(name="left_over_gradient", label="older gradients in the last step", unit="%", scale=100,
               better="lower", **_LEARNED),
        Metric(name="changed_by_validation", label="validation changes the model", better="lower"),
        Metric(name="kept_by_validation", label="kept for a backward pass in validation", unit="KiB",
               scale=2**-10, better="lower"),
        Metric(name="seen_images", label="scored images that it has trained on", better="lower"),
        Metric(name="tells_two_things", label="two validations differ", better="lower"),
        Metric(name="steps_per_epoch", label="training steps per epoch"),
        Metric(name="validations_per_epoch", label="validation batches per epoch"),
        Metric(name="loader_steps", label="batches of an epoch"),
        Metric(name="last_batch", label="samples of the last batch"),
        Metric(name="met_share", label="samples met in an epoch, by a loader", unit="%", scale=100,
               better="higher"),
        Metric(name="met_twice", label="samples met twice", better="lower"),
        Metric(name="orders_differ", label="epochs differ in order"),
        Metric(name="label", label="label"),
        Metric(name="images", label="images"),
        Metric(name="train_images", label="training images"),
        Metric(name="validation_images", label="validation images"),
        Metric(name="distinct_images", label="distinct images"),
        Metric(name="leaked_images", label="validation images that are also in training", better="lower"),
        Metric(name="leaked_share", label="share of these", unit="%", scale=100, better="lower"),
        Metric(name="classes", label="classes"),
        Metric(name="cross_entropy", label="cross-entropy", unit="nat", better="lower"),
        Metric(name="by_hand_loss", label="by hand", unit="nat", better="lower"),
        Metric(name="naive_loss", label="softmax, then logarithm", unit="nat", better="lower"),
        Metric(name="naive_is_finite", label="that is a number", better="higher"),
        Metric(name="softmax_twice_loss", label="after a softmax of one's own", unit="nat", better="lower"),
        Metric(name="weight_rows", label="rows of the weight"),
        Metric(name="weight_columns", label="columns of the weight"),
        Metric(name="biases", label="biases"),
        Metric(name="output_rows", label="rows of the output"),
        Metric(name="output_columns", label="columns of the output"),
        Metric(name="layer_parameters", label="parameters of the layer"),
        Metric(name="layer_error", label="against sums written out", better="lower"),
        Metric(name="tensor_bytes", label="bytes of the batch", unit="MiB", scale=2**-20),
        Metric(name="view_shares", label="view looks at the same memory"),
        Metric(name="flatten_shares", label="flatten looks at the same memory"),
        Metric(name="permuted_view_works", label="view works after permute"),
        Metric(name="permuted_flatten_shares", label="flatten after permute looks at the same memory"),
        Metric(name="channels_last_equal", label="channels last has the same values"),
        Metric(name="contiguous_stride", label="from channel to channel, NCHW"),
        Metric(name="channels_last_stride", label="from channel to channel, channels last"),
        # embeddings
        Metric(name="neighbour_accuracy", label="accuracy of neighbours in the plane", unit="%", scale=100,
               better="higher", margin=_POINT, **_LEARNED),
        Metric(name="space_accuracy", label="accuracy of neighbours in the space", unit="%", scale=100,
               better="higher", margin=_POINT, **_LEARNED),
        Metric(name="silhouette", label="silhouette", better="higher",
               margin=dict.fromkeys(_POINT, 0.02), **_LEARNED),
        Metric(name="trustworthiness", label="trustworthiness", better="higher",
               margin=dict.fromkeys(_POINT, 0.002), **_LEARNED),
        # sharing weights
        Metric(name="equivariance_error", label="change under a shift", better="lower", **_LEARNED),
        *(
            Metric(name=f"shifted_{pixels}_accuracy", label=f"accuracy, moved by {pixels} px", unit="%",
                   scale=100, better="higher", margin=_POINT, **_LEARNED)
            for pixels in range(9)
        ),
        Metric(name="stage_channels", label="channels"),
        Metric(name="stage_side", label="side", unit="px"),
        Metric(name="stage_bytes", label="output of the stage", unit="MiB", scale=2**-20, better="lower"),
        Metric(name="kept_bytes", label="kept for the backward pass", unit="MiB", scale=2**-20,
               better="lower"),
        # approximation
        Metric(name="units", label="units", better="lower"),
        Metric(name="line_pieces", label="straight pieces"),
        Metric(name="sup_error", label="greatest error", better="lower"),
        Metric(name="rms_error", label="error (RMS)", better="lower"),
        Metric(name="drawn_sup_error", label="greatest error", better="lower", **_LEARNED),
        Metric(name="drawn_rms_error", label="error (RMS)", better="lower", **_LEARNED),
        Metric(name="best_rms_error", label="least error (RMS) of the restarts", better="lower", **_LEARNED),
        Metric(name="median_rms_error", label="median error (RMS) of the restarts", better="lower",
               **_LEARNED),
        Metric(name="found_share", label="restarts that find the function", unit="%", scale=100,
               better="higher", nature="share"),
        # steps against batch, noise of the gradient, large batches
        Metric(name="steps_to_target", label="steps to target", better="lower", **_LEARNED),
        Metric(name="samples_to_target", label="samples to target", better="lower", **_LEARNED),
        Metric(name="tuned_rate", label="rate, tuned", **_LEARNED),
        Metric(name="rate_at_edge", label="rate at the edge of its grid", better="lower"),
        Metric(name="least_steps", label="fewest steps, S_min", better="lower", **_LEARNED),
        Metric(name="critical_batch", label="critical batch, B_crit", **_LEARNED),
        Metric(name="critical_batch_error", label="error of the fit, at worst", unit="%", scale=100,
               better="lower", **_LEARNED),
        Metric(name="noise_scale", label="gradient noise scale", unit="samples", **_LEARNED),
        Metric(name="two_batch_noise_scale", label="noise scale, two batches", unit="samples", **_LEARNED),
        Metric(name="two_batch_ratio", label="two batches over exact", **_LEARNED),
        Metric(name="median_of_ratios", label="median of ratios over exact", **_LEARNED),
        Metric(name="foretold_ratio", label="noise scale over critical batch", **_LEARNED),
        Metric(name="chip_speedup", label="times as fast", better="higher"),
        Metric(name="chip_efficiency", label="speed-up per chip", unit="%", scale=100, better="higher"),
        Metric(name="chip_samples", label="samples of a step per chip"),
    )
}  # fmt: skip


def metric(name: str) -> Metric:
    """The registered metric, or a bare one for a number that a probe of the user's returns."""
    return METRICS.get(name, Metric(name=name, label=name.replace("_", " ")))


def heading(of: Metric) -> str:
    """Column head: label and unit."""
    return f"{of.label} [{of.unit}]" if of.unit else of.label


def number(value: float) -> str:
    """Three significant digits, with thousands separated."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e12 else f"{value:.3g}"
