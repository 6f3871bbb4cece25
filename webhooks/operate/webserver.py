"""The web half in a process of the appliance's: gunicorn with an application that is loaded already."""

from typing import Any

from gunicorn.app.base import Application


class _Server(Application):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, app: Any, bind: str) -> None:
        self._app, self._bind = app, bind
        super().__init__()

    def load_config(self) -> None:
        self.load_config_from_module_name_or_filename("python:webhooks.operate.gunicorn")
        self.cfg.set("bind", self._bind)

    def load(self) -> Any:
        return self._app


def serve(app: Any, bind: str) -> int:
    """Serve until SIGTERM; the answer is the exit status. ``bind`` is an address as gunicorn takes it."""
    _Server(app, bind).run()
    return 0
