"""A DAG of Airflow 3: two pods, one that trains and registers, and one that releases.

Needs: rbac.yaml of this folder, MLflow, the provider apache-airflow-providers-cncf-kubernetes, and
an image with both scripts of this folder in /work, mlflow-skinny, scikit-learn, kubectl and
kubectl-modeldeploy.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG

TRAIN = """
mkdir -p /tmp/job && cp train.py release.py /tmp/job && cd /tmp/job
python train.py model
python release.py register model > version
cp version /airflow/xcom/return.json
"""
RELEASE = """
mkdir -p /tmp/job && cp release.py /tmp/job && cd /tmp/job
echo "{{ ti.xcom_pull(task_ids='train') }}" > version
python release.py alias "$(cat version)"
python release.py revision "$(cat version)" > revision
kubectl modeldeploy status "$DEPLOYMENT" -n "$NAMESPACE" --revision "$(cat revision)" --until gate --timeout 2h
"""  # noqa: E501
POD = {
    "namespace": "models",
    "image": "registry.example/pipelines:1",
    "service_account_name": "model-release",
    "cmds": ["sh", "-euc"],
    "env_vars": {
        "MODEL": "fraud",
        "ALIAS": "champion",
        "NAMESPACE": "models",
        "DEPLOYMENT": "fraud",
        "MLFLOW_TRACKING_URI": "https://mlflow.example",
    },
    # A version that was rolled back stays quarantined, so a retry would only fail again.
    "retries": 0,
}

# One release of a model at a time: a second one would replace the candidate of the first.
with DAG("release-fraud", schedule=None, catchup=False, max_active_runs=1):
    train = KubernetesPodOperator(
        task_id="train", arguments=[f"cd /work{TRAIN}"], do_xcom_push=True, **POD
    )
    release = KubernetesPodOperator(
        task_id="release",
        arguments=[f"cd /work{RELEASE}"],
        execution_timeout=timedelta(hours=3),
        **POD,
    )
    train >> release
