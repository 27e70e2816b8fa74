"""What many tests need: a seed, a tiny tokenizer, a tiny model and where the real data lies."""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Tiny programs run for a moment: optimising their code takes longer than it saves.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import keras_roberta  # before TensorFlow, which it turns oneDNN's products on for

# isort: split
import keras
import pytest
from tensorflow.python.framework import ops as tensorflow_ops

from keras_roberta.cli import main
from keras_roberta.tokenizers.training import train_byte_level_bpe

ROOT = pathlib.Path(__file__).resolve().parents[1]

GOOD = ["a fine film", "a warm and lovely film", "fine , warm and funny", "lovely , simply lovely"]
BAD = ["a dull film", "a cold and tedious film", "dull , cold and flat", "tedious , simply tedious"]


# The files that take longest start first, so that the processes of a run end together.
LONGEST = (
    *("test_strategies.py", "test_contract_training.py", "test_contract_exports.py"),
    *("test_contract_devices.py", "test_multi_worker.py", "test_text_models.py"),
    *("test_finished_runs.py", "test_stopped_runs.py", "test_workers_of_a_run.py", "test_cli.py"),
    *("test_blocks_run.py", "test_phones_and_servers.py", "test_quantization.py", "test_tasks.py"),
    *("test_saved_model.py", "test_masked_lm.py", "test_frozen.py", "test_training_step.py"),
)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(autouse=True, scope="module")
def graphs_are_let_go():
    """TensorFlow keeps each custom gradient that a graph has for ever, and with it the graph."""
    yield
    gradients = tensorflow_ops.gradient_registry._registry
    for name in [name for name in gradients if name.startswith("CustomGradient-")]:
        del gradients[name]


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(11)


@pytest.fixture(scope="session")
def data_directory():
    """Real checkpoints and data sets; tests that need them skip without."""
    directory = pathlib.Path(os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data"))
    if not directory.is_dir():
        pytest.skip(f"no data at {directory}; set KERAS_ROBERTA_DATA")
    return directory


@pytest.fixture(scope="session")
def tokenizer():
    return train_byte_level_bpe((GOOD + BAD) * 4, vocabulary_size=300)


@pytest.fixture
def config(tokenizer):
    return keras_roberta.RobertaConfig(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=2,
        num_heads=4,
        hidden_dim=32,
        intermediate_dim=64,
        max_sequence_length=32,
        seed=5,
    )


@pytest.fixture
def sentiment():
    """Texts and labels that a tiny model tells apart after a few epochs."""
    return (GOOD + BAD) * 8, ([1] * len(GOOD) + [0] * len(BAD)) * 8


@pytest.fixture
def run(capsys):
    """A command's exit code, standard output and standard error."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit:
            main([str(argument) for argument in arguments])
        return exit.value.code or 0, *capsys.readouterr()

    return run
