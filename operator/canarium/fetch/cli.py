"""The command `canarium fetch`, and the order of the steps of a fetch."""

from __future__ import annotations

import argparse
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from canarium.api.uri import Address, UriInvalid, parse
from canarium.fetch import credentials, digest
from canarium.fetch import termination_message as report
from canarium.fetch.credentials import Redactor, StoreCredentials
from canarium.fetch.digest import Summary, of_tree
from canarium.fetch.download import Patience, download, downloaded, part_of
from canarium.fetch.errors import ExitCode, FetchError, classified
from canarium.fetch.patterns import Patterns, Selected
from canarium.fetch.progress import DownloadProgress, amount
from canarium.fetch.source import Source
from canarium.fetch.termination_message import Fetched
from canarium.fetch.verification import Verification, verified
from canarium.fetch.volumes import mounted
from canarium.fetch.workspace import RESERVE, Workspace
from canarium.untrusted.quoting import escaped

_PIN = re.compile(r"sha256:[0-9a-f]{64}")
#: Selects every file.
_ALL = Patterns()


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What one run is to do. `digest` is the spec's; `pin` a file that may hold the first pod's."""

    uri: str
    target: Path
    digest: str | None
    pin: Path | None
    endpoint: str | None
    in_place: bool
    claim: Path | None
    unpack: bool
    patience: float
    reserve: int
    patterns: Patterns
    report: Path | None
    ca: Path | None
    verification: Verification | None


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `canarium fetch`."""
    parser.add_argument("uri", help="URI as in spec.model.uri")
    parser.add_argument(
        "target", type=Path, help="folder to create; temporary files are next to it"
    )
    parser.add_argument("--digest", help="expected digest of the model, sha256:…")
    parser.add_argument("--pin", type=Path, help="file with the digest of an earlier fetch")
    parser.add_argument("--endpoint", help="URL of the store, if not the default")
    parser.add_argument(
        "--in-place", action="store_true", help="only verify the model, which is mounted already"
    )
    parser.add_argument(
        "--claim", type=Path, metavar="FOLDER", help="mount path of the claim of a pvc:// URI"
    )
    parser.add_argument(
        "--ca", type=Path, metavar="FILE", help="certificate authorities to trust as well"
    )
    parser.add_argument("--no-unpack", action="store_true", help="do not unpack an archive")
    for name, meaning in (
        ("allow", "fetch only matching files"),
        ("ignore", "skip matching files"),
    ):
        parser.add_argument(
            f"--{name}", action="append", metavar="PATTERN", help=f"{meaning}; may be repeated"
        )
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="PEM file of public keys that may sign the model"
    )
    parser.add_argument(
        "--authorities", type=Path, metavar="FILE",
        help="PEM file of authorities whose certificates may sign the model",
    )  # fmt: skip
    parser.add_argument(
        "--identity", metavar="NAME", help="name in the certificate that signs, with --authorities"
    )
    parser.add_argument(
        "--signature", default="model.sig", metavar="PATH", help="signature file in the model"
    )
    parser.add_argument("--patience", type=float, default=300.0, metavar="SECONDS",
                        help="how long to retry while the source is unavailable")  # fmt: skip
    parser.add_argument("--reserve", type=int, default=RESERVE, metavar="PERCENT",
                        help="percentage of node disk to keep free")  # fmt: skip
    parser.add_argument("--report", type=Path, metavar="FILE", help="file for the result")


