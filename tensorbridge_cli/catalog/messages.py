"""The errors and warnings that NumPy and PyTorch show for conversions, each with its cause and a fix.

Each ``text`` is the library's wording, with ``…`` for the words and numbers that vary. A test runs its ``example`` and
expects that message, and runs the code in ``instead``.
"""

from __future__ import annotations

import functools
import re

from tensorbridge_cli.compat import dataclass


@dataclass(frozen=True, kw_only=True)
class Message:
    """One error or warning.

    Attributes:
        text: the library's wording, as much of it as identifies the message.
        why: what it means, and what to do.
        example: code that causes it; all lines but the last create the objects.
        instead: alternatives to the last line of ``example`` that work.
        see: the name of another page.
    """

    text: str
    why: str
    example: str
    instead: tuple[str, ...] = ()
    see: str = ""


_GRAD = "x = torch.ones(3, requires_grad=True)\n"
_REVERSED = "x = np.arange(3.0)[::-1]\n"
_SPARSE = "x = torch.eye(3).to_sparse()\n"
_CSR = "x = torch.eye(3).to_sparse_csr()\n"
_NESTED = "x = torch.nested.nested_tensor([torch.ones(2), torch.ones(2)])\n"
_BF16 = "x = torch.ones(4, dtype=torch.bfloat16)\n"
_META = "x = torch.ones(3, device='meta')\n"
_FAKE = "from torch._subclasses.fake_tensor import FakeTensorMode\nx = FakeTensorMode().from_tensor(torch.ones(3))\n"
_ZERO = "x = torch._efficientzerotensor(3)\n"
_SCALAR = "x = np.float64(1.5)\n"
_OBJECT = "x = np.array([1.0, 2], object)\n"
_READ_ONLY = "x = np.arange(3.0)\nx.flags.writeable = False\n"
_INT1 = "x = torch.zeros(4, dtype=torch.int1)\n"

