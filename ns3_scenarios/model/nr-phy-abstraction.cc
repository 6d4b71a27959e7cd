// SPDX-License-Identifier: GPL-2.0-only
#include "nr-phy-abstraction.h"

#include "ns3/uinteger.h"

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
