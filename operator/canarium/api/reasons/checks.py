"""Reasons of checks, and of smoke tests and gates without a usable result; lost connections."""

from __future__ import annotations

from canarium.api.reasons.base import NOTHING, Reason

_INSUFFICIENT = "Counts as insufficient; nothing fails for it."
_ERROR = (
    "Tries again. A check counts it as an error, which rolls back only where `errorLimit` asks for "
    "it; smoke tests and gates keep waiting."
)


class CheckReason(Reason):
    """Why a check passes, fails, or has no result, or why a smoke test or gate has none."""

    WITHIN_BOUNDS = (
        "WithinBounds",
        "The value is within its bounds.",
        "The check passes.",
        NOTHING,
    )
    NO_WORSE_THAN_STABLE = (
        "NoWorseThanStable",
        "The value looks worse than stable's, but chance alone explains the difference.",
        "The check passes.",
        NOTHING,
    )
    ABOVE_MAXIMUM = (
        "AboveMaximum",
        "The value is above its maximum.",
        "The check fails.",
        "Compare `value` and `threshold`.",
    )
    BELOW_MINIMUM = (
        "BelowMinimum",
        "The value is below its minimum.",
        "The check fails.",
        "Compare `value` and `threshold`.",
    )
    NOT_SIGNIFICANT = (
        "NotSignificant",
        "The value is out of bounds, but there are too few observations to exclude chance.",
        _INSUFFICIENT,
        "Wait, or send more traffic.",
    )
    NOT_ENOUGH_SAMPLES = (
        "NotEnoughSamples",
        "The candidate has fewer observations than `minSamples`.",
        _INSUFFICIENT,
        "Wait, send more traffic, or lower `minSamples`.",
    )
    NO_DATA = (
        "NoData",
        "There is no observation in the window, or the value is not a number.",
        _INSUFFICIENT,
        "Send traffic.",
    )
    NO_MATCH = (
        "NoMatch",
        "The query or the path matches nothing.",
        _INSUFFICIENT,
        "Fix the query or the path.",
    )
    NO_SUCH_METRIC = (
        "NoSuchMetric",
        "The pods do not expose the metric, or the runtime does not define it.",
        _INSUFFICIENT,
        "Fix `spec.runtime.metrics` or the check.",
    )
    NO_PROMETHEUS = (
        "NoPrometheus",
        "The check names no Prometheus, and the operator is configured with none.",
        _INSUFFICIENT,
        "Set `prometheus.url`, or ask an administrator to set `analysis.prometheus.url`.",
    )
    INVALID_QUERY = (
        "InvalidQuery",
        "The query or the URL is not valid, or the query does not return one number.",
        _ERROR,
        "Fix the query or the URL.",
    )
    QUERY_FAILED = (
        "QueryFailed",
        "The request had no usable answer.",
        _ERROR,
        "Check the system that the message names.",
    )
    INVALID_ANSWER = (
        "InvalidAnswer",
        "The answer cannot be parsed.",
        _ERROR,
        "Check the system that the message names.",
    )
    INVALID_TEST = (
        "InvalidTest",
        "An assertion is invalid, regardless of the response.",
        _ERROR,
        "Fix the assertion.",
    )
    NO_INPUT_EXAMPLE = (
        "NoInputExample",
        "A smoke test sends the input example that was logged with the model, and the registry has "
        "no example or no signature of it that the operator can read.",
        "The version waits, without traffic; nothing is rolled back.",
        "Log the model with `input_example` and `signature`, or give the test a body.",
    )
    UNEXPECTED = (
        "Unexpected",
        "The answer differs from what was expected.",
        "The replayed request counts as failed.",
        "Compare the answer with the expectation.",
    )
    UNREACHABLE = (
        "Unreachable",
        "The address cannot be reached.",
        _ERROR,
        "Check the address and the NetworkPolicies.",
    )
    PODS_UNREACHABLE = (
        "PodsUnreachable",
        "No connection to a pod that is Ready succeeds.",
        _INSUFFICIENT,
        "Allow the operator in the NetworkPolicy or the service mesh.",
    )
    ADDRESS_REFUSED = (
        "AddressRefused",
        "The operator does not connect to this address.",
        _ERROR,
        "Ask an administrator to allow the address.",
    )
    UNTRUSTED_CERTIFICATE = (
        "UntrustedCertificate",
        "The certificate of the server is not signed by a trusted authority.",
        _ERROR,
        "Add the authority to the Secret of `authentication` as `ca.crt`, or fix the certificate.",
    )
    ACCESS_DENIED = (
        "AccessDenied",
        "The server rejects the credentials, or their rights are not sufficient.",
        _ERROR,
        "Fix the Secret that the message names, or grant the missing right.",
    )
    INVALID_CREDENTIALS = (
        "InvalidCredentials",
        "The Secret that the spec names is missing or malformed.",
        _ERROR,
        "Fix the Secret.",
    )
    INVALID_CONFIG_MAP = (
        "InvalidConfigMap",
        "The ConfigMap that the spec names is missing or malformed.",
        _ERROR,
        "Fix the ConfigMap.",
    )
    TOO_MANY_SERIES = (
        "TooManySeries",
        "A metrics page has more matching series than are read.",
        _ERROR,
        "Match fewer series.",
    )
    ANSWER_TOO_LARGE = (
        "AnswerTooLarge",
        "The answer is longer than what is evaluated.",
        _ERROR,
        "Return a shorter answer.",
    )
    EVALUATION_LIMIT = (
        "EvaluationLimit",
        "The evaluation used more CPU time or memory than it may.",
        _ERROR,
        "Simplify the expression.",
    )
    EVALUATION_UNAVAILABLE = (
        "EvaluationUnavailable",
        "The operator had no capacity to evaluate the answer.",
        _ERROR,
        "If it lasts, give the operator more CPU.",
    )


class ConnectionLoss(Reason):
    """How the connection to a pod is lost; the message of `PodsUnreachable` names it."""

    REFUSED = (
        "ConnectionRefused",
        "Nothing listens at the address, or a policy rejects the connection.",
        "Retries.",
        "Check that the port is reachable from outside the pod.",
    )
    TIMED_OUT = (
        "ConnectionTimedOut",
        "Nothing answers the attempt to connect: a policy drops it, or the node is lost.",
        "Retries.",
        "Allow the operator in the NetworkPolicy.",
    )
    RESET = (
        "ConnectionReset",
        "The connection ends before an answer begins, as with a mesh that requires mutual TLS.",
        "Retries.",
        "Exclude the port from mutual TLS, or add the operator to the mesh.",
    )
    NO_ROUTE = (
        "NoRouteToHost",
        "There is no route to the address.",
        "Retries.",
        "Check the cluster network.",
    )
    NAME = (
        "NameNotResolved",
        "The host name cannot be resolved.",
        "Retries.",
        "Fix the name, or check the cluster DNS.",
    )
