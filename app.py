"""Spoke Webhooks: ``python app.py`` runs the appliance, ``gunicorn app:app`` its web half alone."""

import os
import sys

if __name__ == "__main__":
    # The supervisor checks settings, lock and port before it imports this module, which loads all others.
    from webhooks.runtime.appliance import main

    sys.exit(main(sys.argv[1:], web="app"))

from flask import Flask

from webhooks import cli, web
from webhooks.db.connections import database_url, engine_options
from webhooks.db.store import Store, db
from webhooks.errors import SpokeError
from webhooks.keyring import secret_key
from webhooks.runtime.startup import data_dir_hint, prepare, print_password
from webhooks.settings import Settings, load_settings


def create_app(settings: Settings | None = None) -> Flask:
    """The Flask application; makes the data dir, the secret key and the schema if they are missing."""
    settings = settings or load_settings()
    hint = data_dir_hint(settings) if _from_command_line() else None
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=secret_key(settings),
        SQLALCHEMY_DATABASE_URI=database_url(settings),
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings),
        MAX_CONTENT_LENGTH=settings.max_body,
        SEND_FILE_MAX_AGE_DEFAULT=365 * 86_400,  # their addresses change with them (web/ui/page.asset)
        SESSION_COOKIE_NAME="spoke_session",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.base_url.startswith("https:"),
        PERMANENT_SESSION_LIFETIME=7 * 86_400,
    )
    db.init_app(app)
    with app.app_context():
        store = Store(settings, db.engine)
    print_password(prepare(settings, store))
    if hint:
        print(hint, file=sys.stderr, flush=True)
    web.init_app(app, settings, store)
    cli.init_app(app)
    return app


def _from_command_line() -> bool:
    return os.environ.get("FLASK_RUN_FROM_CLI") == "true"


try:
    app = create_app()
except (SpokeError, OSError) as error:  # a sentence instead of a traceback, whatever imports this module
    print(f"Spoke Webhooks: {error}", file=sys.stderr, flush=True)
    # 3 tells gunicorn, for those who use it, not to try again.
    sys.exit(1 if _from_command_line() else 3)
