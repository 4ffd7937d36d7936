"""The client: parameters and weights of layers, from a service or its replicas."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import httpx

from weightinit.cache import CachedConnection, compute_key
from weightinit.deprecation import warn_renamed
from weightinit.download import save
from weightinit.errors import NotFound
from weightinit.models import ExpandedModel, Model, NameEntry, Publication, TensorParameters, TensorSpec
from weightinit.models.names import check_name, check_reference, is_model_id, read_entries
from weightinit.models.resolution import Resolver, read_model_parameters, resolve_tensors
from weightinit.settings import find_author, resolve_settings
from weightinit.spec.fields import SpecFields
from weightinit.spec.layer import Shape, Spec
from weightinit.spec.parameters import Parameters
from weightinit.spec.slices import Slices, TensorSlice
from weightinit.transport.digests import compute_file_digest
from weightinit.transport.requests import (
    Query,
    make_expand_query,
    make_model_query,
    make_name_query,
    make_names_query,
    make_parameters_query,
    make_publish_query,
    make_tensor_query,
    make_weights_query,
)
from weightinit.transport.responses import MAX_MODEL_BYTES, read_answer
from weightinit.transport.retry import Retry
from weightinit.transport.sinks import MemorySink

READ_ENTRY = partial(read_answer, read=NameEntry.from_json)


class Registry(CachedConnection):
    """Published models. A reference is a model's id, or a name: team/name/version."""

    def publish(
        self,
        model: Model | Mapping[str, object],
        *,
        name: str | None = None,
        author: str | None = None,
        note: str = "",
    ) -> Publication:
        """Publish a model, under a name if one is given. Publishing it again has no effect.

        Default of `author`: WEIGHTINIT_AUTHOR, or else the user who is logged in. Raises NameTaken if the
        name is taken by another model, or retired; SpecRejected if the model is invalid.
        """
        fields = {}
        if name is not None:
            fields = {"author": find_author(author), "note": note}
            check_name(name)
        query = make_publish_query(model.to_json() if isinstance(model, Model) else model)
        publication = self.exchange(query, _read_publication)
        if name is None:
            return publication
        query = make_name_query(name, "PUT", model=publication.id, **fields)
        is_new = self.exchange(query, lambda answer: answer.status_code == httpx.codes.CREATED)
        return replace(publication, name=name, is_new=publication.is_new or is_new)

    def expand(self, model: Model | Mapping[str, object]) -> ExpandedModel:
        """Validate a model without publishing it, and write out its recipe, if it has one.

        Raises SpecRejected, which lists every invalid field.
        """
        query = make_expand_query(model.to_json() if isinstance(model, Model) else model)
        read = partial(read_answer, read=ExpandedModel.from_json, longest=MAX_MODEL_BYTES)
        return self.exchange(query, read)

    def model(self, reference: str) -> Model:
        """Fetch a model. Raises DigestMismatch if its SHA-256 is not its id."""
        model = self._find_model(reference)
        read = partial(read_answer, read=Model.from_json, longest=MAX_MODEL_BYTES, digest=model)
        # The id is the digest, so every service sends the same.
        return self.ask(make_model_query(model), read, endpoints=())

    def model_parameters(self, model: Model | str) -> tuple[TensorParameters, ...]:
        """Return the parameters of each tensor of a model, or of a reference, in the model's order.

        Raises SpecRejected if the model is invalid, NotFound and Retired for a reference.
        """
        if isinstance(model, Model):
            return resolve_tensors(model, Resolver(self._resolve))
        read = partial(read_answer, read=read_model_parameters, longest=MAX_MODEL_BYTES)
        return self.ask(make_model_query(self._find_model(model), "/parameters"), read)

    def decided(self, model: Model | str) -> tuple[TensorParameters, ...]:
        """Call `model_parameters` (deprecated)."""
        warn_renamed("Client.decided", "Client.model_parameters")
        return self.model_parameters(model)

    def tensor(self, reference: str, name: str, *, slice: Slices | None = None) -> "Array":  # noqa: A002
        """Fetch a tensor of a published model, or a slice of it, as an array in C order.

        Raises NotFound for an unknown model or tensor.
        """
        model = self._find_model(reference)
        tensor = self.model(model).by_name.get(name)
        if tensor is None:
            raise NotFound(f"model {model[:12]} has no tensor {name!r}")
        return self.fetch_tensor(model, tensor, slice)

    def fetch_tensor(self, model: str, tensor: TensorSpec, slices: Slices | None = None) -> "Array":
        """Fetch a slice of a tensor of the model with an id. Call `tensor` unless you have both."""
        from weightinit.arrays import make_array, view_bytes  # noqa: PLC0415 - NumPy is slow to import

        tensor_slice = TensorSlice.of(slices, tensor.shape)
        array = make_array(tensor_slice.shape, tensor.format)
        query = make_tensor_query(model, tensor.name, tensor_slice, tensor.dtype)
        if array.nbytes:
            self.transfer(query, MemorySink(view_bytes(array, array.nbytes)), array.nbytes)
        return array

    def pull(self, reference: str, path: str | os.PathLike[str]) -> str:
        """Write a model to a safetensors file; return the SHA-256 of the file, in hexadecimal digits.

        The file appears only when it is complete. An interrupted download is resumed. Raises OutputFailed.
        """
        query = make_model_query(self._find_model(reference), "/weights")
        digest = save(self, Path(path), query, None)
        return (digest or compute_file_digest(Path(path))).hex()

    def resolve(self, name: str) -> NameEntry:
        """Look up a name. Raises NotFound, or Retired if it is retired."""
        return self.ask(make_name_query(check_name(name)), READ_ENTRY)

    def names(self, prefix: str = "") -> Iterator[NameEntry]:
        """Yield the names that start with a prefix, in order, including retired ones."""
        params: dict[str, str] | None = {"prefix": prefix} if prefix else {}
        while params is not None:
            entries, following = self.exchange(make_names_query(params), _read_page)
            yield from entries
            params = following if following != params else None

    def retire(self, name: str, *, note: str, author: str | None = None) -> NameEntry:
        """Retire a name. This cannot be undone; repeating it has no effect."""
        query = make_name_query(check_name(name), "DELETE", author=find_author(author), note=note)
        return self.exchange(query, READ_ENTRY)

    def _resolve(self, spec: Spec) -> Parameters:
        return self.ask(make_parameters_query(spec), partial(read_answer, read=Parameters.from_json))

    def _find_model(self, reference: str) -> str:
        check_reference(reference)
        return reference if is_model_id(reference) else self.resolve(reference).model


