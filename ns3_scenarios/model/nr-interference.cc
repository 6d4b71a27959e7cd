// SPDX-License-Identifier: GPL-2.0-only
#include "nr-interference.h"

#include "ns3/double.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <numeric>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrInterference);

namespace
{

/// \return the indices of the largest values, largest first, without one index
std::vector<uint32_t> Largest(const std::vector<double>& values, uint32_t count, uint32_t without)
{
    std::vector<uint32_t> order(values.size());
    std::iota(order.begin(), order.end(), 0U);
    std::erase(order, without);
    const std::size_t kept = std::min<std::size_t>(count, order.size());
    // Equal gains: the lower number first, so that the choice does not depend on the library.
    std::partial_sort(order.begin(),
                      order.begin() + static_cast<long>(kept),
                      order.end(),
                      [&values](uint32_t a, uint32_t b) {
                          return values[a] != values[b] ? values[a] > values[b] : a < b;
                      });
    order.resize(kept);
    std::sort(order.begin(), order.end());
    return order;
}

} // namespace

TypeId NrInterference::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrInterference")
            .SetParent<Object>()
            .SetGroupName("Cosim")
            .AddConstructor<NrInterference>()
            .AddAttribute("MaxInterferers",
                          "Other cells that a receiver counts PRB by PRB, the strongest ones; what "
                          "the rest adds is noise; 0 for all",
                          UintegerValue(0),
                          MakeUintegerAccessor(&NrInterference::m_maxInterferers),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("AverageSlots",
                          "Time constant of the load of cells that are counted as noise, in slots",
                          DoubleValue(100.0),
                          MakeDoubleAccessor(&NrInterference::m_averageSlots),
                          MakeDoubleChecker<double>(1.0));
    return tid;
}

void NrInterference::Configure(Ptr<NrChannelSource> channel, uint32_t cells, uint32_t prbs)
{
    m_channel = channel;
    m_cells.resize(cells);
    for (Cell& cell : m_cells)
    {
        cell.power.resize(prbs);
        cell.sender.assign(prbs, -1);
        cell.sentPower.resize(prbs);
        cell.coupling.resize(cells);
    }
}

bool NrInterference::IsBounded() const
{
    return m_maxInterferers > 0 && m_cells.size() > m_maxInterferers + 1;
}

void NrInterference::BeginSlot(bool downlink, bool uplink)
{
    for (Cell& cell : m_cells)
    {
        if (m_downlink)
        {
            const double mean = cell.slotPower / static_cast<double>(cell.power.size());
            cell.load += (mean - cell.load) / m_averageSlots;
        }
        if (cell.slotPower > 0.0)
        {
            std::fill(cell.power.begin(), cell.power.end(), 0.0);
            cell.slotPower = 0.0;
        }
        if (cell.busy)
        {
            std::fill(cell.sender.begin(), cell.sender.end(), -1);
            cell.busy = false;
        }
    }
    m_downlink = downlink;
    m_uplinkSlots += uplink;
}

void NrInterference::NoteDownlink(uint32_t cell, uint32_t firstPrb, uint32_t prbs, double power)
{
    Cell& own = m_cells[cell];
    std::fill_n(own.power.begin() + firstPrb, prbs, power);
    own.slotPower += prbs * power;
}

void NrInterference::NoteUplink(
    uint32_t cell, uint32_t ue, uint32_t firstPrb, uint32_t prbs, double power)
{
    Cell& own = m_cells[cell];
    std::fill_n(own.sender.begin() + firstPrb, prbs, static_cast<int32_t>(ue));
    std::fill_n(own.sentPower.begin() + firstPrb, prbs, power);
    own.busy = true;
    if (IsBounded() && ue < m_ues.size())
    {
        m_ues[ue].sent += prbs * power / static_cast<double>(own.power.size());
    }
}

void NrInterference::AddCell(uint32_t other,
                             uint32_t ue,
                             uint32_t firstPrb,
                             std::vector<double>& power) const
{
    const Cell& cell = m_cells[other];
    if (cell.slotPower == 0.0)
    {
        return;
    }
    const auto gains = m_channel->GetInterference(other, ue);
    for (std::size_t i = 0; i < power.size(); ++i)
    {
        power[i] += cell.power[firstPrb + i] * gains[firstPrb + i];
    }
}

