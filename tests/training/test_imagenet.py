"""ImageNet's weights: Keras downloads them, here from a server on loopback, and they fill the backbone."""

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import h5py  # type: ignore[import-untyped]
import keras
import numpy as np
import pytest
from keras.src.applications import resnet
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from contract.errors import TrainingError
from training.config import IMAGENET
from training.model import build_classifier
from training.weights import load_weights

pytestmark = pytest.mark.filterwarnings(
    r"ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

FILE = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, keras.Model]:
    """A folder with a file in the published layout, and the network whose weights it holds."""
    folder = tmp_path_factory.mktemp("published")
    network = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(32, 32, 3))
    with h5py.File(folder / FILE, "w") as file:
        save_weights_to_hdf5_group(file, network)
    return folder, network


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a log."""

    def log_message(self, format: str, *arguments: object) -> None:
        del format, arguments


@pytest.fixture
def server(
    published: tuple[Path, keras.Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, keras.Model]]:
    """Let Keras download from loopback, into a folder of this test."""
    folder, _ = published
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        sha256 = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
        monkeypatch.setattr(resnet, "BASE_WEIGHTS_PATH", f"http://127.0.0.1:{serving.server_port}/")
        monkeypatch.setattr(resnet, "WEIGHTS_HASHES", {"resnet50": (sha256, sha256)})
        monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
        yield published
        serving.shutdown()


def test_imagenets_weights_fill_the_backbone(server: tuple[Path, keras.Model]) -> None:
    classifier = build_classifier(32)
    loaded = load_weights(classifier, IMAGENET)
    assert loaded.fresh == ("head",)
    expected = server[1].get_weights()
    for got, wanted in zip(classifier.backbone.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_file_with_another_hash_is_refused(server: tuple[Path, keras.Model], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resnet, "WEIGHTS_HASHES", {"resnet50": ("0" * 64, "0" * 64)})
    with pytest.raises(TrainingError, match=r"could not download the ImageNet weights .* or train with weights none"):
        load_weights(build_classifier(32), IMAGENET)


def test_an_unreachable_server_is_reported(server: tuple[Path, keras.Model], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resnet, "BASE_WEIGHTS_PATH", "http://127.0.0.1:1/")
    with pytest.raises(TrainingError, match="check the network"):
        load_weights(build_classifier(32), IMAGENET)
