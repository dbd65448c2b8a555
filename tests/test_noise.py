"""The noise meter on recorded counters: every expected figure is worked out by hand beside its test."""

import json
import os
import shutil
import sys
import threading
from collections import namedtuple

import pytest

from fakes import FakeClock
from nnbench.meters.noise import Noise, NoiseMeter, between, flags, worst
from nnbench.records import QUALITY_FLAGS

UNKNOWN = {name: "not read" for name in Noise.__dataclass_fields__ if name not in ("wall_s", "unknown")}
Usage = namedtuple("Usage", "cpu_s switches")

# Recorded on a virtual machine of two cores; the lines behind the first are not read.
STAT = "cpu  1518803 86579 186971 3022743 42876 0 1981 2980 0 0\ncpu0 543269 42526 73693 1762065 6223 0 496 1516 0 0\n"
PRESSURE = "some avg10=0.05 avg60=0.03 avg300=0.10 total=1407348916\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
LOADAVG = "0.25 0.16 0.32 1/92 3769\n"
THREAD_STAT = (
    "3765 (py) (x y) R 3761 3761 1206 0 -1 4194304 103 0 0 0 0 0 0 0 20 0 1 0 2436762 3133440 362 "
    "18446744073709551615 94515307978752 94515307998633 140732348954368 0 0 0 0 0 0 0 0 0 17 {core} 0 0 0 0 0 0 0\n"
)


class Machine:
    """A folder of procfs and sysfs texts, two clocks and a process's usage, all moved by the test."""

    def __init__(self, root):
        self.root, self.clock, self.usage, self.slept_ns = root, FakeClock(), Usage(0.0, 0), 0
        self.write("proc/stat", STAT)
        self.write("proc/pressure/cpu", PRESSURE)
        self.write("proc/loadavg", LOADAVG)
        self.on_core(1)
        for core in (0, 1):
            self.cpu(core, "cpufreq/scaling_cur_freq", "3000000\n")
            self.cpu(core, "cpufreq/scaling_governor", "performance\n")
            self.cpu(core, "thermal_throttle/core_throttle_count", "5\n")
            self.cpu(core, "thermal_throttle/package_throttle_count", "7\n")
        self.thread(100, run_s=10, wait_s=1)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def cpu(self, core, path, text):
        self.write(f"sys/devices/system/cpu/cpu{core}/{path}", text)

    def on_core(self, core):
        self.write("proc/thread-self/stat", THREAD_STAT.format(core=core))

    def thread(self, number, *, run_s, wait_s):
        self.write(f"proc/self/task/{number}/schedstat", f"{round(run_s * 1e9)} {round(wait_s * 1e9)} 2\n")

    def end_thread(self, number):
        shutil.rmtree(self.root / f"proc/self/task/{number}")

    def remove(self, path):
        (self.root / path).unlink()

    def meter(self, **options):
        return NoiseMeter(
            self.root, clock=self.clock, boot_clock=lambda: self.clock.now_ns + self.slept_ns,
            usage=lambda: self.usage, **{"cores": (0, 1), **options},
        )  # fmt: skip

    def region(self, change=lambda: None, wall_s=2.0, **options):
        """The noise of a region of *wall_s* seconds in which *change* happens."""
        meter = self.meter(**options)
        before = meter.snapshot()
        if (self.root / "proc/stat").exists() and "3022743" in (self.root / "proc/stat").read_text():
            self.write(
                "proc/stat", STAT.replace("3022743", str(3022743 + int(wall_s * 200)))
            )  # two idle cores
        change()
        self.clock.advance_s(wall_s)
        return between(before, meter.snapshot())


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


# known answers


def test_cpu_wait_and_switches(machine):
    """In 2 s: 1.5 s of computing and 0.3 s of waiting are 75 % and 15 %."""

    def change():
        machine.thread(100, run_s=11.5, wait_s=1.3)
        machine.usage = Usage(1.5, 42)

    noise = machine.region(change)
    assert noise.wall_s == 2.0
    assert noise.cpu_share == pytest.approx(0.75)
    assert noise.wait_share == pytest.approx(0.15)
    assert noise.wait_s == pytest.approx(0.3)
    assert noise.involuntary_switches == 42
    assert flags(noise) == ("NOISY",)
    assert dict(noise.unknown) == {}


