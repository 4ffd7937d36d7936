"""File names: the name under which a browser or curl -J saves a tensor (RFC 6266, RFC 8187).

Werkzeug 3.1's `dump_options_header` sends slashes and raw non-ASCII in `filename`, and no `filename*`.
"""

import re
from urllib.parse import quote

UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\s\u200b-\u200f\u2028-\u202e\u2066-\u2069]+')
MAX_NAME_LENGTH = 100


def format_disposition(name: str, suffix: str) -> str:
    """Format a Content-Disposition header with a file name made from a tensor's name.

    `filename` is ASCII that is safe in a shell, a path and a header. If the name is not ASCII, `filename*`
    has it in UTF-8.

    >>> format_disposition("hidden1/kernel", ".npy")
    'attachment; filename="hidden1_kernel.npy"'
    """
    full = UNSAFE.sub("_", name).strip("._")[:MAX_NAME_LENGTH] or "weights"
    plain = re.sub(r"[^A-Za-z0-9.+-]+", "_", full).strip("._") or "weights"
    disposition = f'attachment; filename="{plain}{suffix}"'
    if not full.isascii():
        disposition += f"; filename*=UTF-8''{quote(full + suffix, safe='')}"
    return disposition
