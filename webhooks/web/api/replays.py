"""``/api/replays``: how far a replay is."""

from webhooks.services.container import services
from webhooks.web.api.keys import new_blueprint
from webhooks.web.api.operations import operation
from webhooks.web.api.shapes import Shown, Time

blueprint = new_blueprint("replays")


class ReplayShown(Shown):
    """A replay: ``resent`` of ``total`` deliveries were sent again so far."""

    id: int
    webhook: int
    state: str
    resent: int
    total: int
    created_at: Time
    finished_at: Time | None


@blueprint.get("/replays/<int:replay_id>")
@operation(answers={200: ReplayShown}, errors=(404,))
def show(replay_id: int) -> ReplayShown:
    """Show how far a replay is."""
    job = services().replays.get(replay_id)
    return ReplayShown(
        id=job.id, webhook=job.webhook_id, state=job.state, resent=job.done, total=job.total,
        created_at=job.created_at, finished_at=job.finished_at,
    )  # fmt: skip
