"""Whether there is a GPU to compute on."""

import functools

import keras


@functools.cache
def has_gpu():
    """Whether the Keras backend sees a GPU. Asked once a process: the answer opens the devices."""
    # Not `list_devices("gpu")`: JAX raises where it has none.
    return any(device.startswith("gpu") for device in keras.distribution.list_devices())


@functools.cache
def compute_capability():
    """JAX's first GPU's, as (major, minor); (0, 0) if it is not one of NVIDIA's."""
    import jax

    found = getattr(jax.local_devices()[0], "compute_capability", "")
    parts = str(found).split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else (0, 0)
