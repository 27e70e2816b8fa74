"""Training: the step, optimizers, runs that go on after a stop, several workers."""

from keras_roberta.training.allocator import keep_freed_memory

__all__ = ["keep_freed_memory"]
