// SPDX-License-Identifier: GPL-2.0-only
#include "nr-constant-channel-source.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrConstantChannelSource);

TypeId NrConstantChannelSource::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrConstantChannelSource")
                            .SetParent<NrChannelSource>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrConstantChannelSource>();
    return tid;
}

void NrConstantChannelSource::SetGains(uint32_t prbs,
                                       const std::vector<std::vector<double>>& gains,
                                       uint32_t layers)
{
    m_layers = layers;
    m_gains.clear();
    for (const auto& cell : gains)
    {
        auto& row = m_gains.emplace_back();
        for (const double gain : cell)
        {
            row.emplace_back(prbs, static_cast<float>(gain));
        }
    }
}

void NrConstantChannelSource::Advance(Time now)
{
    (void)now;
}

std::span<const float> NrConstantChannelSource::GetGains(uint32_t cell,
                                                         uint32_t ue,
                                                         uint32_t layer) const
{
    (void)layer;
    return m_gains.at(cell).at(ue);
}

uint32_t NrConstantChannelSource::GetLayers() const
{
    return m_layers;
}

} // namespace ns3
