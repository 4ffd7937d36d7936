import pytest

from service.api.http.conditional import MAX_TAGS, keeps_range, matches_strongly, matches_weakly

TAG = '"abc"'


@pytest.mark.parametrize(
    ("field", "weakly", "strongly"),
    [
        ('"abc"', True, True),
        ('W/"abc"', True, False),
        ("*", True, True),
        (" * ", True, True),
        ('"x", "abc"', True, True),
        ('"x","abc","y"', True, True),
        ('"x", W/"abc"', True, False),
        ('"a,b", "abc"', True, True),
        ('"ABC"', False, False),
        ('"abcd"', False, False),
        ("abc", False, False),
        ('w/"abc"', True, True),
        ('""', False, False),
        ("", False, False),
        ('"x", *', False, False),
    ],
)
def test_a_list_of_tags_is_compared(field, weakly, strongly):
    assert (matches_weakly(field, TAG), matches_strongly(field, TAG)) == (weakly, strongly)


@pytest.mark.parametrize(
    ("field", "keeps"),
    [
        (None, True),
        ('"abc"', True),
        ('W/"abc"', False),
        ('"x"', False),
        ('"abc", "x"', False),
        ("*", False),
        ("Mon, 23 Nov 2026 16:00:00 GMT", False),
        ("", False),
    ],
)
def test_a_range_is_kept_for_the_very_tag_alone(field, keeps):
    assert keeps_range(field, TAG) is keeps


def test_tags_after_the_limit_are_not_compared():
    assert matches_weakly('"x",' * (MAX_TAGS - 1) + TAG, TAG)
    assert not matches_weakly('"x",' * MAX_TAGS + TAG, TAG)
    assert not matches_strongly('"x",' * MAX_TAGS + TAG, TAG)
