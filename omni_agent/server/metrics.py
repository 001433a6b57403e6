"""Counters of the server, in Prometheus' text format."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque

BUCKETS_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
RECENT = 5000
"""Frames that the p99 looks back on: 100 s of one call."""


class Lateness:
    """How late outgoing audio frames were."""

    def __init__(self) -> None:
        self._buckets = [0] * (len(BUCKETS_MS) + 1)
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._sum_s = 0.0
        self.count = 0

    def observe(self, seconds: float) -> None:
        self._buckets[bisect_left(BUCKETS_MS, 1000 * seconds)] += 1
        self._recent.append(seconds)
        self._sum_s += seconds
        self.count += 1

    def p99_ms(self) -> float:
        """Over the last ``RECENT`` frames; 0 when there are none."""
        if not self._recent:
            return 0.0
        ordered = sorted(self._recent)
        return 1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]

    def lines(self) -> list[str]:
        name = "omni_agent_send_lateness_seconds"
        out = [f"# HELP {name} How late outgoing audio frames were.", f"# TYPE {name} histogram"]
        total = 0
        for limit, count in zip(BUCKETS_MS, self._buckets, strict=False):
            total += count
            out.append(f'{name}_bucket{{le="{limit / 1000:g}"}} {total}')
        out.append(f'{name}_bucket{{le="+Inf"}} {self.count}')
        out += [f"{name}_sum {self._sum_s:.6f}", f"{name}_count {self.count}"]
        p99 = "omni_agent_send_lateness_p99_seconds"
        out += [
            f"# HELP {p99} The 99th percentile of the last {RECENT} frames.",
            f"# TYPE {p99} gauge",
            f"{p99} {self.p99_ms() / 1000:.6f}",
        ]
        return out


class Metrics:
    """What ``GET /metrics`` shows."""

    def __init__(self) -> None:
        self.lateness = Lateness()
        self.started = 0
        self.failed = 0
        self.refused: Counter[int] = Counter()

    def text(self, active: int) -> str:
        lines = [
            "# HELP omni_agent_calls Calls in progress.",
            "# TYPE omni_agent_calls gauge",
            f"omni_agent_calls {active}",
            "# HELP omni_agent_calls_total Calls begun.",
            "# TYPE omni_agent_calls_total counter",
            f"omni_agent_calls_total {self.started}",
            "# HELP omni_agent_calls_failed_total Calls whose session ended with an error.",
            "# TYPE omni_agent_calls_failed_total counter",
            f"omni_agent_calls_failed_total {self.failed}",
            "# HELP omni_agent_refused_total Signalling requests refused, by HTTP status.",
            "# TYPE omni_agent_refused_total counter",
        ]
        lines += [
            f'omni_agent_refused_total{{status="{status}"}} {count}'
            for status, count in sorted(self.refused.items())
        ]
        return "\n".join([*lines, *self.lateness.lines()]) + "\n"
