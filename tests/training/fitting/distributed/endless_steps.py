"""One of two instances that take small steps forever, for the tests of devices.

Its arguments are the port and the index of the instance. It prints each step, and at the end why it ended.
"""

import sys

import numpy as np


def main(port: int, index: int) -> None:
    import keras

    from contract.errors import TrainingError
    from training.fitting.distributed.cluster import Cluster
    from training.fitting.distributed.devices import join_cluster
    from training.fitting.resuming.stop import RunInterruptedError, watch_signals

    cluster = Cluster(hosts=("127.0.0.1", "127.0.0.2"), index=index, port=port)
    try:
        with watch_signals() as stop, join_cluster(cluster) as devices:
            model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
            model.compile("adam", "mse", jit_compile=True)
            stop_callback = devices.stop_callback(stop)
            step = 0
            while not stop.requested:
                model.fit(np.ones((1, 4)), np.ones((1, 1)), verbose=0, callbacks=[stop_callback])
                step += 1
                print_line(f"step {step}")
            raise stop.error(f"after step {step}")
    except TrainingError as error:
        print_line(str(error))
        raise SystemExit(not isinstance(error, RunInterruptedError)) from None


def print_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
