"""Batches: each picture at most once in an epoch, with its class and weight, in equal slices for several processes."""

from typing import Any

import keras
import numpy as np
import pytest

from training.fitting.inputs.batches import Batches, Draw, Examples, draw_epoch

PIXELS = np.arange(11, dtype=np.uint8).reshape(11, 1, 1, 1)
EXAMPLES = Examples([PIXELS], np.arange(11), np.arange(11) % 7)
WEIGHTS = np.arange(1.0, 8)


def draw(seed: int = 0, examples: Examples = EXAMPLES, **changes: float) -> Draw:
    return draw_epoch(examples, np.random.default_rng(seed), **changes)


def flat(batch: tuple[Any, np.ndarray, np.ndarray]) -> list[np.ndarray]:
    """List the arrays of a batch with mixup."""
    inputs, classes, weights = batch
    return [*inputs, classes, weights]


def test_an_epoch_shows_each_picture_at_most_once_with_its_class_in_full_batches() -> None:
    epochs = []
    for seed in range(2):
        batches = Batches(EXAMPLES, 4, draw=draw(seed), class_weights=WEIGHTS)
        shown = [batches[number] for number in range(len(batches))]
        assert [len(inputs) for inputs, _, _ in shown] == [4, 4]
        inputs = np.concatenate([batch[0] for batch in shown]).ravel()
        assert len(set(inputs)) == 8
        assert np.array_equal(np.concatenate([batch[1] for batch in shown]).argmax(axis=1), inputs % 7)
        assert np.array_equal(np.concatenate([batch[2] for batch in shown]), inputs % 7 + 1)
        epochs.append(inputs.tolist())
    assert epochs[0] != epochs[1]


def test_batches_without_a_draw_show_every_picture_in_order() -> None:
    batches = Batches(EXAMPLES, 4)
    shown = np.concatenate([batches[number][0] for number in range(len(batches))]).ravel()
    assert shown.tolist() == list(range(11))


@pytest.mark.filterwarnings(r"ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_keras_gets_the_batches_in_order() -> None:
    """The loss adds a power of ten for each batch, so its sum shows their order."""
    numbers = np.repeat(np.arange(4), 2)
    drawn = Draw(np.arange(8), np.zeros(8, int), np.arange(8), np.zeros(8, int), None)
    weights = np.array([1, 10, 100, 1000, 0, 0, 0], float)
    batches = Batches(
        Examples([numbers[:, None].astype(np.float32)], np.arange(8), numbers), 2, draw=drawn, class_weights=weights
    )
    number = keras.Input((1,))
    model = keras.Model(number, keras.layers.Dense(7)(number))
    model.compile("sgd", lambda truth, logits: keras.ops.sum(truth + 0 * logits, axis=-1), jit_compile=False)
    seen: list[int] = []

    class Note(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            seen.append(round((logs or {})["loss"] * (batch + 1)))

    model.fit(batches, verbose=0, shuffle=False, callbacks=[Note()])
    assert seen == [1, 11, 111, 1111]
    assert sorted(batches.reads) == [0, 1, 2, 3]


def test_each_picture_is_shown_in_the_view_that_was_drawn_and_stays_float16() -> None:
    views = [PIXELS.astype(np.float16), PIXELS.astype(np.float16) + 100]
    examples = Examples(views, np.arange(11)[::-1], np.zeros(11, int))
    drawn = draw(examples=examples)
    (inputs, _, _) = Batches(examples, 11, draw=drawn)[0]
    assert inputs.dtype == np.float16
    assert inputs.ravel().tolist() == (10 - drawn.chosen + 100 * drawn.view).tolist()
    assert set(drawn.view) == {0, 1}


def test_the_slices_of_all_processes_together_are_the_batch_of_one_process() -> None:
    full = Batches(EXAMPLES, 4, draw=draw(mixup=0.4), class_weights=WEIGHTS)
    slices = [Batches(EXAMPLES, 4, draw=draw(mixup=0.4), class_weights=WEIGHTS, shard=(i, 2)) for i in range(2)]
    assert {len(part) for part in slices} == {len(full)}
    for number in range(len(full)):
        parts = [flat(part[number]) for part in slices]
        for one, first, second in zip(flat(full[number]), *parts, strict=True):
            assert len(first) == len(second) == 2
            assert np.array_equal(one, np.concatenate([first, second]))


def test_a_batch_that_cannot_be_divided_evenly_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be divided evenly between 3"):
        Batches(EXAMPLES, 4, draw=draw(), shard=(0, 3))


def test_the_loss_of_a_mixture_is_the_mixture_of_the_weighted_losses() -> None:
    batches = Batches(EXAMPLES, 8, draw=draw(mixup=1.0), class_weights=WEIGHTS)
    (first, second, share), classes, weights = batches[0]
    assert first.dtype == second.dtype == np.uint8
    assert np.unique(share).size == 8
    log_probabilities = np.log(np.random.default_rng(1).dirichlet(np.ones(7)))
    losses = weights * -(classes @ log_probabilities)
    one, other = (WEIGHTS[picture % 7] * -log_probabilities[picture % 7] for picture in (first.ravel(), second.ravel()))
    np.testing.assert_allclose(losses, share * one + (1 - share) * other, rtol=1e-5)
    assert (first != second).any()
