"""Asterisk 16 to 22, FreePBX included: messages of its manager interface (AMI) in, our events out."""

from webhooks.pbx.asterisk.options import AsteriskOptions
from webhooks.pbx.asterisk.translator import Translator

__all__ = ["AsteriskOptions", "Translator"]
