"""``flask --app app …``: administration from the command line, a noun a module."""

from flask import Flask

from webhooks.cli import (
    alerts,
    api_keys,
    deliveries,
    erasures,
    events,
    locations,
    password,
    pbx_replay,
    recordings,
    replays,
    webhooks,
    zoho,
)


def init_app(app: Flask) -> None:
    """Add all commands to the app's command line."""
    for module in (
        locations,
        webhooks,
        events,
        deliveries,
        replays,
        recordings,
        api_keys,
        pbx_replay,
        alerts,
        zoho,
    ):
        app.cli.add_command(module.group)
    for single in (erasures.erase, password.password):
        app.cli.add_command(single)
