"""A Ray Serve application with ONNX Runtime behind it."""

from pathlib import Path
from typing import Any

import numpy
import onnxruntime
from ray import serve


@serve.deployment(ray_actor_options={"num_cpus": 0})
class Api:
    """Rows in, rows out."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        file = Path(__file__).with_name("model.onnx")
        self._session = onnxruntime.InferenceSession(file, options)

    async def __call__(self, request: Any) -> Any:
        rows = (await request.json())["input"]
        [output] = self._session.run(None, {"x": numpy.array(rows, dtype=numpy.float32)})
        return {"output": output.tolist()}


app = Api.bind()  # type: ignore[attr-defined]
