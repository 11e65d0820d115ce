"""Certificates of users: loaded in turns of namespaces, cached for all, and bounded."""

from __future__ import annotations

import asyncio
import ssl
import threading

import pytest

from canarium.api.reasons import CheckReason
from canarium.kube.clock import Timing
from canarium.signals import authorities
from canarium.signals.authorities import MOST_WAITING, Authorities, InvalidCertificates, trusting
from canarium.signals.credentials import Unavailable
from idle import SleepingClock
from sandbox.pki import Authority

rule = pytest.mark.rule


class Loader:
    """Loads that end when a test allows it, in a thread each."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.at_once = self.most = 0
        self.started, self.open = threading.Event(), threading.Event()
        self.open.set()

    def load(self, certificates: str, system: bool) -> ssl.SSLContext:
        self.begun.append(certificates)
        self.started.set()
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.open.wait(10)
        self.at_once -= 1
        if certificates == "invalid":
            raise InvalidCertificates
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def loaded_by(loader: Loader) -> Authorities:
    time = SleepingClock()
    return Authorities(Timing(clock=time, sleep=time.sleep), loader.load)


async def until_begun(loader: Loader) -> None:
    assert await asyncio.to_thread(loader.started.wait, 10)


@rule("R31")
async def test_namespaces_take_turns_and_one_context_is_loaded_at_a_time() -> None:
    loader = Loader()
    made = loaded_by(loader)
    loader.open.clear()
    hostile = [asyncio.create_task(made.context("evil", f"e{n}")) for n in range(20)]
    await until_begun(loader)
    good = asyncio.create_task(made.context("good", "g"))
    await asyncio.sleep(0)
    loader.open.set()
    await asyncio.wait_for(asyncio.gather(good, *hostile), 10)
    assert loader.begun.index("g") <= 2
    assert loader.most == 1


@rule("R31")
async def test_namespace_that_copies_an_authority_does_not_make_others_wait_in_its_queue() -> None:
    loader = Loader()
    made = loaded_by(loader)
    loader.open.clear()
    names = [f"e{n}" for n in range(20)] + ["company"]
    hostile = [asyncio.create_task(made.context("evil", name)) for name in names]
    await until_begun(loader)
    good = asyncio.create_task(made.context("good", "company"))
    await asyncio.sleep(0)
    loader.open.set()
    context = await asyncio.wait_for(good, 10)
    assert loader.begun.index("company") <= 2
    assert (await asyncio.wait_for(asyncio.gather(*hostile), 10))[-1] is context
    assert loader.begun.count("company") == 1


@rule("R31")
async def test_load_is_followed_by_a_pause_of_three_times_its_duration() -> None:
    time, slept = SleepingClock(), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await time.sleep(seconds)

    def load(certificates: str, system: bool) -> ssl.SSLContext:
        time.now += 0.25
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    made = Authorities(Timing(clock=time, sleep=sleep), load)
    for name in ("a", "b", "a"):
        await made.context("risk", name)
    await made.close()
    assert slept[0] == 0.75
    assert len(slept) <= 2


@rule("R31")
async def test_number_of_certificates_that_wait_is_bounded_for_each_namespace() -> None:
    loader = Loader()
    made = loaded_by(loader)
    loader.open.clear()
    tasks = [asyncio.create_task(made.context("evil", f"e{n}")) for n in range(MOST_WAITING)]
    await until_begun(loader)
    with pytest.raises(Unavailable, match=r"too many different values of ca\.crt") as refused:
        await made.context("evil", "one more")
    assert refused.value.reason is CheckReason.EVALUATION_UNAVAILABLE
    tasks.append(asyncio.create_task(made.context("good", "g")))
    await asyncio.sleep(0)
    loader.open.set()
    await asyncio.wait_for(asyncio.gather(*tasks), 10)


async def test_one_that_gives_up_does_not_end_the_load_of_others() -> None:
    loader = Loader()
    made = loaded_by(loader)
    loader.open.clear()
    first, second = (asyncio.create_task(made.context("risk", "a")) for _ in range(2))
    await until_begun(loader)
    first.cancel()
    await asyncio.sleep(0)
    loader.open.set()
    assert await asyncio.wait_for(second, 10)
    assert loader.begun == ["a"]


async def test_invalid_certificates_are_reported_and_block_nothing() -> None:
    made = loaded_by(Loader())
    for _ in range(2):
        with pytest.raises(InvalidCertificates):
            await made.context("risk", "invalid")
    assert await made.context("risk", "a")


@rule("R31")
async def test_namespace_whose_contexts_take_most_loses_the_one_it_used_least_recently(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(authorities, "MOST_BYTES", 4 << 20)
    loader = Loader()
    made = loaded_by(loader)
    kept = await made.context("good", "g", system=True)
    for name in ("a", "b", "a", "c", "d"):
        await made.context("evil", name, system=True)
    assert await made.context("good", "g", system=True) is kept
    loader.begun.clear()
    for name in ("d", "a", "b"):
        await made.context("evil", name, system=True)
    assert loader.begun == ["a", "b"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    made = []
    for _ in range(3):
        authority = Authority(tmp_path_factory.mktemp("authority"))
        authority.make()
        made.append(authority.certificate.read_text())
    return made


def test_all_certificates_of_a_bundle_are_trusted(certificates: list[str]) -> None:
    bundle = "# Ours\n" + "\nanother:\n".join(certificates) + "\n# end\n"
    context = trusting(bundle)
    assert len(context.get_ca_certs()) == 3
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    more = trusting(bundle, system=True)
    assert more.cert_store_stats()["x509_ca"] >= 3


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "nothing",
        "{0}-----BEGIN CERTIFICATE-----\n",
        "{0}{1[0]}{2}",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{0}",
        "{0}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ],
)
def test_bundle_with_a_damaged_certificate_is_refused(
    certificates: list[str], damaged: str
) -> None:
    text = damaged.format(certificates[0], ["-----BEGIN CERTIFICATE-----\n"], certificates[1])
    with pytest.raises(InvalidCertificates):
        trusting(text)


def test_key_beside_a_certificate_is_ignored(certificates: list[str]) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    assert len(trusting(f"{key}{certificates[0]}{key}").get_ca_certs()) == 1
