"""S3 in the pod of MLflow: moto, with one bucket, in memory; `python3 s3.py BUCKET`."""

import sys

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.test import Client


def main(bucket: str) -> None:
    """Serves at port 9000, once there is a bucket."""
    moto = DomainDispatcherApplication(create_backend_app)
    scope = "Credential=mlflow/20260101/us-east-1/s3/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}
    created = Client(moto).put(f"/{bucket}", headers=headers, base_url="http://s3")
    assert created.status_code == 200, created.data
    run_simple("0.0.0.0", 9000, moto, threaded=True)


if __name__ == "__main__":
    main(sys.argv[1])