def _read_publication(response: httpx.Response) -> Publication:
    is_new = response.status_code == httpx.codes.CREATED
    return read_answer(response, partial(Publication.from_json, is_new=is_new))


def _read_page(response: httpx.Response) -> tuple[list[NameEntry], dict[str, str] | None]:
    """Return a page of names, and the query parameters of the next page (RFC 8288); None for the last."""
    link = response.links.get("next", {}).get("url")
    # Only the parameters are used: host and path may be a proxy's.
    following = dict(httpx.URL(link).params) if link else None
    return read_answer(response, read_entries, MAX_MODEL_BYTES), following


if TYPE_CHECKING:
    from weightinit.arrays import Array, Destination


class Client(Registry):
    """A client of a weightinit service. It can be shared by threads and used in forked child processes.

    A pickled or copied client has the same settings, including the token, and its own connections.

    Args:
        url: URL of the service, or URLs of its replicas; default `http://127.0.0.1:8000`.
        token: bearer token, sent only to the origin of `url`.
        timeout: seconds without a byte before ServerStalled is raised; default 30.
        retries: number of retries, or a Retry; default 5.
        cache: directory for a cache of tensors and responses; True for the platform's cache directory.
        verify: check each tensor's SHA-256 against the one that the service sends.
        offline: use only the cache, and raise Offline if it does not have the response.
        progress: show a progress bar; None: for a long transfer on a terminal, if tqdm is installed.

    Arguments that are None are set by WEIGHTINIT_URL (comma-separated), WEIGHTINIT_TOKEN,
    WEIGHTINIT_TIMEOUT, WEIGHTINIT_CACHE, WEIGHTINIT_VERIFY, WEIGHTINIT_OFFLINE. Raises ConfigurationError.

    Methods for weights take a Spec, or a shape and the fields of a Spec; those for models are Registry's.
    Errors are in weightinit.errors.
    """

    def __init__(
        self,
        url: str | Sequence[str] | None = None,
        *,
        token: str | None = None,
        timeout: float | None = None,
        retries: int | Retry | None = None,
        cache: bool | str | os.PathLike[str] | None = None,
        verify: bool | None = None,
        offline: bool | None = None,
        progress: bool | None = None,
    ) -> None:
        settings = resolve_settings(
            url,
            token=token,
            timeout=timeout,
            retries=retries,
            cache=cache,
            verify=verify,
            offline=offline,
        )
        super().__init__(settings, progress=progress)

    def parameters(self, shape: Spec | Shape, **spec: Unpack[SpecFields]) -> Parameters:
        """Return the parameters of a layer: scheme, fans, variance σ², limit √(3 σ²), and the reason.

        Raises SpecRejected, which lists every invalid field.
        """
        return self._resolve(Spec.of(shape, **spec))

    def weights(
        self,
        shape: Spec | Shape,
        *,
        slice: Slices | None = None,  # noqa: A002 - as the service calls it
        out: "Destination | None" = None,
        **spec: Unpack[SpecFields],
    ) -> "Array":
        """Fetch a tensor, or a slice of it, as an array in C order.

        If given, `out` is filled without a copy: an array of that shape and dtype, or any buffer of that
        size. An array that shares its memory is returned. After an error its content is undefined.
        bfloat16 is returned as ml_dtypes.bfloat16 if that is installed, else as its bits in uint16.
        """
        from weightinit.arrays import make_array, view_array, view_bytes  # noqa: PLC0415 - NumPy is slow to import

        layer = Spec.of(shape, **spec)
        tensor_slice = TensorSlice.of(slice, layer.shape)
        array = (
            make_array(tensor_slice.shape, layer.format)
            if out is None
            else view_array(out, tensor_slice.shape, layer.format)
        )
        self._fill(layer, tensor_slice, view_bytes(array, array.nbytes))
        return array

    def fetch(
        self,
        shape: Spec | Shape,
        *,
        out: "Destination",
        slice: Slices | None = None,  # noqa: A002 - as the service calls it
        **spec: Unpack[SpecFields],
    ) -> None:
        """Fetch a tensor's bytes, little-endian and in C order, into a writable buffer of their size."""
        from weightinit.arrays import view_bytes  # noqa: PLC0415 - NumPy is slow to import

        layer = Spec.of(shape, **spec)
        tensor_slice = TensorSlice.of(slice, layer.shape)
        self._fill(layer, tensor_slice, view_bytes(out, tensor_slice.count_bytes(layer.format)))

    def raw(
        self,
        shape: Spec | Shape,
        *,
        slice: Slices | None = None,  # noqa: A002 - as the service calls it
        **spec: Unpack[SpecFields],
    ) -> bytes:
        """Fetch a tensor's bytes, little-endian and in C order. `fetch` needs half the memory."""
        layer = Spec.of(shape, **spec)
        tensor_slice = TensorSlice.of(slice, layer.shape)
        buffer = bytearray(tensor_slice.count_bytes(layer.format))
        self._fill(layer, tensor_slice, memoryview(buffer))
        return bytes(buffer)

    def _fill(self, spec: Spec, tensor_slice: TensorSlice, view: memoryview) -> None:
        query = make_weights_query(spec, tensor_slice)
        if not view:
            return  # an empty slice, such as the shard of a rank without rows
        if self._cache:
            self._cache.fill(
                compute_key(self._settings.endpoints, query), view, partial(self._download, query, view)
            )
        else:
            self._download(query, view)

    def _download(self, query: Query, view: memoryview) -> float:
        return self.transfer(query, MemorySink(view), len(view)).lifetime
