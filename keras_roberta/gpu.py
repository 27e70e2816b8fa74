"""Whether there is a GPU to compute on."""

import functools

import keras


@functools.cache
def has_gpu():
    """Whether the Keras backend sees a GPU. Asked once a process: the answer opens the devices."""
    # Not `list_devices("gpu")`: JAX raises where it has none.
    return any(device.startswith("gpu") for device in keras.distribution.list_devices())
