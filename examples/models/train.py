"""Trains the demo models: `python examples/models/train.py`, or `--check` to measure them.

Each model scores a transaction by four numbers between 0 and 1: amount, distance from home, hour of
the night, and attempts in the last hour. It answers 1 for fraud. The libraries are those of the
server's image (requirements/demo-models.txt), since a pickle belongs to what wrote it.

Coefficients are rounded, and what depends on the processor is removed, so that every machine
writes the same bytes. The script also writes the files into the ConfigMap of `server.yaml`.
"""

import base64
import json
import sys
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import joblib
import numpy
from sklearn.linear_model import LogisticRegression

HERE = Path(__file__).parent
VERSIONS = ("v1", "v2", "v3", "v4", "v5")
#: The last line of `server.yaml` that is written by hand.
MARK = "binaryData: # written by train.py\n"


def transactions(count: int, seed: int) -> tuple[Any, Any]:
    """Transactions, a row each, and whether each was fraud."""
    chance = numpy.random.default_rng(seed)
    rows = chance.random((count, 4))
    noise = 0.4 * (chance.random(count) - 0.5)
    return rows, (rows @ [3.0, 2.0, 2.0, 3.0] + noise > 5.0).astype(int)


def trained(count: int, columns: int) -> Any:
    """A model of `count` transactions that knows only the first columns."""
    rows, labels = transactions(count, seed=1)
    rows[:, columns:] = 0.0
    model = LogisticRegression().fit(rows, labels)
    model.coef_ = model.coef_.round(1)
    model.intercept_ = model.intercept_.round(1)
    del model.n_iter_
    return model


def content(version: str) -> bytes:
    """The file of a version."""
    if version == "v1":
        model = trained(200, columns=1)
    elif version in ("v2", "v3"):
        model = trained(100, columns=4)
    else:
        model = trained(20_000, columns=4)
    if version == "v3":
        # The labels were swapped when it was trained.
        model.coef_, model.intercept_ = -model.coef_, -model.intercept_
    file = BytesIO()
    joblib.dump(model, file, protocol=4)
    # The upload of v4 ended early: no server can load it.
    return file.getvalue()[:300] if version == "v4" else file.getvalue()


def write() -> None:
    """Writes every model, and the ConfigMap that serves them."""
    files = {version: content(version) for version in VERSIONS}
    for version, data in files.items():
        path = HERE / version / "model.joblib"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    manifest = HERE / "server.yaml"
    by_hand, mark, _ = manifest.read_text().partition(MARK)
    lines = [f"  {v}: {base64.b64encode(data).decode()}\n" for v, data in files.items()]
    manifest.write_text(by_hand + mark + "".join(lines))


def accuracy(version: str) -> float | str:
    """Share of right answers for new transactions, or why the file cannot be loaded."""
    rows, labels = transactions(10_000, seed=2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = joblib.load(HERE / version / "model.joblib")
    except EOFError as error:
        return type(error).__name__
    return round(float((model.predict(rows) == labels).mean()), 2)


def main(arguments: list[str]) -> None:
    """Trains and writes, or measures; prints the result as JSON."""
    if "--check" not in arguments:
        write()
    known = json.loads((HERE / "request.jsonl").read_text())["inputs"][0]["data"]
    answers = joblib.load(HERE / "v2" / "model.joblib").predict(known).tolist()
    print(json.dumps({"accuracy": {v: accuracy(v) for v in VERSIONS}, "request": answers}))


if __name__ == "__main__":
    main(sys.argv[1:])
