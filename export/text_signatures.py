"""A TFLite file's signatures for texts, put together from its tokenizer and its encoder."""

import copy

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_roberta.export.signature_names import ENCODE, OF_TOKENIZER, PLACE, TEXT, TOKENIZE
from keras_roberta.export.tflite_rewrites import number_of_kind

# In front of the names of subgraphs that TFLite gives to no delegate.
NOT_DELEGATED = b"VALIDATION:"


def add_text_signatures(model, lengths, ids_name):
    """Adds `text_N` to a model that has `tokenize_N` and `tokens_N`, and maybe `place_N`.

    It is a copy of the one that calls the others. So the weights are there once, and XNNPACK, which
    packs the weights of each subgraph anew, packs them no more often.

    All but the encoders are kept from delegates: those of GPUs refuse a file in which they see
    tensors whose size is not known beforehand, as tokenizers have them.

    Args:
        model: `schema.ModelT`, changed in place.
        lengths: the values of N.
        ids_name: what `text_N` calls the ids that the tokenizer made.
    """
    signatures = {s.signatureKey.decode(): s for s in model.signatureDefs}
    encoders = [signatures[f"{ENCODE}_{length}"].subgraphIndex for length in lengths]
    put_first(model, encoders)  # a file's main subgraph is the first
    for length in lengths:
        tokenize, encode = signatures[f"{TOKENIZE}_{length}"], signatures[f"{ENCODE}_{length}"]
        number = _add_copy(model, tokenize.subgraphIndex)
        graph = model.subgraphs[number]
        row = {entry.name.decode(): entry.tensorIndex for entry in tokenize.outputs}
        outputs = _add_call(model, graph, encode, row)
        place = signatures.get(f"{PLACE}_{length}")
        if place is not None:
            outputs |= _add_call(model, graph, place, row | outputs)
        outputs |= {ids_name: row["token_ids"]}
        outputs |= {name: row[name] for name in OF_TOKENIZER if name in row}
        graph.outputs = list(outputs.values())
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = f"{TEXT}_{length}".encode(), number
        signature.inputs = tokenize.inputs
        signature.outputs = [_entry(name, tensor) for name, tensor in outputs.items()]
        model.signatureDefs.append(signature)
    for graph in model.subgraphs[len(encoders) :]:
        graph.name = NOT_DELEGATED + (graph.name or b"")


def put_first(model, chosen):
    """Changes the order of a model's subgraphs: those with the chosen numbers stand first."""
    order = chosen + [i for i in range(len(model.subgraphs)) if i not in chosen]
    model.subgraphs = [model.subgraphs[i] for i in order]
    for signature in model.signatureDefs:
        signature.subgraphIndex = order.index(signature.subgraphIndex)
    for operation in (op for graph in model.subgraphs for op in graph.operators):
        for name, number in _called(operation).items():
            setattr(operation.builtinOptions, name, order.index(number))


def _add_copy(model, number):
    """Copies a subgraph and those that it calls, and gives the copy's number.

    A subgraph keeps the place of its tensors between calls, so no two may call the same one.
    """
    graph = copy.copy(model.subgraphs[number])
    graph.tensors, graph.operators = list(graph.tensors), list(graph.operators)
    model.subgraphs.append(graph)
    added = len(model.subgraphs) - 1
    for place, operation in enumerate(graph.operators):
        if _called(operation):
            operation = graph.operators[place] = copy.copy(operation)
            operation.builtinOptions = copy.copy(operation.builtinOptions)
            for name, callee in _called(operation).items():
                setattr(operation.builtinOptions, name, _add_copy(model, callee))
    return added


def _called(operation):
    """The numbers of the subgraphs that an operation calls, by the names of its options."""
    options = vars(operation.builtinOptions) if operation.builtinOptions else {}
    return {name: value for name, value in options.items() if name.endswith("ubgraphIndex")}


def _add_call(model, graph, signature, inputs):
    """Adds an operation to a subgraph that runs the subgraph of a signature.

    TFLite has no operation that just calls a subgraph. So this is an IF whose condition is always
    true, with the same subgraph as both of its branches.

    Args:
        model: the model to change.
        graph: the subgraph that the operation is added to.
        signature: the signature whose subgraph it runs.
        inputs: dict of the signature's input names to numbers of tensors of `graph`; others may be
            among them.

    Returns:
        dict of the signature's output names to numbers of new tensors of `graph`.
    """

    def add(tensor):
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1

    true = schema.TensorT()
    true.name, true.type, true.shape, true.hasRank = b"true", schema.TensorType.BOOL, (), True
    true.buffer = len(model.buffers)
    content = schema.BufferT()
    content.data = np.array([1], np.uint8)
    model.buffers.append(content)

    callee = model.subgraphs[signature.subgraphIndex]
    given = {entry.tensorIndex: inputs[entry.name.decode()] for entry in signature.inputs}
    made = {i: add(copy.copy(callee.tensors[i])) for i in callee.outputs}
    call = schema.OperatorT()
    call.opcodeIndex = number_of_kind(model, schema.BuiltinOperator.IF)
    call.inputs = [add(true), *(given[i] for i in callee.inputs)]
    call.outputs = [made[i] for i in callee.outputs]
    call.builtinOptionsType, call.builtinOptions = (
        schema.BuiltinOptions.IfOptions,
        schema.IfOptionsT(signature.subgraphIndex, signature.subgraphIndex),
    )
    graph.operators.append(call)
    return {entry.name.decode(): made[entry.tensorIndex] for entry in signature.outputs}


def _entry(name, tensor):
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), tensor
    return entry
