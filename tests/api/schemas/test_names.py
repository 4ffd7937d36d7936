import pytest

from service.api.schemas.names import Listing, Publication, Reason
from service.core import SpecError

MODEL = "0123456789abcdef" * 4


def refuse(kind, **values):
    """Return field and rule of each error."""
    with pytest.raises(SpecError) as refused:
        kind.parse(values)
    return [(error.field, error.rule) for error in refused.value.errors]


def test_a_publication_has_a_model_an_author_and_a_note_that_may_be_empty():
    publication = Publication.parse({"model": MODEL, "author": "ada"})
    assert (publication.model, publication.author, publication.note) == (MODEL, "ada", "")


def test_every_field_that_is_wrong_is_told():
    assert refuse(Publication, author=1, note=None, autor="x") == [
        ("author", "must be text"),
        ("note", "must be text"),
        ("model", "is required"),
        ("autor", "is not a field of a publication"),
    ]


@pytest.mark.parametrize(
    "model", ["", MODEL[:-1], MODEL + "0", MODEL.upper(), MODEL[:-1] + "g", "vision/a/1"]
)
def test_a_model_is_given_by_its_id(model):
    rule = "must be the id of a model: 64 lower-case hexadecimal digits"
    assert refuse(Publication, model=model, author="ada") == [("model", rule)]


@pytest.mark.parametrize(
    "author", ["a", "a" * 200, "山田\u3000太郎", "👩\u200d🔬", "Ada Lovelace <ada@x.org>"]
)
def test_an_author_is_any_printable_text(author):
    assert Reason.parse({"author": author}).author == author


@pytest.mark.parametrize(
    "author", ["", " ", "\u3000", "a" * 201, "a\n", "a\tb", "\x00", "\x7f", "\x85", "\u2028", "\ud800"]
)
def test_an_author_is_neither_blank_nor_long_nor_unprintable(author):
    ((field, _),) = refuse(Reason, author=author)
    assert field == "author"


@pytest.mark.parametrize("note", ["", "a" * 2000, "one\r\n\ttwo\n"])
def test_a_note_may_have_lines_and_tabs(note):
    assert Reason.parse({"author": "ada", "note": note}).note == note


@pytest.mark.parametrize("note", ["a" * 2001, "\x00", "\x1b[31m", "\x0b", "\x7f", "\u2029", "\udfff"])
def test_a_note_is_neither_long_nor_unprintable(note):
    ((field, _),) = refuse(Reason, author="ada", note=note)
    assert field == "note"


def test_a_listing_is_of_100_names_from_the_first_on_unless_told_otherwise():
    assert Listing.parse_query([]) == Listing(prefix="", after=None, limit=100)


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "1.0", "x", ""])
def test_a_limit_is_1_to_1000(limit):
    with pytest.raises(SpecError, match="limit must be"):
        Listing.parse_query([("limit", limit)])


@pytest.mark.parametrize("prefix", ["/", "a//", "a/b/c/", "-", "a b", "a/-", "%", "é", "a" * 101])
def test_a_prefix_is_how_a_name_may_begin(prefix):
    assert refuse(Listing, prefix=prefix) == [("prefix", "must be the beginning of a team/name/version")]


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b", "a/b/", "a/b/c"])
def test_a_prefix_may_end_anywhere(prefix):
    assert Listing.parse_query([("prefix", prefix)]).prefix == prefix


@pytest.mark.parametrize("after", ["", "a", "a/b", "a/b/", "a/b/c/d"])
def test_a_listing_begins_after_a_name(after):
    assert refuse(Listing, after=after) == [("after", "must be a team/name/version")]
    assert Listing.parse_query([("after", "a/b/c")]).after == "a/b/c"


def test_what_is_given_twice_is_told_beside_what_is_wrong():
    with pytest.raises(SpecError) as refused:
        Listing.parse_query([("prefix", "a"), ("prefix", "b"), ("limit", "x"), ("page", "2")])
    assert [error.field for error in refused.value.errors] == ["limit", "page", "prefix"]
    with pytest.raises(SpecError, match="prefix must be given once"):
        Listing.parse_query([("prefix", "a"), ("prefix", "a")])
