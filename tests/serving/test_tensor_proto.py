"""A TensorProto makes an array, or is refused; never an array larger than what it holds."""

import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.errors import InvalidRequestError, RequestError, TooLargeError
from serving.tensors import STRING, TensorSpec
from serving.tf_serving_grpc import read_tensor, write_tensor

MOST_ROWS = 1000
SPECS = {
    dtype: TensorSpec("x", np.dtype(dtype) if dtype != "string" else STRING, shape)
    for dtype, shape in (
        ("float32", (None, 140)),
        ("float64", (None, 3)),
        ("int64", (None, 2, 2)),
        ("bool", (None, 4)),
        ("uint8", (None, 28, 28)),
        ("string", (None,)),
    )
}
NUMBERS = ("float_val", "double_val", "int_val", "int64_val", "bool_val")
SIZES = st.one_of(st.integers(-2, 200), st.sampled_from([400_000, 2**31, 2**62, 2**63 - 1]))


@st.composite
def messages(draw: st.DrawFn) -> tensor_pb2.TensorProto:
    tensor = tensor_pb2.TensorProto()
    tensor.dtype = draw(st.sampled_from([*types_pb2.DataType.values()[:12], 23]))
    shape = draw(st.sampled_from([(140,), (3,), (2, 2), (4,), (28, 28), ()]))
    tail = draw(st.one_of(st.just(shape), st.lists(SIZES, max_size=4)))
    for size in (draw(SIZES), *tail):
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_shape.unknown_rank = draw(st.booleans()) and draw(st.booleans())
    kind = draw(st.sampled_from(["content", "string", "nothing", *NUMBERS]))
    count = draw(st.integers(0, 600))
    if kind == "content":
        tensor.tensor_content = b"\1" * draw(st.sampled_from([count, 560, 1120, 24, 64, 784]))
    elif kind == "string":
        tensor.string_val.extend([b"ab"] * count)
    elif kind != "nothing":
        getattr(tensor, kind).extend([1] * count)
    return tensor


@settings(max_examples=500, deadline=None)
@given(tensor=messages(), dtype=st.sampled_from(sorted(SPECS)))
def test_what_is_made_is_no_larger_than_a_multiple_of_the_message(
    tensor: tensor_pb2.TensorProto, dtype: str
) -> None:
    size = tensor.ByteSize()
    spec = SPECS[dtype]
    array, refusal = None, None
    tracemalloc.start()
    try:
        array = read_tensor(spec, tensor, MOST_ROWS)
    except RequestError as error:
        refusal = error
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 64 * size + 256 * 1024
    if array is not None:
        assert array.dtype == spec.dtype
        assert array.shape == tuple(size.size for size in tensor.tensor_shape.dim)
        assert array.shape[0] <= MOST_ROWS
    else:
        assert refusal is not None
        assert "\n" not in str(refusal)
        assert len(str(refusal)) < 500


@given(dtype=st.sampled_from(sorted(SPECS)), rows=st.integers(1, 5), packed=st.booleans())
def test_what_is_written_is_read_as_it_was(dtype: str, rows: int, packed: bool) -> None:
    spec = SPECS[dtype]
    shape = (rows, *spec.shape[1:])
    array = np.arange(np.prod(shape)).reshape(shape) % 7
    array = array.astype(bytes).astype(object) if dtype == "string" else array.astype(spec.dtype)
    tensor = tensor_pb2.TensorProto()
    if packed:
        tensor.CopyFrom(tf.make_tensor_proto(array, dtype))
    else:
        write_tensor(array, tensor)
    np.testing.assert_array_equal(read_tensor(spec, tensor, MOST_ROWS), array)
    np.testing.assert_array_equal(tf.make_ndarray(tensor), array)


def test_a_few_values_are_repeated_as_tensorflow_does() -> None:
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[1.0, 2.0])
    for size in (2, 140):
        tensor.tensor_shape.dim.add(size=size)
    array = read_tensor(SPECS["float32"], tensor, MOST_ROWS)
    assert array.shape == (2, 140)
    assert array.ravel()[:3].tolist() == [1.0, 2.0, 2.0]


@pytest.mark.parametrize("rows", [8, MOST_ROWS])
def test_a_large_array_is_not_made_of_one_value(rows: int) -> None:
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[1.0])
    for size in (rows, 140):
        tensor.tensor_shape.dim.add(size=size)
    with pytest.raises(InvalidRequestError, match=f"has {rows * 140} elements, got 1 in float_val"):
        read_tensor(SPECS["float32"], tensor, MOST_ROWS)


def test_the_option_is_named_that_bounds_the_examples() -> None:
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[1.0])
    for size in (400_000, 140):
        tensor.tensor_shape.dim.add(size=size)
    with pytest.raises(TooLargeError, match=r"400000 examples .* 1000 .*--queue-rows"):
        read_tensor(SPECS["float32"], tensor, MOST_ROWS)
