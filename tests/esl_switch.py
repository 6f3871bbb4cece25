"""Calls as FreeSWITCH tells of them on its event socket, built leg by leg; see tests/pbx/captures/README.md.

Headers and their order of events are those of FreeSWITCH 1.10 as its sources and the events named there have
them; values are made up.
"""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

Fields = list[tuple[str, str]]
Timed = tuple[datetime, Fields]

BEGIN: Final = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
OUTSIDE: Final = "+12025550123"
DID: Final = "+12025550100"
_NAMESPACE: Final = uuid.UUID(int=14)


def _us(at: datetime) -> str:
    return str(int(at.timestamp() * 1_000_000))


@dataclass(eq=False)
class Leg:
    """A channel as the course goes on."""

    uid: str
    name: str
    outbound: bool
    number: str
    caller_name: str
    dialled: str
    context: str
    created_at: datetime
    call_uid: str
    above: "Leg | None" = None
    variables: dict[str, str] = field(default_factory=dict)
    callee_name: str = ""
    progress_at: datetime | None = None
    answered_at: datetime | None = None
    bridged_at: datetime | None = None
    hangup_at: datetime | None = None
    other: "Leg | None" = None


class Switch:
    """Writes the events of a course, in order. Times pass only by ``wait`` and a millisecond an event."""

    def __init__(self, name: str) -> None:
        self.now, self.stream = BEGIN, list[Timed]()
        self._name, self._count = name, 0
        self.legs: list[Leg] = []

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def uid(self) -> str:
        self._count += 1
        return str(uuid.uuid5(_NAMESPACE, f"{self._name}/{self._count}"))

    def call_in(self, number: str = OUTSIDE, dialled: str = DID, name: str = "") -> Leg:
        """A call comes in by the profile of the gateways."""
        uid = self.uid()
        leg = Leg(
            uid,
            f"sofia/external/{number}@192.0.2.7",
            False,
            number,
            name or number,
            dialled,
            "public",
            self.now,
            uid,
        )
        return self._create(leg)

    def call_from(self, extension: str, dialled: str, name: str = "") -> Leg:
        """A phone that has logged in dials."""
        uid = self.uid()
        leg = Leg(
            uid,
            f"sofia/internal/{extension}@pbx.example",
            False,
            extension,
            name or extension,
            dialled,
            "default",
            self.now,
            uid,
            variables={"user_name": extension, "sip_authorized": "true"},
        )
        return self._create(leg)

    def dial(self, above: Leg, extension: str, name: str = "Outbound Call", **variables: str) -> Leg:
        """``bridge user/1001``: a leg to a phone, whose contact has a number of its own."""
        leg = Leg(
            self.uid(),
            f"sofia/internal/{extension}@198.51.100.9:5060",
            True,
            above.number,
            above.caller_name,
            f"c{extension}x",
            above.context,
            self.now,
            above.call_uid,
            above,
            {"dialed_user": extension, "originating_leg_uuid": above.uid, **variables},
            name,
        )
        return self._create(leg)

    def dial_out(self, above: Leg, number: str) -> Leg:
        """``bridge sofia/gateway/provider/NUMBER``."""
        leg = Leg(
            self.uid(),
            f"sofia/external/{number}",
            True,
            above.number,
            above.caller_name,
            number,
            above.context,
            self.now,
            above.call_uid,
            above,
            {"sip_gateway_name": "provider", "originating_leg_uuid": above.uid},
            "Outbound Call",
        )
        return self._create(leg)

    def ring_agent(self, member: Leg, extension: str) -> Leg:
        """mod_callcenter rings an agent: a leg that has no originator but in its variables."""
        uid = self.uid()
        leg = Leg(
            uid,
            f"sofia/internal/{extension}@198.51.100.9:5060",
            True,
            member.number,
            member.caller_name,
            extension,
            "default",
            self.now,
            uid,
            variables={
                "dialed_user": extension,
                "cc_member_session_uuid": member.uid,
                "cc_agent": f"{extension}@pbx.example",
                "cc_queue": "support@pbx.example",
            },
        )
        return self._create(leg)

    def loop(self, above: Leg, number: str) -> tuple[Leg, Leg]:
        """``bridge loopback/NUMBER``: the half that was dialled, and the one that runs the dialplan."""
        outer = Leg(
            self.uid(),
            f"loopback/{number}-a",
            True,
            above.number,
            above.caller_name,
            number,
            above.context,
            self.now,
            above.call_uid,
            above,
            {"originating_leg_uuid": above.uid},
            "Outbound Call",
        )
        inner_uid = self.uid()
        inner = Leg(
            inner_uid,
            f"loopback/{number}-b",
            False,
            above.number,
            above.caller_name,
            number,
            above.context,
            self.now,
            inner_uid,
        )
        self._create(outer)
        outer.variables["other_loopback_leg_uuid"] = inner.uid
        inner.variables["other_loopback_leg_uuid"] = outer.uid
        return outer, self._create(inner)

    def rings(self, leg: Leg, *, media: bool = False) -> None:
        leg.progress_at = self.now
        self.tell("CHANNEL_PROGRESS_MEDIA" if media else "CHANNEL_PROGRESS", leg)

    def answers(self, leg: Leg) -> None:
        leg.answered_at = self.now
        self.tell("CHANNEL_ANSWER", leg)

    def bridge(self, one: Leg, two: Leg) -> None:
        for leg, other in ((one, two), (two, one)):
            leg.other, leg.bridged_at = other, self.now
        self.tell("CHANNEL_BRIDGE", one, ("Bridge-A-Unique-ID", one.uid), ("Bridge-B-Unique-ID", two.uid))

    def unbridge(self, one: Leg, two: Leg) -> None:
        self.tell("CHANNEL_UNBRIDGE", one, ("Bridge-A-Unique-ID", one.uid), ("Bridge-B-Unique-ID", two.uid))

    def talk(self, one: Leg, two: Leg, seconds: float = 10) -> None:
        """The second leg answers, the first one is answered by that, and they talk."""
        self.answers(two)
        if one.answered_at is None:
            self.answers(one)
        self.bridge(one, two)
        self.wait(seconds)

    def hang_up(
        self,
        leg: Leg,
        cause: str = "NORMAL_CLEARING",
        q850: int = 16,
        side: str = "",
        sip: int = 0,
        **variables: str,
    ) -> None:
        leg.hangup_at = self.now
        more = {"hangup_cause": cause, "hangup_cause_q850": str(q850), **variables}
        if side:
            more["sip_hangup_disposition"] = side
        if sip:
            more |= {
                "sip_invite_failure_status": str(sip),
                "sip_term_status": str(sip),
                "proto_specific_hangup_cause": f"sip:{sip}",
            }
        tried = [f"{each.uid};Outbound Call;{each.dialled}" for each in self.legs if each.above is leg]
        if tried:
            more["originated_legs"] = f"ARRAY::{'|:'.join(tried)}" if len(tried) > 1 else tried[0]
        leg.variables |= more
        self.tell("CHANNEL_HANGUP_COMPLETE", leg, ("Hangup-Cause", cause))
        self.tell("CHANNEL_DESTROY", leg, ("Hangup-Cause", cause))

    def queue(self, action: str, member: Leg, agent: Leg | None = None) -> None:
        more = [
            ("Event-Subclass", "callcenter::info"),
            ("CC-Queue", "support@pbx.example"),
            ("CC-Action", action),
            ("CC-Member-UUID", member.uid[::-1]),
            ("CC-Member-Session-UUID", member.uid),
            ("CC-Member-CID-Number", member.number),
        ]
        if agent is not None:
            more += [("CC-Agent", agent.variables["cc_agent"]), ("CC-Agent-UUID", agent.uid)]
        self._say("CUSTOM", more)

    def leave_message(self, leg: Leg, box: str, seconds: int = 7) -> None:
        path = f"/var/lib/freeswitch/storage/voicemail/default/pbx.example/{box}/msg_{leg.uid}.wav"
        self.tell(
            "CUSTOM",
            leg,
            ("Event-Subclass", "vm::maintenance"),
            ("VM-Action", "leave-message"),
            ("VM-User", box),
            ("VM-Domain", "pbx.example"),
            ("VM-Caller-ID-Name", leg.caller_name),
            ("VM-Caller-ID-Number", leg.number),
            ("VM-File-Path", path),
            ("VM-Folder", "inbox"),
            ("VM-UUID", leg.uid),
            ("VM-Message-Len", str(seconds)),
        )

    def record(self, leg: Leg, path: str, seconds: int) -> None:
        leg.variables["record_seconds"] = str(seconds)
        self.tell("RECORD_STOP", leg, ("Record-File-Path", path))

    def tell(self, name: str, leg: Leg, *more: tuple[str, str]) -> None:
        self._say(name, [*more, *self._headers(leg)])

    def rows(self) -> list[dict[str, str]]:
        """What ``show channels as json`` lists now."""
        found = []
        for leg in self.legs:
            if leg.hangup_at is not None:
                continue
            state = (
                "ACTIVE" if leg.answered_at else "RINGING" if leg.progress_at or not leg.outbound else "DOWN"
            )
            found.append(
                {
                    "uuid": leg.uid,
                    "direction": "outbound" if leg.outbound else "inbound",
                    "name": leg.name,
                    "cid_name": leg.caller_name,
                    "cid_num": leg.number,
                    "dest": leg.dialled,
                    "context": leg.context,
                    "callstate": state,
                    "call_uuid": leg.call_uid,
                    "callee_name": leg.callee_name,
                    "initial_cid_num": leg.number,
                    "initial_dest": leg.dialled,
                    "accountcode": leg.variables.get("user_name", ""),
                }
            )
        return found

    def _create(self, leg: Leg) -> Leg:
        self.legs.append(leg)
        self.tell("CHANNEL_CREATE", leg)
        return leg

    def _say(self, name: str, fields: Fields) -> None:
        head = [
            ("Event-Name", name),
            ("Core-UUID", str(_NAMESPACE)),
            ("FreeSWITCH-Hostname", "pbx"),
            ("Event-Date-Timestamp", _us(self.now)),
            ("Event-Sequence", str(len(self.stream) + 1)),
        ]
        self.stream.append((self.now, head + fields))
        self.now += timedelta(milliseconds=1)

    def _headers(self, leg: Leg) -> Fields:
        def since(at: datetime | None) -> str:
            return _us(at) if at else "0"

        direction = "outbound" if leg.outbound else "inbound"
        answer = "hangup" if leg.hangup_at else "answered" if leg.answered_at else "ringing"
        own = [
            ("Channel-Name", leg.name),
            ("Unique-ID", leg.uid),
            ("Call-Direction", direction),
            ("Channel-Call-UUID", leg.call_uid),
            ("Answer-State", answer),
            ("Caller-Caller-ID-Name", leg.caller_name),
            ("Caller-Caller-ID-Number", leg.number),
            ("Caller-Callee-ID-Name", leg.callee_name),
            ("Caller-Destination-Number", leg.dialled),
            ("Caller-Context", leg.context),
            ("Caller-Channel-Created-Time", _us(leg.created_at)),
            ("Caller-Channel-Answered-Time", since(leg.answered_at)),
            ("Caller-Channel-Progress-Time", since(leg.progress_at if leg.outbound else None)),
            ("Caller-Channel-Hangup-Time", since(leg.hangup_at)),
            ("Caller-Channel-Bridged-Time", since(leg.bridged_at)),
        ]
        other = leg.other or leg.above
        if other is not None:
            own += [
                ("Other-Type", "originator" if other is leg.above else "originatee"),
                ("Other-Leg-Unique-ID", other.uid),
                ("Other-Leg-Channel-Name", other.name),
                ("Other-Leg-Caller-ID-Number", other.number),
                ("Other-Leg-Destination-Number", other.dialled),
                ("Other-Leg-Channel-Answered-Time", since(other.answered_at)),
            ]
        variables = {"uuid": leg.uid, "call_uuid": leg.call_uid, **leg.variables}
        return own + [(f"variable_{name}", value) for name, value in variables.items()]
