"""KServe's Python server with ONNX Runtime behind it, started as KServe starts its own servers."""

import argparse
from pathlib import Path
from typing import Any

import kserve
import numpy
import onnxruntime


class OnnxModel(kserve.Model):  # type: ignore[misc]
    """A model of one input and one output, both lists of rows."""

    def __init__(self, name: str, folder: str) -> None:
        super().__init__(name)
        self._file = Path(folder) / "model.onnx"

    def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(self._file, options)
        self.ready = True
        return True

    def predict(self, payload: Any, *_: Any, **__: Any) -> Any:
        rows = numpy.array(payload["instances"], dtype=numpy.float32)
        [output] = self._session.run(None, {"x": rows})
        return {"predictions": output.tolist()}


def main() -> None:
    parser = argparse.ArgumentParser(parents=[kserve.model_server.parser])
    parser.add_argument("--model_dir", required=True)
    arguments, _ = parser.parse_known_args()
    model = OnnxModel(arguments.model_name, arguments.model_dir)
    model.load()
    kserve.ModelServer(workers=1).start([model])


if __name__ == "__main__":
    main()
