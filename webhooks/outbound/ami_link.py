"""One connection to an Asterisk manager interface: check who answers, log in."""

import time
from typing import ClassVar, Final

from webhooks.errors import LoginRefused, PbxProblem
from webhooks.outbound.pbx_link import ANSWER_SECONDS, Advice, Wire
from webhooks.pbx.ami import Framer, action, check_banner, decode, field, login_key
from webhooks.pbx.asterisk.dialect import LIST_ID

_BANNER_BYTES: Final = 256


class AmiLink(Wire):
    """A connection that is logged in: see ``pbx_link.Link``."""

    advice: ClassVar = Advice(
        unheard="Check the port, that the manager is enabled (enabled = yes) and its bindaddr.",
        certificate="Asterisk's own is often named asterisk.pem.",
        tls="Check the port (5039 is usual with TLS) and tlsenable in manager.conf.",
    )

    says_ready = b"FullyBooted"  # its modules are loaded; only a reader of ``system`` is told

    def log_in(self) -> None:
        """Read the banner and log in by a challenge."""
        self.version = self._read_banner()
        self._challenge()

    def ping(self) -> None:
        """Ask for a sign of life."""
        self.send(action("Ping"))

    def ask_for_channels(self) -> None:
        """Ask which channels there are."""
        self.send(action("CoreShowChannels", ActionID=LIST_ID))

    def leave(self) -> None:
        """Say goodbye."""
        self.send(action("Logoff"))

    def _read_banner(self) -> str:
        until_s = time.monotonic() + ANSWER_SECONDS
        while b"\n" not in self.rest:
            data = self.receive_some(until_s)
            if data is None:
                advice = "Turn TLS off here, or check the port." if self.account.tls else (
                    "Its list of permitted addresses may not have ours, or the port wants TLS."
                )  # fmt: skip
                raise PbxProblem(f"{self.account.place} takes connections, but says nothing. {advice}")
            self.rest += data
            if len(self.rest) > _BANNER_BYTES:
                break
        line, _, self.rest = self.rest.partition(b"\n")
        return check_banner(line.decode("latin-1").strip(), self.account.place)

    def _challenge(self) -> None:
        framer = Framer()
        early, self.rest = self.rest, b""
        self.send(action("Challenge", ActionID="spoke-challenge", AuthType="MD5"))
        challenge, messages = self._answer(framer, "spoke-challenge", early)
        key = login_key(field(challenge, "Challenge"), self.account.secret)
        self.send(
            action(
                "Login",
                ActionID="spoke-login",
                AuthType="MD5",
                Username=self.account.user,
                Key=key,
                Events="on",
            )
        )
        answer, messages = self._answer(framer, "spoke-login", b"", messages)
        if field(answer, "Response") != "Success":
            raise LoginRefused(
                f"Asterisk at {self.account.place} refuses the user {self.account.user!r}: "
                f"{field(answer, 'Message') or 'no reason given'}. Check user and secret, that its permit "
                "lines have our address, and reload the manager at the phone system."
            )
        # Messages that came with the response are the beginning of the stream.
        self.rest = b"".join(raw + b"\r\n\r\n" for raw in messages) + framer.rest

    def _answer(
        self, framer: Framer, action_id: str, data: bytes, messages: list[bytes] | None = None
    ) -> tuple[list[tuple[str, str]], list[bytes]]:
        """Wait for an action's response. Returns it, and the messages behind it."""
        waiting = [*(messages or ()), *framer.feed(data)]
        until_s = time.monotonic() + ANSWER_SECONDS
        while True:
            for index, raw in enumerate(waiting):
                message = decode(raw)
                if field(message, "Response") and field(message, "ActionID") in (action_id, ""):
                    return message, waiting[index + 1 :]
            more = self.receive_some(until_s)
            if more is None:
                raise PbxProblem(
                    f"Asterisk at {self.account.place} does not answer the log-in. It is tried again."
                )
            waiting = framer.feed(more)
