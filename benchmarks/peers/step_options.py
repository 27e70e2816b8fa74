"""The step that is timed: shape, batch and recipe, the same for all contestants."""

import argparse

VOCABULARY_SIZE = 50_265
SHAPE = dict(num_layers=6, num_heads=8, hidden_dim=512, intermediate_dim=2048)
BATCH_SIZE, LENGTH, PREDICTIONS = 16, 128, 20
DROPOUT = 0.1
OPTIMIZER = dict(learning_rate=1e-4, weight_decay=0.01, beta_2=0.98, epsilon=1e-6)
MASK_TOKEN_ID = 50_264

# What step_products.py runs as one "step": the three products of a dense layer, some times.
REPEATS = 10
PRODUCTS_OPERATIONS = (
    REPEATS * 3 * 2 * BATCH_SIZE * LENGTH * SHAPE["hidden_dim"] * SHAPE["intermediate_dim"]
)


def parse_options(description):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--jit", action="store_true", help="compile the step")
    parser.add_argument("--parts", action="store_true", help="time the parts of the step, too")
    return parser.parse_args()


def make_batches(count=4, seed=0):
    """Full rows of random tokens, some masked.

    Returns:
        list of (token_ids, mask_positions, masked_ids), int32 arrays of (batch, length) and twice
        (batch, predictions)
    """
    import numpy as np

    random = np.random.default_rng(seed)
    batches = []
    for _ in range(count):
        token_ids = random.integers(4, MASK_TOKEN_ID, (BATCH_SIZE, LENGTH), dtype="int32")
        token_ids[:, 0], token_ids[:, -1] = 0, 2
        places = [random.permutation(LENGTH - 2)[:PREDICTIONS] + 1 for _ in range(BATCH_SIZE)]
        positions = np.sort(places).astype("int32")
        masked_ids = np.take_along_axis(token_ids, positions, axis=1)
        np.put_along_axis(token_ids, positions, MASK_TOKEN_ID, axis=1)
        batches.append((token_ids, positions, masked_ids))
    return batches
