"""Times of the operations of a `.tflite` file."""

import collections

import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from keras_roberta.export.operator_times import operator_times


@pytest.mark.parametrize("name", ["int8", "int4", "float16"])
def test_every_operation_is_timed(exported, name):
    """As many of each as TFLite itself finds in the encoder without a delegate, but for weights of
    float16, which are unpacked when the file is opened."""
    found = operator_times(exported[name], 16, repeats=2)
    assert all(one.milliseconds > 0 for one in found)
    times = [one.milliseconds for one in found]
    assert times == sorted(times, reverse=True)
    counts = collections.Counter()
    for one in found:
        counts[one.name] += one.count
    interpreter = Interpreter(
        str(exported[name]),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    whole = interpreter._get_ops_details()  # of the main subgraph, which is the first encoder
    expected = collections.Counter(one["op_name"] for one in whole)
    if name == "float16":
        assert expected.pop("DEQUANTIZE") > counts.pop("DEQUANTIZE", 0)
    assert counts == expected
