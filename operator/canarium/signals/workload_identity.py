"""The identity that a cloud gives the operator's own pod, for hosts that an administrator allowed.

Invariants:

- A credential of this identity leaves the process only to an allowed host, by https, under the
  trust of the system. A tenant chooses the path, the headers and the body, so the identity needs
  rights that every author of a model may have: to read metrics.
- Where credentials are obtained comes from the environment that the platform sets in the pod, never
  from a model. The identity of the node is not used at AWS (an instance profile) and Azure. Google
  serves it at the same address: on nodes without Workload Identity Federation for GKE, the token is
  that of the node.

Each platform sets other variables: AWS by IAM roles for service accounts or EKS Pod Identity, Azure
by Microsoft Entra Workload ID, Google by a metadata server of each node. Why no library does this:
decision 0065.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit, urlunsplit

from canarium.api.reasons import CheckReason
from canarium.kube.clock import Timing
from canarium.signals.addresses import AddressPolicy
from canarium.signals.credentials import Unavailable
from canarium.signals.errors import NoAnswer
from canarium.signals.http_client import HttpClient, Response
from canarium.signals.oauth2 import LONGEST, token
from canarium.signals.redaction import shown
from canarium.signals.sigv4 import AwsKeys
from canarium.signals.token_cache import Expiring, Key, TokenCache
from canarium.untrusted.quoting import quoted

#: Namespace of its keys in the cache: that of no model.
_OWN = ""
#: Seconds until a platform has to have answered.
_PATIENCE = 10.0
#: Seconds for which a credential is not replaced.
_NEW = 60.0
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_READ_METRICS = "https://www.googleapis.com/auth/monitoring.read"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: Servers of Azure Monitor have one audience for all workspaces of a cloud.
_AZURE_MONITOR = "prometheus.monitor."


class WorkloadIdentity:
    """Obtains credentials for `hosts`, pairs of a provider and a host."""

    def __init__(
        self,
        hosts: Iterable[tuple[str, str]] = (),
        timing: Timing | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._hosts = frozenset((provider, host.lower()) for provider, host in hosts)
        self._timing, self._environment = timing or Timing(), environment
        self._tokens = TokenCache(self._timing.clock)
        # Only addresses of the platform: a metadata server has a link-local one.
        self._web = HttpClient(AddressPolicy.of(("0.0.0.0/0", "::/0")))

    async def close(self) -> None:
        """Ends requests for credentials."""
        await self._tokens.close()
        await self._web.close()

    def allowed(self, provider: str, url: str) -> str:
        """Returns `url` with exactly the host that is allowed, so that no other parser can see
        another one. Raises Unavailable unless the identity may be used there."""
        host = host_of(url).rstrip(".")
        if (provider, host) not in self._hosts:
            raise Unavailable(
                f"{shown(url)} is not a host for the operator's identity at {provider}; an "
                "administrator can allow it with --allow-identity",
                CheckReason.ADDRESS_REFUSED,
            )
        parts = urlsplit(url)
        if parts.scheme != "https" or parts.port not in (None, 443):
            raise Unavailable(
                f"{shown(url)}: the operator's identity is sent only by https, to port 443",
                CheckReason.ADDRESS_REFUSED,
            )
        return urlunsplit(("https", host, parts.path, parts.query, ""))

    def refused(self, key: Key, status: int) -> None:
        """Removes a credential that a server refused as such, but not one of the last minute.

        Authors of models choose the requests, and the credential is that of all namespaces: a path
        that its role may not read (403) is not a reason to obtain another one.
        """
        if status == 401:
            self._tokens.forget(key, older=_NEW)

    async def aws(self) -> tuple[AwsKeys, Key]:
        """Returns an access key, and its key in the cache. Raises Unavailable."""
        key = (_OWN, "AWS")
        return await self._tokens.get(key, self._aws), key

    async def bearer(self, provider: str, host: str) -> tuple[str, Key]:
        """Returns a token of Azure or Google for `host`, and its key in the cache.

        Raises Unavailable.
        """
        if provider == "Google":
            key: Key = (_OWN, provider)
            return await self._tokens.get(key, self._google), key
        scope = azure_scope(host)
        key = (_OWN, provider, scope)
        return await self._tokens.get(key, lambda: self._azure(scope)), key

    async def _aws(self) -> Expiring[AwsKeys]:
        if file := self._environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            return await self._assumed(file)
        if address := self._environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
            return await self._pod_identity(address)
        raise _absent("AWS", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI")

    async def _assumed(self, file: str) -> Expiring[AwsKeys]:
        """Exchanges the token of the ServiceAccount, as IAM roles for service accounts do."""
        fields = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": self._variable("AWS", "AWS_ROLE_ARN"),
            "RoleSessionName": self._environment.get("AWS_ROLE_SESSION_NAME", "canarium"),
            "WebIdentityToken": _content(file),
        }
        url = self._environment.get("AWS_ENDPOINT_URL_STS") or self._sts()
        answer = await self._request("POST", url, _FORM, urlencode(fields).encode())
        elements = _elements(answer.body)
        if answer.status != 200:
            words = ": ".join(elements[x] for x in ("Code", "Message") if x in elements)
            raise _refused(url, answer.status, words)
        return self._expiring(url, elements, "SessionToken")

    def _sts(self) -> str:
        names = ("AWS_REGION", "AWS_DEFAULT_REGION")
        region = next((self._environment[x] for x in names if self._environment.get(x)), "")
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        return f"https://sts.{region}.{suffix}/" if region else f"https://sts.{suffix}/"

    async def _pod_identity(self, address: str) -> Expiring[AwsKeys]:
        """Asks the agent of EKS Pod Identity on the node, with the token of the ServiceAccount."""
        file = self._variable("AWS", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        answer = await self._request("GET", address, {"Authorization": _content(file)})
        fields = _fields(answer.body)
        if answer.status != 200:
            raise _refused(address, answer.status, fields.get("message", ""))
        return self._expiring(address, fields, "Token")

    def _expiring(
        self, url: str, fields: Mapping[str, str], session_token: str
    ) -> Expiring[AwsKeys]:
        try:
            keys = AwsKeys(fields["AccessKeyId"], fields["SecretAccessKey"], fields[session_token])
            until = datetime.fromisoformat(fields["Expiration"]).timestamp()
        except (KeyError, ValueError) as error:
            text = f"{shown(url)}: the answer has no usable access key"
            raise Unavailable(text, CheckReason.INVALID_ANSWER) from error
        return Expiring(keys, max(1.0, until - self._timing.now()))

    async def _google(self) -> Expiring[str]:
        host = self._environment.get("GCE_METADATA_HOST", "metadata.google.internal")
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        url = f"http://{host}{path}?{urlencode({'scopes': _READ_METRICS})}"
        answer = await self._request("GET", url, {"Metadata-Flavor": "Google"})
        return token(answer, shown(url))

    async def _azure(self, scope: str) -> Expiring[str]:
        """Sends the token of the ServiceAccount as the client's proof (Microsoft Entra)."""
        authority = self._environment.get("AZURE_AUTHORITY_HOST") or (
            "https://login.microsoftonline.com"
        )
        tenant = self._variable("Azure", "AZURE_TENANT_ID")
        url = f"{authority.rstrip('/')}/{tenant}/oauth2/v2.0/token"
        fields = {
            "client_id": self._variable("Azure", "AZURE_CLIENT_ID"),
            "scope": scope,
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION,
            "client_assertion": _content(self._variable("Azure", "AZURE_FEDERATED_TOKEN_FILE")),
        }
        answer = await self._request("POST", url, _FORM, urlencode(fields).encode())
        return token(answer, shown(url), (fields["client_assertion"],))

    def _variable(self, provider: str, name: str) -> str:
        """Raises Unavailable."""
        value = self._environment.get(name)
        if not value:
            raise _absent(provider, name)
        return value

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Response:
        """Raises Unavailable."""
        try:
            return await self._web.request(
                method, url, headers=headers, body=body, patience=_PATIENCE, longest=LONGEST
            )
        except NoAnswer as error:
            raise Unavailable(f"{shown(url)}: {error}", error.reason) from error


