// SPDX-License-Identifier: GPL-2.0-only
#include "nr-eesm.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

NrEesm::NrEesm(std::span<const float> beta)
    : m_beta(beta.begin(), beta.end())
{
}

double NrEesm::GetEffectiveSinr(std::span<const float> sinr, uint8_t mcs, double scale) const
{
    // Scaled SINRs with beta are as SINRs with beta / scale, scaled.
    const float beta = m_beta.at(mcs) / static_cast<float>(scale);
    // The least SINR dominates: taken out of the sum, nothing under- or overflows.
    const float least = *std::min_element(sinr.begin(), sinr.end());
    const float slope = -1.0F / beta;
    float sum = 0.0F;
    for (const float value : sinr)
    {
        sum += std::exp((value - least) * slope);
    }
    return scale * (least - double(beta) * std::log(double(sum) / double(sinr.size())));
}

} // namespace ns3
