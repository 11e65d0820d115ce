"""A pipeline of Kubeflow Pipelines 2: one step trains and registers, and one releases.

`python kubeflow_pipeline.py` writes release-fraud.yaml, which you upload. Start it as a recurring
run with a maximum concurrency of 1, so that one release of a model runs at a time, and with the
service account model-release.

Needs: kfp 2, kubeflow-rbac.yaml of this folder, MLflow, and an image with both scripts of this
folder in /work, mlflow-skinny, scikit-learn, kubectl and kubectl-modeldeploy.
"""

# Without `annotations` of __future__: kfp reads the types of the components.
from kfp import compiler, dsl

IMAGE = "registry.example/pipelines:1"
TRAIN = """
mkdir -p /tmp/job && cp train.py release.py /tmp/job && cd /tmp/job
python train.py model
python release.py register model > version
mkdir -p "$(dirname "$0")" && cp version "$0"
"""
RELEASE = """
mkdir -p /tmp/job && cp release.py /tmp/job && cd /tmp/job
echo "$0" > version
python release.py alias "$(cat version)"
python release.py revision "$(cat version)" > revision
kubectl modeldeploy status "$DEPLOYMENT" -n "$NAMESPACE" --revision "$(cat revision)" --until gate --timeout 2h
"""  # noqa: E501
VARIABLES = {
    "MODEL": "fraud",
    "ALIAS": "champion",
    "NAMESPACE": "models",
    "DEPLOYMENT": "fraud",
    "MLFLOW_TRACKING_URI": "https://mlflow.example",
}


@dsl.container_component
def train(version: dsl.OutputPath(str)):
    """Trains and registers a version; its number is the output."""
    return dsl.ContainerSpec(IMAGE, ["sh", "-euc", f"cd /work{TRAIN}"], [version])


@dsl.container_component
def release(version: str):
    """Moves the alias, and waits for the result."""
    return dsl.ContainerSpec(IMAGE, ["sh", "-euc", f"cd /work{RELEASE}"], [version])


@dsl.pipeline(name="release-fraud")
def pipeline():
    """Trains a version and releases it."""
    trained = train()
    released = release(version=trained.outputs["version"])
    for task in (trained, released):
        # Else a second run would take the results of the first, and release nothing. There are no
        # retries: a version that was rolled back stays quarantined.
        task.set_caching_options(False)
        for name, value in VARIABLES.items():
            task.set_env_variable(name, value)


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, "release-fraud.yaml")
