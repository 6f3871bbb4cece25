"""FreeSWITCH: records of mod_json_cdr (``cdr``) and live events of its event socket (``Translator``)."""

from webhooks.pbx.freeswitch.cdr import read, translate
from webhooks.pbx.freeswitch.options import FreeswitchOptions
from webhooks.pbx.freeswitch.translator import Translator

__all__ = ["FreeswitchOptions", "Translator", "read", "translate"]
