"""Which data dir a command is for."""

from pathlib import Path

from webhooks.data_dir import try_lock
from webhooks.runtime.startup import data_dir_hint
from webhooks.settings import Settings


def test_a_command_says_which_data_dir_it_is_for_unless_an_appliance_runs_there(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    made = data_dir_hint(settings)
    assert made is not None and str(tmp_path / "data") in made and "a new one" in made
    assert "set SPOKE_DATA_DIR" in made and not (tmp_path / "data").exists()
    (tmp_path / "data" / "workers").mkdir(parents=True)
    (tmp_path / "data" / "secret.key").touch()
    assert data_dir_hint(settings) == f"The data dir is {tmp_path / 'data'}. No appliance runs there."
    for lock in ("appliance.lock", "workers/1.lock"):
        held = try_lock(tmp_path / "data" / lock)
        assert held is not None and data_dir_hint(settings) is None
        (tmp_path / "data" / lock).unlink()


def test_an_appliance_on_postgresql_may_run_elsewhere(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url="postgresql://spoke@db/spoke")
    assert "a new one" in (data_dir_hint(settings) or "")
    (tmp_path / "secret.key").touch()
    assert data_dir_hint(settings) is None
