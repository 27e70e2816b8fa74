"""Asks TF Serving over gRPC, which carries tensors as they are: faster than REST for batches.

    pip install "keras-roberta[serving]"
    python examples/serving_grpc.py localhost:8500 sentiment "a gem" "a mess"

examples/serving_rest.py says how to start the server.
"""

import sys

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


def main(server, model, *texts):
    outputs = predict(server, model, texts)
    for text, name, score in zip(texts, outputs["label_name"], outputs["score"], strict=True):
        print(f"{name.decode()}\t{score:.4f}\t{text}")


def predict(server, model, texts):
    """Arrays (texts, ...): `label`, `label_name` (bytes), `score`, `probabilities`, `logits`."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = "serving_default"
    request.inputs["text"].CopyFrom(tf.make_tensor_proto(list(texts)))
    with grpc.insecure_channel(server) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        answer = stub.Predict(request, timeout=30)
    return {name: tf.make_ndarray(tensor) for name, tensor in answer.outputs.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