def test_steal_pressure_and_load(machine):
    """Steal 2980 -> 3010 of 30 + 370 more jiffies: 7.5 %. Pressure 500,000 µs of 2 s: 25 %."""

    def change():
        machine.write("proc/stat", "cpu  1519003 86579 186971 3022913 42876 0 1981 3010 0 0\n")
        machine.write("proc/pressure/cpu", PRESSURE.replace("1407348916", "1407848916"))
        machine.write("proc/loadavg", "1.75 0.16 0.32 1/92 3769\n")

    noise = machine.region(change)
    assert noise.steal_share == pytest.approx(30 / 400)
    assert noise.pressure_share == pytest.approx(0.25)
    assert noise.load_1min == 1.75
    assert flags(noise) == ()


def test_frequency_compares_the_working_core_with_itself(machine):
    """3.0 -> 2.8 GHz on the core at work is a spread of 7.1 %; an idle core at 0.8 GHz is none."""

    def change():
        machine.cpu(1, "cpufreq/scaling_cur_freq", "2800000\n")
        machine.cpu(0, "cpufreq/scaling_cur_freq", "800000\n")

    noise = machine.region(change)
    assert noise.freq_spread == pytest.approx(3.0 / 2.8 - 1)
    assert (noise.freq_min_mhz, noise.freq_max_mhz) == (800, 3000)
    assert noise.governor == "performance"
    assert flags(noise) == ("NOISY",)


def test_an_idle_core_alone_is_no_spread(machine):
    noise = machine.region(lambda: machine.cpu(0, "cpufreq/scaling_cur_freq", "800000\n"))
    assert noise.freq_spread == 0
    assert flags(noise) == ()


def test_moving_to_a_slower_core_is_a_spread(machine):
    machine.cpu(0, "cpufreq/scaling_cur_freq", "2000000\n")
    noise = machine.region(lambda: machine.on_core(0))
    assert noise.freq_spread == pytest.approx(0.5)


@pytest.mark.parametrize("part", ["core", "package"])
def test_throttling_is_noisy(machine, part):
    noise = machine.region(lambda: machine.cpu(0, f"thermal_throttle/{part}_throttle_count", "9\n"))
    assert noise.throttled == {"core": 4, "package": 2}[part]
    assert flags(noise) == ("NOISY",)


def test_a_machine_that_slept_is_a_matter_of_the_clock(machine):
    def change():
        machine.slept_ns = 3_600_000_000_000

    noise = machine.region(change)
    assert noise.suspended_s == 3600
    assert flags(noise) == ("CLOCK",)


def test_of_many_cores_eight_are_read(machine):
    for core in range(2, 64):
        machine.cpu(core, "cpufreq/scaling_cur_freq", f"{1000 + core}000\n")
        machine.cpu(core, "thermal_throttle/core_throttle_count", "0\n")
        machine.cpu(core, "thermal_throttle/package_throttle_count", "0\n")
    meter = machine.meter(cores=range(64))
    read = meter.snapshot().readings["all_khz"]
    assert read == [3_000_000] + [(1000 + core) * 1000 for core in range(8, 64, 8)]


# threads that come and go


def test_the_thread_that_waited_longest_counts(machine):
    """Waits of 0.3, 0.5 and 1.9 s within 2 s: 95 %, not their sum of 135 %."""
    machine.thread(101, run_s=0, wait_s=0)

    def change():
        machine.thread(100, run_s=11, wait_s=1.3)
        machine.thread(101, run_s=0.1, wait_s=1.9)
        machine.thread(102, run_s=0.2, wait_s=0.5)  # began in between

    noise = machine.region(change)
    assert noise.wait_share == pytest.approx(0.95)
    assert noise.wait_s == pytest.approx(2.7)
    assert flags(noise) == ("INVALID",)


def test_a_share_never_exceeds_one(machine):
    """The counters are read a moment after the clock: a wait of 2.001 s in 2 s is all of it."""
    noise = machine.region(lambda: machine.thread(100, run_s=10, wait_s=3.001))
    assert noise.wait_share == 1.0


def test_a_thread_that_ended_idle_takes_nothing_along(machine):
    machine.thread(101, run_s=5, wait_s=4)

    def change():
        machine.end_thread(101)
        machine.thread(100, run_s=11.9, wait_s=1.02)
        machine.usage = Usage(1.95, 1)

    noise = machine.region(change)
    assert noise.wait_share == pytest.approx(0.01)
    assert flags(noise) == ()


