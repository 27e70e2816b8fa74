"""Whether there is a GPU, and of which generation."""

import functools

import keras


@functools.cache
def has_gpu() -> bool:
    """Whether the Keras backend sees a GPU.

    The backend is asked once in a process, and opens its devices to answer.
    """
    if keras.backend.backend() == "torch":
        return False  # Keras has no list of its devices, and nothing is chosen by it there
    # Not `list_devices("gpu")`: JAX raises an error where there is none.
    return any(device.startswith("gpu") for device in keras.distribution.list_devices())


@functools.cache
def compute_capability() -> tuple[int, ...]:
    """NVIDIA's compute capability of JAX's first GPU, as (major, minor).

    (0, 0) if the GPU is not one of NVIDIA's.
    """
    import jax

    found = getattr(jax.local_devices()[0], "compute_capability", "")
    parts = str(found).split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else (0, 0)
