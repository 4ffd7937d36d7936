"""The registry: models that are published, and the names that they go by."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx

from weightinit.answers import read_answer
from weightinit.connection import Connection
from weightinit.digests import compute_file_digest
from weightinit.files import save
from weightinit.models import DecidedTensor, Model, NameEntry, Publication
from weightinit.models.decisions import Decider, decide_tensors, read_decisions
from weightinit.models.names import check_name, check_reference, is_model_id, read_entries
from weightinit.parameters import Parameters
from weightinit.queries import (
    make_model_query,
    make_name_query,
    make_names_query,
    make_parameters_query,
    make_publish_query,
)
from weightinit.settings import find_author
from weightinit.spec import Spec

# More than any answer about models: what is decided for one is many times as long as what was posted.
LONGEST_MODEL = 2**28

READ_ENTRY = partial(read_answer, read=NameEntry.from_json)


class Registry(Connection):
    """The verbs of published models. A reference is a model's id, or a name, team/name/version."""

    def publish(
        self,
        model: Model | Mapping[str, object],
        *,
        name: str | None = None,
        author: str | None = None,
        note: str = "",
    ) -> Publication:
        """Publish a model, and give it a name if one is said. To publish it again changes nothing.

        `author` is WEIGHTINIT_AUTHOR if nobody says, or else who is logged in. Raises NameTaken where the
        name stands for another model, or is retired; SpecRejected where the model cannot be honoured.
        """
        said = {}
        if name is not None:
            said = {"author": find_author(author), "note": note}
            check_name(name)
        query = make_publish_query(model.to_json() if isinstance(model, Model) else model)
        publication = self.exchange(query, _read_publication)
        if name is None:
            return publication
        query = make_name_query(name, "PUT", model=publication.id, **said)
        is_new = self.exchange(query, lambda answer: answer.status_code == httpx.codes.CREATED)
        return replace(publication, name=name, is_new=publication.is_new or is_new)

    def model(self, reference: str) -> Model:
        """Fetch a model. Raises DigestMismatch where it is not the one that its id says."""
        model = self._find_model(reference)
        read = partial(read_answer, read=Model.from_json, longest=LONGEST_MODEL, digest=model)
        return self.exchange(make_model_query(model), read)

    def decided(self, model: Model | str) -> tuple[DecidedTensor, ...]:
        """Ask what is decided for each tensor, and why, of a published model or of one at hand."""
        if isinstance(model, Model):
            return decide_tensors(model, Decider(self._decide))
        read = partial(read_answer, read=read_decisions, longest=LONGEST_MODEL)
        return self.exchange(make_model_query(self._find_model(model), "/parameters"), read)

    def pull(self, reference: str, path: str | os.PathLike[str]) -> str:
        """Write a model to a safetensors file, and return the SHA-256 of the file, in hexadecimal digits.

        The file is whole or not there. One that an earlier call left half done is gone on with. Raises
        OutputFailed.
        """
        query = make_model_query(self._find_model(reference), "/weights")
        digest = save(self, Path(path), query, None)
        return (digest or compute_file_digest(Path(path))).hex()

    def resolve(self, name: str) -> NameEntry:
        """Look a name up. Raises NotFound, and Retired where it is no longer to be used."""
        return self.exchange(make_name_query(check_name(name)), READ_ENTRY)

    def names(self, prefix: str = "") -> Iterator[NameEntry]:
        """List the names that begin with a prefix, in order, the retired ones too."""
        params: dict[str, str] | None = {"prefix": prefix} if prefix else {}
        while params is not None:
            entries, following = self.exchange(make_names_query(params), _read_page)
            yield from entries
            params = following if following != params else None

    def retire(self, name: str, *, note: str, author: str | None = None) -> NameEntry:
        """Retire a name, for ever: nobody is to use it any more. To repeat it changes nothing."""
        query = make_name_query(check_name(name), "DELETE", author=find_author(author), note=note)
        return self.exchange(query, READ_ENTRY)

    def _decide(self, spec: Spec) -> Parameters:
        return self.exchange(make_parameters_query(spec), partial(read_answer, read=Parameters.from_json))

    def _find_model(self, reference: str) -> str:
        check_reference(reference)
        return reference if is_model_id(reference) else self.resolve(reference).model


def _read_publication(response: httpx.Response) -> Publication:
    is_new = response.status_code == httpx.codes.CREATED
    return read_answer(response, partial(Publication.from_json, is_new=is_new))


def _read_page(response: httpx.Response) -> tuple[list[NameEntry], dict[str, str] | None]:
    """Read a page of names, and the parameters of the next (RFC 8288); None where it is the last."""
    link = response.links.get("next", {}).get("url")
    # Its path and host may be a proxy's: the endpoint that is asked next is ours to choose.
    following = dict(httpx.URL(link).params) if link else None
    return read_answer(response, read_entries, LONGEST_MODEL), following
