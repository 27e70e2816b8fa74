"""Training: the step, the optimizers, runs that can be resumed, and several workers."""

from keras_roberta.training.allocator import keep_freed_memory

__all__ = ["keep_freed_memory"]
