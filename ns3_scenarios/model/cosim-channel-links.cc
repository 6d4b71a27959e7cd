// SPDX-License-Identifier: GPL-2.0-only
#include "cosim-channel-links.h"

#include "ns3/pointer.h"
#include "ns3/simulator.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(CosimChannelLinks);

namespace
{

/// \return the words by which a message names a device
std::string NameOf(Ptr<const MobilityModel> mobility)
{
    const auto node = mobility->GetObject<Node>();
    return node ? "node " + std::to_string(node->GetId()) : "a mobility model without a node";
}

} // namespace

TypeId CosimChannelLinks::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::CosimChannelLinks")
            .SetParent<Object>()
            .SetGroupName("Cosim")
            .AddConstructor<CosimChannelLinks>()
            .AddAttribute("Fallback",
                          "Loss of pairs that are not a cell and a UE; without it they are refused",
                          PointerValue(),
                          MakePointerAccessor(&CosimChannelLinks::m_fallback),
                          MakePointerChecker<PropagationLossModel>());
    return tid;
}

void CosimChannelLinks::DoDispose()
{
    m_source = nullptr;
    m_fallback = nullptr;
    Object::DoDispose();
}

void CosimChannelLinks::SetSource(Ptr<NrChannelSource> source, uint32_t cells, uint32_t ues)
{
    m_source = source;
    m_cells = cells;
    m_ues = ues;
    m_parts.clear();
    m_serving.assign(ues, std::nullopt);
}

void CosimChannelLinks::AddCell(Ptr<Node> node, uint32_t cell)
{
    Add(node, {true, cell}, m_cells);
}

void CosimChannelLinks::AddUe(Ptr<Node> node, uint32_t ue)
{
    Add(node, {false, ue}, m_ues);
}

void CosimChannelLinks::Add(Ptr<Node> node, Part part, uint32_t count)
{
    const std::string kind = part.cell ? "cell" : "UE";
    if (part.number >= count)
    {
        throw std::invalid_argument("the channel has no " + kind + " " +
                                    std::to_string(part.number) + ": SetSource was told of " +
                                    std::to_string(count));
    }
    if (!m_parts.emplace(node->GetId(), part).second)
    {
        throw std::invalid_argument(
            "node " + std::to_string(node->GetId()) + " is a cell or UE already and cannot be " +
            kind + " " + std::to_string(part.number) + " too: give it a node of its own");
    }
}

void CosimChannelLinks::SetServingCell(uint32_t ue, uint32_t cell)
{
    if (ue >= m_ues || cell >= m_cells)
    {
        throw std::invalid_argument("cell " + std::to_string(cell) + " cannot serve UE " +
                                    std::to_string(ue) + ": the channel has " +
                                    std::to_string(m_cells) + " cells and " +
                                    std::to_string(m_ues) + " UEs");
    }
    m_serving[ue] = cell;
}

const CosimChannelLinks::Part* CosimChannelLinks::FindPart(Ptr<const MobilityModel> mobility) const
{
    const auto node = mobility->GetObject<Node>();
    const auto found = node ? m_parts.find(node->GetId()) : m_parts.end();
    return found == m_parts.end() ? nullptr : &found->second;
}

std::optional<std::span<const float>> CosimChannelLinks::FindGains(Ptr<const MobilityModel> a,
                                                                   Ptr<const MobilityModel> b) const
{
    const Part* first = FindPart(a);
    const Part* second = FindPart(b);
    if (first == nullptr || second == nullptr || first->cell == second->cell)
    {
        return std::nullopt;
    }
    const uint32_t cell = first->cell ? first->number : second->number;
    const uint32_t ue = first->cell ? second->number : first->number;
    m_source->Advance(Simulator::Now());
    const bool interferes = m_serving[ue] && *m_serving[ue] != cell;
    return interferes ? m_source->GetInterference(cell, ue) : m_source->GetGains(cell, ue, 0);
}

double CosimChannelLinks::GetFallbackGain(Ptr<const MobilityModel> a,
                                          Ptr<const MobilityModel> b) const
{
    if (!m_fallback)
    {
        throw std::runtime_error("the channel has no link between " + NameOf(a) + " and " +
                                 NameOf(b) +
                                 ": name them with AddCell and AddUe (one of each), or set the "
                                 "attribute Fallback of ns3::CosimChannelLinks");
    }
    // ns-3's interface wants mobility that could change, and does not change it.
    const double rxDbm =
        m_fallback->CalcRxPower(0.0, ConstCast<MobilityModel>(a), ConstCast<MobilityModel>(b));
    return std::pow(10.0, rxDbm / 10.0);
}

} // namespace ns3
