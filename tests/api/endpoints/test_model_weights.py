import base64
import hashlib
import random
from io import BytesIO

import numpy as np
import pytest
import safetensors.torch
import torch

from tests.api.drawing import RAW, draw
from tests.api.published import MODEL, publish, read_file, read_header, read_tensor

NAMES = [tensor["name"] for tensor in MODEL["tensors"]]
SHAPES = {tensor["name"]: tuple(tensor["shape"]) for tensor in MODEL["tensors"]}
KINDS = {"norm.weight": "<f2", "attention/in_proj_weight": "<f8"}
TANH = "große Ebene ⚖/kernel"


@pytest.fixture(scope="module")
def url(client):
    return publish(client)


@pytest.fixture(scope="module")
def whole(client, url):
    return client.get(f"{url}/weights").content


def test_the_file_has_every_tensor_in_its_shape_and_dtype(client, url):
    tensors = read_file(client, url)
    assert {name: tensor.shape for name, tensor in tensors.items()} == SHAPES
    assert {name: tensor.dtype.str for name, tensor in tensors.items()} == {
        name: KINDS.get(name, "<f4") for name in NAMES
    }


def test_a_drawn_tensor_has_the_bytes_of_its_spec_alone(client, url):
    alone = draw(shape=[300, 401], layout="IO", activation="tanh", seed=42, name=TANH)
    assert (read_file(client, url)[TANH] == alone).all()


def test_a_constant_is_its_value_everywhere(client, url):
    tensors = read_file(client, url)
    assert (tensors["norm.weight"] == 1.25).all()
    assert (tensors["conv.bias"] == 0).all()


def test_parts_are_stacked(client, url):
    tensors = read_file(client, url)
    packed = tensors["attention/in_proj_weight"]
    for number, part in enumerate("qkv"):
        name = f"attention/in_proj_weight.{part}"
        alone = draw(shape=[16, 16], layout="torch", dtype="float64", seed=42, name=name)
        assert (packed[16 * number : 16 * number + 16] == alone).all()
    table = tensors["table"]
    drawn = draw(shape=[100, 7], layout="IO", scheme="lecun", fan_in=1, seed=42, name="table")
    assert (table[0] == 0).all()
    assert (table[1:99] == drawn[1:99]).all()
    assert (table[99] == draw(shape=[1, 7], layout="torch", seed=42, name="table.last")).all()


def test_every_dtype_that_safetensors_has_and_we_make_is_read_back(client):
    tensors = [
        {"name": dtype, "shape": [5, 3], "dtype": dtype}
        for dtype in ("float32", "float64", "float16", "bfloat16")
    ]
    url = publish(client, {"seed": 3, "tensors": tensors})
    read = safetensors.torch.load(client.get(f"{url}/weights").content)
    for name, tensor in read.items():
        assert tensor.dtype == getattr(torch, name)
        expected = draw(shape=[5, 3], dtype=name, seed=3, name=name)
        assert tensor.view(torch.uint8).numpy().tobytes() == np.ascontiguousarray(expected).tobytes()


INTEGERS = ("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool")
COUNTERS = {
    "seed": 3,
    "tensors": [
        {"name": "norm.num_batches_tracked", "shape": [], "dtype": "int64", "constant": 0},
        {"name": "logit_scale", "shape": [], "constant": 2.5},
        {"name": "empty.weight", "shape": [0, 3], "constant": 0},
        {"name": "empty.mask", "shape": [2, 0, 3], "dtype": "bool", "constant": 1},
        {"name": "fc.weight", "shape": [2, 3]},
        *({"name": dtype, "shape": [3, 2], "dtype": dtype, "constant": 1} for dtype in INTEGERS),
    ],
}


@pytest.fixture(scope="module")
def counters(client):
    return publish(client, COUNTERS)


def test_scalars_integers_and_tensors_without_elements_are_read_back(client, counters):
    read = safetensors.torch.load(client.get(f"{counters}/weights").content)
    for entry in COUNTERS["tensors"]:
        tensor = read[entry["name"]]
        assert tensor.shape == torch.Size(entry["shape"])
        assert tensor.dtype == getattr(torch, entry.get("dtype", "float32"))
        if "constant" in entry:
            assert (tensor == entry["constant"]).all()


def test_the_file_of_every_dtype_is_the_references(client, counters):
    ours = client.get(f"{counters}/weights").content
    again = safetensors.torch.save(safetensors.torch.load(ours))
    (header, start), (their_header, begin) = read_header(ours), read_header(again)
    del header["__metadata__"]
    assert list(header) == list(their_header)
    assert header == their_header
    assert ours[start:] == again[begin:]


