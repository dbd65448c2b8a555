"""Energy from counters that the test moves: figures by hand, and a reason wherever there is none."""

import json
import math
import sys
from pathlib import Path

import pytest
import torch

from nnbench.meters.energy import NVML_TICK_S, RAPL_TICK_S, Energy, EnergyMeter

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
RANGE_UJ = 262_143_328_850  # of a Xeon: 2**32 units of 61 µJ


class FakeNvml:
    """NVML's three calls; *fails* names the one that does, *energy_mj* is moved by the test."""

    class NVMLError(Exception):
        pass

    class NVMLError_NotSupported(NVMLError):  # noqa: N801 - NVML's own name
        def __str__(self):
            return "Not Supported"

    def __init__(self, energy_mj, fails=None, error=None):
        self.energy_mj, self.fails = dict(energy_mj), fails
        self.error = error or self.NVMLError("Unknown Error")

    def _maybe_fail(self, name):
        if self.fails == name:
            raise self.error

    def nvmlInit(self):  # noqa: N802
        self._maybe_fail("nvmlInit")

    def nvmlDeviceGetHandleByUUID(self, uuid):  # noqa: N802
        self._maybe_fail("nvmlDeviceGetHandleByUUID")
        if uuid not in self.energy_mj:
            raise self.NVMLError("Not Found")
        return uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):  # noqa: N802
        self._maybe_fail("nvmlDeviceGetTotalEnergyConsumption")
        return self.energy_mj[handle]


