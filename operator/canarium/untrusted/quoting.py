"""Escapes text of other systems before the operator repeats it in a status, an Event or a log.

Pods, Prometheus servers, registries, kubelets, and API servers respond with text that others
control. Unchanged, a line break forges a log line, a terminal escape rewrites a screen, a
bidirectional override reverses a sentence, and a lone surrogate makes the whole object
unserialisable. `quoted` is applied once, where such text becomes the operator's own.
"""

from __future__ import annotations

import unicodedata

#: Characters of one quotation. Messages are made of one or two.
LONGEST = 512
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: Control, format (bidirectional, zero-width, tags), surrogate, private use, unassigned,
#: line and paragraph separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def quoted(text: object, limit: int = LONGEST) -> str:
    """Returns `text` on one line, with unsafe characters escaped and at most `limit` characters.

    Bytes are read as UTF-8. Only the part that is kept is examined, however long the text is.
    """
    if isinstance(text, bytes | bytearray):
        # A character has at most four bytes, so this is enough for `limit` of them.
        text = bytes(text[: 4 * limit + 4]).decode(errors="replace")
    whole = str(text)
    pieces: list[str] = []
    length = 0
    for index, character in enumerate(whole):
        piece = _escaped(character)
        length += len(piece)
        if length > limit - (index + 1 < len(whole)):
            return "".join(pieces) + "…"
        pieces.append(piece)
    return "".join(pieces)


def lines(text: str, limit: int = 4096) -> str:
    """Returns the last `limit` characters of `text` or so, its lines kept and each quoted."""
    quotes = [quoted(line, limit) for line in text[-limit:].splitlines()]
    return "\n".join(quotes)[-limit:]


def escaped(text: str) -> str:
    """Returns `text` whole, on one line, with unsafe characters escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_escaped, text))


def is_safe(character: str) -> bool:
    """Returns whether no terminal and no log could interpret the character."""
    if character.isascii():
        return character.isprintable()
    return unicodedata.category(character) not in _UNSAFE


def _escaped(character: str) -> str:
    if is_safe(character):
        return character
    if character in _NAMED:
        return _NAMED[character]
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
