"""Run with Airflow: `python airflow_pods.py FILE VALUE` prints a file's DAG and pods (JSON).

The file is read as Airflow's scheduler reads it, and the texts of tasks are rendered by its
templates; VALUE (JSON) is what each task returns.
"""

import json
import sys

from airflow.dag_processing.dagbag import DagBag
from kubernetes.client import ApiClient


class Run:
    """The run of a task after those before it have returned the value."""

    def xcom_pull(self, task_ids: str) -> object:
        assert task_ids in dag.task_ids
        return json.loads(sys.argv[2])


bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
[dag] = bag.dags.values()
tasks = []
for task in dag.topological_sort():
    task.render_template_fields({"ti": Run()})
    pod = task.build_pod_request_obj(None)
    tasks.append(
        {
            "name": task.task_id,
            "after": sorted(task.upstream_task_ids),
            "retries": task.retries,
            "pod": ApiClient().sanitize_for_serialization(pod),
        }
    )
print(json.dumps({"name": dag.dag_id, "runs": dag.max_active_runs, "tasks": tasks}))
