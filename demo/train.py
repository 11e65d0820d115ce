"""Trains the demo's models: `python train.py FOLDER`, run where scikit-learn is installed.

Good versions are classifiers of generated data, each a bit larger. Version 3 is a file that is not
a model. Version 4 predicts well until its 25th request, then its process dies.
"""

import os
import sys
from pathlib import Path
from typing import Any

import joblib
from fragile import Fragile
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression


def trained(seed: int) -> Any:
    features, labels = make_classification(n_samples=500, n_features=4, random_state=seed)
    return LogisticRegression().fit(features, labels)


def main() -> None:
    folder = Path(sys.argv[1])
    for version in (1, 2, 3, 4, 5):
        place = folder / f"v{version}"
        place.mkdir(parents=True, exist_ok=True)
        model = place / "model.joblib"
        if version == 3:
            model.write_bytes(b"no model " * 100)
        elif version == 4:
            joblib.dump(Fragile(trained(4), 25), model)
        else:
            joblib.dump(trained(version), model)
    print(f"trained in {os.path.abspath(folder)}")


main()
