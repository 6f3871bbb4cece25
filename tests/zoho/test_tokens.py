"""Access tokens: asked for once, by whichever process is first, and no more often than Zoho allows."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from appliance import Appliance
from zoho.fake_zoho import CLIENT_ID, CLIENT_SECRET, FakeZoho

from webhooks.db.models import Location, ZohoAccount
from webhooks.db.store import Store, now_ms
from webhooks.errors import ConnectionFailed, ZohoFailed, ZohoRefused, ZohoTooMany
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.zoho_http import caller_for_people
from webhooks.outbound.zoho_tokens import TokenKeeper
from webhooks.settings import Settings
from webhooks.tokens import token_hash

SETTINGS = Settings(_env_file=None, allow_nets="127.0.0.0/8")  # type: ignore[call-arg,arg-type]
CALLER = caller_for_people(SETTINGS)


@pytest.fixture
def zoho() -> Iterator[FakeZoho]:
    one = FakeZoho()
    yield one
    one.close()


class Kept:
    """An account in the database of the shared appliance. Each keeper stands for a process."""

    def __init__(self, store: Store, zoho: FakeZoho) -> None:
        self.store = store
        with store.write() as session:
            place = Location(
                name=f"Tokens {uuid.uuid4().hex[:8]}", token_hash=token_hash(uuid.uuid4().hex),
                state="active", created_at=datetime.now(UTC),
            )  # fmt: skip
            account = ZohoAccount(
                location=place, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, data_center="us",
                accounts_url=f"{zoho.url}/us", api_url=f"{zoho.url}/us-api",
                refresh_token=zoho.grant().refresh_token, state="connected", created_at=datetime.now(UTC),
            )  # fmt: skip
            session.add(account)
            session.flush()
            self.id = account.id

    def keeper(self) -> TokenKeeper:
        return TokenKeeper(self.store, CALLER, self.id)

    def set(self, **values: object) -> None:
        with self.store.write() as session:
            account = session.get_one(ZohoAccount, self.id)
            for name, value in values.items():
                setattr(account, name, value)

    @property
    def row(self) -> ZohoAccount:
        with self.store.read() as session:
            return session.get_one(ZohoAccount, self.id)


@pytest.fixture
def kept(appliance: Appliance, zoho: FakeZoho) -> Kept:
    return Kept(appliance.app.extensions["spoke"].store, zoho)


def test_of_many_threads_of_three_processes_one_asks(kept: Kept, zoho: FakeZoho) -> None:
    keepers = [kept.keeper() for _ in range(3)]
    with ThreadPoolExecutor(18) as pool:
        first = {t for _, t in pool.map(lambda n: keepers[n % 3].token(Deadline(20)), range(18))}
        assert len(first) == len(zoho.refreshes) == 1
        (rejected,) = first
        again = {t for _, t in pool.map(lambda n: keepers[n % 3].token(Deadline(20), rejected), range(18))}
    assert len(again) == 1 and again != first
    assert len(zoho.refreshes) == 2


def test_a_token_about_to_end_is_not_used(kept: Kept, zoho: FakeZoho) -> None:
    kept.keeper().token(Deadline(10))
    kept.set(expires_at=datetime.now(UTC) + timedelta(seconds=30))
    kept.keeper().token(Deadline(10))
    assert len(zoho.refreshes) == 2


def test_the_eleventh_token_in_ten_minutes_is_not_asked_for(kept: Kept, zoho: FakeZoho) -> None:
    keeper, token = kept.keeper(), None
    for _ in range(10):
        _, token = keeper.token(Deadline(10), token)
    with pytest.raises(ZohoTooMany) as refused:
        keeper.token(Deadline(10), token)
    assert 500 < refused.value.retry_after_s <= 600
    assert len(zoho.refreshes) == 10
    kept.set(refreshed_ms=",".join([str(now_ms() - 601_000)] * 10))
    zoho.refreshes.clear()  # ten minutes later, there as well
    keeper.token(Deadline(10), token)


def test_a_process_that_died_while_it_asked_holds_the_others_up_for_its_lease(kept: Kept) -> None:
    kept.set(refreshing_until=now_ms() + 60_000)
    with pytest.raises(ConnectionFailed):
        kept.keeper().token(Deadline(0.3))
    kept.set(refreshing_until=now_ms() - 1)
    kept.keeper().token(Deadline(10))


def test_a_revoked_grant_is_noted_and_asked_for_no_more(kept: Kept, zoho: FakeZoho) -> None:
    zoho.revoke_all()
    for _ in range(3):
        with pytest.raises(ZohoRefused, match="Connect again"):
            kept.keeper().token(Deadline(10))
    assert kept.row.state == "refused" and "revoked at Zoho" in kept.row.detail
    assert len([call for call in zoho.calls if call.endswith("/token")]) == 1


def test_failures_of_zoho_are_no_refusal_and_use_up_no_token(kept: Kept, zoho: FakeZoho) -> None:
    zoho.down = True
    for _ in range(11):
        with pytest.raises(ZohoFailed, match="500"):
            kept.keeper().token(Deadline(10))
    assert (kept.row.state, kept.row.refreshed_ms) == ("connected", "")
    zoho.down = False
    kept.keeper().token(Deadline(10))


def test_a_token_asked_for_under_an_earlier_grant_is_not_kept(kept: Kept, zoho: FakeZoho) -> None:
    stale = kept.keeper()
    account = stale.account()
    kept.set(
        version=account.version + 1, access_token="newer", expires_at=datetime.now(UTC) + timedelta(hours=1)
    )
    stale._renewed(account, Deadline(10))
    assert kept.row.access_token == "newer"


def test_secrets_lie_sealed_in_the_database(kept: Kept, appliance: Appliance) -> None:
    _, token = kept.keeper().token(Deadline(10))
    stored = str(appliance.rows("SELECT * FROM zoho_account WHERE id = :id", id=kept.id))
    for secret in (token, CLIENT_SECRET, kept.row.refresh_token or ""):
        assert secret and secret not in stored