def test_threads_that_ended_busy_leave_a_lower_bound(machine):
    """Used 3.0 s, of which the thread that is left ran 1.9: (3.0 - 1.9 - 0.01) / 2 = 54 % were others'."""

    def change():
        machine.thread(100, run_s=11.9, wait_s=1.3)
        machine.usage = Usage(3.0, 1)

    noise = machine.region(change)
    assert noise.wait_share == pytest.approx(0.15)
    assert "54%" in noise.unknown["wait_share"]
    assert flags(noise) == ("NOISY", "UNKNOWN")


def test_a_number_that_another_thread_took_over_starts_from_zero(machine):
    noise = machine.region(lambda: machine.thread(100, run_s=0.5, wait_s=0.4))
    assert noise.wait_s == pytest.approx(0.4)


def test_a_thread_that_ends_while_it_is_read_is_passed_over(machine):
    (machine.root / "proc/self/task/101").mkdir()  # listed, and its file is gone
    assert machine.region().wait_share == 0


# what cannot be read


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("proc/self/task/100/schedstat", {"wait_share", "wait_s"}),
        ("proc/stat", {"steal_share"}),
        ("proc/pressure/cpu", {"pressure_share"}),
        ("proc/loadavg", {"load_1min"}),
        ("proc/thread-self/stat", {"freq_spread", "governor"}),
        ("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", {"freq_min_mhz", "freq_max_mhz"}),
        ("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", {"throttled"}),
    ],
)
@pytest.mark.parametrize("content", [None, "", "no number\n", "-\n"])
def test_what_cannot_be_read_is_none_with_its_reason(machine, path, names, content):
    if content is None:
        machine.remove(path)
    else:
        machine.write(path, content)
    noise = machine.region()
    for name in names:
        assert getattr(noise, name) is None
        assert noise.unknown[name]
        assert str(machine.root) not in noise.unknown[name]
    assert set(noise.unknown) == names
    assert ("UNKNOWN" in flags(noise)) == ("wait_share" in names)


def test_what_vanishes_in_between_is_not_known_either(machine):
    noise = machine.region(lambda: machine.remove("proc/pressure/cpu"))
    assert noise.pressure_share is None
    assert noise.unknown["pressure_share"] == "/proc/pressure/cpu: No such file or directory"


def test_a_kernel_that_does_not_count_waits_is_unknown_and_not_quiet(machine):
    machine.write("proc/self/task/100/schedstat", "0 0 0\n")
    noise = machine.region()
    assert noise.wait_share is None
    assert "does not count" in noise.unknown["wait_share"]
    assert flags(noise) == ("UNKNOWN",)


def test_a_kernel_without_steal_is_not_one_without_neighbours(machine):
    machine.write("proc/stat", "cpu 1 2 3 4 5 6 7\n")
    assert machine.region().steal_share is None


def test_a_region_within_one_jiffy_has_no_share_of_them(machine):
    noise = machine.region(wall_s=0.004)
    assert noise.steal_share is None
    assert noise.unknown["steal_share"] == "/proc/stat: its counts did not move within 0.004 s"


def test_a_governor_that_is_missing_leaves_the_working_core_unknown(machine):
    machine.remove("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor")
    noise = machine.region()
    assert set(noise.unknown) == {"governor", "freq_spread"}
    assert noise.governor is None


def test_a_frequency_of_zero_is_none(machine):
    machine.cpu(1, "cpufreq/scaling_cur_freq", "0\n")
    assert machine.region().freq_spread is None


def test_pressure_that_is_switched_off_fails_when_it_is_read(machine, monkeypatch):
    read = os.read

    def off(handle, size):
        if os.readlink(f"/proc/self/fd/{handle}").endswith("pressure/cpu"):
            raise OSError(95, "Operation not supported")
        return read(handle, size)

    if not os.path.exists("/proc/self/fd"):
        pytest.skip("needs Linux's /proc to know which file is read")
    monkeypatch.setattr(os, "read", off)
    assert machine.region().unknown["pressure_share"] == "/proc/pressure/cpu: Operation not supported"


def test_a_system_without_any_of_it_knows_nothing_and_says_so(tmp_path):
    def missing():
        raise ImportError("No module named 'resource'")

    def no_clock():
        raise OSError("this system has no clock that goes on in sleep")

    clock = FakeClock()
    meter = NoiseMeter(tmp_path, clock=clock, boot_clock=no_clock, usage=missing, cores=(0,))
    before = meter.snapshot()
    clock.advance_s(1)
    noise = between(before, meter.snapshot())
    assert set(noise.unknown) == set(UNKNOWN)
    assert all(getattr(noise, name) is None for name in UNKNOWN)
    assert noise.unknown["suspended_s"] == "this system has no clock that goes on in sleep"
    assert flags(noise) == ("UNKNOWN",)


