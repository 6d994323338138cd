"""The speed of a run: a step waits when its batch is read after the step began."""

import numpy as np
import pytest

from training.fitting.inputs.batches import Batches, Examples, draw_epoch
from training.fitting.speed import SpeedMeter


@pytest.mark.parametrize(("read_to", "share"), [(0.0, 0.0), (1e12, 1.0)])  # read long ago; read after the step ended
def test_the_waiting_share_goes_from_0_to_1(read_to: float, share: float) -> None:
    examples = Examples([np.zeros((8, 2, 2, 3), np.uint8)], np.arange(8), np.zeros(8, int))
    batches = Batches(examples, 4, draw=draw_epoch(examples, np.random.default_rng(0)))
    meter = SpeedMeter()
    clock = meter.clock("head").time(batches)
    for step in range(2):
        clock.on_train_batch_begin(step)
        batches.reads[step] = read_to - 0.5, read_to
        clock.on_train_batch_end(step)
    speed = meter.speeds["head"]
    assert (speed.steps, speed.pictures) == (1, 4)  # the first step compiles, and is left out
    assert speed.waiting_share == share
    assert speed.feed_images_per_s == pytest.approx(8)  # 4 pictures in half a second
    assert speed.images_per_s > 0


def test_measurements_continue_in_a_later_session() -> None:
    meter = SpeedMeter()
    meter.clock("head")
    meter.speeds["head"].steps, meter.speeds["head"].pictures, meter.speeds["head"].stepping_s = 10, 320, 4.0
    later = SpeedMeter()
    later.restore(meter.to_json())
    assert later.speeds == meter.speeds
    assert later.speeds["head"].images_per_s == 80
    assert later.speeds["head"].step_s == 0.4
    assert "80 img/s in steps of 400 ms" in str(later.speeds["head"])


def test_a_phase_without_a_timed_step_has_no_speed() -> None:
    meter = SpeedMeter()
    meter.clock("head")
    speed = meter.speeds["head"]
    assert speed.images_per_s == speed.feed_images_per_s == speed.waiting_share == 0
