"""What probes of the lecture's scenarios call: a training or a calculation, and a question put to it.

One file per theme. A function takes plain values, and ``seed`` where chance has a part. It returns metrics;
with maps and paths to draw, a `nnbench.config.ProbeResult`. It reads no clock.
"""
