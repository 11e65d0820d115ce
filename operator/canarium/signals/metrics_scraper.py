"""Scrapes the metrics page of one pod."""

from __future__ import annotations

from canarium.api.effective_analysis import EffectiveAnalysis
from canarium.api.reasons import CheckReason
from canarium.core.evidence.measures import Missing, Selector, selectors
from canarium.core.evidence.windows import FailedScrape, Scrape
from canarium.evaluation.errors import EvaluationError
from canarium.signals import metrics, prometheus
from canarium.signals.access import NamespaceAccess
from canarium.signals.addresses import authority
from canarium.signals.check_sources import measure_for
from canarium.signals.errors import NoAnswer, Unreachable
from canarium.signals.target import ModelServer, ServingPod

_TIMEOUT = 5.0


async def scrape_pod(
    access: NamespaceAccess,
    server: ModelServer,
    pod: ServingPod,
    wanted: tuple[Selector, ...],
    now: float,
) -> Scrape | FailedScrape:
    """Returns the values of `wanted` at `now`, or why there are none."""
    target, page = pod.target, server.metrics.path
    url = f"http://{authority(target.address, server.metrics.port or target.port)}{page}"
    try:
        answer = await access.request("GET", url, patience=_TIMEOUT, pod=True)
        if answer.status != 200:
            raise NoAnswer(f"{page}: status {answer.status}")
        values = await metrics.parse(access, answer.body, wanted)
    except Unreachable as error:
        return FailedScrape(now, target.pod, str(error), CheckReason.PODS_UNREACHABLE)
    except NoAnswer as error:
        return FailedScrape(now, target.pod, str(error), error.reason)
    except EvaluationError as error:
        return FailedScrape(now, target.pod, f"{page}: {error}", prometheus.reason_of(error))
    return Scrape(target.pod, now, values, pod.incarnation)


def scraped_selectors(analysis: EffectiveAnalysis, server: ModelServer) -> tuple[Selector, ...]:
    """Returns the series that the checks need from the pods, sorted."""
    measures = [measure_for(c, server) for c in analysis.checks if c.metric or c.series]
    unique = {s for m in measures if not isinstance(m, Missing) for s in selectors(m)}
    return tuple(sorted(unique, key=lambda s: s.key))
