"""How much memory there is to train in."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclasses.dataclass(frozen=True)
class DeviceMemory:
    """Memory of one kind.

    Attributes:
        name: what has it, for messages.
        num_bytes: how much there is, in use or not.
    """

    name: str
    num_bytes: int

    def __str__(self):
        return f"{self.num_bytes / 1e9:.1f} GB of {self.name}"


def device_memory(on_gpus: bool) -> DeviceMemory | None:
    """That of the smallest graphics card, or of the machine; None where it cannot be told.

    Args:
        on_gpus: whether the run is on graphics cards.
    """
    return _of_cards() if on_gpus else _of_machine()


def _of_machine():
    """Physical memory, or what a container may have of it."""
    try:
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (ValueError, OSError, AttributeError):  # not on this system
        return None
    for path in _LIMITS:
        try:
            found.append(int(Path(path).read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return DeviceMemory("this machine", min(found))


def _of_cards():
    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
        found = [int(line) for line in done.stdout.split()]
    except (OSError, ValueError, subprocess.SubprocessError):  # another maker's card
        return None
    return DeviceMemory("this card", min(found) << 20) if found else None
