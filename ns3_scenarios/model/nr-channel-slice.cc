// SPDX-License-Identifier: GPL-2.0-only
#include "nr-channel-slice.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrChannelSlice);

TypeId NrChannelSlice::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrChannelSlice")
                            .SetParent<NrChannelSource>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrChannelSlice>();
    return tid;
}

void NrChannelSlice::SetSource(Ptr<NrChannelSource> whole, uint32_t firstPrb, uint32_t prbs)
{
    m_whole = whole;
    m_firstPrb = firstPrb;
    m_prbs = prbs;
}

void NrChannelSlice::Advance(Time now)
{
    m_whole->Advance(now);
}

std::span<const float> NrChannelSlice::GetGains(uint32_t cell, uint32_t ue, uint32_t layer) const
{
    return m_whole->GetGains(cell, ue, layer).subspan(m_firstPrb, m_prbs);
}

std::span<const float> NrChannelSlice::GetInterference(uint32_t cell, uint32_t ue) const
{
    return m_whole->GetInterference(cell, ue).subspan(m_firstPrb, m_prbs);
}

uint32_t NrChannelSlice::GetLayers() const
{
    return m_whole->GetLayers();
}

} // namespace ns3
