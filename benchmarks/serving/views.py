"""From the bytes of a picture to an answer in JSON, in one process: our function, and what one writes with Flask."""

import io
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.serving.price import MEMORY_MB_PER_VCPU
from benchmarks.serving.worker import Job, Ready


def function(job: Job) -> Ready:
    """Start as the container does, and hand over an event."""
    return _function(job, {"MODEL_URI": job.model.resolve().as_uri()})


def function_from_s3(job: Job) -> Ready:
    """Start as the container does, with the model in an S3 on this machine and nothing in the cache."""
    from benchmarks.serving.storage import BUCKET, ENDPOINT, PREFIX

    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    return _function(job, {"MODEL_URI": f"s3://{BUCKET}/{PREFIX}", "AWS_ENDPOINT_URL": os.environ[ENDPOINT], **keys})


def _function(job: Job, environment: dict[str, str]) -> Ready:
    os.environ |= {
        **environment,
        "MODEL_CACHE": tempfile.mkdtemp(dir=job.pixels.parent),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(job.threads * MEMORY_MB_PER_VCPU),
        "AWS_LAMBDA_FUNCTION_NAME": "classify",
        "LAMBDA_TASK_ROOT": str(Path.cwd()),
        "POWERTOOLS_TRACE_DISABLED": "true",  # there is no X-Ray daemon here
    }
    from functions.classify.__main__ import start

    handler = start()
    from benchmarks.event import Context, event_with

    event = event_with(job.picture.read_bytes())

    def ask() -> None:
        answer = handler(event, Context())
        if answer["statusCode"] != 200:
            raise RuntimeError(answer["body"])

    return Ready(ask)


def flask_predict(job: Job) -> Ready:
    """Serve as Keras's guides do: `model.predict` on a batch of one."""
    model = _keras_model(job)
    return _flask(job, lambda batch: model.predict(batch, verbose=0)[0])


def flask_compiled(job: Job) -> Ready:
    """Serve as TensorFlow's guide on `tf.function` does: traced once, for one shape."""
    import tensorflow as tf

    model = _keras_model(job)
    signature = tf.TensorSpec((1, job.size, job.size, 3), tf.uint8)
    compiled = tf.function(lambda pixels: model(pixels, training=False), input_signature=[signature])
    return _flask(job, lambda batch: compiled(tf.constant(batch))[0].numpy())


def _keras_model(job: Job) -> Any:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(job.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from training.model import Preprocessing

    return keras.saving.load_model(job.model, {"Preprocessing": Preprocessing}, compile=False)


def _flask(job: Job, predict: Any) -> Ready:
    """Write the view that every tutorial has: open, resize, predict, jsonify."""
    import numpy as np
    from flask import Flask, jsonify, request
    from PIL import Image, ImageOps

    from contract.labels import CODES

    app = Flask(__name__)

    @app.post("/predict")
    def view() -> Any:
        picture = Image.open(io.BytesIO(request.get_data())).convert("RGB")
        square = ImageOps.fit(picture, (job.size, job.size), Image.Resampling.BILINEAR)
        probabilities = predict(np.asarray(square)[np.newaxis])[0]
        return jsonify({code: float(share) for code, share in zip(CODES, probabilities, strict=True)})

    client, encoded = app.test_client(), job.picture.read_bytes()

    def ask() -> None:
        answer = client.post("/predict", data=encoded, content_type="image/jpeg")
        if answer.status_code != 200:
            raise RuntimeError(answer.text)

    return Ready(ask)
