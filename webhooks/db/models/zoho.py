"""A location's grant at Zoho PhoneBridge: by whom we act there, for which of its users."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webhooks.db.models.columns import SERIAL, Id
from webhooks.db.models.configuration import Location, Webhook
from webhooks.db.store import Model, Moment
from webhooks.vault import Sealed


class ZohoAccount(Model):
    """What a location is connected to at Zoho.

    ``state`` is "waiting" (nobody has logged in at Zoho yet), "authorized" (there is a grant, PhoneBridge is
    not switched on), "connected", or "refused" (Zoho takes the grant no longer); ``detail`` says why.
    ``accounts_url`` and ``api_url`` are those that Zoho named. ``version`` counts grants: a token that was
    asked for under an earlier one is not kept. ``refreshing_until`` is the lease of the process that asks for
    a token, ``refreshed_ms`` when the latest ones were asked for. ``users`` are Zoho's, as it listed them;
    ``extensions`` leads from an extension here to a user's id there.
    """

    __tablename__ = "zoho_account"
    __table_args__ = (SERIAL,)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    location_id: Mapped[int] = mapped_column(sa.ForeignKey("location.id"), unique=True)
    webhook_id: Mapped[int | None] = mapped_column(sa.ForeignKey("webhook.id"), unique=True)
    client_id: Mapped[str] = mapped_column(sa.String(200))
    client_secret: Mapped[str] = mapped_column(Sealed())
    data_center: Mapped[str] = mapped_column(sa.String(10))
    accounts_url: Mapped[str] = mapped_column(sa.Text, default="")
    api_url: Mapped[str] = mapped_column(sa.Text, default="")
    refresh_token: Mapped[str | None] = mapped_column(Sealed())
    access_token: Mapped[str | None] = mapped_column(Sealed())
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    refreshing_until: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0")
    refreshed_ms: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
    version: Mapped[int] = mapped_column(default=1)
    state: Mapped[str] = mapped_column(sa.String(12), default="waiting")
    detail: Mapped[str] = mapped_column(sa.Text, default="")
    users: Mapped[list[dict[str, str]]] = mapped_column(sa.JSON, default=list)
    users_at: Mapped[datetime | None] = mapped_column(Moment)
    extensions: Mapped[dict[str, str]] = mapped_column(sa.JSON, default=dict)
    as_ended: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(Moment)
    location: Mapped[Location] = relationship()
    webhook: Mapped[Webhook | None] = relationship()
