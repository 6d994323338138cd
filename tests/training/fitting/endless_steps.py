"""One of two instances that would take small steps for ever, as the tests of devices start it.

Its arguments are the port and the instance's index. It tells each step on standard output, and at last why it ended.
"""

import sys

import numpy as np


def main(port: int, index: int) -> None:
    import keras

    from contract.errors import TrainingError
    from training.fitting.cluster import Cluster
    from training.fitting.devices import join
    from training.fitting.resuming.stop import RunInterruptedError, watch_signals

    cluster = Cluster(hosts=("127.0.0.1", "127.0.0.2"), index=index, port=port)
    try:
        with watch_signals() as stop, join(cluster) as devices:
            model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
            model.compile("adam", "mse", jit_compile=True)
            told_to_stop = devices.share_stop(stop)
            step = 0
            while not stop.requested:
                model.fit(np.ones((1, 4)), np.ones((1, 1)), verbose=0, callbacks=[told_to_stop])
                step += 1
                tell(f"step {step}")
            raise stop.error(f"after step {step}")
    except TrainingError as error:
        tell(str(error))
        raise SystemExit(not isinstance(error, RunInterruptedError)) from None


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
