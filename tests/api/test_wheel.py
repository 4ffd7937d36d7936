import logging
from zipfile import ZipFile

import pytest

from service.api.wheel import Wheel, find_wheel


def write_wheel(path, members):
    with ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


METADATA = "Metadata-Version: 2.4\nName: weightinit\nVersion: 1.2\nRequires-Python: >=3.11,<4\n"


@pytest.fixture
def wheel(tmp_path):
    return write_wheel(
        tmp_path / "weightinit-1.2-py3-none-any.whl", {"weightinit-1.2.dist-info/METADATA": METADATA}
    )


def test_a_wheel_tells_its_version_and_the_python_it_needs(wheel):
    found = Wheel.read(wheel)
    assert (found.version, found.requires_python) == ("1.2", ">=3.11,<4")


def test_only_the_wheel_of_the_version_is_found(wheel):
    assert find_wheel(wheel.parent, "1.2") == Wheel.read(wheel)
    assert find_wheel(wheel.parent, "1.3") is None


@pytest.mark.parametrize("members", [{}, {"weightinit/__init__.py": ""}])
def test_a_wheel_without_metadata_is_not_served_and_the_log_says_why(tmp_path, caplog, members):
    path = write_wheel(tmp_path / "weightinit-1.2-py3-none-any.whl", members)
    with caplog.at_level(logging.WARNING, "uvicorn.error"):
        assert find_wheel(tmp_path, "1.2") is None
    assert str(path) in caplog.text


def test_a_file_that_is_no_archive_is_not_served(tmp_path):
    (tmp_path / "weightinit-1.2-py3-none-any.whl").write_bytes(b"PK")
    assert find_wheel(tmp_path, "1.2") is None


def test_a_wheel_of_another_project_is_refused(tmp_path):
    path = write_wheel(tmp_path / "other-1.2-py3-none-any.whl", {})
    with pytest.raises(ValueError, match="wheel of other"):
        Wheel.read(path)
