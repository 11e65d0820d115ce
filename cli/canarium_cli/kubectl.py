"""kubectl as the transport: every request of the command line is one of its processes.

So contexts, exec plugins, proxies, `--as` and certificates work as they do everywhere else, and
there is no code of ours that handles credentials (decision 0032).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from canarium import API_VERSION, GROUP
from canarium.view.objects import items, text
from canarium_cli.collector import paused_collector
from canarium_cli.exits import CliError, NotServed, skew, unreachable
from canarium_cli.faults import fault
from canarium_cli.processes import binary, ended
from canarium_cli.streaming import Listing, Watch, too_deep

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl with the options of this run. An empty `namespace` is that of the context."""

    options: tuple[str, ...] = ()
    namespace: str = ""

    def run(self, *words: str, stdin: str | None = None, limit: float = 120.0) -> str:
        """Runs kubectl in the namespace and returns its stdout.

        Raises CliError with kubectl's own words when it fails, is missing, or takes longer than
        `limit` seconds.
        """
        done = ended(self.command(*words), words[0], limit, stdin)
        if done.returncode:
            raise self._explained(fault(done.stderr or done.stdout))
        return done.stdout

    def _explained(self, error: CliError) -> CliError:
        """The error to raise: another one where the cluster has our API in other versions only."""
        if not isinstance(error, NotServed):
            return error
        done = ended(self.command("get", f"--raw=/apis/{GROUP}"), "get", 60.0)
        listed = items(_parsed(done.stdout), "versions") if not done.returncode else ()
        versions = [text(one, "groupVersion") for one in listed]
        return skew(versions) if versions and API_VERSION not in versions else error

    def within(self, namespace: str) -> Kubectl:
        """The same in another namespace."""
        return replace(self, namespace=namespace)

    def shown(self, namespace: str) -> list[str]:
        """How a person begins the same command line: `kubectl` with the options of this run."""
        return ["kubectl", *self.options, f"--namespace={namespace}"]

    def command(self, *words: str) -> list[str]:
        """The whole command line: kubectl with the options of this run.

        Raises CliError if there is no kubectl.
        """
        namespace = (f"--namespace={self.namespace}",) if self.namespace else ()
        return [binary(), *self.options, *namespace, *words]

    def get(self, *words: str, may_be_missing: bool = False) -> list[Raw]:
        """The objects of `kubectl get WORDS -o json`; also where it is a single one.

        Raises CliError if one that is named does not exist, unless it `may_be_missing`.
        """
        more = ("--ignore-not-found",) if may_be_missing else ()
        text = self.run("get", *words, *more, "--output=json")
        # For a name without an object, kubectl then prints nothing.
        return _objects(_parsed(text)) if text.strip() or not may_be_missing else []

    def listed(self, path: str) -> Listing:
        """The objects of a list at a path of the API, as the server sends them and while they
        arrive.

        `get` lets kubectl decode and write each object again, which takes seconds for thousands.
        """
        return Listing(self.command("get", f"--raw={path}"), self._explained)

    def versions(self) -> Raw:
        """What `kubectl version` prints. Raises CliError if the cluster does not answer."""
        answer = _parsed(self.run("version", "--output=json"))
        if not isinstance(answer.get("clientVersion"), dict):
            raise unreachable(f"{binary()} printed no version. Set KUBECTL to the path of kubectl.")
        return answer

    def watch(self, *words: str) -> Watch:
        """A watch of `kubectl get WORDS`, which has to name a single kind."""
        command = self.command("get", *words, "--watch", "--output-watch-events", "--output=json")
        return Watch(command)

    def stream(self, path: str) -> Watch:
        """The events of a watch at a path of the API, as the server sends them."""
        return Watch(self.command("get", f"--raw={path}"))

    def allowed(self, verb: str, resource: str, *words: str) -> bool:
        """Whether the user may do it in this namespace."""
        command = self.command("auth", "can-i", verb, resource, "--quiet", *words)
        done = ended(command, "auth can-i", 60.0)
        if done.returncode not in (0, 1) or "error" in done.stderr.lower():
            raise fault(done.stderr)
        return done.returncode == 0


def _parsed(text: str) -> Raw:
    try:
        with paused_collector():
            parsed = json.loads(text)
    except ValueError as error:
        raise unreachable(f"kubectl did not answer with JSON: {error}. Update kubectl.") from None
    except RecursionError:
        raise too_deep() from None
    if not isinstance(parsed, dict):
        raise unreachable("kubectl did not answer with an object. Update kubectl.")
    return parsed


def _objects(answer: Raw) -> list[Raw]:
    """The objects of a list, or the single one that it is."""
    is_list = str(answer.get("kind", "")).endswith("List")
    answered = answer.get("items") if is_list else [answer]
    if not isinstance(answered, list) or not all(
        isinstance(one, dict) and isinstance(one.get("metadata"), dict) for one in answered
    ):
        raise unreachable("kubectl did not answer with Kubernetes objects. Update kubectl.")
    versions = {str(one.get("apiVersion")) for one in answered} - {API_VERSION}
    other = sorted(x for x in versions if x.startswith(f"{GROUP}/"))
    if other:
        raise skew(other)
    return answered
