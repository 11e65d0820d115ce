"""A model that works until it does not: its process dies at a request."""

import os
from typing import Any


class Fragile:
    """Predicts as `model` does, and ends the process at the `last`th prediction."""

    def __init__(self, model: Any, last: int) -> None:
        self.model, self.last, self.requests = model, last, 0

    def predict(self, features: Any) -> Any:
        self.requests += 1
        if self.requests >= self.last:
            os._exit(1)
        return self.model.predict(features)
