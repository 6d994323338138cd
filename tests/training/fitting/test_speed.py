"""The speed of a run: what was waited is what a batch was read later than its step was ready."""

import numpy as np
import pytest

from training.fitting.batches import Batches, Examples, draw_epoch
from training.fitting.speed import Meter


@pytest.mark.parametrize(("read_to", "share"), [(0.0, 0.0), (1e12, 1.0)])  # long ago; not before the step was over
def test_the_share_of_waiting_runs_from_nothing_to_all(read_to: float, share: float) -> None:
    examples = Examples([np.zeros((8, 2, 2, 3), np.uint8)], np.arange(8), np.zeros(8, int))
    batches = Batches(examples, 4, draw=draw_epoch(examples, np.random.default_rng(0)))
    meter = Meter()
    clock = meter.clock("head").time(batches)
    for step in range(2):
        clock.on_train_batch_begin(step)
        batches.reads[step] = read_to - 0.5, read_to
        clock.on_train_batch_end(step)
    speed = meter.of["head"]
    assert (speed.steps, speed.pictures) == (1, 4)  # the first step makes the graph, and is left out
    assert speed.waiting_share == share
    assert speed.feed_images_per_s == pytest.approx(8)  # 4 pictures in half a second
    assert speed.images_per_s > 0


def test_what_an_earlier_session_measured_is_gone_on_from() -> None:
    meter = Meter()
    meter.clock("head")
    meter.of["head"].steps, meter.of["head"].pictures, meter.of["head"].stepping_s = 10, 320, 4.0
    kept = Meter.from_json(meter.to_json())
    assert kept.of == meter.of
    assert kept.of["head"].images_per_s == 80
    assert kept.of["head"].step_s == 0.4
    assert "80 img/s in steps of 400 ms" in str(kept.of["head"])


def test_a_phase_without_a_timed_step_has_no_speed() -> None:
    meter = Meter()
    meter.clock("head")
    assert meter.of["head"].images_per_s == meter.of["head"].feed_images_per_s == meter.of["head"].waiting_share == 0