def main(options: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> int:
    """Fetches as `options` specify and returns the exit code (see `errors.Exit`)."""
    wanted = FetchRequest(
        uri=options.uri,
        target=options.target,
        digest=options.digest,
        pin=options.pin,
        endpoint=options.endpoint,
        in_place=options.in_place,
        claim=options.claim,
        unpack=not options.no_unpack,
        patience=options.patience,
        reserve=options.reserve,
        patterns=Patterns(tuple(options.allow or ()), tuple(options.ignore or ())),
        report=options.report,
        ca=options.ca,
        verification=_verification(options),
    )
    hide = Redactor(StoreCredentials(""))
    try:
        address = _address(wanted)
        known = credentials.read(address.scheme, environment, wanted.endpoint)
        hide = Redactor(known)
        outcome: Fetched | FetchError = _run(wanted, address, known, hide)
    except FetchError as fault:
        outcome = fault
    except Exception as error:
        outcome = _unexpected(error, wanted)
    report.write(options.report, outcome, hide)
    if isinstance(outcome, FetchError):
        print(hide(escaped(f"{outcome.reason}: {outcome.sentence}")), file=sys.stderr, flush=True)
        return int(outcome.exit_code)
    return int(ExitCode.DONE)


def _verification(options: argparse.Namespace) -> Verification | None:
    if bool(options.identity) != bool(options.authorities):
        raise SystemExit("--identity and --authorities belong together: set both or neither")
    trusted = options.authorities or options.key
    return Verification(trusted, options.signature, options.identity) if trusted else None


def _unexpected(error: Exception, wanted: FetchRequest) -> FetchError:
    if isinstance(error, OSError):
        fault = classified(error, str(wanted.target))
        if fault.reason == "NoSpace":
            return fault
    import traceback

    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return FetchError("Internal", f"{type(error).__name__} at {where}: {error}")


def _address(wanted: FetchRequest) -> Address:
    if wanted.digest and not _PIN.fullmatch(wanted.digest):
        raise FetchError(
            "DigestMismatch", f"{wanted.digest!r} is not a digest of the form sha256:…"
        )
    try:
        return parse(wanted.uri)
    except UriInvalid as error:
        reason = "UnknownScheme" if error.unknown else "InvalidUri"
        raise FetchError(reason, f"{wanted.uri}: {error}") from error


def _run(
    wanted: FetchRequest, address: Address, known: StoreCredentials, hide: Redactor
) -> Fetched:
    began = time.monotonic()

    def say(text: str) -> None:
        print(hide(escaped(text)), flush=True)

    if wanted.in_place:
        fetched = _in_place(wanted, address, say)
    else:
        fetched = _brought(wanted, address, known, say)
    say(
        f"{address} is at {wanted.target}: {fetched.files} files, {amount(fetched.size)}, "
        f"{fetched.digest}, {time.monotonic() - began:.1f} s, {amount(_peak())} of memory at most"
    )
    return fetched


def _peak() -> int:
    """Returns the most memory that this process has used, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _in_place(wanted: FetchRequest, address: Address, say: Callable[[str], None]) -> Fetched:
    # A large claim takes minutes to read, and nothing else would report progress.
    summary = mounted(wanted.target, address, DownloadProgress("checked", None, say).add)
    _whole(summary, address)
    return _verified(wanted, wanted.target, summary)


def _brought(
    wanted: FetchRequest, address: Address, known: StoreCredentials, say: Callable[[str], None]
) -> Fetched:
    place = Workspace(wanted.target, wanted.reserve, wanted.report)
    place.prepare()
    before = place.note()
    if before and before.get("uri") == wanted.uri:
        # The pod's containers were started again; its disk has kept the model.
        summary = of_tree(wanted.target)
        if summary.digest == before.get("digest"):
            file = str(before.get("file") or "") or None
            selection = wanted.patterns if before.get("selected") else _ALL
            return _verified(wanted, wanted.target, summary, file, selection)
    credentials.trust(known, place.work, wanted.ca)
    patience = Patience(wanted.patience, say)
    source = patience.call(lambda: _opened(wanted, address, known), str(address))
    entries = patience.call(source.entries, str(address))
    if not entries and wanted.patterns:
        raise FetchError(
            "NotFound",
            f"no file of {address} matches the patterns",
            advice="correct spec.model.allowPatterns and spec.model.ignorePatterns",
        )
    if not entries:
        raise FetchError("NotFound", f"{address} has no files")
    place.forget(entries)
    missing = sum((e.size or 0) - downloaded(place.parts, e) for e in entries)
    place.require(missing)
    total = None if any(e.size is None for e in entries) else sum(e.size or 0 for e in entries)
    say(
        f"{address}: {len(entries)} files, {amount(total) if total is not None else 'size unknown'}"
    )
    progress = DownloadProgress("fetched", total, say, watch=place.watch())
    download(source, entries, place.parts, patience, progress)
    if sorted(map(repr, patience.call(source.entries, str(address)))) != sorted(map(repr, entries)):
        raise FetchError("SourceChanged", f"{address} has changed since the download started")
    say(progress.line())
    file = None
    if wanted.digest and len(entries) == 1:
        file = f"sha256:{digest.of_file(part_of(place.parts, entries[0]))}"
    unpacking = DownloadProgress("unpacked", None, say, watch=place.watch())
    layered = address.scheme == "oci"
    place.build(entries, unpacking.add, layered=layered)
    summary = of_tree(place.tree)
    _whole(summary, address)
    # Patterns select archives, not the files in them.
    selected = not any(entry.archive for entry in entries)
    selection = wanted.patterns if selected else _ALL
    fetched = _verified(wanted, place.tree, summary, file, selection)
    place.commit({"uri": wanted.uri, "digest": summary.digest, "file": file, "selected": selected})
    return fetched


def _opened(wanted: FetchRequest, address: Address, known: StoreCredentials) -> Source:
    """Returns the source for the requested part of an address."""
    source = _source(wanted, address, known)
    return Selected(source, wanted.patterns) if wanted.patterns else source


def _source(wanted: FetchRequest, address: Address, known: StoreCredentials) -> Source:
    """Returns the source of an address.

    Libraries are imported here: each scheme needs only its own.
    """
    unpack = wanted.unpack
    if address.scheme in ("http", "https"):
        from canarium.fetch.http_source import web

        return web(address, known, unpack=unpack)
    if address.scheme == "oci":
        from canarium.fetch.registry import registry

        return registry(address, known, unpack=unpack)
    if address.scheme == "mlflow":
        from canarium.fetch.mlflow_source import mlflow

        return mlflow(address, known, unpack=unpack)
    from canarium.fetch.stores import OPENERS, MountedVolume

    if address.scheme == "pvc" and wanted.claim:
        return MountedVolume(wanted.claim, address, unpack=unpack)
    if address.scheme not in OPENERS:
        text = (
            f"{address.scheme}:// is a volume of the pod: use --claim or --in-place with its folder"
        )
        raise FetchError("InvalidUri", text)
    return OPENERS[address.scheme](address, known, unpack=unpack)


def _whole(summary: Summary, address: Address) -> None:
    if summary.files == 0:
        raise FetchError("NotFound", f"{address} has no files")


def _verified(
    wanted: FetchRequest,
    root: Path,
    summary: Summary,
    file: str | None = None,
    selection: Patterns = _ALL,
) -> Fetched:
    """Raises FetchError when the model is not the one that the spec or the first pod names, or not
    signed as the spec requires.

    For a model of one file, the spec may name that file's own SHA-256 as well.
    """
    actual = summary.digest
    if wanted.digest and wanted.digest not in (actual, file):
        beside = f" (the file itself {file})" if file else ""
        text = f"the model has {actual}{beside}, but the spec requires {wanted.digest}"
        raise FetchError("DigestMismatch", text)
    signature = (
        verified(wanted.verification, root, summary, selection) if wanted.verification else None
    )
    pin = wanted.pin.read_text().strip() if wanted.pin and wanted.pin.exists() else ""
    if pin and pin != actual:
        raise FetchError("ArtifactChanged", f"the model has {actual}, but this revision is {pin}")
    return Fetched(actual, summary.files, summary.size, signature=signature)
