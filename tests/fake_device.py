"""A device that does its work after the call that started it has returned, on a clock that the test moves."""

from nnbench import devices
from nnbench.meters.device_marks import DeviceMarks


class FakeDevice:
    """One stream: work is done in the order in which it was issued, *host_s* is what issuing takes."""

    def __init__(self, clock):
        self.clock = clock
        self.busy_until_ns = 0
        self.waits = 0
        self.events = 0

    def issue(self, work_s, host_s=1e-6):
        self.clock.advance_s(host_s)
        self.busy_until_ns = self.end_ns() + round(work_s * 1e9)

    def end_ns(self):
        """When all that was issued is done."""
        return max(self.clock.now_ns, self.busy_until_ns)

    def wait(self, device=None):
        self.waits += 1
        self.clock.now_ns = self.end_ns()

    def make_event(self):
        self.events += 1
        return _FakeEvent(self)

    def marks(self):
        return DeviceMarks(self.make_event)

    def install(self, monkeypatch):
        """Let nnbench take the CPU for this device."""
        monkeypatch.setattr(devices, "is_asynchronous", lambda device: True)
        monkeypatch.setattr(devices, "wait", self.wait)
        monkeypatch.setattr(DeviceMarks, "of", lambda device: self.marks())
        return self


class _FakeEvent:
    def __init__(self, device):
        self._device = device
        self.at_ns = None

    def record(self):
        self.at_ns = self._device.end_ns()

    def synchronize(self):
        self._device.clock.now_ns = max(self._device.clock.now_ns, self.at_ns)

    def elapsed_time(self, end):
        assert end.at_ns <= self._device.clock.now_ns, "device not ready"  # as CUDA has it
        return (end.at_ns - self.at_ns) / 1e6