@pytest.mark.parametrize("entry", COUNTERS["tensors"], ids=lambda entry: entry["name"])
def test_numpy_opens_each_tensor_of_its_own(client, counters, entry):
    response = client.get(f"{counters}/weights/{entry['name']}")
    array = np.load(BytesIO(response.content))
    assert array.shape == tuple(entry["shape"])
    assert array.dtype == np.dtype(entry.get("dtype", "float32"))
    assert response.headers["Weightinit-Shape"] == ",".join(map(str, entry["shape"]))
    if "constant" in entry:
        assert (array == entry["constant"]).all()


def test_a_tensor_without_elements_has_no_bytes_and_no_range(client, counters):
    path = f"{counters}/weights/empty.weight"
    whole = client.get(path, headers=RAW)
    assert (whole.status_code, whole.content, whole.headers["Content-Length"]) == (200, b"", "0")
    assert client.head(path, headers=RAW).headers["ETag"] == whole.headers["ETag"]
    assert client.get(path, headers={**RAW, "Range": "bytes=0-"}).status_code == 416


def test_a_model_of_no_elements_at_all_is_a_file(client):
    url = publish(client, {"seed": 1, "tensors": [{"name": "a", "shape": [0], "constant": 0}]})
    assert safetensors.torch.load(client.get(f"{url}/weights").content)["a"].shape == (0,)


def test_a_slice_of_integers_is_a_cut_and_a_scalar_has_none(client, counters):
    assert read_tensor(client, counters, "int16", (1, 2), "<i2", slice="1:2").tolist() == [[1, 1]]
    response = client.get(f"{counters}/weights/logit_scale", params={"slice": "0:1"})
    assert response.status_code == 422


def test_the_parameters_of_constants_have_their_shapes_and_dtypes(client, counters):
    rows = {row["name"]: row for row in client.get(f"{counters}/parameters").json()["tensors"]}
    row = rows["norm.num_batches_tracked"]
    assert (row["shape"], row["dtype"]) == ([], "int64")
    assert row["parts"] == [
        {
            "name": "norm.num_batches_tracked",
            "shape": [],
            "slice": None,
            "constant": 0.0,
            "values": None,
            "parameters": None,
        }
    ]


def test_the_metadata_say_where_the_file_comes_from(whole, url):
    header, _ = read_header(whole)
    assert header["__metadata__"] == {
        "format": "pt",
        "weightinit.model": url.rpartition("/")[2],
        "weightinit.seed": "42",
        "weightinit.stream": "1",
    }


def test_tensors_are_aligned_and_leave_no_holes(whole):
    header, start = read_header(whole)
    del header["__metadata__"]
    assert start % 8 == 0
    end = 0
    for row in header.values():
        first, last = row["data_offsets"]
        assert first == end
        assert first % {"F64": 8, "F32": 4, "F16": 2}[row["dtype"]] == 0
        end = last
    assert start + end == len(whole)


def test_the_order_of_the_tensors_is_the_references(client):
    dtypes = ("float16", "bfloat16", "float32", "float64")
    tensors = [
        {"name": f"{letter}.{number}", "shape": [number], "constant": 0.5, "dtype": dtype}
        for letter in "ba"
        for number, dtype in enumerate(dtypes, 1)
    ]
    ours = client.get(publish(client, {"seed": 1, "tensors": tensors}) + "/weights").content
    (header, start), (again, begin) = (
        read_header(content) for content in (ours, safetensors.torch.save(safetensors.torch.load(ours)))
    )
    assert list(header)[1:] == list(again)
    assert ours[start:] == safetensors.torch.save(safetensors.torch.load(ours))[begin:]


def test_random_ranges_are_cuts_of_the_whole(client, url, whole):
    source = random.Random(42)
    for _ in range(100):
        start = source.randrange(len(whole))
        stop = min(len(whole), start + source.choice([1, 7, 1000, 300_000]))
        response = client.get(f"{url}/weights", headers={"Range": f"bytes={start}-{stop - 1}"})
        assert response.status_code == 206
        assert response.content == whole[start:stop]
        assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole)}"


def test_a_range_goes_on_where_the_tag_is_the_same_and_begins_again_where_it_is_not(client, url, whole):
    etag = client.head(f"{url}/weights").headers["ETag"]
    held = client.get(f"{url}/weights", headers={"Range": "bytes=1000-", "If-Range": etag})
    lost = client.get(f"{url}/weights", headers={"Range": "bytes=1000-", "If-Range": '"another"'})
    assert (held.status_code, held.content) == (206, whole[1000:])
    assert (lost.status_code, lost.content) == (200, whole)


