// SPDX-License-Identifier: GPL-2.0-only
#include "nr-phy-abstraction.h"

#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrPhyAbstraction);

TypeId NrPhyAbstraction::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrPhyAbstraction")
            .SetParent<Object>()
            .SetGroupName("Cosim")
            .AddConstructor<NrPhyAbstraction>()
            .AddAttribute("ReferenceBits",
                          "Code block size in bits for which link adaptation takes its thresholds",
                          UintegerValue(1000),
                          MakeUintegerAccessor(&NrPhyAbstraction::m_referenceBits),
                          MakeUintegerChecker<uint32_t>(24, 8448));
    return tid;
}

void NrPhyAbstraction::Set(Ptr<NrCarrier> carrier,
                           std::shared_ptr<const NrBlerTable> bler,
                           std::shared_ptr<const NrEesm> eesm)
{
    m_carrier = carrier;
    m_bler = std::move(bler);
    m_eesm = std::move(eesm);
    m_target = -1.0;
    m_lowestMcs = 0;
    while (m_lowestMcs + 1U < carrier->GetMcsCount() && !m_bler->IsAvailable(m_lowestMcs))
    {
        ++m_lowestMcs;
    }
    m_halfLostDb.resize(carrier->GetMcsCount());
    for (std::size_t mcs = 0; mcs < m_halfLostDb.size(); ++mcs)
    {
        m_halfLostDb[mcs] = m_bler->SnrForBler(static_cast<uint8_t>(mcs), m_referenceBits, 0.5);
    }
}

double NrPhyAbstraction::GetEffectiveSinr(std::span<const float> sinr,
                                          uint8_t mcs,
                                          double scale) const
{
    return m_eesm->GetEffectiveSinr(sinr, mcs, scale);
}

uint32_t NrPhyAbstraction::GetMcsCount() const
{
    return m_carrier->GetMcsCount();
}

double NrPhyAbstraction::GetEfficiency(uint8_t mcs) const
{
    return m_carrier->GetModulationOrder(mcs) * m_carrier->GetCodeRate(mcs);
}

double NrPhyAbstraction::GetBler(uint8_t mcs, uint32_t tbsBits, double sinrDb) const
{
    return m_bler->GetTransportBlockBler(mcs, tbsBits, m_carrier->GetCodeRate(mcs), sinrDb);
}

double NrPhyAbstraction::GetHalfLostDb(uint8_t mcs, double codeRate) const
{
    const auto order = m_carrier->GetModulationOrder(mcs);
    // The nearest MCS of the modulation on either side; code rates rise with the index.
    int lower = -1;
    int upper = -1;
    for (int i = 0; i < static_cast<int>(m_halfLostDb.size()); ++i)
    {
        const auto index = static_cast<uint8_t>(i);
        if (m_carrier->GetModulationOrder(index) != order || !m_bler->IsAvailable(index))
        {
            continue;
        }
        if (m_carrier->GetCodeRate(index) <= codeRate)
        {
            lower = i;
        }
        else if (upper < 0)
        {
            upper = i;
        }
    }
    if (lower < 0 && upper < 0)
    {
        upper = mcs; // the table knows no MCS of this modulation
    }
    if (lower < 0 || upper < 0)
    {
        const int nearest = std::max(lower, upper);
        const double rate = m_carrier->GetCodeRate(static_cast<uint8_t>(nearest));
        return m_halfLostDb[static_cast<std::size_t>(nearest)] +
               10.0 * std::log10((std::exp2(order * codeRate) - 1.0) /
                                 (std::exp2(order * rate) - 1.0));
    }
    const double below = m_carrier->GetCodeRate(static_cast<uint8_t>(lower));
    const double above = m_carrier->GetCodeRate(static_cast<uint8_t>(upper));
    return std::lerp(m_halfLostDb[static_cast<std::size_t>(lower)],
                     m_halfLostDb[static_cast<std::size_t>(upper)],
                     (codeRate - below) / (above - below));
}

double NrPhyAbstraction::GetCombinedSinr(uint8_t mcs, const NrCombined& combined) const
{
    const double gainDb =
        GetHalfLostDb(mcs, m_carrier->GetCodeRate(mcs)) - GetHalfLostDb(mcs, combined.codeRate);
    return std::max(combined.energy, combined.sinr * std::pow(10.0, 0.1 * gainDb));
}

double NrPhyAbstraction::GetThresholdDb(uint8_t mcs, double target) const
{
    if (target != m_target)
    {
        m_thresholds.resize(m_carrier->GetMcsCount());
        for (std::size_t i = 0; i < m_thresholds.size(); ++i)
        {
            m_thresholds[i] = m_bler->SnrForBler(static_cast<uint8_t>(i), m_referenceBits, target);
        }
        m_target = target;
    }
    return m_thresholds[mcs];
}

uint8_t NrPhyAbstraction::GetLowestMcs() const
{
    return m_lowestMcs;
}

} // namespace ns3
