"""A LitServe server with ONNX Runtime behind it; its environment selects the model."""

import os
from pathlib import Path
from typing import Any

import litserve
import numpy
import onnxruntime


class Api(litserve.LitAPI):  # type: ignore[misc]
    """Rows in, rows out."""

    def setup(self, device: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        file = Path(os.environ["MODEL_PATH"]) / "model.onnx"
        self._session = onnxruntime.InferenceSession(file, options)

    # LitServe has FastAPI read the body by this type.
    def decode_request(self, request: dict[str, Any], **_: Any) -> Any:
        return numpy.array(request["input"], dtype=numpy.float32)

    def predict(self, x: Any, **_: Any) -> Any:
        [output] = self._session.run(None, {"x": x})
        return output

    def encode_response(self, output: Any, **_: Any) -> Any:
        return {"output": output.tolist()}


if __name__ == "__main__":
    litserve.LitServer(Api(), accelerator="cpu").run(port=8000, generate_client_file=False)
