import itertools
import random
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from service.store import NameEntry
from service.store.queries import add_name, select_names
from tests.store.places import make_name, put_model

SEGMENTS = ["a", "A", "a-b", "a.b", "a_b", "ab", "aB", "Ab", "b", "0", "10", "9", "Z", "z"]
NAMES = sorted(
    map("/".join, itertools.product(SEGMENTS, ["x", "X-1", "x.1", "x_1"], ["1.0", "1.0-rc1", "10"]))
)
ORDERED = sorted(map(make_name, NAMES))
PREFIXES = ["a", "A", "a/", "a/x", "a/x/", "a/X-1/1.0", "a/X-1/1.0-", "a_b/", "a.", "a-b/x_1/1", "q", "Z"]


@pytest.fixture
def full(store):
    model = put_model(store)
    with store._database.writer.begin() as connection:
        for name in random.Random(1).sample(ORDERED, len(ORDERED)):
            add_name(connection, NameEntry(name, model, "ada", "", datetime.now(UTC)))
    return store


def list_all(store, prefix, limit):
    """List names page by page."""
    found, after = [], None
    while page := store.list_names(prefix, after, limit):
        assert len(page) <= limit
        found += page
        after = page[-1].name
    return [entry.name for entry in found]


def test_names_come_in_the_order_of_code_points_segment_by_segment(full):
    assert [entry.name for entry in full.list_names("", None, 1000)] == ORDERED


@pytest.mark.parametrize("limit", [1, 7, len(NAMES)])
def test_pages_have_every_name_once(full, limit):
    assert list_all(full, "", limit) == ORDERED


def test_a_prefix_chooses_the_names_whose_text_begins_so(full):
    for prefix in PREFIXES:
        expected = [name for name in ORDERED if str(name).startswith(prefix)]
        assert list_all(full, prefix, 1000) == expected
        assert list_all(full, prefix, 2) == expected


def test_a_page_may_begin_after_a_name_that_is_not_there_or_before_the_prefix(full):
    after = make_name("a/x/1.1")
    assert [entry.name for entry in full.list_names("a/x", after, 1)] == [make_name("a/x/10")]
    first = full.list_names("b", make_name("a/x/1.0"), 1)
    assert first == full.list_names("b", None, 1)
    assert full.list_names("a", make_name("b/x/10"), 10) == []


def test_retired_names_are_listed_too(full):
    retired = full.retire_name(ORDERED[3], "ada", "")
    assert full.list_names("", ORDERED[2], 1) == [retired]


def test_a_name_published_meanwhile_repeats_none_on_the_next_page(full):
    page = full.list_names("", None, 10)
    full.put_name(make_name("0/0/0"), page[0].model, "ada", "")
    following = full.list_names("", page[-1].name, 10)
    assert [entry.name for entry in following] == ORDERED[10:20]


FILL = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999) ",
    "postgres": "WITH n(i) AS (SELECT generate_series(0, 99999)) ",
}
EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN", "postgres": "EXPLAIN"}


def test_a_page_among_100_000_names_is_found_by_the_index_alone(place, store):
    model = put_model(store)
    with store._database.writer.begin() as connection:
        connection.execute(
            text(
                f"{FILL[place.kind]} INSERT INTO names "
                "(team, name, version, model, author, note, published_at) "
                "SELECT 't' || (i % 100), 'n' || (i / 100), '1', :model, '', '', CURRENT_TIMESTAMP FROM n"
            ),
            {"model": model},
        )
        connection.execute(text("ANALYZE"))
    with store._database.reader.connect() as connection:
        page = select_names("t50/", make_name("t50/n500/1"), 100)
        statement = page.compile(connection, compile_kwargs={"literal_binds": True})
        plan = "\n".join(map(str, connection.exec_driver_sql(f"{EXPLAIN[place.kind]} {statement}")))
    assert "SEARCH names USING INDEX" in plan or "Index Scan using pk_names" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan
    assert len(store.list_names("t50/", make_name("t50/n500/1"), 100)) == 100
