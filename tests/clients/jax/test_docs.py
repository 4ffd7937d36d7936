"""The examples in docs/jax.md work as shown."""

import weightinit.jax

from tests.clients.pages import read_page, run_page


def test_its_examples_run(service, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_page("jax.md")


def test_every_name_is_on_the_page():
    page = read_page("jax.md")
    assert [
        name
        for name in weightinit.jax.__all__
        if name.replace("kaiming", "he").replace("xavier", "glorot") not in page
    ] == []
