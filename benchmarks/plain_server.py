"""The peer of `benchmarks/server.py`: the handler that one would write in ten minutes.

A FastAPI function that calls the same SavedModel's `serving_default`, run by uvicorn: no batching,
no versions, no checks but pydantic's. Run as `python benchmarks/plain_server.py SAVED_MODEL PORT`.
"""

import sys
from typing import Any

import tensorflow as tf
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class PredictRequest(BaseModel):
    instances: list[list[float]]


def plain_app(saved_model: str) -> FastAPI:
    app = FastAPI()
    model = tf.saved_model.load(saved_model)
    signature = model.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]

    @app.post("/predict")
    def predict(request: PredictRequest) -> dict[str, Any]:
        outputs = signature(**{name: tf.constant(request.instances, tf.float32)})
        columns = {key: value.numpy().tolist() for key, value in outputs.items()}
        rows = zip(*columns.values(), strict=True)
        return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}

    # The signature does not keep its weights alive.
    app.state.model = model

    @app.get("/ready")
    def ready() -> bool:
        return True

    return app


if __name__ == "__main__":
    uvicorn.run(plain_app(sys.argv[1]), port=int(sys.argv[2]), log_level="warning")