MESSAGES: tuple[Message, ...] = (
    # the installation
    Message(
        text="Numpy is not available",
        why="PyTorch could not import NumPy: NumPy is missing, or PyTorch was built for NumPy 1 and NumPy 2 is "
        "installed. tensorbridge env reports which, and what to install.",
        example="import sys\nsys.modules['numpy'] = None\nimport torch\ntorch.ones(3).numpy()",
        instead=("torch.ones(3).tolist()",),
    ),
    # arrays that torch does not accept
    Message(
        text="At least one stride in the given numpy array is negative",
        why="A reversed array has a negative stride, which tensors do not support. torch.tensor raises, too.",
        example=_REVERSED + "torch.from_numpy(x)",
        instead=("torch.from_numpy(x.copy())", "torch.from_numpy(np.ascontiguousarray(x))"),
        see="reversed",
    ),
    Message(
        text="given numpy array has byte order different from the native byte order",
        why="The array has non-native byte order, e.g. '>f4' from a file. Tensors have native byte order.",
        example="x = np.arange(3, dtype='>f4')\ntorch.from_numpy(x)",
        instead=("torch.from_numpy(x.astype(x.dtype.newbyteorder('=')))",),
        see="byte-swapped",
    ),
    Message(
        text="given numpy array strides not a multiple of the element byte size",
        why="The strides are not multiples of the item size, e.g. in a field of a structured array.",
        example="x = np.zeros(3, [('a', 'f4'), ('b', 'u1')])['a']\ntorch.from_numpy(x)",
        instead=("torch.from_numpy(x.copy())",),
        see="field-of-structured",
    ),
    Message(
        text="can't convert np.ndarray of type numpy.object_",
        why="The array holds references to Python objects: numbers of mixed types, None, text, or rows of different "
        "lengths. Convert it to a numeric dtype first.",
        example=_OBJECT + "torch.from_numpy(x)",
        instead=("torch.from_numpy(x.astype(np.float64))",),
        see="object",
    ),
    Message(
        text="can't convert np.ndarray of type numpy.datetime64",
        why="PyTorch has no datetime dtype. View the values as int64, and keep the unit separately.",
        example="x = np.array(['2020-01-01'], 'M8[s]')\ntorch.from_numpy(x)",
        instead=("torch.from_numpy(x.view('i8'))",),
        see="datetime64[ns]",
    ),
    Message(
        text="can't convert np.ndarray of type numpy.timedelta64",
        why="PyTorch has no timedelta dtype. View the values as int64, and keep the unit separately.",
        example="x = np.array([1, 2], 'm8[s]')\ntorch.from_numpy(x)",
        instead=("torch.from_numpy(x.view('i8'))",),
        see="timedelta64[ns]",
    ),
    Message(
        text="can't convert np.ndarray of type numpy.…",
        why="PyTorch has no such dtype. The message lists the supported ones: cast to one, or view the bytes.",
        example="x = np.ones(2, np.longdouble)\ntorch.from_numpy(x)",
        instead=("torch.from_numpy(x.astype(np.float64))",),
        see="torch.from_numpy",
    ),
    Message(
        text="expected np.ndarray (got …)",
        why="torch.from_numpy accepts only arrays: no lists, tensors, NumPy scalars or objects of other libraries.",
        example="x = [1.0, 2.0]\ntorch.from_numpy(x)",
        instead=("torch.as_tensor(x)", "torch.from_numpy(np.array(x))"),
        see="torch.from_numpy",
    ),
    Message(
        text="only one element tensors can be converted to Python scalars",
        why="A number was needed where a tensor of several elements was given: torch.tensor reads one number from each "
        "element of a list, and int() and float() read one number. Use torch.stack for a list, tolist() for numbers.",
        example="x = [torch.ones(3), torch.ones(3)]\ntorch.tensor(x)",
        instead=("torch.stack(x)",),
        see="list-of-tensors",
    ),
    Message(
        text="only integer tensors of a single element can be converted to an index",
        why="A list of tensors was read as a list of numbers. Use torch.stack.",
        example="x = [torch.ones(3), torch.ones(3)]\nrange(3)[torch.ones(3)]",
        see="list-of-tensors",
    ),
    Message(
        text="expected Tensor as element … in argument …, but got …",
        why="torch.stack and torch.cat accept only tensors. Stack arrays with NumPy first: one conversion instead of "
        "many.",
        example="x = [np.ones(3), np.ones(3)]\ntorch.stack(x)",
        instead=("torch.from_numpy(np.stack(x))",),
        see="list-of-arrays",
    ),
    Message(
        text="stack expects a non-empty TensorList",
        why="The list is empty.",
        example="x = []\ntorch.stack(x)",
    ),
    Message(
        text="too many dimensions '…'",
        why="The elements are text, or np.matrix objects, which stay 2-d when indexed: torch.tensor cannot read "
        "numbers from them.",
        example="x = ['a', 'b']\ntorch.tensor(x)",
    ),
    Message(
        text="new(): invalid data type '…'",
        why="The elements are not numbers.",
        example="x = np.str_('a')\ntorch.as_tensor(x)",
    ),
    Message(
        text="new(): data must be a sequence (got …)",
        why="torch.Tensor accepts sizes or a sequence, not a NumPy scalar.",
        example=_SCALAR + "torch.Tensor(x)",
        instead=("torch.tensor(x)",),
        see="torch.Tensor",
    ),
    Message(
        text="new(): argument 'size' failed to unpack the object",
        why="torch.Tensor interpreted the value as a size. Use torch.tensor for values.",
        example="x = np.timedelta64(3, 's')\ntorch.Tensor(x)",
        see="torch.Tensor",
    ),
    Message(
        text="Trying to create tensor with negative dimension",
        why="torch.Tensor interpreted the value as a size. Use torch.tensor for values.",
        example="x = np.int64(-3)\ntorch.Tensor(x)",
        instead=("torch.tensor(x)",),
        see="torch.Tensor",
    ),
    Message(
        text="can't allocate memory: you tried to allocate …",
        why="There is not enough memory for the copy, or torch.Tensor interpreted a value as a size.",
        example="torch.empty(2**50)",
    ),
    Message(
        text="Overflow when unpacking long long",
        why="An integer is too large for int64, the default of torch.tensor for integers in a list.",
        example="x = [2**63]\ntorch.tensor(x)",
        instead=("torch.tensor(x, dtype=torch.uint64)",),
    ),
    Message(
        text="an integer is required",
        why="torch.tensor does not support the type of the list's elements. Convert with NumPy first.",
        example="x = list(np.arange(3, dtype=np.uint64))\ntorch.tensor([x])",
        instead=("torch.from_numpy(np.array([x]))",),
    ),
    Message(
        text="must be real number, not complex",
        why="torch.Tensor converts to float32, which complex numbers are not. Use torch.tensor.",
        example="x = [1 + 2j]\ntorch.Tensor(x)",
        instead=("torch.tensor(x)",),
        see="torch.Tensor",
    ),
    Message(
        text="only integer scalar arrays can be converted to a scalar index",
        why="A list of arrays, e.g. masked arrays, was read as a list of numbers.",
        example="x = list(np.ma.MaskedArray(np.ones((2, 2), bool), [[0, 0], [0, 1]]))\ntorch.tensor(x)",
        instead=("torch.from_numpy(np.stack([row.filled(0) for row in x]))",),
        see="masked",
    ),
    Message(
        text="setting an array element with a sequence. The requested array has an inhomogeneous shape",
        why="The rows have different lengths, so they cannot form an array. Pad them, or keep a list of tensors.",
        example="x = [np.ones(2), np.ones(3)]\nnp.array(x)",
        instead=("torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row) for row in x], batch_first=True)",),
        see="nested",
    ),
    Message(
        text="module 'torch' has no attribute '…'",
        why="PyTorch, or the installed version, has no such dtype or function.",
        example="torch.datetime64",
    ),
    Message(
        text="could not retrieve buffer from object",
        why="torch.frombuffer needs a C-contiguous buffer.",
        example="x = np.ones((3, 3)).T\ntorch.frombuffer(x, dtype=torch.float64)",
        instead=("torch.from_numpy(x)", "torch.frombuffer(np.ascontiguousarray(x), dtype=torch.float64)"),
        see="torch.frombuffer",
    ),
    Message(
        text="both buffer length (0) and count (-1) must not be 0",
        why="torch.frombuffer does not accept an empty buffer.",
        example="x = np.ones(0)\ntorch.frombuffer(x, dtype=torch.float64)",
        instead=("torch.from_numpy(x)",),
        see="torch.frombuffer",
    ),
    Message(
        text="ndarray is not C-contiguous",
        why="The function needs a C-contiguous buffer, and this array has gaps or another order.",
        example="x = np.ones((3, 2)).T\ntorch.UntypedStorage.from_buffer(x, byte_order='native', dtype=torch.float64)",
        instead=(
            "torch.UntypedStorage.from_buffer(np.ascontiguousarray(x), byte_order='native', dtype=torch.float64)",
        ),
        see="contiguous",
    ),
    Message(
        text="cannot create an OBJECT array from memory buffer",
        why="References to Python objects cannot be read from bytes.",
        example=_OBJECT + "np.frombuffer(x, dtype=object)",
        instead=("x.copy()",),
        see="object",
    ),
    Message(
        text="Unknown type: …",
        why="torch.UntypedStorage.from_buffer supports fewer dtypes than torch.from_numpy.",
        example="x = np.ones(3, np.uint16)\n"
        "torch.UntypedStorage.from_buffer(x, byte_order='native', dtype=torch.uint16)",
        instead=("torch.from_numpy(x)",),
    ),
    Message(
        text="MaskedArray.tofile() not implemented yet",
        why="A file of raw bytes cannot store the mask.",
        example="x = np.ma.MaskedArray([1.0], [0])\nx.tofile('/dev/null')",
        instead=("x.filled(0)",),
        see="masked",
    ),
    Message(
        text="default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found …",
        why="A DataLoader stacks numbers. Text, dates and objects need a custom collate_fn.",
        example="x = [np.array(['a'])]\ntorch.utils.data.default_collate(x)",
        see="torch.utils.data.default_collate",
    ),
    Message(
        text="list index out of range",
        why="A list is empty, or shorter than the index, e.g. an empty batch.",
        example="torch.utils.data.default_collate([])",
    ),
    # tensors that cannot become arrays
    Message(
        text="Can't call numpy() on Tensor that requires grad",
        why="Autograd tracks neither computations with the array nor writes to it. Detach explicitly, and copy if the "
        "array is modified.",
        example=_GRAD + "x.numpy()",
        instead=("x.detach().clone().numpy()", "x.detach().numpy()"),
        see="requires-grad",
    ),
    Message(
        text="Can't export tensors that require gradient",
        why="Autograd does not track arrays created through DLPack. Detach explicitly.",
        example=_GRAD + "np.from_dlpack(x)",
        instead=("np.from_dlpack(x.detach())",),
        see="requires-grad",
    ),
    Message(
        text="Can't call numpy() on Tensor that has conjugate bit set",
        why="The tensor is a lazy conjugate: its memory holds the values before conjugation.",
        example="x = torch.tensor([1 + 2j]).conj()\nx.numpy()",
        instead=("x.resolve_conj().numpy()",),
        see="conjugate-bit",
    ),
    Message(
        text="Can't export tensors with the conjugate bit set",
        why="The tensor is a lazy conjugate: its memory holds the values before conjugation.",
        example="x = torch.tensor([1 + 2j]).conj()\nnp.from_dlpack(x)",
        instead=("np.from_dlpack(x.resolve_conj())",),
        see="conjugate-bit",
    ),
    Message(
        text="Can't call numpy() on Tensor that has negative bit set",
        why="The tensor is a lazy negation: its memory holds the values before negation.",
        example="x = torch.tensor([1 + 2j]).conj().imag\nx.numpy()",
        instead=("x.resolve_neg().numpy()",),
        see="negative-bit",
    ),
    Message(
        text="can't convert … device type tensor to numpy",
        why="NumPy supports CPU memory only, and the tensor is on another device. A meta tensor has no data at all.",
        example=_META + "x.numpy()",
        see="Tensor.detach().cpu().numpy()",
    ),
    Message(
        text="can't convert … layout tensor to numpy",
        why="A sparse or oneDNN tensor is not one block of elements. Use to_dense(), or convert its parts.",
        example=_SPARSE + "x.numpy()",
        instead=("x.to_dense().numpy()", "x.coalesce().values().numpy()"),
        see="sparse-coo",
    ),
    Message(
        text="Got unsupported ScalarType …",
        why="NumPy has no such dtype. Cast to one that it has, or view the raw bits.",
        example=_BF16 + "x.numpy()",
        instead=("x.float().numpy()", "x.view(torch.uint16).numpy()"),
        see="bfloat16",
    ),
    Message(
        text="Cannot convert a ZeroTensor to numpy",
        why="A zero tensor has no memory.",
        example=_ZERO + "x.numpy()",
        instead=("x.numpy(force=True)",),
        see="zero-tensor",
    ),
    Message(
        text=".numpy() is not supported for tensor subclasses",
        why="A FakeTensor, or another subclass that wraps tensors, has no data of its own.",
        example=_FAKE + "x.numpy()",
        see="fake",
    ),
    Message(
        text="NestedTensorImpl doesn't support …",
        why="The rows may have different lengths, so a nested tensor has no shape and no strides.",
        example=_NESTED + "x.numpy()",
        instead=("torch.stack(x.unbind()).numpy()", "x.to_padded_tensor(0.0).numpy()"),
        see="nested",
    ),
    Message(
        text="Cannot copy out of meta tensor; no data!",
        why="A meta tensor has a shape and a dtype, but no data.",
        example=_META + "x.cpu()",
        instead=("torch.empty_like(x, device='cpu')",),
        see="meta",
    ),
    Message(
        text="load_scalar: invalid type",
        why="Python has no number for this dtype.",
        example="x = torch.zeros(2, dtype=torch.float4_e2m1fn_x2)\nx.tolist()",
        instead=("x.view(torch.uint8).tolist()",),
    ),
    Message(
        text="tolist() shouldn't be called on a tensor with unallocated storage",
        why="A zero tensor has no memory.",
        example=_ZERO + "x.tolist()",
        instead=("x.clone().tolist()",),
        see="zero-tensor",
    ),
    Message(
        text="Cannot access data pointer of Tensor that doesn't have storage",
        why="A sparse or oneDNN tensor has no storage of its own. Its parts have.",
        example=_SPARSE + "x.data_ptr()",
        instead=("x.coalesce().values().data_ptr()", "x.to_dense().data_ptr()"),
        see="sparse-coo",
    ),
    Message(
        text="Cannot access storage of …",
        why="This kind of tensor has no storage of its own. Its parts have.",
        example=_SPARSE + "x.untyped_storage()",
        instead=("x.coalesce().values().untyped_storage()",),
        see="sparse-coo",
    ),
    Message(
        text="Attempted to set the storage of a tensor on device",
        why="A tensor and its storage must be on the same device.",
        example=_META + "torch.empty(0).set_(x.untyped_storage())",
        see="meta",
    ),
    Message(
        text="_share_fd_: only available on CPU",
        why="Only CPU memory can be shared this way.",
        example=_META + "x.share_memory_()",
        see="Tensor.share_memory_",
    ),
    Message(
        text="aten._local_scalar_dense.default",
        why="The program read a value of a FakeTensor, which has no data.",
        example=_FAKE + "x.tolist()",
        see="fake",
    ),
    Message(
        text="Please convert all Tensors to FakeTensors first",
        why="One operation received a FakeTensor and a tensor with data.",
        example=_FAKE + "x[torch.ones(3, dtype=torch.bool)]",
        see="fake",
    ),
    # DLPack
    Message(
        text="DLPack only supports signed/unsigned integers, float and complex dtypes",
        why="DLPack does not support dates, text, structured dtypes or objects.",
        example="x = np.array(['a'])\nnp.from_dlpack(x)",
        instead=("np.asarray(x)",),
        see="np.from_dlpack",
    ),
    Message(
        text="DLPack only supports IEEE floating point types without padding",
        why="A long double is not an IEEE type and has padding.",
        example="x = np.ones(2, np.longdouble)\nnp.from_dlpack(x)",
        instead=("np.from_dlpack(x.astype(np.float64))",),
        see="longdouble",
    ),
    Message(
        text="DLPack only supports native byte order",
        why="DLPack cannot describe byte order.",
        example="x = np.arange(3, dtype='>f4')\ntorch.from_dlpack(x)",
        instead=("torch.from_numpy(x.astype(x.dtype.newbyteorder('=')))",),
        see="byte-swapped",
    ),
    Message(
        text="Cannot export readonly array since signalling readonly is unsupported by DLPack",
        why="An unversioned capsule cannot carry the read-only flag.",
        example=_READ_ONLY + "x.__dlpack__()",
        instead=("x.__dlpack__(max_version=(1, 0))", "torch.from_numpy(x.copy())"),
        see="read-only",
    ),
    Message(
        text="types are not supported by dlpack",
        why="DLPack does not support raw-bit and quantized dtypes.",
        example="x = torch.zeros(4, dtype=torch.uint8).view(torch.bits8)\nnp.from_dlpack(x)",
        instead=("np.from_dlpack(x.view(torch.uint8))",),
    ),
    Message(
        text="Can't export tensors with layout other than torch.strided",
        why="DLPack describes memory by strides, which sparse and oneDNN tensors do not have.",
        example=_SPARSE + "np.from_dlpack(x)",
        instead=("np.from_dlpack(x.to_dense())",),
        see="sparse-coo",
    ),
    Message(
        text="Unsupported dtype in DLTensor",
        why="NumPy has no such dtype.",
        example=_BF16 + "np.from_dlpack(x)",
        instead=("np.from_dlpack(x.float())",),
        see="bfloat16",
    ),
    Message(
        text="Unsupported lanes in DLTensor dtype",
        why="NumPy has no dtype with two numbers per element.",
        example="x = torch.zeros(2, dtype=torch.float4_e2m1fn_x2)\nnp.from_dlpack(x)",
        instead=("np.from_dlpack(x.view(torch.uint8))",),
    ),
    Message(
        text="Cannot pack tensors on meta",
        why="A meta tensor has no data.",
        example=_META + "np.from_dlpack(x)",
        see="meta",
    ),
    Message(
        text="Unknown device type … for Dlpack",
        why="DLPack does not support this device.",
        example=_META + "torch.from_dlpack(x)",
        see="meta",
    ),
    Message(
        text="device and copy kwargs not supported when ext_tensor is already a DLPack capsule",
        why="A capsule cannot be copied or moved to a device. Pass the object that created it.",
        example="x = np.ones(3)\ntorch.from_dlpack(x.__dlpack__(), copy=True)",
        instead=("torch.from_dlpack(x, copy=True)",),
        see="torch.from_dlpack(copy=True)",
    ),
    Message(
        text="from_dlpack received an invalid capsule",
        why="The object is not a DLPack capsule and does not support DLPack, e.g. a list, or the capsule was used "
        "before: it can be used only once.",
        example="x = np.ones(3).__dlpack__()\ntorch.from_dlpack(x)\ntorch.from_dlpack(x)",
        see="torch.from_dlpack(capsule)",
    ),
    Message(
        text="has no attribute '__dlpack__'",
        why="The object does not support DLPack, e.g. a NumPy scalar or a list.",
        example=_SCALAR + "np.from_dlpack(x)",
        instead=("torch.as_tensor(x)",),
        see="scalar",
    ),
    # copy=
    Message(
        text="Unable to avoid copy while creating an array as requested",
        why="copy=False was passed, but a copy is needed. np.asarray without copy= copies only if needed.",
        example="x = np.ones(3)\nnp.array(x, dtype=np.float32, copy=False)",
        instead=("np.asarray(x, dtype=np.float32)",),
        see="np.array(copy=False)",
    ),
    Message(
        text="__array__() got an unexpected keyword argument 'copy'",
        why="The object's __array__ was written for NumPy 1.",
        example="x = torch.ones(3)\nx.__array__(copy=False)",
        instead=("x.__array__()", "x.numpy()"),
        see="Tensor.__array__(copy=False)",
    ),
    Message(
        text="can't alias tensor with dtype '…' into dtype '…'",
        why="copy=False was passed together with another dtype, which needs a copy.",
        example="x = np.ones(3)\ntorch.asarray(x, dtype=torch.float32, copy=False)",
        instead=("torch.asarray(x, copy=False)", "torch.asarray(x, dtype=torch.float32)"),
        see="torch.asarray(copy=False)",
    ),
    Message(
        text="can't alias tensor from device '…' to '…'",
        why="copy=False was passed together with another device, which needs a copy.",
        example="x = torch.ones(3)\ntorch.asarray(x, device='meta', copy=False)",
        instead=("torch.asarray(x, device='meta')",),
        see="torch.asarray(copy=False)",
    ),
    Message(
        text="can't alias arbitrary sequence into a tensor",
        why="copy=False was passed, but a list or a Python number has no memory that a tensor could share.",
        example="x = [1.0]\ntorch.asarray(x, copy=False)",
        instead=("torch.asarray(x)",),
        see="torch.asarray(copy=False)",
    ),
    Message(
        text="can't alias NumPy scalars",
        why="copy=False was passed, but a NumPy scalar has no memory that a tensor could share.",
        example=_SCALAR + "torch.asarray(x, copy=False)",
        instead=("torch.asarray(x)",),
        see="scalar",
    ),
    # scalars
    Message(
        text="object is not iterable",
        why="A NumPy scalar or a 0-d tensor cannot be iterated over.",
        example=_SCALAR + "list(x)",
        instead=("torch.as_tensor(x)",),
        see="scalar",
    ),
    Message(
        text="' has no len()",
        why="A NumPy scalar has no length. Indexing an array returned a scalar.",
        example=_SCALAR + "len(x)",
        see="scalar",
    ),
    Message(
        text="len() of unsized object",
        why="A 0-d array has no length.",
        example="x = np.array(1.5)\nlen(x)",
        instead=("torch.as_tensor(x)", "len(x.reshape(-1))"),
    ),
    Message(
        text="iteration over a 0-d",
        why="A 0-d array or tensor cannot be iterated over.",
        example="x = np.array(1.5)\nlist(x)",
        instead=("torch.as_tensor(x)", "list(x.reshape(-1))"),
    ),
    Message(
        text="cannot be applied to a 0-dim tensor",
        why="A 0-d tensor has no first dimension.",
        example="x = torch.tensor(1.5)\nx[::2]",
        instead=("x.reshape(-1)[::2]",),
    ),
    Message(
        text="invalid index to scalar variable",
        why="A NumPy scalar cannot be indexed. Indexing an array returned a scalar.",
        example=_SCALAR + "x[0]",
        see="scalar",
    ),
    Message(
        text="too many indices for array",
        why="The array has fewer dimensions than the index.",
        example="x = np.ones(3)\nx[0, 0]",
    ),
    Message(
        text="'list' object has no attribute '…'",
        why="A Python list was used as an array or a tensor, e.g. an element of an object array.",
        example="x = [1.0]\nx.astype(float)",
        instead=("np.array(x)",),
        see="list",
    ),
    Message(
        text="only 0-dimensional arrays can be converted to Python scalars",
        why="int() and float() read one number, and the array has dimensions, e.g. the labels of a batch.",
        example="x = np.ones(3)\nint(x)",
        instead=("x.astype(int)", "x.tolist()"),
    ),
    Message(
        text="can only convert an array of size 1 to a Python scalar",
        why="item() reads the only element of an array, and this array has several, or none.",
        example="x = np.ones(3)\nx.item()",
        instead=("x.tolist()", "x.item(0)"),
    ),
    Message(
        text="numpy.newaxis (`None`) and integer or boolean arrays are valid indices",
        why="An index must be of integers or booleans, and here it has another dtype, e.g. float32.",
        example="x = np.arange(3.0)\nindex = torch.tensor([0.0, 2.0])\nx[index]",
        instead=("x[index.long().numpy()]",),
    ),
    # views and shapes
    Message(
        text="view size is not compatible with input tensor's size and stride",
        why="The strides do not allow a view with the new shape. reshape copies if needed.",
        example="x = torch.ones(3, 4).t()\nx.view(-1)",
        instead=("x.reshape(-1)",),
        see="Tensor.view",
    ),
    Message(
        text="(different element sizes)",
        why="A view with a dtype of another size needs a contiguous last dimension whose size in bytes is a multiple "
        "of it.",
        example="x = torch.ones(3, 3, dtype=torch.int8)\nx.view(torch.int16)",
        see="Tensor.view",
    ),
    Message(
        text="torch.Tensor.view is not supported for …",
        why="The tensor is a lazy conjugate or negation: its memory holds the values before that operation.",
        example="x = torch.tensor([1 + 2j]).conj()\nx.view(torch.float32)",
        instead=("x.resolve_conj().view(torch.float32)",),
        see="conjugate-bit",
    ),
    Message(
        text="only supported for complex",
        why="torch.view_as_real accepts only complex tensors.",
        example="x = torch.ones(3)\ntorch.view_as_real(x)",
        see="torch.view_as_real().numpy()",
    ),
    Message(
        text="view_as_real doesn't work on unresolved conjugated tensors",
        why="The tensor is a lazy conjugate.",
        example="x = torch.tensor([1 + 2j]).conj()\ntorch.view_as_real(x)",
        instead=("torch.view_as_real(x.resolve_conj())",),
        see="conjugate-bit",
    ),
    Message(
        text="cannot change or infer the implicit batch dimension",
        why="The rows of a nested tensor may have different lengths, so its first dimension cannot be reshaped.",
        example=_NESTED + "x.view(-1)",
        see="nested",
    ),
    Message(
        text="Currently Mkldnn tensor does not support view",
        why="The elements are in the internal format of oneDNN.",
        example="x = torch.ones(2, 3).to_mkldnn()\nx.view(-1)",
        instead=("x.to_dense().view(-1)",),
        see="mkldnn",
    ),
    Message(
        text="reshape is not implemented for sparse tensors",
        why="A sparse tensor does not store all elements in order.",
        example=_SPARSE + "x.reshape(-1)",
        instead=("x.to_dense().reshape(-1)",),
        see="sparse-coo",
    ),
    Message(
        text="expand is unsupported for Sparse",
        why="A sparse tensor has no strides, and expand needs a stride of 0.",
        example=_SPARSE + "x.expand(2, 3, 3)",
        instead=("x.to_dense().expand(2, 3, 3)",),
        see="sparse-coo",
    ),
    Message(
        text="unsupported memory format option",
        why="A sparse tensor has no memory format.",
        example=_SPARSE + "x.contiguous()",
        instead=("x.coalesce()", "x.to_dense()"),
        see="sparse-coo",
    ),
    Message(
        text="Sparse CSR tensors do not have …",
        why="A compressed sparse tensor has no strides. Use to_dense(), or its parts.",
        example=_CSR + "x.stride()",
        instead=("x.to_dense().stride()",),
        see="sparse-csr",
    ),
    Message(
        text="Could not run 'aten::…' with arguments from the '…' backend",
        why="This operation is not implemented for this kind of tensor: sparse, nested, quantized, oneDNN, or on a "
        "device. Make it dense first.",
        example=_SPARSE + "x.as_strided((1,), (1,))",
        instead=("x.to_dense().as_strided((1,), (1,))",),
    ),
    Message(
        text="\" not implemented for '…'",
        why="This operation is not implemented for this dtype. Cast first, or use a view of the bytes.",
        example=_INT1 + "x.clone()[torch.ones(4, dtype=torch.bool)]",
        see="Tensor.to",
    ),
    Message(
        text="Creation of quantized tensor requires quantized dtype",
        why="A quantized tensor needs a scale.",
        example="x = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)\ntorch.ones(2).new_tensor(x)",
        instead=("x.clone()", "x.dequantize()"),
        see="quantized",
    ),
    Message(
        text="expected TensorOptions(",
        why="torch.FloatTensor accepts only float32 tensors. Use x.float() to cast.",
        example="x = torch.ones(3, dtype=torch.float64)\ntorch.FloatTensor(x)",
        instead=("x.float()",),
        see="torch.FloatTensor",
    ),
    Message(
        text="When changing to a larger dtype, its size must be a divisor of the total size in bytes of the last axis",
        why="A view with a larger dtype needs a last axis whose size in bytes is a multiple of its item size. astype "
        "converts the values instead.",
        example="x = np.ones(3, np.float32)\nx.view(np.float64)",
        instead=("x.astype(np.float64)",),
    ),
    Message(
        text="Unable to avoid creating a copy while reshaping",
        why="copy=False was passed, but the strides do not allow a view with the new shape.",
        example="x = np.ones((2, 3)).T\nx.reshape(6, copy=False)",
        instead=("x.reshape(6)",),
    ),
    # autograd, copies, processes
    Message(
        text="can require gradients",
        why="Only floating-point and complex tensors can require grad.",
        example="x = torch.ones(3, dtype=torch.int64)\ntorch.nn.Parameter(x)",
        instead=("torch.nn.Parameter(x, requires_grad=False)", "torch.nn.Parameter(x.float())"),
        see="torch.nn.Parameter",
    ),
    Message(
        text="Can't pickle",
        why="The object contains something that cannot be sent to another process.",
        example="import pickle\npickle.dumps(lambda: 0)",
    ),
    Message(
        text="shape '…' is invalid for input of size …",
        why="The new shape has another number of elements than the tensor. Use -1 for one dimension: it is computed.",
        example="x = torch.arange(4)\nx.reshape(2, 3)",
        instead=("x.reshape(2, 2)", "x.reshape(2, -1)"),
        see="Tensor.reshape",
    ),
    Message(
        text="cannot reshape array of size … into shape …",
        why="The new shape has another number of elements than the array. Use -1 for one dimension: it is computed.",
        example="x = np.arange(4)\nx.reshape(2, 3)",
        instead=("x.reshape(2, 2)", "x.reshape(2, -1)"),
        see="ndarray.reshape",
    ),
    Message(
        text="To change to a dtype of a different size, the last axis must be contiguous",
        why="A view with a dtype of another size needs a contiguous last axis. Copy the array first.",
        example="x = np.ones((3, 4)).T\nx.view(np.float32)",
        instead=("x.copy().view(np.float32)",),
        see="ndarray.view",
    ),
    Message(
        text="The size of tensor a (…) must match the size of tensor b (…) at non-singleton dimension …",
        why="The shapes do not broadcast: compared from the last dimension, two sizes must be equal, or one of them 1.",
        example="x = torch.ones(3, 2)\nx + torch.ones(3)",
        instead=("x + torch.ones(3, 1)",),
    ),
    Message(
        text="operands could not be broadcast together with shapes",
        why="The shapes do not broadcast: compared from the last axis, two sizes must be equal, or one of them 1.",
        example="x = np.ones((3, 2))\nx + np.ones(3)",
        instead=("x + np.ones((3, 1))",),
    ),
    Message(
        text="Cannot cast ufunc '…' output from …",
        why="The result is written to an array, e.g. by +=, whose dtype cannot hold it. Create a new array, or "
        "cast first.",
        example="x = np.ones(2, np.int64)\nx += 0.5",
        instead=("x = x + 0.5",),
    ),
    Message(
        text="result type … can't be cast to the desired output type …",
        why="The result is written to a tensor, e.g. by +=, whose dtype cannot hold it. Create a new tensor, or "
        "cast first.",
        example="x = torch.ones(2, dtype=torch.int64)\nx += 0.5",
        instead=("x = x + 0.5",),
    ),
    Message(
        text="a Tensor with … elements cannot be converted to Scalar",
        why="item() reads the only element of a tensor, and this tensor has several, or none.",
        example="x = torch.ones(3)\nx.item()",
        instead=("x.tolist()", "x[0].item()"),
        see="Tensor.tolist",
    ),
    Message(
        text="The truth value of an array with more than one element is ambiguous",
        why="if, and, or, not, in and bool() need one truth value, and the array has several elements.",
        example="x = np.ones(3)\nbool(x)",
        instead=("bool(x.any())", "bool(x.all())"),
    ),
    Message(
        text="Boolean value of Tensor with more than one value is ambiguous",
        why="if, and, or, not, in and bool() need one truth value, and the tensor has several elements.",
        example="x = torch.ones(3)\nbool(x)",
        instead=("bool(x.any())", "bool(x.all())"),
    ),
    Message(
        text="Promotion for uint16, uint32, uint64 types is not supported, attempted to promote …",
        why="PyTorch cannot combine uint16, uint32 or uint64 with another integer dtype. Cast both to int64 first; "
        "uint64 values above 2**63 - 1 do not fit.",
        example="x = torch.ones(2, dtype=torch.uint16)\nx + torch.ones(2, dtype=torch.uint64)",
        instead=("x.to(torch.int64) + torch.ones(2, dtype=torch.uint64).to(torch.int64)",),
        see="uint16",
    ),
    Message(
        text="Inference tensors cannot be saved for backward",
        why="A tensor created in inference mode was used in a computation that records gradients. Clone it outside of "
        "inference mode, or create it in torch.no_grad().",
        example="with torch.inference_mode(): x = torch.ones(3)\nx * torch.ones(3, requires_grad=True)",
        instead=("x.clone() * torch.ones(3, requires_grad=True)",),
        see="inference",
    ),
    Message(
        text="Setting requires_grad=True on inference tensor outside InferenceMode is not allowed",
        why="Tensors created in inference mode cannot require grad. Clone them outside of inference mode.",
        example="with torch.inference_mode(): x = torch.ones(3)\ntorch.nn.Parameter(x)",
        instead=("torch.nn.Parameter(x.clone())",),
        see="inference",
    ),
    Message(
        text="Inplace update to inference tensor outside InferenceMode is not allowed",
        why="Tensors created in inference mode can be modified only there. Clone them outside of inference mode.",
        example="with torch.inference_mode(): x = torch.ones(3)\nx.add_(1)",
        instead=("x.clone().add_(1)",),
        see="inference",
    ),
    Message(
        text="Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol",
        why="A non-leaf tensor has an autograd history, which cannot be deep-copied.",
        example=_GRAD + "import copy\ncopy.deepcopy(x * 2)",
        instead=("(x * 2).clone()", "copy.deepcopy((x * 2).detach())"),
        see="non-leaf",
    ),
    Message(
        text="Cowardly refusing to serialize non-leaf tensor which requires_grad",
        why="Autograd does not work across processes. Detach explicitly.",
        example=_GRAD + "import torch.multiprocessing\nfrom multiprocessing.reduction import ForkingPickler\n"
        "ForkingPickler.dumps(x * 2)",
        instead=("ForkingPickler.dumps((x * 2).detach())",),
        see="non-leaf",
    ),
    Message(
        text="Attempted to call copy_() on an invalid python storage",
        why="A zero tensor has no memory.",
        example=_ZERO + "import copy\ncopy.deepcopy(x)",
        instead=("x.clone()",),
        see="zero-tensor",
    ),
    Message(
        text="one of the variables needed for gradient computation has been modified by an inplace operation",
        why="A tensor was modified in place after an operation saved it for backward. Write to a copy.",
        example=_GRAD + "y = (x * x).sum()\nx.detach()[0] = 2\ny.backward()",
        see="grad-wrong",
    ),
    Message(
        text="a leaf Variable that requires grad is being used in an in-place operation",
        why="A leaf that requires grad cannot be modified in place. Use torch.no_grad(), or modify a copy.",
        example=_GRAD + "x.add_(1)",
        instead=("x.detach().clone().add_(1)", "x + 1"),
        see="requires-grad",
    ),
    Message(
        text="assignment destination is read-only",
        why="The array is read-only: its flag writeable is off, e.g. for a read-only buffer, memory map or broadcast.",
        example=_READ_ONLY + "x[0] = 1",
        instead=("x.copy()[0]",),
        see="read-only",
    ),
    Message(
        text="output array is read-only",
        why="An operation in place, e.g. x += 1, or out=x, writes to an array whose flag writeable is off.",
        example=_READ_ONLY + "x += 1",
        instead=("x + 1", "np.add(x, 1, out=x.copy())"),
        see="read-only",
    ),
    Message(
        text="Trying to resize storage that is not resizable",
        why="Memory that is shared with an array cannot be resized.",
        example="x = torch.from_numpy(np.ones(3))\nx.resize_(100)",
        instead=("x.clone().resize_(100)",),
        see="Tensor.numpy",
    ),
    Message(
        text="to have the same dtype, but got",
        why="One operation received tensors of different dtypes. NumPy's default float is float64, PyTorch's is "
        "float32.",
        example="x = torch.from_numpy(np.ones((2, 2)))\nx @ torch.ones(2, 2)",
        instead=("x.float() @ torch.ones(2, 2)",),
        see="float64",
    ),
    # warnings
    Message(
        text="The given NumPy array is not writable",
        why="A tensor has no read-only flag: writes to it change memory that NumPy protects. PyTorch warns once per "
        "process.",
        example=_READ_ONLY + "torch.from_numpy(x)",
        instead=("torch.from_numpy(x.copy())", "torch.tensor(x.tolist())"),
        see="readonly-dropped",
    ),
    Message(
        text="The given buffer is not writable",
        why="A tensor has no read-only flag: writes to it change a buffer that is read-only.",
        example="x = bytes(8)\ntorch.frombuffer(x, dtype=torch.uint8)",
        instead=("torch.frombuffer(bytearray(x), dtype=torch.uint8)",),
        see="readonly-dropped",
    ),
    Message(
        text="Creating a tensor from a list of numpy.ndarrays is extremely slow",
        why="Each element is converted separately. np.stack copies whole blocks.",
        example="x = [np.ones(3), np.ones(3)]\ntorch.tensor(x)",
        instead=("torch.from_numpy(np.stack(x))",),
        see="list-of-arrays",
    ),
    Message(
        text="To copy construct from a tensor, it is recommended to use",
        why="torch.tensor of a tensor returns a leaf without autograd history.",
        example="x = torch.ones(3)\ntorch.tensor(x)",
        instead=("x.clone()", "x.detach().clone()"),
        see="grad-lost",
    ),
    Message(
        text="Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior",
        why="A Python number has no autograd history.",
        example="x = [torch.ones(3, requires_grad=True)]\ntorch.tensor([torch.ones(1, requires_grad=True)])",
        instead=("torch.stack(x)",),
        see="grad-lost",
    ),
    Message(
        text="__array__ implementation doesn't accept a copy keyword",
        why="NumPy 2 passes copy=, but the object's __array__ was written for NumPy 1.",
        example="x = torch.ones(3)\nnp.array(x)",
        instead=("x.numpy().copy()",),
        see="Tensor.__array__(copy=False)",
    ),
    # operators, and NumPy functions called with a tensor
    Message(
        text="unsupported operand type(s) for …: '…' and 'Tensor'",
        why="The operator does not support the type on its left, which the message names, with a tensor on its right. "
        "Convert an array first; with the tensor on the left it works, and returns a tensor.",
        example="x = np.ones(3)\nt = torch.ones(3)\nx * t",
        instead=("torch.from_numpy(x) * t", "x * t.numpy()"),
        see="ndarray * Tensor",
    ),
    Message(
        text="Concatenation operation is not implemented for NumPy arrays",
        why="An array on the left and a tensor on the right of +. Convert one of the two first.",
        example="x = np.ones(3)\nt = torch.ones(3)\nx + t",
        instead=("torch.from_numpy(x) + t", "x + t.numpy()"),
        see="ndarray * Tensor",
    ),
    Message(
        text="return arrays must be of ArrayType",
        why="A tensor was passed as out= to a NumPy function, which takes arrays only.",
        example="x = np.ones(3)\nt = torch.empty(3, dtype=torch.float64)\nnp.add(x, x, out=t)",
        instead=("np.add(x, x, out=t.numpy())",),
        see="np.add(out=Tensor)",
    ),
    Message(
        text="copyto() argument 1 must be a numpy.ndarray, not Tensor",
        why="np.copyto writes to arrays only.",
        example="x = np.ones(3)\nt = torch.empty(3)\nnp.copyto(t, x)",
        instead=("t.copy_(torch.from_numpy(x))", "np.copyto(t.numpy(), x)"),
        see="np.copyto",
    ),
    Message(
        text="must be Tensor, not numpy.ndarray",
        why="A PyTorch function was called with an array. Convert it first.",
        example="x = np.ones(3)\nt = torch.ones(3)\ntorch.add(t, x)",
        instead=("torch.add(t, torch.from_numpy(x))",),
        see="torch.from_numpy",
    ),
    Message(
        text="Cannot cast array data from … according to the rule '…'",
        why="The cast would lose an imaginary part or a fraction, or the values are not numbers. "
        "casting='unsafe' allows it.",
        example="x = np.ones(3, np.complex64)\ny = np.empty(3, np.float32)\nnp.copyto(y, x)",
        instead=("np.copyto(y, x.real)", "np.copyto(y, np.abs(x))"),
        see="np.copyto",
    ),
    Message(
        text="(): argument 'dim' must be int, not NoneType",
        why="np.max, np.min and np.prod of a tensor call the tensor's method of the same name with NumPy's arguments, "
        "which it does not take.",
        example="x = torch.ones(3)\nnp.max(x)",
        instead=("np.max(x.numpy())", "x.max()"),
        see="np.max",
    ),
    Message(
        text="() got an unexpected keyword argument 'axis'",
        why="np.sum and np.mean of a tensor call the tensor's method of the same name with NumPy's arguments, which it "
        "does not take.",
        example="x = torch.ones(3)\nnp.sum(x)",
        instead=("np.sum(x.numpy())", "x.sum()"),
        see="np.max",
    ),
    Message(
        text="() received an invalid combination of arguments - got (…out=NoneType",
        why="np.std, np.var, np.any and np.all of a tensor call the tensor's method of the same name with NumPy's "
        "arguments, which it does not take.",
        example="x = torch.ones(3)\nnp.std(x)",
        instead=("np.std(x.numpy())", "x.std(correction=0)"),
        see="np.max",
    ),
    # the other library's methods and dtypes
    Message(
        text="'Tensor' object has no attribute 'astype'",
        why="astype is a method of arrays. A tensor has to(), with a torch dtype.",
        example="x = torch.ones(3)\nx.astype('f8')",
        instead=("x.to(torch.float64)", "x.numpy().astype('f8')"),
        see="Tensor.to",
    ),
    Message(
        text="'Tensor' object has no attribute 'copy'",
        why="copy is a method of arrays. A tensor has clone().",
        example="x = torch.ones(3)\nx.copy()",
        instead=("x.clone()", "x.numpy().copy()"),
        see="Tensor.clone",
    ),
    Message(
        text="'numpy.ndarray' object has no attribute 'clone'",
        why="clone is a method of tensors. An array has copy().",
        example="x = np.ones(3)\nx.clone()",
        instead=("x.copy()", "torch.from_numpy(x).clone()"),
        see="ndarray.copy",
    ),
    Message(
        text="'numpy.ndarray' object has no attribute '…'",
        why="A method of tensors, e.g. to, cpu, detach, unsqueeze or numpy, was called on an array. Convert it first, "
        "or leave the call out if an array is what you want.",
        example="x = np.ones(3)\nx.unsqueeze(0)",
        instead=("torch.from_numpy(x).unsqueeze(0)", "x[np.newaxis]"),
        see="torch.from_numpy",
    ),
    Message(
        text="argument 'dtype' must be torch.dtype, not …",
        why="PyTorch functions take only PyTorch dtypes, not NumPy's and no strings.",
        example="x = np.ones(3)\ntorch.tensor(x, dtype=np.float32)",
        instead=("torch.tensor(x, dtype=torch.float32)", "torch.from_numpy(x.astype(np.float32))"),
        see="torch.tensor",
    ),
    Message(
        text="Cannot interpret 'torch.…' as a data type",
        why="NumPy functions take only NumPy dtypes.",
        example="x = np.ones(3)\nx.astype(torch.float32)",
        instead=("x.astype(np.float32)", "torch.from_numpy(x).to(torch.float32)"),
        see="ndarray.astype",
    ),
    Message(
        text="from_numpy() takes no keyword arguments",
        why="torch.from_numpy has no dtype= and no other arguments: the tensor has the array's dtype and memory.",
        example="x = np.ones(3)\ntorch.from_numpy(x, dtype=torch.float32)",
        instead=("torch.as_tensor(x, dtype=torch.float32)", "torch.from_numpy(x).to(torch.float32)"),
        see="torch.from_numpy",
    ),
    Message(
        text="data type '…' not understood",
        why="NumPy has no dtype of that name: bfloat16 and the float8 dtypes are PyTorch's, and str(x.dtype) of a "
        "tensor begins with 'torch.'.",
        example="x = torch.ones(3)\nnp.zeros(3, str(x.dtype))",
        instead=("np.zeros(3, str(x.dtype).removeprefix('torch.'))", "x.float().numpy()"),
        see="bfloat16",
    ),
    Message(
        text="could not convert string to float",
        why="The array holds text that is not a number, e.g. a column of names.",
        example="x = np.array(['1.5', 'a'])\nx.astype(np.float32)",
        instead=("np.unique(x, return_inverse=True)[1]",),
    ),
    Message(
        text="invalid value encountered in cast",
        why="An integer dtype was requested for NaN, for infinity or for a number that is too large: the result is "
        "arbitrary there.",
        example="x = np.array([1.0, np.nan])\nx.astype(np.int64)",
        instead=("np.nan_to_num(x).astype(np.int64)",),
    ),
    Message(
        text="expected target dtype to be Long or Byte, but got …",
        why="Class labels are indices, which the loss functions accept as int64. Arrays of labels are often int32.",
        example="x = np.zeros(2, np.int32)\ntorch.nn.functional.cross_entropy(torch.ones(2, 3), torch.from_numpy(x))",
        instead=("torch.nn.functional.cross_entropy(torch.ones(2, 3), torch.from_numpy(x).long())",),
    ),
    # float64 arrays and float32 parameters
    Message(
        text="must have the same dtype, but got Double and Float",
        why="Arrays are float64 by default, and the parameters of a module are float32. Convert the input.",
        example="x = np.ones((1, 3))\ntorch.nn.Linear(3, 2)(torch.from_numpy(x))",
        instead=("torch.nn.Linear(3, 2)(torch.from_numpy(x).float())",),
        see="Tensor.float",
    ),
    Message(
        text="to have same dtype, but found … and …",
        why="The two tensors have different dtypes, e.g. float64 from NumPy's default and float32 from PyTorch's.",
        example="x = np.ones(3)\ntorch.from_numpy(x) @ torch.ones(3)",
        instead=("torch.from_numpy(x).float() @ torch.ones(3)",),
        see="Tensor.float",
    ),
    # lists
    Message(
        text="Could not infer dtype of …",
        why="The value, or an element of the list, is not a number, an array or a tensor, e.g. None or a dict.",
        example="x = [1.0, None]\ntorch.tensor(x)",
        instead=("torch.tensor([float('nan') if one is None else one for one in x])",),
        see="torch.tensor",
    ),
    Message(
        text="expected sequence of length … at dim … (got …)",
        why="The rows of the list have different lengths, so they cannot form a tensor. Pad them, or keep a list.",
        example="x = [[1.0, 2.0], [3.0]]\ntorch.tensor(x)",
        instead=("torch.nn.utils.rnn.pad_sequence([torch.tensor(one) for one in x], batch_first=True)",),
        see="nested",
    ),
    Message(
        text="stack expects each tensor to be equal size",
        why="The tensors have different shapes, e.g. the items of a DataLoader's batch. Pad them, or keep a list.",
        example="x = [torch.ones(3), torch.ones(4)]\ntorch.stack(x)",
        instead=("torch.nn.utils.rnn.pad_sequence(x, batch_first=True)",),
        see="torch.stack",
    ),
    Message(
        text="could not determine the shape of object type '…'",
        why="torch.tensor cannot read the object as a list of numbers, e.g. a DataFrame, a Series whose index has no "
        "0, or a memoryview with several dimensions. Convert it to an array first.",
        example="from collections import UserDict\nx = UserDict(a=[1.0, 2.0])\ntorch.tensor(x)",
        instead=("torch.tensor(list(x.values()))",),
        see="torch.tensor",
    ),
    # shared and protected memory
    Message(
        text="more than one element of the written-to tensor refers to a single memory location",
        why="Elements of an expanded tensor share memory, so PyTorch does not write to it in place. Clone it first.",
        example="x = torch.ones(1).expand(4)\nx.add_(1)",
        instead=("x.clone().add_(1)", "x + 1"),
        see="broadcast",
    ),
    Message(
        text="cannot set WRITEABLE flag to True of this array",
        why="The array's memory belongs to a read-only object, such as bytes. Copy it.",
        example="x = np.frombuffer(b'abc', np.uint8)\nx.setflags(write=True)",
        instead=("x.copy()",),
        see="read-only",
    ),
    Message(
        text="cannot resize this array: it does not own its data",
        why="The array shares memory, e.g. with a tensor. np.resize returns a copy.",
        example="x = torch.ones(3).numpy()\nx.resize(5)",
        instead=("np.resize(x, 5)",),
        see="Tensor.numpy",
    ),
    Message(
        text="cannot resize an array that references or is referenced",
        why="Something else holds the array, e.g. a view, or a tensor over its memory, which resize(refcheck=False) "
        "would leave pointing to freed memory. np.resize returns a copy.",
        example="x = np.ones(3)\nt = torch.from_numpy(x)\nx.resize(5)",
        instead=("np.resize(x, 5)",),
        see="torch.from_numpy",
    ),
    Message(
        text="Existing exports of data: object cannot be re-sized",
        why="An array shares the memory of the bytearray. Delete it first, or let it share a copy.",
        example="x = bytearray(8)\na = np.frombuffer(x, np.uint8)\nx.append(1)",
        instead=("x + b'1'", "del a\nx.append(1)"),
        see="np.frombuffer",
    ),
    Message(
        text="cannot close exported pointers exist",
        why="An array shares the memory of the map, or of the SharedMemory. Delete it before you call close.",
        example="import mmap\nx = mmap.mmap(-1, 8)\na = np.frombuffer(x, np.uint8)\nx.close()",
        instead=("del a\nx.close()",),
        see="np.frombuffer",
    ),
    Message(
        text="step must be greater than zero",
        why="Tensors have no negative strides, so they cannot be sliced backwards. flip copies.",
        example="x = torch.ones(3)\nx[::-1]",
        instead=("x.flip(0)", "x.numpy()[::-1]"),
        see="reversed",
    ),
    Message(
        text="object does not implement Python buffer protocol",
        why="torch.frombuffer reads bytes, bytearray, memoryview, array.array and other buffers, but no lists.",
        example="x = [1.0, 2.0]\ntorch.frombuffer(x, dtype=torch.float32)",
        instead=("torch.tensor(x)",),
        see="torch.frombuffer",
    ),
    Message(
        text="a bytes-like object is required, not '…'",
        why="A buffer was needed, e.g. for np.frombuffer: bytes, bytearray, memoryview or array.array. Text must be "
        "encoded first.",
        example="x = 'abc'\nnp.frombuffer(x, np.uint8)",
        instead=("np.frombuffer(x.encode(), np.uint8)",),
        see="np.frombuffer",
    ),
    # files
    Message(
        text="Object arrays cannot be loaded when allow_pickle=False",
        why="The file holds an object array, which NumPy stores as a pickle. Loading a pickle can run code: use "
        "allow_pickle=True only for a file that you trust. Arrays of numbers need no pickle.",
        example="import io\nfile = io.BytesIO()\nnp.save(file, np.array([1, None]))\n_ = file.seek(0)\nnp.load(file)",
        instead=("np.load(file, allow_pickle=True)",),
        see="object",
    ),
    Message(
        text="Weights only load failed",
        why="The file holds other objects than tensors and plain containers, e.g. an array or a whole module. Loading "
        "them can run code: use weights_only=False only for a file that you trust. Save tensors instead.",
        example="import io\nfile = io.BytesIO()\ntorch.save(np.ones(3), file)\n_ = file.seek(0)\ntorch.load(file)",
        instead=("torch.load(file, weights_only=False)",),
    ),
    Message(
        text="buffer size must be a multiple of element size",
        why="np.frombuffer needs a buffer of whole elements. Cut the rest off, or pass count= or offset=.",
        example="x = b'abcde'\nnp.frombuffer(x, np.float32)",
        instead=("np.frombuffer(x[:4], np.float32)", "np.frombuffer(x, np.float32, count=1)"),
        see="np.frombuffer",
    ),
    Message(
        text="must be a multiple of element size (",
        why="torch.frombuffer needs a buffer of whole elements. Cut the rest off, or pass count= or offset=.",
        example="x = bytearray(5)\ntorch.frombuffer(x, dtype=torch.float32)",
        instead=("torch.frombuffer(x, dtype=torch.float32, count=1)",),
        see="torch.frombuffer",
    ),
    # devices
    Message(
        text="Torch not compiled with CUDA enabled",
        why="The installed build of PyTorch is for the CPU. tensorbridge env lists the available devices.",
        example="x = torch.ones(3)\nx.cuda()",
        instead=("x.to('cuda' if torch.cuda.is_available() else 'cpu')",),
    ),
    Message(
        text="t() expects a tensor with <= 2 dimensions",
        why="Tensor.t swaps the two dimensions of a matrix. A tensor of more needs the order of its dimensions.",
        example="x = torch.ones(2, 3, 4)\nx.t()",
        instead=("x.mT", "x.permute(2, 1, 0)"),
        see="Tensor.t",
    ),
    Message(
        text="__array_wrap__ must accept context and return_scalar arguments",
        why="A NumPy function was called on a tensor, whose __array_wrap__ was written for NumPy 1.",
        example="x = torch.ones(3)\nnp.sin(x)",
        instead=("np.sin(x.numpy())", "torch.sin(x)"),
        see="np.sin",
    ),
    Message(
        text="unspecified requires_grad now defaults to obj.requires_grad",
        why="torch.asarray keeps requires_grad since this version. Pass requires_grad= explicitly.",
        example=_GRAD + "torch.asarray(x)",
        instead=("torch.asarray(x, requires_grad=True)",),
        see="torch.asarray",
    ),
    Message(
        text="Casting complex values to real discards the imaginary part",
        why="Complex values were cast to a real dtype.",
        example="x = torch.tensor([1 + 2j])\nx.to(torch.float32)",
        instead=("x.real", "torch.view_as_real(x)"),
        see="complex64",
    ),
    Message(
        text="Accessing the data pointer of FakeTensor",
        why="A FakeTensor has no memory, so its address is meaningless.",
        example=_FAKE + "x.data_ptr()",
        see="fake",
    ),
    Message(
        text="ComplexHalf support is experimental",
        why="complex32 supports few operations. The warning is about the dtype, not about the call.",
        example="torch.zeros(2, dtype=torch.complex32)",
        see="complex32",
    ),
    Message(
        text="is in beta state",
        why="The warning is about this kind of tensor, not about the call.",
        example="torch.eye(3).to_sparse_csr()",
        see="sparse-csr",
    ),
    Message(
        text="is in prototype stage",
        why="The warning is about this kind of tensor, not about the call.",
        example="torch.nested.nested_tensor([torch.ones(2)])",
        see="nested",
    ),
    Message(
        text="and other quantized tensor creation functions",
        why="Quantized dtypes will be removed from PyTorch. The warning is about the dtype, not about the call.",
        example="torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)",
        see="quantized",
    ),
    Message(
        text="TypedStorage is deprecated",
        why="Tensor.storage() and the typed storage classes are legacy. If your code does not use them, a function of "
        "PyTorch itself does, and your code is not the cause.",
        example="torch.ones(2).storage()",
        instead=("torch.ones(2).untyped_storage()",),
    ),
    Message(
        text="Sparse invariant checks are implicitly disabled",
        why="PyTorch does not check the indices when a sparse tensor is created from its parts.",
        example="torch.sparse_coo_tensor([[0]], [1.0], (2,))",
        instead=("torch.sparse_coo_tensor([[0]], [1.0], (2,), check_invariants=True)",),
        see="sparse-coo",
    ),
    Message(
        text="overflow encountered in",
        why="A value is too large for the dtype of the result.",
        example="np.float32(3e38) * np.float32(10)",
    ),
    Message(
        text="converting a masked element to nan",
        why="A masked element was converted to a number.",
        example="x = np.ma.MaskedArray([1.0, 2.0], [0, 1])\nfloat(x[1])",
        instead=("x.filled(0)",),
        see="masked",
    ),
)


def find(text: str) -> Message | None:
    """Return the message that ``text`` (e.g. a traceback) contains, or that contains ``text``; None if there is none.

    If there are several, the last one counts, since it ended the program; of those that begin at the same place, the
    longest.
    """
    plain_text = _plain(text)
    hits = [(hit.start(), len(one.text), one) for one in MESSAGES if (hit := _last(_pattern(one.text), plain_text))]
    if hits:
        return max(hits, key=lambda hit: hit[:2])[2]
    whole = [one for one in MESSAGES if len(plain_text) >= _LEAST and plain_text in _plain(one.text)]
    return min(whole, key=lambda one: len(one.text), default=None)


_LEAST = 12
"""The minimum number of characters of a message that identify it."""


def _plain(text: str) -> str:
    return " ".join(text.replace("’", "'").replace("‘", "'").split()).casefold()


@functools.cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".{0,100}?".join(re.escape(part) for part in _plain(text).split("…")))


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter([*pattern.finditer(text)][-1:]), None)
