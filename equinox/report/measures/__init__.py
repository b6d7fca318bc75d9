"""What came out here for each claim: one function of the tables for each id that can be judged.

To add a claim, add its row to config/published.yaml and a function of the same id to the module of
its chapter.
"""

from equinox.report.measures import colocation, encoding, hardware
from equinox.report.measures.measurement import MEASURES, Measurement, NotComputedError, Tables

__all__ = [
    "MEASURES",
    "Measurement",
    "NotComputedError",
    "Tables",
    "colocation",
    "encoding",
    "hardware",
]
