"""`python -m keras_roberta.cli`."""

from keras_roberta.cli import main

main()
