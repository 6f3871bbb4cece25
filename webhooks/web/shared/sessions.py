"""Sessions in a signed cookie, at no cost to callers that bring none: phone systems, receivers, programs."""

from flask import Flask
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.wrappers import Request


class Sessions(SecureCookieSessionInterface):
    """Flask's own, which makes a signer and parses cookies for each request: a tenth of an event's time."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if "HTTP_COOKIE" not in request.environ:
            return self.session_class()
        return super().open_session(app, request)