void NrInterference::AddDownlink(uint32_t ue,
                                 uint32_t cell,
                                 uint32_t firstPrb,
                                 std::vector<double>& power)
{
    if (IsBounded() && ue < m_ues.size() && m_ues[ue].known)
    {
        for (const uint32_t other : m_ues[ue].near)
        {
            AddCell(other, ue, firstPrb, power);
        }
        for (double& value : power)
        {
            value += m_ues[ue].farNoise;
        }
        return;
    }
    for (uint32_t other = 0; other < m_cells.size(); ++other)
    {
        if (other != cell)
        {
            AddCell(other, ue, firstPrb, power);
        }
    }
}

void NrInterference::AddSenders(uint32_t other,
                                uint32_t cell,
                                uint32_t firstPrb,
                                std::vector<double>& power) const
{
    const Cell& from = m_cells[other];
    if (!from.busy)
    {
        return;
    }
    int32_t last = -1;
    std::span<const float> gains;
    for (std::size_t i = 0; i < power.size(); ++i)
    {
        const int32_t sender = from.sender[firstPrb + i];
        if (sender < 0)
        {
            continue;
        }
        if (sender != last)
        {
            last = sender;
            gains = m_channel->GetInterference(cell, static_cast<uint32_t>(sender));
        }
        power[i] += from.sentPower[firstPrb + i] * gains[firstPrb + i];
    }
}

void NrInterference::AddUplink(uint32_t cell, uint32_t firstPrb, std::vector<double>& power)
{
    const Cell& own = m_cells[cell];
    if (IsBounded() && !own.near.empty())
    {
        for (const uint32_t other : own.near)
        {
            AddSenders(other, cell, firstPrb, power);
        }
        for (double& value : power)
        {
            value += own.uplinkNoise;
        }
        return;
    }
    for (uint32_t other = 0; other < m_cells.size(); ++other)
    {
        if (other != cell)
        {
            AddSenders(other, cell, firstPrb, power);
        }
    }
}

void NrInterference::Update(uint32_t ue, uint32_t cell, const std::vector<double>& gains)
{
    if (ue >= m_ues.size())
    {
        m_ues.resize(ue + 1);
    }
    Ue& own = m_ues[ue];
    own.known = true;
    own.near = Largest(gains, m_maxInterferers, cell);
    own.farNoise = 0.0;
    for (uint32_t other = 0; other < m_cells.size(); ++other)
    {
        if (other != cell && !std::binary_search(own.near.begin(), own.near.end(), other))
        {
            own.farNoise += m_cells[other].load * gains[other];
        }
    }
    // What it has sent lately is felt in the cells that do not count its cell exactly.
    const double slots = std::max<double>(1.0, static_cast<double>(m_uplinkSlots - own.since));
    own.felt.resize(m_cells.size());
    for (uint32_t other = 0; other < m_cells.size(); ++other)
    {
        Cell& victim = m_cells[other];
        const auto& near = victim.near;
        const bool far = other != cell && !std::binary_search(near.begin(), near.end(), cell);
        victim.uplinkNoise -= own.felt[other];
        own.felt[other] = far ? own.sent / slots * gains[other] : 0.0;
        victim.uplinkNoise = std::max(victim.uplinkNoise, 0.0) + own.felt[other];
    }
    own.sent = 0.0;
    own.since = m_uplinkSlots;
    // How strongly the serving cell's UEs are heard elsewhere decides whom those cells count.
    constexpr double FORGET = 0.1;
    for (uint32_t other = 0; other < m_cells.size(); ++other)
    {
        if (other == cell)
        {
            continue;
        }
        Cell& victim = m_cells[other];
        double& coupling = victim.coupling[cell];
        coupling = coupling > 0.0 ? coupling + FORGET * (gains[other] - coupling) : gains[other];
        victim.near = Largest(victim.coupling, m_maxInterferers, other);
    }
}

const std::vector<uint32_t>& NrInterference::GetInterferers(uint32_t ue) const
{
    return m_ues.at(ue).near;
}

} // namespace ns3
