// SPDX-License-Identifier: GPL-2.0-only
#include "nr-uplink-power.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

namespace
{

double FromDbm(double dbm)
{
    return 1e-3 * std::pow(10.0, dbm / 10.0);
}

} // namespace

NrUplinkPower::NrUplinkPower(double p0Dbm, double alpha, double maxDbm)
    : m_p0Dbm(p0Dbm),
      m_alpha(alpha),
      m_max(FromDbm(maxDbm))
{
}

double NrUplinkPower::GetTarget(double gain) const
{
    const double pathLossDb = -10.0 * std::log10(std::max(gain, 1e-30));
    return std::min(FromDbm(m_p0Dbm + m_alpha * pathLossDb), m_max);
}

double NrUplinkPower::GetPower(double gain, uint32_t prbs) const
{
    return std::min(GetTarget(gain), m_max / prbs);
}

double NrUplinkPower::GetReach(double gain) const
{
    return m_max / GetTarget(gain);
}

} // namespace ns3
