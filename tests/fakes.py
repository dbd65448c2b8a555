"""A clock that moves when it is told to."""


class FakeClock:
    """Nanoseconds; `advance_s` moves it, each reading adds *tick_ns*."""

    def __init__(self, tick_ns=0):
        self.now_ns = 10**12
        self.readings = 0
        self._tick_ns = tick_ns

    def __call__(self):
        self.readings += 1
        self.now_ns += self._tick_ns
        return self.now_ns

    def advance_s(self, seconds):
        self.now_ns += round(seconds * 1e9)
