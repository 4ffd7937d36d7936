"""The page of recipes has the rules that the service uses."""

from tests.core.recipes.page import PAGE, render_page


def test_the_page_is_made_from_the_table():
    assert PAGE.read_text() == render_page()