class Rapl:
    """A powercap folder as Linux shows it: packages, their parts, the platform, and a second interface."""

    def __init__(self, root, **packages_uj):
        self.root = root
        for number, (name, energy_uj) in enumerate(packages_uj.items()):
            self.zone(f"intel-rapl:{number}", name.replace("_", "-"), energy_uj)

    def zone(self, zone, name, energy_uj, range_uj=RANGE_UJ):
        folder = self.root / "sys/class/powercap" / zone
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "energy_uj").write_text(f"{energy_uj}\n")
        (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
        return folder


def measured(meter, change, elapsed_s=10.0):
    meter.start()
    change()
    return meter.stop(elapsed_s)


# CPU


def test_a_package(tmp_path):
    """5,000,000 -> 65,000,000 µJ are 60 J."""
    rapl = Rapl(tmp_path, package_0=5_000_000)
    energy = measured(
        EnergyMeter(CPU, root=tmp_path), lambda: rapl.zone("intel-rapl:0", "package-0", 65_000_000)
    )
    assert energy == Energy(energy_j=60.0, reason=None, sources=("rapl:package-0",))
    assert energy.host_j is None


def test_packages_are_added_and_nothing_is_counted_twice(tmp_path):
    """60 J and 30 J; the cores, the platform and the memory-mapped twin moved too."""
    rapl = Rapl(tmp_path, package_0=0, package_1=0)
    others = {
        "intel-rapl:0:0": "core",
        "intel-rapl:1:0": "dram",
        "intel-rapl:2": "psys",
        "intel-rapl-mmio:0": "package-0",
    }
    for zone, name in others.items():
        rapl.zone(zone, name, 0)

    def change():
        rapl.zone("intel-rapl:0", "package-0", 60_000_000)
        rapl.zone("intel-rapl:1", "package-1", 30_000_000)
        for zone, name in others.items():
            rapl.zone(zone, name, 10**9)

    energy = measured(EnergyMeter(CPU, root=tmp_path), change)
    assert energy.energy_j == pytest.approx(90)
    assert energy.sources == ("rapl:package-0", "rapl:package-1")


def test_a_counter_that_starts_anew(tmp_path):
    """From 1 J below its range to 4 J: 5 J."""
    rapl = Rapl(tmp_path, package_0=RANGE_UJ - 1_000_000)
    energy = measured(
        EnergyMeter(CPU, root=tmp_path), lambda: rapl.zone("intel-rapl:0", "package-0", 4_000_000)
    )
    assert energy.energy_j == pytest.approx(5)


def test_a_region_in_which_it_may_have_done_so_twice_has_no_figure(tmp_path):
    """262,143 J at 500 W last for 524 s."""
    rapl = Rapl(tmp_path, package_0=0)
    meter = EnergyMeter(CPU, root=tmp_path)
    change = lambda: rapl.zone("intel-rapl:0", "package-0", 4_000_000)  # noqa: E731
    assert measured(meter, change, 524).energy_j == pytest.approx(4)
    rapl.zone("intel-rapl:0", "package-0", 0)
    assert "more than once" in measured(meter, change, 525).reason


@pytest.mark.parametrize("elapsed_s", [0.0099, 0.0, -1.0, math.nan])
def test_a_region_shorter_than_ten_ticks_has_no_figure(tmp_path, elapsed_s):
    rapl = Rapl(tmp_path, package_0=0)
    energy = measured(
        EnergyMeter(CPU, root=tmp_path), lambda: rapl.zone("intel-rapl:0", "package-0", 500_000), elapsed_s
    )
    assert energy.energy_j is None
    assert "is shorter than 10 updates of the counter" in energy.reason


def test_ten_ticks_are_enough(tmp_path):
    rapl = Rapl(tmp_path, package_0=0)
    energy = measured(
        EnergyMeter(CPU, root=tmp_path),
        lambda: rapl.zone("intel-rapl:0", "package-0", 500_000),
        10 * RAPL_TICK_S,
    )
    assert energy.energy_j == pytest.approx(0.5)


def test_a_counter_that_stood_still_is_not_zero_joules(tmp_path):
    Rapl(tmp_path, package_0=7)
    energy = measured(EnergyMeter(CPU, root=tmp_path), lambda: None)
    assert energy.energy_j is None
    assert energy.reason == "rapl:package-0 did not change within 10 s"
    assert energy.sources == ()


def test_a_machine_without_counters(tmp_path):
    assert (
        "no CPU package under /sys/class/powercap"
        in measured(EnergyMeter(CPU, root=tmp_path), lambda: None).reason
    )


def test_a_file_that_only_the_administrator_may_read(tmp_path, monkeypatch):
    """The tests may be run by the administrator, who may read everything."""
    Rapl(tmp_path, package_0=7)
    read_text = Path.read_text

    def guarded(self, *args, **kwargs):
        if self.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(self))
        return read_text(self, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", guarded)
    reason = measured(EnergyMeter(CPU, root=tmp_path), lambda: None).reason
    assert reason.startswith(
        "/sys/class/powercap/intel-rapl:0/energy_uj may be read by the administrator only"
    )
    assert "sudo chmod a+r /sys/class/powercap/intel-rapl:0/energy_uj" in reason
    assert str(tmp_path) not in reason


@pytest.mark.parametrize("content", ["", "many", "-3", "1.5"])
def test_a_file_that_holds_no_number(tmp_path, content):
    folder = Rapl(tmp_path).zone("intel-rapl:0", "package-0", content)
    reason = measured(EnergyMeter(CPU, root=tmp_path), lambda: None).reason
    assert reason.startswith("/sys/class/powercap/intel-rapl:0/energy_uj: expected a whole number")
    assert folder.exists()


def test_one_package_that_fails_takes_the_sum_with_it(tmp_path):
    rapl = Rapl(tmp_path, package_0=0, package_1=0)

    def change():
        rapl.zone("intel-rapl:0", "package-0", 60_000_000)
        (tmp_path / "sys/class/powercap/intel-rapl:1/energy_uj").unlink()

    energy = measured(EnergyMeter(CPU, root=tmp_path), change)
    assert energy.energy_j is None
    assert energy.reason == "/sys/class/powercap/intel-rapl:1/energy_uj: No such file or directory"


# GPU


def gpu_meter(root, nvml, uuids=("GPU-a",)):
    return EnergyMeter(GPU, root=root, nvml=nvml, uuids=uuids)


def test_a_gpu_and_its_host(tmp_path):
    """1,000,000 -> 1,250,000 mJ are 250 J; the packages beside it 60 J."""
    rapl, nvml = Rapl(tmp_path, package_0=0), FakeNvml({"GPU-a": 1_000_000})

    def change():
        nvml.energy_mj["GPU-a"] += 250_000
        rapl.zone("intel-rapl:0", "package-0", 60_000_000)

    energy = measured(gpu_meter(tmp_path, nvml), change)
    assert energy.energy_j == pytest.approx(250)
    assert energy.host_j == pytest.approx(60)
    assert (energy.reason, energy.host_reason) == (None, None)
    assert energy.sources == ("nvml:0",)


def test_only_the_gpus_that_are_named_are_added(tmp_path):
    nvml = FakeNvml({"GPU-a": 0, "GPU-b": 0, "GPU-c": 0})

    def change():
        nvml.energy_mj = {"GPU-a": 100_000, "GPU-b": 1_000_000, "GPU-c": 30_000}

    energy = measured(gpu_meter(tmp_path, nvml, ("GPU-a", "GPU-c", "GPU-a")), change)
    assert energy.energy_j == pytest.approx(130)
    assert energy.sources == ("nvml:0", "nvml:1")


def test_a_host_without_counters_beside_a_gpu_with_one(tmp_path):
    nvml = FakeNvml({"GPU-a": 0})
    energy = measured(gpu_meter(tmp_path, nvml), lambda: nvml.energy_mj.update({"GPU-a": 5000}))
    assert energy.energy_j == pytest.approx(5)
    assert energy.host_j is None
    assert "no CPU package" in energy.host_reason


@pytest.mark.parametrize(("elapsed_s", "known"), [(0.05, False), (0.99, False), (10 * NVML_TICK_S, True)])
def test_a_gpu_needs_a_second(tmp_path, elapsed_s, known):
    nvml = FakeNvml({"GPU-a": 0})
    energy = measured(gpu_meter(tmp_path, nvml), lambda: nvml.energy_mj.update({"GPU-a": 5000}), elapsed_s)
    assert (energy.energy_j is not None) == known
    if elapsed_s == 0.05:
        assert energy.reason.startswith("window of 0.05 s is shorter than 10 updates of the counter")


def test_a_driver_that_was_loaded_anew(tmp_path):
    nvml = FakeNvml({"GPU-a": 9000})
    energy = measured(gpu_meter(tmp_path, nvml), lambda: nvml.energy_mj.update({"GPU-a": 10}))
    assert energy.reason == "nvml:0 went back: its driver was loaded anew"


@pytest.mark.parametrize(
    "function", ["nvmlInit", "nvmlDeviceGetHandleByUUID", "nvmlDeviceGetTotalEnergyConsumption"]
)
def test_each_call_that_fails_alone_is_a_reason_and_the_host_is_measured(tmp_path, function):
    rapl = Rapl(tmp_path, package_0=0)
    meter = gpu_meter(tmp_path, FakeNvml({"GPU-a": 0}, fails=function))
    energy = measured(meter, lambda: rapl.zone("intel-rapl:0", "package-0", 60_000_000))
    assert energy.energy_j is None
    assert f"{function}: Unknown Error" in energy.reason
    assert energy.host_j == pytest.approx(60)


def test_a_call_that_fails_at_the_end_only_and_the_next_region(tmp_path):
    nvml = FakeNvml({"GPU-a": 0})
    meter = gpu_meter(tmp_path, nvml)

    def lose():
        nvml.fails = "nvmlDeviceGetTotalEnergyConsumption"

    def advance():
        nvml.energy_mj["GPU-a"] += 2000

    assert "Unknown Error" in measured(meter, lose).reason
    nvml.fails = None
    assert measured(meter, advance).energy_j == pytest.approx(2)


def test_a_gpu_before_volta(tmp_path):
    old = FakeNvml({"GPU-a": 0}, "nvmlDeviceGetTotalEnergyConsumption", FakeNvml.NVMLError_NotSupported())
    reason = measured(gpu_meter(tmp_path, old), lambda: None).reason
    assert "Not Supported: this GPU has no energy counter" in reason
    assert "Volta" in reason


def test_an_nvml_that_lacks_the_function(tmp_path):
    class Old:
        def nvmlInit(self):  # noqa: N802
            pass

    reason = measured(gpu_meter(tmp_path, Old()), lambda: None).reason
    assert "nvmlDeviceGetHandleByUUID" in reason


def test_a_gpu_that_nvml_does_not_know(tmp_path):
    reason = measured(gpu_meter(tmp_path, FakeNvml({"GPU-a": 0}), ("GPU-a", "GPU-x")), lambda: None).reason
    assert reason == "nvml:1: nvmlDeviceGetHandleByUUID: Not Found"


def test_no_gpu_named_is_not_zero_joules(tmp_path):
    assert measured(gpu_meter(tmp_path, FakeNvml({}), ()), lambda: None).reason == "no GPU was named"


def test_the_module_is_absent(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "pip install nvidia-ml-py" in measured(gpu_meter(tmp_path, None), lambda: None).reason


def test_the_library_is_absent(tmp_path):
    """The module itself, on a machine without NVIDIA's driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        assert "nvmlInit: " in measured(gpu_meter(tmp_path, pynvml), lambda: None).reason
    else:
        pytest.skip("this machine has NVIDIA's driver")


def test_the_device_is_looked_up_by_its_uuid(tmp_path, monkeypatch):
    """Torch leaves out the prefix that NVML wants."""

    class Properties:
        uuid = "9f8e7d6c-0000-1111-2222-333344445555"

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Properties)
    uuid = f"GPU-{Properties.uuid}"
    nvml = FakeNvml({uuid: 0, "GPU-a": 0})
    energy = measured(
        EnergyMeter(GPU, root=tmp_path, nvml=nvml), lambda: nvml.energy_mj.update({uuid: 3000, "GPU-a": 9000})
    )
    assert energy.energy_j == pytest.approx(3)
    assert Properties.uuid not in json.dumps(energy.to_json())  # it names a machine


def test_a_device_whose_uuid_is_not_known(tmp_path, monkeypatch):
    def fails(device):
        raise AssertionError("Torch not compiled with CUDA enabled")

    monkeypatch.setattr(torch.cuda, "get_device_properties", fails)
    reason = measured(EnergyMeter(GPU, root=tmp_path, nvml=FakeNvml({})), lambda: None).reason
    assert reason == "the UUID of cuda:0 is not known: Torch not compiled with CUDA enabled"


def test_another_kind_of_device(tmp_path):
    meter = EnergyMeter(torch.device("mps"), root=tmp_path, nvml=FakeNvml({}))
    assert measured(meter, lambda: None).reason == "no energy counter is known for a device of type 'mps'"


# the result


def test_stop_before_start_is_a_mistake(tmp_path):
    with pytest.raises(RuntimeError, match="stop before start"):
        EnergyMeter(CPU, root=tmp_path).stop(1.0)


@pytest.mark.parametrize(
    ("energy_j", "reason"),
    [(None, None), (None, ""), (1.0, "why"), (0.0, None), (-1.0, None), (math.inf, None), (math.nan, None)],
)
def test_an_energy_that_contradicts_itself_is_refused(energy_j, reason):
    with pytest.raises(ValueError, match="energy"):
        Energy(energy_j=energy_j, reason=reason)


def test_json():
    energy = Energy(energy_j=None, reason="no counter", host_j=60.5, host_reason=None)
    values = json.loads(json.dumps(energy.to_json(), allow_nan=False))
    assert values == {
        "energy_j": None,
        "reason": "no counter",
        "sources": [],
        "host_j": 60.5,
        "host_reason": None,
    }


def test_this_machine_gives_a_figure_or_a_reason():
    meter = EnergyMeter(CPU)
    meter.start()
    energy = meter.stop(1.0)
    assert (energy.energy_j is None) == bool(energy.reason)
