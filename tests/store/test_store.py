from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.store import NameTakenError, UnknownModelError
from tests.store.places import make_model, make_name, put_model

NAME = make_name("vision/resnet50/1.0")


def test_a_database_that_nothing_was_written_to_has_nothing_and_raises_nothing(store):
    assert store.get_model("0" * 64) is None
    assert store.get_name(NAME) is None
    assert store.list_names("", None, 10) == []
    assert store.retire_name(NAME, "ada", "") is None


def test_a_model_is_new_once_and_comes_back_byte_for_byte(store):
    identity, canonical = make_model("bytes \x00 and ключ")
    assert store.put_model(identity, canonical) is True
    assert store.put_model(identity, canonical) is False
    assert store.get_model(identity) == canonical


def test_a_model_of_16_mebibytes_comes_back(store):
    identity, canonical = make_model("x" * 2**24)
    assert store.put_model(identity, canonical) is True
    assert store.get_model(identity) == canonical


def test_a_name_has_its_model_author_note_and_the_time_in_utc(store):
    model = put_model(store)
    before = datetime.now(UTC)
    entry, new = store.put_name(
        NAME, model, "ada 山田\u3000👩\u200d🔬", "why:\n\tто́т\r\n'; DROP TABLE names; --"
    )
    assert new is True
    assert (entry.name, entry.model, entry.retired) == (NAME, model, None)
    assert entry.published.utcoffset() == timedelta(0)
    assert before <= entry.published <= datetime.now(UTC)
    assert store.get_name(NAME) == entry


def test_a_name_published_again_for_the_same_model_stays_as_it_was(store):
    model = put_model(store)
    entry, _ = store.put_name(NAME, model, "ada", "first")
    assert store.put_name(NAME, model, "grace", "second") == (entry, False)
    assert store.get_name(NAME) == entry


def test_a_name_never_stands_for_another_model(store):
    entry, _ = store.put_name(NAME, put_model(store), "ada", "")
    for other in (put_model(store, "b"), "0" * 64):
        with pytest.raises(NameTakenError) as taken:
            store.put_name(NAME, other, "ada", "")
        assert taken.value.entry == entry
        assert str(taken.value) == f"{NAME} stands for the model {entry.model}"
    assert store.get_name(NAME) == entry


def test_a_name_cannot_stand_for_a_model_that_is_not_there(store):
    with pytest.raises(UnknownModelError, match=r"no model has the id 0{64}"):
        store.put_name(NAME, "0" * 64, "ada", "")
    assert store.get_name(NAME) is None


def test_names_that_differ_in_case_alone_are_two(store):
    store.put_name(NAME, put_model(store, "a"), "ada", "")
    upper = make_name("Vision/resnet50/1.0")
    _, new = store.put_name(upper, put_model(store, "b"), "ada", "")
    assert new is True
    assert store.get_name(upper).model != store.get_name(NAME).model


def test_a_retired_name_keeps_its_model_and_says_who_retired_it_why_and_when(store):
    entry, _ = store.put_name(NAME, put_model(store), "ada", "good")
    before = datetime.now(UTC)
    retired = store.retire_name(NAME, "grace", "bad")
    assert replace(retired, retired=None) == entry
    assert (retired.retired.author, retired.retired.note) == ("grace", "bad")
    assert before <= retired.retired.when <= datetime.now(UTC)
    assert store.get_name(NAME) == retired


def test_a_name_is_retired_once(store):
    store.put_name(NAME, put_model(store), "ada", "")
    retired = store.retire_name(NAME, "grace", "bad")
    assert store.retire_name(NAME, "ada", "worse") == retired


def test_a_retired_name_is_not_published_again_not_even_for_its_own_model(store):
    model = put_model(store)
    store.put_name(NAME, model, "ada", "")
    retired = store.retire_name(NAME, "grace", "")
    with pytest.raises(NameTakenError, match="is retired") as taken:
        store.put_name(NAME, model, "ada", "")
    assert taken.value.entry == retired


def test_what_was_written_is_there_for_the_next_process(place, store):
    model = put_model(store)
    entry, _ = store.put_name(NAME, model, "ada", "")
    store.close()
    other = place.open()
    assert other.get_name(NAME) == entry
    assert other.get_model(model) == make_model("a")[1]
    other.close()


def test_a_store_that_was_closed_opens_again_when_asked(store):
    model = put_model(store)
    store.close()
    assert store.get_model(model) is not None
