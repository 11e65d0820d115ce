"""Commands of the docs that no test runs as they are written, with the reason and what is tested.

tests/supply/test_documented_commands.py refuses a command that is neither run nor listed here.
"""

from __future__ import annotations

from collections.abc import Mapping

_CHECKOUT = "the checkout is here"
_KIND = "needs Docker; `make test-kind` creates its own cluster, e2e/support/clusters"
_IMAGES = "needs Docker; tests/supply/test_images.py"
_CLI = "tests/supply/test_cli_release.py installs it; here that of the checkout is on the PATH"
_SHARED = "other tests use the operator; e2e/upgrade/test_upgrade.py runs the same"
_PEER = "the CRDs of this tool are not here; the option is that of kubectl"

#: Page → how a command begins → why it is not run.
NOT_RUN: Mapping[str, Mapping[str, str]] = {
    "README.md": {
        "git clone": _CHECKOUT,
        "kind create cluster": _KIND,
        "make kind-load": _IMAGES,
        "apt-get update": "`.ci/run` begins with it; tests/supply/test_start_pages.py compares",
        "make demo": "e2e/test_demo.py runs what it starts; tests have their own cluster",
    },
    "cli/README.md": {"pipx install": "nothing is published yet, as the page states"},
    "docs/getting-started.md": {
        "git clone": _CHECKOUT,
        "kind create cluster": _KIND,
        "make kind-load": _IMAGES,
        "make push": _IMAGES,
        "helm upgrade": "e2e/conftest.py has installed the chart, with this command",
        "make cli": _CLI,
        "export PATH": _CLI,
        "kubectl delete namespace demo": "the fixture deletes it without waiting",
        "helm uninstall": _SHARED,
        "kubectl delete -f crds/": _SHARED,
        "kubectl delete namespace canarium": _SHARED,
    },
    "docs/install.md": {
        "make push": _IMAGES,
        "kubectl apply --server-side -f dist/install.yaml": "the file is of a release; "
        "tests/integration/test_install_manifest.py applies it",
    },
    "docs/guides/dashboard.md": {
        "make cli-dashboard": "installs what tests/integration/dashboard has in its environment",
        "kubectl modeldeploy dashboard --open": "does not end and opens a browser; "
        "tests/integration/dashboard/test_local.py",
        "kubectl -n canarium port-forward": "the end-to-end cluster has no dashboard; "
        "tests/chart/test_objects.py has the Service and its port",
    },
    "docs/guides/from-argo-rollouts.md": {"kubectl delete rollout": _PEER},
    "docs/guides/from-kserve.md": {"kubectl delete inferenceservice": _PEER},
    "docs/guides/leaders.md": {
        "helm upgrade": "tests/chart renders the values; tests/integration/test_shards.py runs "
        "several leaders",
        "kubectl -n canarium get lease": "tests/integration/test_shards.py reads this Lease",
    },
    "docs/guides/monitoring.md": {
        "helm upgrade kube-state-metrics": "a chart on the Internet; "
        "tests/integration/monitoring/test_kube_state_metrics.py runs the program with the file",
    },
}
