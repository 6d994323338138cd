"""From the bytes of a picture to a JSON response in one process: our function, and Flask views with Keras."""

import io
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.serving.price import MEMORY_MB_PER_VCPU
from benchmarks.serving.worker import Ready, Setup


def function(setup: Setup) -> Ready:
    """Start the function as its container does, and call it with an event."""
    return _function(setup, {"MODEL_URI": setup.model.resolve().as_uri()})


def function_from_s3(setup: Setup) -> Ready:
    """Start the function as its container does, with the model in the local S3 and an empty cache."""
    from benchmarks.serving.local_s3 import BUCKET, ENDPOINT, PREFIX

    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    return _function(setup, {"MODEL_URI": f"s3://{BUCKET}/{PREFIX}", "AWS_ENDPOINT_URL": os.environ[ENDPOINT], **keys})


def _function(setup: Setup, environment: dict[str, str]) -> Ready:
    os.environ |= {
        **environment,
        "MODEL_CACHE": tempfile.mkdtemp(dir=setup.pixels.parent),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(setup.threads * MEMORY_MB_PER_VCPU),
        "AWS_LAMBDA_FUNCTION_NAME": "classify",
        "LAMBDA_TASK_ROOT": str(Path.cwd()),
        "POWERTOOLS_TRACE_DISABLED": "true",  # no X-Ray daemon runs here
    }
    from functions.classify.__main__ import start

    handler = start()
    from benchmarks.event import Context, event_with

    event = event_with(setup.picture.read_bytes())

    def predict_once() -> None:
        response = handler(event, Context())
        if response["statusCode"] != 200:
            raise RuntimeError(response["body"])

    return Ready(predict_once)


def flask_predict(setup: Setup) -> Ready:
    """Predict as Keras's guides do: `model.predict` on a batch of one."""
    model = _keras_model(setup)
    return _flask(setup, lambda batch: model.predict(batch, verbose=0)[0])


def flask_compiled(setup: Setup) -> Ready:
    """Predict as TensorFlow's guide on `tf.function` does: traced once, for one shape."""
    import tensorflow as tf

    model = _keras_model(setup)
    signature = tf.TensorSpec((1, setup.size, setup.size, 3), tf.uint8)
    compiled = tf.function(lambda pixels: model(pixels, training=False), input_signature=[signature])
    return _flask(setup, lambda batch: compiled(tf.constant(batch))[0].numpy())


def _keras_model(setup: Setup) -> Any:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(setup.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from training.model import Preprocessing

    return keras.saving.load_model(setup.model, {"Preprocessing": Preprocessing}, compile=False)


def _flask(setup: Setup, predict: Any) -> Ready:
    """Build the view of the tutorials: open, resize, predict, jsonify."""
    import numpy as np
    from flask import Flask, jsonify, request
    from PIL import Image, ImageOps

    from contract.labels import CODES

    app = Flask(__name__)

    @app.post("/predict")
    def view() -> Any:
        picture = Image.open(io.BytesIO(request.get_data())).convert("RGB")
        square = ImageOps.fit(picture, (setup.size, setup.size), Image.Resampling.BILINEAR)
        probabilities = predict(np.asarray(square)[np.newaxis])[0]
        return jsonify({code: float(share) for code, share in zip(CODES, probabilities, strict=True)})

    client, encoded = app.test_client(), setup.picture.read_bytes()

    def predict_once() -> None:
        response = client.post("/predict", data=encoded, content_type="image/jpeg")
        if response.status_code != 200:
            raise RuntimeError(response.text)

    return Ready(predict_once)
