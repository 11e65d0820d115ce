"""The command lines of the control plane's parts. Pure: paths and numbers in, words out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sandbox.pki import Authority

SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
SERVICES_IPV6 = "fd00:96::/112"
API_SERVICE_IPV6 = "fd00:96::1"
DNS_SERVICE = "10.96.0.10"
PODS = "10.244.0.0/16"

Words = list[str | Path]


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the parts listen: an address and one TCP port each.

    An IPv6 address is that of a machine without IPv4: Services have IPv6 addresses, too.
    """

    address: str
    api: int
    etcd: int
    peer: int
    manager: int
    scheduler: int

    @property
    def ipv6(self) -> bool:
        return ":" in self.address

    @property
    def loopback(self) -> str:
        return "::1" if self.ipv6 else "127.0.0.1"

    @property
    def local(self) -> str:
        """The loopback address in the form of URLs."""
        return f"[{self.loopback}]" if self.ipv6 else self.loopback

    @property
    def api_service(self) -> str:
        """The address of the Service `kubernetes`."""
        return API_SERVICE_IPV6 if self.ipv6 else API_SERVICE

    @property
    def api_url(self) -> str:
        return f"https://{self.api_host}:{self.api}"

    @property
    def api_host(self) -> str:
        """The host of the API server's URL."""
        return f"[{self.address}]" if self.ipv6 else "127.0.0.1"


def etcd(binary: Path, folder: Path, at: Listening) -> Words:
    """etcd without fsync: a machine that crashes loses a sandbox, and only that."""
    client, peer = f"http://{at.local}:{at.etcd}", f"http://{at.local}:{at.peer}"
    return [
        binary, "--data-dir", folder / "etcd", "--unsafe-no-fsync", "--log-level", "warn",
        "--listen-client-urls", client, "--advertise-client-urls", client,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
        "--initial-cluster", f"default={peer}",
        "--quota-backend-bytes", str(4 * 2**30),
    ]  # fmt: skip


def apiserver(binary: Path, folder: Path, at: Listening, audit: bool) -> Words:
    """The API server; reads its tokens, certificates and audit policy from `folder`."""
    authority = Authority(folder / "pki")
    certificate, key = authority.pair("apiserver")
    kubelet_certificate, kubelet_key = authority.pair("kubelet-client")
    proxy_certificate, proxy_key = authority.pair("front-proxy-client")
    signing = folder / "pki" / "service-accounts.key"
    loopback = at.address == at.loopback
    words: Words = [
        binary, "--etcd-servers", f"http://{at.local}:{at.etcd}",
        "--bind-address", at.address if loopback or at.ipv6 else "0.0.0.0",
        "--advertise-address", at.address, "--secure-port", str(at.api),
        "--cert-dir", folder / "pki", "--tls-cert-file", certificate,
        "--tls-private-key-file", key, "--client-ca-file", authority.certificate,
        "--token-auth-file", folder / "tokens.csv", "--authorization-mode", "Node,RBAC",
        "--service-account-key-file", signing, "--service-account-signing-key-file", signing,
        "--service-account-issuer", "https://kubernetes.default.svc.cluster.local",
        "--service-cluster-ip-range", SERVICES_IPV6 if at.ipv6 else SERVICES, "--allow-privileged",
        # Else `kubectl logs` and `exec` look the node's name up in DNS.
        "--kubelet-preferred-address-types", "InternalIP",
        "--kubelet-client-certificate", kubelet_certificate, "--kubelet-client-key", kubelet_key,
        "--requestheader-client-ca-file", authority.certificate,
        "--requestheader-allowed-names", "front-proxy-client",
        "--requestheader-username-headers", "X-Remote-User",
        "--requestheader-group-headers", "X-Remote-Group",
        "--requestheader-extra-headers-prefix", "X-Remote-Extra-",
        "--proxy-client-cert-file", proxy_certificate, "--proxy-client-key-file", proxy_key,
        "--shutdown-delay-duration", "0s", "--shutdown-send-retry-after=false",
    ]  # fmt: skip
    if loopback:
        # The API refuses a loopback address as an endpoint.
        words += ["--endpoint-reconciler-type", "none"]
    if audit:
        words += [
            "--audit-policy-file", folder / "audit.json", "--audit-log-path", folder / "audit.log",
        ]  # fmt: skip
    return words


def controller_manager(binary: Path, folder: Path, at: Listening) -> Words:
    """All controllers but nodeipam: a sandbox has one node with one range of addresses."""
    kubeconfig = folder / "controller-manager.kubeconfig"
    authority = Authority(folder / "pki")
    return [
        binary, "--kubeconfig", kubeconfig, "--authentication-kubeconfig", kubeconfig,
        "--authorization-kubeconfig", kubeconfig, "--use-service-account-credentials",
        "--service-account-private-key-file", folder / "pki" / "service-accounts.key",
        "--root-ca-file", authority.certificate,
        "--cluster-signing-cert-file", authority.certificate,
        "--cluster-signing-key-file", authority.key, "--leader-elect=false",
        "--controllers=*,-node-ipam-controller", "--bind-address", at.loopback,
        "--secure-port", str(at.manager), "--cert-dir", folder / "pki" / "manager",
        # It would make its default folder on the host.
        "--flex-volume-plugin-dir", folder / "volume-plugins",
        # Kubernetes' own default of 20 requests a second would be what a benchmark measures.
        "--kube-api-qps", "300", "--kube-api-burst", "500",
    ]  # fmt: skip


def scheduler(binary: Path, folder: Path, at: Listening) -> Words:
    """The scheduler, alone and therefore without election."""
    kubeconfig = folder / "scheduler.kubeconfig"
    return [
        binary, "--kubeconfig", kubeconfig, "--authentication-kubeconfig", kubeconfig,
        "--authorization-kubeconfig", kubeconfig, "--leader-elect=false",
        "--bind-address", at.loopback, "--secure-port", str(at.scheduler),
        "--cert-dir", folder / "pki" / "scheduler",
        "--kube-api-qps", "300", "--kube-api-burst", "500",
    ]  # fmt: skip
