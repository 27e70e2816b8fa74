"""Memory that a training step frees is kept for the next one.

It changes the whole process, so commands and scripts call it, never a task's `fit`.
"""

import ctypes
import os
import platform

# glibc's mallopt(3): malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed_memory():
    """Tells glibc's malloc not to give freed blocks back to the system.

    By default each large block, such as the activations of a layer, is mapped anew, and the system
    clears its pages one by one when they are first written: at every step where batches differ in
    length. The process keeps what its largest step needed.
    Does nothing under another C library, or where the environment has settings of its own
    (`MALLOC_MMAP_MAX_`, `GLIBC_TUNABLES` and so on).
    """
    chosen = any(name.startswith("MALLOC_") for name in os.environ)
    if chosen or "GLIBC_TUNABLES" in os.environ or platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
