# SPDX-License-Identifier: MIT
"""Groups of channel models, in a module that needs nothing: who reads scenarios takes them, too."""

SOFT_LOS_MODELS = ("umi", "uma", "rma", "inh", "inf")
"""Those that have a probability of line of sight (TR 38.901 table 7.4.2-1)."""
