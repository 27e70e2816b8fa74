"""Requests that TF Serving runs when it loads a model, before it lets clients in.

The first call of a signature at a new shape is slow: TensorFlow chooses kernels, XLA compiles. TF
Serving therefore replays the file `assets.extra/tf_serving_warmup_requests`, a TFRecord file of
PredictionLog messages (tensorflow_serving/apis/prediction_log.proto), at most 1,000 of them.
"""

import tensorflow as tf

FILE = "assets.extra/tf_serving_warmup_requests"


def write_warmup_requests(directory, requests):
    """Writes the requests into a SavedModel.

    Args:
        directory: of the SavedModel, a path.
        requests: pairs of the signature's name and a dict of its inputs, tensors by name.
    """
    path = directory / FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests:
            writer.write(prediction_log(signature, inputs))


def prediction_log(signature, inputs):
    """A PredictionLog message of one predict request, serialized.

    Each field that it needs holds bytes, so it is written by hand: the messages' Python classes
    come with `tensorflow-serving-api`, which nobody should need for an export.
    """
    # PredictionLog.predict_log = 6, PredictLog.request = 1, PredictRequest.model_spec = 1 and
    # inputs = 2, a map of keys = 1 and values = 2; ModelSpec.signature_name = 3.
    request = field(1, field(3, signature.encode()))
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += field(2, field(1, name.encode()) + field(2, tensor))
    return field(6, field(1, request))


def field(number, content):
    """A length-delimited field of a protocol buffer: tag, length, content.

    >>> field(1, b"ab")
    b'\\n\\x02ab'
    """
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value):
    """Seven bits a byte, the lowest first; the top bit says that more follow.

    >>> varint(300)
    b'\\xac\\x02'
    """
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
