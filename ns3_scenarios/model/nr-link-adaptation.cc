// SPDX-License-Identifier: GPL-2.0-only
#include "nr-link-adaptation.h"

#include "nr-phy-abstraction.h"

#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/uinteger.h"

#include <algorithm>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrLinkAdaptation);

TypeId NrLinkAdaptation::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrLinkAdaptation")
            .SetParent<Object>()
            .SetGroupName("Cosim")
            .AddConstructor<NrLinkAdaptation>()
            .AddAttribute("DelaySlots",
                          "Slots from a measurement to the first use of its report",
                          UintegerValue(4),
                          MakeUintegerAccessor(&NrLinkAdaptation::m_delaySlots),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("BlerTarget",
                          "Share of first transmissions that may be lost",
                          DoubleValue(0.1),
                          MakeDoubleAccessor(&NrLinkAdaptation::m_blerTarget),
                          MakeDoubleChecker<double>(1e-9, 0.999))
            .AddAttribute("OuterLoop",
                          "Correct the reported SINR from acknowledgements",
                          BooleanValue(true),
                          MakeBooleanAccessor(&NrLinkAdaptation::m_outerLoop),
                          MakeBooleanChecker())
            .AddAttribute("StepDb",
                          "Outer loop's step down at a lost block, in dB; the step up at a decoded "
                          "one is StepDb x BlerTarget / (1 - BlerTarget)",
                          DoubleValue(0.5),
                          MakeDoubleAccessor(&NrLinkAdaptation::m_stepDb),
                          MakeDoubleChecker<double>(0.0, 10.0));
    return tid;
}

void NrLinkAdaptation::Report(uint64_t slot, std::vector<float> sinrDb)
{
    m_reports.push_back({slot + m_delaySlots, std::move(sinrDb)});
}

uint8_t NrLinkAdaptation::Select(uint64_t slot, const NrPhyAbstraction& phy, double penaltyDb)
{
    while (m_reports.size() > 1 && m_reports[1].usableFrom <= slot)
    {
        m_reports.pop_front();
    }
    if (m_reports.empty() || m_reports.front().usableFrom > slot)
    {
        return phy.GetLowestMcs(); // nothing known yet
    }
    const auto& sinrDb = m_reports.front().sinrDb;
    for (std::size_t mcs = sinrDb.size(); mcs-- > phy.GetLowestMcs();)
    {
        if (sinrDb[mcs] + m_offsetDb - penaltyDb >=
            phy.GetThresholdDb(static_cast<uint8_t>(mcs), m_blerTarget))
        {
            return static_cast<uint8_t>(mcs);
        }
    }
    return phy.GetLowestMcs();
}

void NrLinkAdaptation::Feedback(bool decoded)
{
    if (m_outerLoop)
    {
        m_offsetDb += decoded ? m_stepDb * m_blerTarget / (1.0 - m_blerTarget) : -m_stepDb;
        // A link below the lowest MCS or above the highest would wind the loop up without end.
        m_offsetDb = std::clamp(m_offsetDb, -10.0, 10.0);
    }
}

double NrLinkAdaptation::GetOffsetDb() const
{
    return m_offsetDb;
}

} // namespace ns3
