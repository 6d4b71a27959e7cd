# SPDX-License-Identifier: MIT
"""How near a reconstruction is to what was sent: PSNR, MS-SSIM, similarity of sentences.

May import: numpy, and for sentences models.retrieval.encoder.
"""

from models.fidelity.pictures import PSNR_CAP_DB, ms_ssim, psnr_db
from models.fidelity.sentences import cosine, floor_corrected

__all__ = ["PSNR_CAP_DB", "cosine", "floor_corrected", "ms_ssim", "psnr_db"]
