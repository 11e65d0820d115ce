"""Trains a model and writes it into a folder: `python train.py model`. Replace it by yours.

The file is what the runtime of `format: sklearn` reads, see docs/guides/runtimes.md.
"""

import sys
from pathlib import Path

import joblib
import numpy
from sklearn.linear_model import LogisticRegression


def main(folder: Path) -> None:
    """Trains with made transactions: a row of four numbers each, and whether it was fraud."""
    rows = numpy.random.default_rng(1).random((20_000, 4))
    labels = (rows @ [3.0, 2.0, 2.0, 3.0] > 5.0).astype(int)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(LogisticRegression().fit(rows, labels), folder / "model.joblib")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
