"""Unit tests: pure, with no process and no file of an appliance. The whole folder takes a few seconds."""

from hypothesis import HealthCheck, settings

# A busy machine makes no example fail, and the checkout stays clean.
settings.register_profile(
    "unit", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("unit")
