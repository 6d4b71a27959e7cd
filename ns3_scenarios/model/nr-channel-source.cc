// SPDX-License-Identifier: GPL-2.0-only
#include "nr-channel-source.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrChannelSource);

TypeId NrChannelSource::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrChannelSource").SetParent<Object>().SetGroupName("Cosim");
    return tid;
}

double NrChannelSource::GetMeanInterference(uint32_t cell, uint32_t ue) const
{
    // Every fourth PRB: a PRB's neighbours fade alike.
    constexpr std::size_t STEP = 4;
    const auto gains = GetInterference(cell, ue);
    double sum = 0.0;
    std::size_t count = 0;
    for (std::size_t prb = 0; prb < gains.size(); prb += STEP)
    {
        sum += gains[prb];
        ++count;
    }
    return sum / static_cast<double>(count);
}

} // namespace ns3
