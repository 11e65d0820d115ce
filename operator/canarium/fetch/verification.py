"""Whether the files of a model are those that its signature covers: all of them, and no other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from canarium.fetch.digest import Summary
from canarium.fetch.errors import FetchError
from canarium.fetch.paths import safe
from canarium.fetch.patterns import Patterns
from canarium.untrusted.quoting import quoted

if TYPE_CHECKING:
    from canarium.fetch.signer import Trust

#: Names of files that a message has.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Verification:
    """What `spec.model.verify` requires: a signature in the file `signature` of the model, by a key
    of the PEM file `trusted`; or, with an `identity`, by a certificate of the authorities in it."""

    trusted: Path
    signature: str
    identity: str | None = None


def verified(
    wanted: Verification, root: Path, summary: Summary, selection: Patterns
) -> dict[str, str]:
    """Returns who signed the model at `root`, and what, as texts for the report.

    `summary` is that of the folder, whose digests are not computed again. Signed files that the
    patterns of `selection` exclude may be absent. Raises FetchError unless each file has the digest
    that was signed, apart from the signature itself.
    """
    # Only models that are verified load the library.
    from canarium.fetch.signature import read_statement

    trust = _trust(wanted)
    name = safe(wanted.signature)
    if not (root / name).exists():
        raise FetchError("SignatureMissing", f"the model has no file {quoted(name, 200)!r}")
    statement = read_statement(root / name, trust)
    present = {file: digest for file, digest in summary.hashes.items() if file != name}
    _compare(present, statement.files, selection)
    signer = statement.signer
    who = {"identity": signer.identity} if signer.identity else {}
    signed = {"subject": statement.subject, "digest": statement.digest}
    return {"key": f"sha256:{signer.key}", **who, **signed}


def _trust(wanted: Verification) -> Trust:
    if wanted.identity:
        from canarium.fetch.certificates import read_authorities

        return read_authorities(wanted.trusted, wanted.identity)
    from canarium.fetch.public_keys import read_keys

    return read_keys(wanted.trusted)


def _compare(
    present: Mapping[str, str | None], signed: Mapping[str, str], selection: Patterns
) -> None:
    if list(signed) == ["."]:
        raise FetchError("SignatureInvalid", "the signature covers a single file: sign its folder")
    changed = [name for name in present.keys() & signed.keys() if present[name] != signed[name]]
    if changed:
        raise _differs("files that were changed after the model was signed", changed)
    missing = [name for name in signed.keys() - present.keys() if selection.takes(name)]
    if missing:
        raise _differs("signed files that are missing", missing)
    extra = present.keys() - signed.keys()
    if extra:
        raise _differs(
            "files that the signature does not cover",
            extra,
            advice="remove them, exclude them with spec.model.ignorePatterns, or sign the model "
            "again with them (model_signing skips Git's files unless --no-ignore-git-paths)",
        )


def _differs(what: str, names: Iterable[str], advice: str | None = None) -> FetchError:
    ordered = sorted(names)
    shown = ", ".join(quoted(name, 100) for name in ordered[:_NAMED])
    more = f" and {len(ordered) - _NAMED} more" if len(ordered) > _NAMED else ""
    return FetchError("SignatureInvalid", f"{what}: {shown}{more}", advice=advice)
