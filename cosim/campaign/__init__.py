# SPDX-License-Identifier: MIT
"""Campaigns: many runs of one scenario with some fields changed, on local cores or a Dask cluster.

`load_design` says which runs there are, `run_campaign` does those that are not done yet, and the
table of all results is one Parquet file. Imports neither `analysis` nor torch.
"""

from cosim.campaign.design import Design, Point, load_design
from cosim.campaign.folder import CampaignFolder
from cosim.campaign.runner import CampaignResult, run_campaign

__all__ = [
    "CampaignFolder",
    "CampaignResult",
    "Design",
    "Point",
    "load_design",
    "run_campaign",
]
