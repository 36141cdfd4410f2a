"""Whether the sweeps are run with every case, or with the sample of them that the gate makes."""

import os

FULL = os.environ.get("TENSORBRIDGE_SWEEP") == "full"
