"""Endpoints without log-in: downloads by signed link, health."""
