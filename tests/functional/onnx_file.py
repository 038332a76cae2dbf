# SPDX-License-Identifier: BSD-3-Clause
"""Writes small ONNX files byte by byte, so that tests know every weight of a model and need no other package."""
import struct

FLOAT, INT_ATTRIBUTE = 1, 2


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def field(number, value):
    """A protobuf field: an int, or bytes or text with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name, rows):
    """A matrix, or a vector where rows are numbers."""
    is_matrix = isinstance(rows[0], (list, tuple))
    dims = [len(rows), len(rows[0])] if is_matrix else [len(rows)]
    flat = [x for row in rows for x in row] if is_matrix else rows
    data = struct.pack(f"<{len(flat)}f", *flat)
    return b"".join(field(1, d) for d in dims) + field(2, FLOAT) + field(8, name) + field(9, data)


def node(kind, inputs, output, **integers):
    attributes = b"".join(
        field(5, field(1, key) + field(3, value) + field(20, INT_ATTRIBUTE)) for key, value in integers.items()
    )
    return b"".join(field(1, x) for x in inputs) + field(2, output) + field(4, kind) + attributes


def value(name, width):
    dims = field(1, field(2, "N")) + field(1, field(1, width))
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, dims)))


def write_linear_model(path, weights, bias, output="Sigmoid", **metadata):
    """weights: [outputs][inputs]; metadata: of wirescore.NAME. A dense layer, then Sigmoid or Softmax."""
    nodes = [node("Gemm", ["x", "w", "b"], "z", transB=1), node(output, ["z"], "y")]
    graph = b"".join(field(1, n) for n in nodes) + field(2, "graph")
    graph += field(5, tensor("w", weights)) + field(5, tensor("b", bias))
    graph += field(11, value("x", len(weights[0]))) + field(12, value("y", len(bias)))
    model = field(1, 8) + field(2, "test") + field(7, graph) + field(8, field(2, 13))
    for name, text in metadata.items():
        model += field(14, field(1, "wirescore." + name) + field(2, text))
    path.write_bytes(model)
    return path
