// SPDX-License-Identifier: GPL-2.0-only
#include "nr-event-a3.h"

#include "ns3/double.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrEventA3);

namespace
{
const Time NOT_IN = NanoSeconds(-1);
} // namespace

TypeId NrEventA3::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrEventA3")
                            .SetParent<Object>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrEventA3>()
                            .AddAttribute("Offset",
                                          "dB by which a neighbour must be better (a3-Offset)",
                                          DoubleValue(3.0),
                                          MakeDoubleAccessor(&NrEventA3::m_offsetDb),
                                          MakeDoubleChecker<double>(-15.0, 15.0))
                            .AddAttribute("Hysteresis",
                                          "dB added to enter and to leave (hysteresis)",
                                          DoubleValue(1.0),
                                          MakeDoubleAccessor(&NrEventA3::m_hysteresisDb),
                                          MakeDoubleChecker<double>(0.0, 15.0))
                            .AddAttribute("TimeToTrigger",
                                          "Time that a neighbour must be better (timeToTrigger)",
                                          TimeValue(MilliSeconds(160)),
                                          MakeTimeAccessor(&NrEventA3::m_timeToTrigger),
                                          MakeTimeChecker(Time(0)));
    return tid;
}

std::optional<uint32_t> NrEventA3::Evaluate(Time now,
                                            uint32_t serving,
                                            const std::vector<double>& rsrpDbm)
{
    m_entered.resize(rsrpDbm.size(), NOT_IN);
    std::optional<uint32_t> best;
    const double reference = rsrpDbm[serving] + m_offsetDb;
    for (uint32_t cell = 0; cell < rsrpDbm.size(); ++cell)
    {
        if (cell == serving)
        {
            continue;
        }
        if (rsrpDbm[cell] + m_hysteresisDb < reference)
        {
            m_entered[cell] = NOT_IN;
        }
        else if (m_entered[cell] == NOT_IN && rsrpDbm[cell] - m_hysteresisDb > reference)
        {
            m_entered[cell] = now;
        }
        if (m_entered[cell] != NOT_IN && now - m_entered[cell] >= m_timeToTrigger &&
            (!best || rsrpDbm[cell] > rsrpDbm[*best]))
        {
            best = cell;
        }
    }
    return best;
}

void NrEventA3::Reset()
{
    m_entered.assign(m_entered.size(), NOT_IN);
}

} // namespace ns3
