"""The options of the jobs that are one file each; none of this imports TensorFlow."""
