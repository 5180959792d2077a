"""What the server counts, as Prometheus reads it: requests, times, commits. Never a namespace, a key or a token."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["Metrics"]

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"})
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counts on one event loop, so without locks; the library of Prometheus is asked only to write them down."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, int], int] = {}
        self._times: dict[str, list[float]] = {}
        self.in_flight = 0
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "botwire_requests_in_flight": ("Requests that are being answered.", lambda: self.in_flight)
        }
        """By name: what it is, and how to look at it."""
        self.commit_sizes: Counter[int] = Counter()
        """How many commits there were, by how many requests each had."""

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        # Whoever asks may call his method anything, and each name would be kept for as long as the server runs.
        key = (route, method if method in _METHODS else "other", status)
        self._requests[key] = self._requests.get(key, 0) + 1
        times = self._times.get(route)
        if times is None:
            times = self._times[route] = [0.0] * (len(_SECONDS) + 2)
        times[bisect_left(_SECONDS, seconds)] += 1
        times[-1] += seconds

    def text(self) -> bytes:
        """All of it in the format of Prometheus."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterable[Metric]:
        """What the library asks for."""
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily(
            "botwire_requests", "Requests that were answered.", labels=("route", "method", "status")
        )
        for (route, method, status), count in self._requests.items():
            requests.add_metric((route, method, str(status)), count)
        yield requests
        times = HistogramMetricFamily(
            "botwire_request_seconds", "From the headers of a request to the end of its reply.", labels=("route",)
        )
        for route, counts in self._times.items():
            times.add_metric((route,), _buckets(_SECONDS, counts[:-1]), counts[-1])
        yield times
        commits = HistogramMetricFamily("botwire_commit_requests", "Requests that shared a commit.")
        sizes = [0.0] * (len(_SIZES) + 1)
        for size, count in self.commit_sizes.items():
            sizes[bisect_left(_SIZES, size)] += count
        commits.add_metric((), _buckets(_SIZES, sizes), sum(size * count for size, count in self.commit_sizes.items()))
        yield commits
        for name, (what, look) in self.gauges.items():
            yield GaugeMetricFamily(name, what, value=look())


def _buckets(bounds: tuple[Any, ...], counts: list[float]) -> list[tuple[str, float]]:
    """Counts by bucket as the library wants them: each with all that are below it."""
    total = 0.0
    found = []
    for bound, count in zip((*map(str, map(float, bounds)), "+Inf"), counts, strict=True):
        total += count
        found.append((bound, total))
    return found
