"""Makes the senders of lanes that belong to Zoho PhoneBridge."""

from webhooks.db.store import Store
from webhooks.keyring import Keyring
from webhooks.media.signed_links import Links
from webhooks.outbound.connector import Connector
from webhooks.outbound.options import Options
from webhooks.outbound.zoho_http import PinnedCaller
from webhooks.outbound.zoho_sender import ZohoSender
from webhooks.settings import Settings


def make_zoho_sender(
    webhook_id: int, options: Options, settings: Settings, connector: Connector, store: Store
) -> ZohoSender:
    """Make a lane's sender. It reads and connects to nothing before its first attempt."""
    links = Links(Keyring(settings), settings.base_url, settings.zoho_link_ttl)
    timeout_s = options.timeout or settings.timeout
    return ZohoSender(webhook_id, store, PinnedCaller(connector, options.concurrency), links.link, timeout_s)
