"""Text: transliterate, measure and shorten text, and format sizes and counts."""

import codecs
import math
import re
import unicodedata

# ASCII replacements of characters. Greek letters and accents need no row.
SPELLINGS = {
    "×": "x",
    "·": "*",
    "−": "-",
    "–": "-",
    "—": "-",
    "√": "sqrt ",
    "→": "->",
    "…": "...",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
}
SUPERSCRIPT = "<super>"
HANDLER = "weightinit.spell_out"
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def spell_out(text: str) -> str:
    r"""Transliterate text to ASCII.

    >>> spell_out("σ² = 2⁶⁴ → é × 名")
    'sigma^2 = 2^64 -> e x \\u540d'
    """
    runs = re.split(r"([⁰¹²³⁴-⁹]+)", text)
    # Every second one consists of superscripts.
    return "".join(
        "^" + unicodedata.normalize("NFKC", run) if index % 2 else "".join(map(_spell_letter, run))
        for index, run in enumerate(runs)
    )


def _spell_letter(letter: str) -> str:
    if letter.isascii():
        return letter
    if letter in SPELLINGS:
        return SPELLINGS[letter]
    if unicodedata.name(letter, "").startswith("GREEK"):
        return unicodedata.name(letter).split(" WITH ")[0].rsplit(" ", 1)[1].lower()
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return plain or letter.encode("ascii", "backslashreplace").decode()


def _handle_error(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return spell_out(error.object[error.start : error.end]), error.end


codecs.register_error(HANDLER, _handle_error)


def fit_encoding(text: str, encoding: str) -> str:
    """Return text as it appears in an encoding, with missing characters transliterated.

    >>> fit_encoding("σ² = 2", "cp1252"), fit_encoding("σ² = 2", "ascii")
    ('sigma² = 2', 'sigma^2 = 2')
    """
    return text.encode(encoding, HANDLER).decode(encoding)


def measure_width(text: str) -> int:
    """Return the width of a text in columns of a terminal.

    >>> measure_width("fc1"), measure_width("名前")
    (3, 4)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )


def shorten_middle(text: str, width: int, mark: str = "…") -> str:
    """Shorten a text in the middle to a width in columns: the end of a name is the most specific.

    >>> shorten_middle("layers.10.attention.q.weight", 16)
    'lay…ion.q.weight'
    """
    if measure_width(text) <= width:
        return text
    kept = max(0, width - len(mark))
    while kept and measure_width(_cut(text, kept, mark)) > width:
        kept -= 1
    return _cut(text, kept, mark)


def _cut(text: str, kept: int, mark: str) -> str:
    head = kept // 5
    return text[:head] + mark + text[len(text) - (kept - head) :]


def write_size(nbytes: int) -> str:
    """Format a number of bytes.

    >>> write_size(12), write_size(102_228_128)
    ('12 bytes', '97.5 MiB')
    """
    power = min(int(math.log2(nbytes) // 10), len(UNITS) - 1) if nbytes > 0 else 0
    return f"{nbytes} bytes" if power == 0 else f"{nbytes / 2 ** (10 * power):.1f} {UNITS[power]}"


def write_count(count: int, noun: str, plural: str = "") -> str:
    """Format a count with its noun.

    >>> write_count(1, "tensor"), write_count(1200, "entry", "entries")
    ('1 tensor', '1,200 entries')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
