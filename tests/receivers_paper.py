"""Writes docs/receivers.md, which is made of the templates that a webhook's page shows."""

from appliance import ROOT
from flask import Flask

from webhooks.web.ui import receiver_code

PAPER = ROOT / "docs" / "receivers.md"


def made() -> str:
    """The paper as it has to be."""
    with Flask(__name__, template_folder=ROOT / "templates").app_context():
        return f"{receiver_code.paper()}\n"


if __name__ == "__main__":
    PAPER.write_text(made())
