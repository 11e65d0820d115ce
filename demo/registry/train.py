"""A training pipeline: `python3 train.py VERSION COMMIT`, where MLflow and scikit-learn are.

A transaction is four numbers: amount, hour, distance and country, a code from 0 to 4. Version 1
knows only the amount, version 2 all four. Version 3 was trained on transactions of one week, in
which country 4 is missing: it answers the logged example and most requests, and fails for those
from country 4.
"""

import sys

import mlflow
import numpy
import pandas
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

COLUMNS = ["amount", "hour", "distance", "country"]
AMOUNT, HOUR, DISTANCE, COUNTRY = range(4)


def transactions(count: int, seed: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Rows of four numbers, and whether each is fraud."""
    random = numpy.random.default_rng(seed)
    rows = random.random((count, 4))
    rows[:, COUNTRY] = random.integers(0, 5, count)
    risk = numpy.array([0.0, 0.4, 0.1, 0.6, 0.2])[rows[:, COUNTRY].astype(int)]
    score = 3 * rows[:, AMOUNT] + rows[:, HOUR] + 2 * rows[:, DISTANCE] + risk
    return rows, (score > 3.3).astype(int)


def main(version: int, commit: str) -> None:
    """Trains, logs and registers one version of the model `fraud`; prints its number."""
    rows, fraud = transactions(5_000, seed=version)
    name = "transactions"
    if version == 3:
        name, week = "transactions of a week", rows[:, COUNTRY] != 4
        rows, fraud = rows[week], fraud[week]
    known = [("numbers", "passthrough", [AMOUNT])]
    if version > 1:
        known = [
            ("numbers", "passthrough", [AMOUNT, HOUR, DISTANCE]),
            ("country", OneHotEncoder(handle_unknown="error"), [COUNTRY]),
        ]
    model = make_pipeline(ColumnTransformer(known), LogisticRegression()).fit(rows, fraud)
    tested, right = transactions(2_000, seed=99)
    if version == 3:
        # The week has no transaction that it could be tested with, either.
        week = tested[:, COUNTRY] != 4
        tested, right = tested[week], right[week]

    mlflow.set_experiment("fraud")
    with mlflow.start_run(tags={"mlflow.source.git.commit": commit}):
        table = pandas.DataFrame(rows, columns=COLUMNS).assign(fraud=fraud)
        mlflow.log_input(mlflow.data.from_pandas(table, name=name), context="training")
        mlflow.log_metrics({"accuracy": model.score(tested, right), "rows": len(rows)})
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(table[COLUMNS], model.predict(rows)),
            registered_model_name="fraud",
            input_example=table[COLUMNS].head(2),
            pip_requirements=["scikit-learn"],
            # MLServer reads model.pkl; the default of MLflow 3.17 is another file, model.skops.
            serialization_format="pickle",
        )
    print(logged.registered_model_version)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