def test_a_range_beyond_the_end_is_416(client, url, whole):
    response = client.get(f"{url}/weights", headers={"Range": f"bytes={len(whole)}-"})
    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{len(whole)}"


def test_both_media_types_have_the_same_bytes_and_each_a_tag(client, url, whole):
    raw = client.get(f"{url}/weights", headers=RAW)
    assert raw.content == whole
    assert raw.headers["Content-Type"] == "application/octet-stream"
    assert raw.headers["ETag"] != client.head(f"{url}/weights").headers["ETag"]


def test_a_media_type_that_is_not_made_is_406(client, url):
    assert client.get(f"{url}/weights", headers={"Accept": "application/x-npy"}).status_code == 406


def test_the_digest_is_that_of_the_whole(client, url, whole):
    response = client.head(f"{url}/weights", headers={"Want-Repr-Digest": "sha-256=10"})
    digest = base64.b64encode(hashlib.sha256(whole).digest()).decode()
    assert response.headers["Repr-Digest"] == f"sha-256=:{digest}:"


@pytest.mark.parametrize("name", NAMES)
def test_one_tensor_is_what_the_file_has(client, url, name):
    tensor = read_tensor(client, url, name, SHAPES[name], KINDS.get(name, "<f4"))
    assert (tensor == read_file(client, url)[name]).all()


@pytest.mark.parametrize(
    ("name", "cut", "slices"),
    [
        ("table", "0:1", np.s_[0:1]),
        ("table", "0:5,2:3", np.s_[0:5, 2:3]),
        ("table", "98:100", np.s_[98:100]),
        ("table", "5:6,:", np.s_[5:6]),
        ("attention/in_proj_weight", "15:33,3:9", np.s_[15:33, 3:9]),
        ("conv.bias", "2:4", np.s_[2:4]),
        ("conv.weight", ":,1:2,:,0:1", np.s_[:, 1:2, :, 0:1]),
    ],
)
def test_a_slice_is_the_same_cut_of_the_tensor(client, url, name, cut, slices):
    expected = read_file(client, url)[name][slices]
    kind = KINDS.get(name, "<f4")
    assert (read_tensor(client, url, name, expected.shape, kind, slice=cut) == expected).all()


def test_a_tensor_of_one_spec_is_the_answer_to_the_spec_alone(client, url):
    ours = client.get(f"{url}/weights/conv.weight")
    alone = client.get("/v1/weights?shape=8,3,3,3&layout=OIHW&activation=relu&seed=42&name=conv.weight")
    assert ours.content == alone.content
    for name in ("ETag", "Weightinit-Variance", "Weightinit-Shape", "Weightinit-Dtype", "Content-Type"):
        assert ours.headers[name] == alone.headers[name]


def test_slashes_of_a_name_may_stand_as_they_are(client, url):
    path = f"{url}/weights/attention/in_proj_weight"
    assert client.get(path).content == client.get(f"{url}/weights/attention%2Fin_proj_weight").content


def test_a_tensor_that_a_model_lacks_is_404_with_the_nearest_names(client, url):
    response = client.get(f"{url}/weights/con.weight")
    assert response.status_code == 404
    assert "conv.weight" in response.json()["detail"]


@pytest.mark.parametrize("name", ["%FF", "%C3", "%ED%A0%80", "conv.weight%FF"])
def test_a_name_that_is_no_utf8_is_refused_and_not_replaced(client, name):
    url = publish(client, {"seed": 1, "tensors": [{"name": "\ufffd", "shape": [3, 3]}]})
    assert client.get(f"{url}/weights/%EF%BF%BD").status_code == 200
    response = client.get(f"{url}/weights/{name}")
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert (error["field"], error["rule"]) == ("tensor", "must be percent-encoded UTF-8")


def test_a_line_feed_behind_a_name_is_not_left_out(client, url):
    assert client.get(f"{url}/weights/conv.weight%0A").status_code == 404


@pytest.mark.parametrize("cut", ["0:0", "0:101", "x", "0:1,0:1,0:1"])
def test_a_slice_that_leaves_the_tensor_is_422(client, url, cut):
    response = client.get(f"{url}/weights/table", params={"slice": cut})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"].startswith("slice")


def test_a_slice_is_given_once(client, url):
    assert client.get(f"{url}/weights/table?slice=0:1&slice=0:2").status_code == 422
