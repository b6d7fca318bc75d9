"""What the accuracy study shows: each encoding against FP32, and how sure that is."""

from equinox.accuracy.equivalence import equivalence_table

__all__ = ["equivalence_table"]