def test_a_none_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="cpu_share is None without a reason"):
        Noise(wall_s=1.0)


def test_snapshots_in_the_wrong_order_are_refused(machine):
    first = machine.meter().snapshot()
    machine.clock.advance_s(1)
    with pytest.raises(ValueError, match=r"1\.0 s before the first"):
        between(machine.meter().snapshot(), first)


# flags


def noise(**values):
    return Noise(
        wall_s=1.0, **values, unknown={name: why for name, why in UNKNOWN.items() if name not in values}
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"wait_share": 0.0}, ()),
        ({"wait_share": 0.10}, ()),
        ({"wait_share": 0.101}, ("NOISY",)),
        ({"wait_share": 0.30}, ("NOISY",)),
        ({"wait_share": 0.301}, ("INVALID",)),
        ({"wait_share": 0.0, "steal_share": 0.2}, ("NOISY",)),
        ({"wait_share": 0.0, "steal_share": 0.4}, ("INVALID",)),
        ({"wait_share": 0.0, "freq_spread": 0.05}, ()),
        ({"wait_share": 0.0, "freq_spread": 0.051}, ("NOISY",)),
        ({"wait_share": 0.0, "throttled": 1}, ("NOISY",)),
        ({"wait_share": 0.0, "suspended_s": 1.0}, ()),
        ({"wait_share": 0.5, "suspended_s": 1.1}, ("INVALID", "CLOCK")),
        ({"throttled": 1}, ("NOISY", "UNKNOWN")),
        ({}, ("UNKNOWN",)),
        ({"wait_share": 0.0, "pressure_share": 1.0, "involuntary_switches": 10**6, "load_1min": 99.0}, ()),
    ],
)
def test_flags(values, expected):
    assert flags(noise(**values)) == expected
    assert set(expected) <= set(QUALITY_FLAGS)


# several ranks


def test_the_worst_of_several(machine):
    quiet = noise(wait_share=0.01, cpu_share=0.99, freq_min_mhz=3000.0, governor="performance", throttled=0)
    loud = noise(wait_share=0.4, cpu_share=0.5, freq_min_mhz=2000.0, governor="powersave", throttled=2)
    both = worst([quiet, loud])
    assert (both.wait_share, both.cpu_share, both.freq_min_mhz, both.throttled) == (0.4, 0.5, 2000, 2)
    assert both.governor == "performance, powersave"
    assert flags(both) == ("INVALID",)
    assert worst([quiet]) == quiet


def test_one_rank_that_does_not_know_leaves_the_worst_unknown():
    both = worst([noise(wait_share=0.2), noise(cpu_share=1.0)])
    assert both.wait_share == 0.2
    assert both.unknown["wait_share"] == "not read"
    assert flags(both) == ("NOISY", "UNKNOWN")


def test_the_worst_of_none_is_refused():
    with pytest.raises(ValueError, match="no noise"):
        worst([])


def test_json_and_back(machine):
    found = machine.region(lambda: machine.remove("proc/stat"))
    values = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert Noise(**values) == found
    assert values["steal_share"] is None


# the real counters: signs only, since timing decides no test


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")
def test_a_thread_that_spins_on_the_same_core_is_seen():
    """One core, and a thread that computes with the GIL released: both cannot run, so one has waited."""
    if not os.path.exists("/proc/self/schedstat"):
        pytest.skip("this kernel does not count waits")
    allowed = os.sched_getaffinity(0)
    stop, data = threading.Event(), bytes(2**20)

    def spin():
        import zlib

        while not stop.is_set():
            zlib.crc32(data)

    spinner = threading.Thread(target=spin)
    os.sched_setaffinity(0, {min(allowed)})  # of this thread; the spinner inherits it
    try:
        meter = NoiseMeter()
        spinner.start()
        before = meter.snapshot()
        while True:  # until it shows, however long the machine takes
            spin_a_little()
            found = between(before, meter.snapshot())
            if found.wait_s > 0 or found.wall_s > 60:
                break
    finally:
        stop.set()
        spinner.join()
        os.sched_setaffinity(0, allowed)
    assert found.wait_s > 0
    assert found.wait_share > 0
    assert found.cpu_share > 0


def spin_a_little():
    import zlib

    zlib.crc32(bytes(2**22))
