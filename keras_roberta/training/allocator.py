"""Keeps the memory that a training step frees for the next step.

The setting is for the whole process. Commands and scripts make it; a task's `fit` never does.
"""

import ctypes
import os
import platform

# glibc's mallopt(3): malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Tells glibc's malloc not to return freed blocks to the operating system.

    By default, malloc maps each large block anew, such as the activations of a layer. The system
    then clears its pages one by one when they are first written. With batches of different lengths
    this happens in every step. After this call the process keeps the memory of its largest step.

    Does nothing with another C library, or if the environment already sets malloc's options
    (`MALLOC_MMAP_MAX_`, `GLIBC_TUNABLES` and so on).
    """
    chosen = any(name.startswith("MALLOC_") for name in os.environ)
    if chosen or "GLIBC_TUNABLES" in os.environ or platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
