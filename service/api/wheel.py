"""The client's wheel, which `pip install weightinit` gets from the service, and its index.

The index follows the simple repository API in HTML (PEP 503) and JSON (PEP 691), version 1.1 (PEP 700). The
separate metadata (PEP 658, PEP 714) lets pip resolve dependencies without downloading the wheel.
"""

import hashlib
import logging
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile, ZipFile

from packaging.metadata import parse_email
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

PROJECT = "weightinit"
API_VERSION = "1.1"

HTML = "text/html"
SIMPLE_HTML = "application/vnd.pypi.simple.v1+html"
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
MEDIA_TYPES = (HTML, SIMPLE_JSON, SIMPLE_HTML)  # the first is the default (PEP 691)

logger = logging.getLogger("uvicorn.error")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel, with its metadata and the digests of both."""

    filename: str
    version: str
    requires_python: str
    content: bytes
    metadata: bytes
    sha256: str
    metadata_sha256: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a wheel. Raises OSError, or ValueError if the file is not a wheel."""
        try:
            project, version, *_ = parse_wheel_filename(path.name)
            if project != PROJECT:
                raise ValueError(f"{path} is a wheel of {project}, not of {PROJECT}")
            with ZipFile(path) as archive:
                metadata = archive.read(f"{'-'.join(path.name.split('-')[:2])}.dist-info/METADATA")
        except (BadZipFile, InvalidWheelFilename, KeyError) as error:
            raise ValueError(f"{path} is not a wheel: {error}") from error
        content = path.read_bytes()
        fields, _ = parse_email(metadata)
        return cls(
            path.name,
            str(version),
            fields.get("requires_python", ""),
            content,
            metadata,
            hashlib.sha256(content).hexdigest(),
            hashlib.sha256(metadata).hexdigest(),
        )

    @property
    def path(self) -> str:
        """The path of the wheel below /packages. It has the digest, so its content never changes."""
        return f"{self.sha256}/{self.filename}"

    @property
    def files(self) -> dict[str, bytes]:
        """The wheel and its metadata (PEP 658), by their paths below /packages."""
        return {self.path: self.content, f"{self.path}.metadata": self.metadata}

    def describe(self) -> dict[str, Any]:
        """Describe the wheel for the JSON of a project (PEP 691 and 700)."""
        return {
            "filename": self.filename,
            "url": f"../../packages/{self.path}",
            "hashes": {"sha256": self.sha256},
            "requires-python": self.requires_python,
            "size": len(self.content),
            "core-metadata": {"sha256": self.metadata_sha256},
        }

    def link(self) -> str:
        """Make the link to the wheel for the HTML of a project (PEP 503 and 714)."""
        return (
            f'<a href="../../packages/{self.path}#sha256={self.sha256}"'
            f' data-requires-python="{escape(self.requires_python)}"'
            f' data-core-metadata="sha256={self.metadata_sha256}">{self.filename}</a>'
        )


def find_wheel(directory: Path, version: str) -> Wheel | None:
    """Return the client's wheel of a version in a directory. Without one, log that and return None."""
    paths = sorted(directory.glob(f"{PROJECT}-{version}-*.whl"))
    if not paths:
        logger.info("No wheel of the client %s in %s: /simple is empty.", version, directory)
        return None
    try:
        return Wheel.read(paths[0])
    except (OSError, ValueError) as error:
        logger.warning("The client's wheel cannot be read, and /simple is empty: %s", error)
        return None


def list_projects(wheel: Wheel | None, media_type: str) -> dict[str, Any] | str:
    """List the projects of the index, in JSON or HTML."""
    names = [PROJECT] if wheel else []
    if media_type == SIMPLE_JSON:
        return {"meta": {"api-version": API_VERSION}, "projects": [{"name": name} for name in names]}
    return render_page("Simple index", [f'<a href="{name}/">{name}</a>' for name in names])


def list_files(wheel: Wheel, media_type: str) -> dict[str, Any] | str:
    """List the files of the project, in JSON or HTML."""
    if media_type == SIMPLE_JSON:
        return {
            "meta": {"api-version": API_VERSION},
            "name": PROJECT,
            "versions": [wheel.version],
            "files": [wheel.describe()],
        }
    return render_page(f"Links for {PROJECT}", [wheel.link()])


def render_page(title: str, links: list[str]) -> str:
    """Render a page of links (PEP 503)."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<meta charset="utf-8">',
            f'<meta name="pypi:repository-version" content="{API_VERSION}">',
            f"<title>{title}</title>",
            f"<h1>{title}</h1>",
            *(f"{link}<br>" for link in links),
            "",
        ]
    )
