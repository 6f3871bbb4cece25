"""One connection to a FreeSWITCH event socket: log in, subscribe."""

import time
from typing import ClassVar, Final

from webhooks.errors import LoginRefused, PbxProblem
from webhooks.outbound.pbx_link import ANSWER_SECONDS, Advice, Wire
from webhooks.pbx.esl import Framer, command, content_type, reply, subscription
from webhooks.pbx.freeswitch.dialect import CUSTOM, EVENTS

_SHOWN: Final = 60  # characters of a wrong greeting that its sentence quotes


class EslLink(Wire):
    """A connection that is logged in and subscribed: see ``pbx_link.Link``."""

    advice: ClassVar = Advice(
        unheard="Check the port (8021 is usual), that mod_event_socket is loaded and its listen-ip.",
        certificate="it is that of the TLS proxy in front of the event socket.",
        tls="The event socket speaks none by itself: a proxy such as stunnel has to stand before it.",
    )
    version = "json"
    says_ready = b""  # FreeSWITCH opens the socket once its modules are loaded

    def log_in(self) -> None:
        """Wait for the question for a password, answer it, ask for events."""
        framer = Framer()
        waiting = self._greeting(framer)
        self.send(command("auth", self.account.secret))
        answer, waiting = self._reply(framer, waiting)
        if not answer.startswith("+OK"):
            raise LoginRefused(
                f"FreeSWITCH at {self.account.place} refuses the password: {answer or 'no reason given'}. "
                "Enter the one of event_socket.conf.xml, and have FreeSWITCH read that file (reload "
                "mod_event_socket)."
            )
        self.send(subscription(EVENTS, CUSTOM))
        answer, waiting = self._reply(framer, waiting)
        if not answer.startswith("+OK"):
            raise PbxProblem(
                f"FreeSWITCH at {self.account.place} tells no events ({answer or 'no reason given'}). Check "
                "what the event socket allows there."
            )
        # Events that came with the answer are the beginning of the stream.
        self.rest = b"".join(waiting) + framer.rest

    def ping(self) -> None:
        """Ask for a sign of life."""
        self.send(command("api uptime s"))

    def ask_for_channels(self) -> None:
        """Ask which channels there are."""
        self.send(command("api show channels as json"))

    def leave(self) -> None:
        """Say goodbye."""
        self.send(command("exit"))

    def _greeting(self, framer: Framer) -> list[bytes]:
        """Wait for ``auth/request``. Returns the messages behind it."""
        first, *waiting = self._messages(framer)
        kind = content_type(first)
        if kind == "text/rude-rejection":
            raise PbxProblem(
                f"FreeSWITCH at {self.account.place} turns our address away. Add it to the list that "
                "apply-inbound-acl names in event_socket.conf.xml, then run reloadacl."
            )
        if kind != "auth/request":
            said = first[:_SHOWN].decode("latin-1")
            raise PbxProblem(
                f"{self.account.place} answers, but not as a FreeSWITCH event socket: it says {said!r}. "
                "Check the port; 8021 is usual."
            )
        return waiting

    def _reply(self, framer: Framer, waiting: list[bytes]) -> tuple[str, list[bytes]]:
        """Wait for the answer to a command. Returns it, and the messages beside it."""
        others: list[bytes] = []
        while True:
            for index, raw in enumerate(waiting):
                if content_type(raw) == "command/reply":
                    return reply(raw), [*others, *waiting[index + 1 :]]
                others.append(raw)
            waiting = self._messages(framer)

    def _messages(self, framer: Framer) -> list[bytes]:
        until_s = time.monotonic() + ANSWER_SECONDS
        found: list[bytes] = []
        while not found:
            data = self.receive_some(until_s)
            if data is None:
                said = framer.rest[:_SHOWN].decode("latin-1")
                raise PbxProblem(
                    f"{self.account.place} takes connections, but does not speak as a FreeSWITCH event socket"
                    + (f": it says {said!r}." if said else ".") + " Check the port (8021 is usual) and TLS."
                )  # fmt: skip
            found = framer.feed(data)
        return found