def host_of(url: str) -> str:
    """Returns the host of `url`. Raises Unavailable if clients may disagree on it."""
    try:
        parts = urlsplit(url)
        if parts.hostname and parts.port != 0:
            return parts.hostname
    except ValueError:
        pass
    raise Unavailable("url is not a valid URL", CheckReason.INVALID_QUERY)


def azure_scope(host: str) -> str:
    """Returns the scope of a token that only `host` accepts, or all workspaces of Azure Monitor."""
    _, separator, cloud = host.partition(f".{_AZURE_MONITOR}")
    return f"https://{_AZURE_MONITOR}{cloud}/.default" if separator else f"https://{host}/.default"


def _absent(provider: str, *variables: str) -> Unavailable:
    names = " or ".join(variables)
    return Unavailable(f"the operator's pod has no identity at {provider}: {names} is not set")


def _refused(url: str, status: int, words: str) -> Unavailable:
    text = f"{shown(url)}: status {status}" + (f": {quoted(words, 300)}" if words else "")
    denied = status in (400, 401, 403)
    return Unavailable(text, CheckReason.ACCESS_DENIED if denied else CheckReason.QUERY_FAILED)


def _content(file: str) -> str:
    """Returns a token that the kubelet writes. Raises Unavailable."""
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        text = f"the token {quoted(file, 200)} of the operator's pod cannot be read"
        raise Unavailable(text) from error


def _elements(content: bytes) -> dict[str, str]:
    """Returns the text of each element of an XML document by its name; none if it is invalid."""
    # Imported on use: few installations use this identity.
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError:
        return {}
    return {each.tag.rpartition("}")[2]: (each.text or "").strip() for each in root.iter()}


def _fields(content: bytes) -> dict[str, str]:
    """Returns the texts of a JSON object by name; none if it is not valid."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    texts = document.items() if isinstance(document, dict) else ()
    return {name: value for name, value in texts if isinstance(value, str)}
