// SPDX-License-Identifier: GPL-2.0-only
#include "nr-bridge-channel-source.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrBridgeChannelSource);

TypeId NrBridgeChannelSource::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrBridgeChannelSource")
                            .SetParent<NrChannelSource>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrBridgeChannelSource>();
    return tid;
}

void NrBridgeChannelSource::SetReader(Reader* reader, uint32_t cells, uint32_t ues, uint32_t prbs)
{
    m_reader = reader;
    m_cells = cells;
    m_ues = ues;
    m_prbs = prbs;
}

void NrBridgeChannelSource::Advance(Time now)
{
    if (m_header == nullptr)
    {
        NextBlock();
    }
    // Half a nanosecond of tolerance: block times are sums of decimal fractions, slots are not.
    const double t = now.GetSeconds() + 0.5e-9;
    while (t >= m_header->t_start_s + m_header->times * m_header->sample_interval_s)
    {
        m_reader->Release();
        NextBlock();
    }
    const double sample = (t - m_header->t_start_s) / m_header->sample_interval_s;
    m_sample = std::min(static_cast<uint32_t>(std::max(sample, 0.0)), m_header->times - 1);
}

void NrBridgeChannelSource::NextBlock()
{
    m_header = &m_reader->Wait(m_number++);
    m_data = m_reader->Data();
    const auto& h = *m_header;
    const uint64_t floats = uint64_t{h.times} * h.cells * h.ues * h.layers * h.prbs;
    if (h.cells != m_cells || h.ues != m_ues || h.prbs != m_prbs ||
        h.layers <= (h.interference != 0 ? 1U : 0U) || h.times == 0 || h.sample_interval_s <= 0 ||
        floats != m_data.size())
    {
        throw std::runtime_error(
            "channel block " + std::to_string(h.number) + " has " + std::to_string(h.cells) +
            " cells, " + std::to_string(h.ues) + " UEs, " + std::to_string(h.prbs) + " PRBs and " +
            std::to_string(m_data.size()) + " gains; the scenario has " + std::to_string(m_cells) +
            " cells, " + std::to_string(m_ues) + " UEs and " + std::to_string(m_prbs) + " PRBs");
    }
}

std::span<const float> NrBridgeChannelSource::GetGains(uint32_t cell,
                                                       uint32_t ue,
                                                       uint32_t layer) const
{
    const auto& h = *m_header;
    const std::size_t row =
        ((std::size_t{m_sample} * h.cells + cell) * h.ues + ue) * h.layers + layer;
    return m_data.subspan(row * h.prbs, h.prbs);
}

std::span<const float> NrBridgeChannelSource::GetInterference(uint32_t cell, uint32_t ue) const
{
    return GetGains(cell, ue, m_header->interference != 0 ? m_header->layers - 1 : 0);
}

uint32_t NrBridgeChannelSource::GetLayers() const
{
    // The last plane of a block with gains as interferers is no layer.
    return m_header != nullptr ? m_header->layers - (m_header->interference != 0 ? 1 : 0) : 1;
}

} // namespace ns3
