// SPDX-License-Identifier: GPL-2.0-only
#include "nr-rlc-status.h"

#include "nr-rlc-am.h"

#include "ns3/simulator.h"

namespace ns3
{

using cosim::sim::PacketReason;

NS_OBJECT_ENSURE_REGISTERED(NrRlcStatus);

TypeId NrRlcStatus::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrRlcStatus")
                            .SetParent<NrRlc>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrRlcStatus>()
                            .AddAttribute("StatusProhibit",
                                          "Least time between status reports (t-StatusProhibit)",
                                          TimeValue(MilliSeconds(10)),
                                          MakeTimeAccessor(&NrRlcStatus::m_prohibitTime),
                                          MakeTimeChecker(Time(0)));
    return tid;
}

NrRlcStatus::NrRlcStatus()
    : m_prohibitTimer([this] {
          if (m_triggered && m_pending)
          {
              m_pending();
          }
      })
{
}

void NrRlcStatus::SetEntity(NrRlcAm* entity)
{
    m_entity = entity;
}

bool NrRlcStatus::IsDue() const
{
    return m_triggered && !m_prohibitTimer.IsRunning();
}

void NrRlcStatus::Trigger()
{
    if (!m_triggered)
    {
        m_triggered = true;
        m_head = std::make_shared<NrSdu>();
        m_head->enqueued = Simulator::Now();
    }
    if (IsDue() && m_pending)
    {
        m_pending();
    }
}

uint32_t NrRlcStatus::Fill(uint32_t bytes, std::vector<NrRlcSegment>& segments, uint32_t enough)
{
    (void)enough; // a report goes whole
    constexpr uint32_t LEAST_SUBHEADER = 2;
    if (!IsDue() || bytes <= LEAST_SUBHEADER)
    {
        return 0;
    }
    const uint32_t room = bytes - GetMacHeader(bytes - LEAST_SUBHEADER);
    auto status = m_entity->MakeStatus(room);
    if (status == nullptr)
    {
        return 0;
    }
    NrRlcSegment segment;
    segment.sdu = status;
    segment.rlcHeader = status->size;
    segment.macHeader = GetMacHeader(status->size);
    segment.entity = this;
    const uint32_t used = segment.rlcHeader + segment.macHeader;
    segments.push_back(std::move(segment));
    m_triggered = false;
    m_head = nullptr;
    if (m_prohibitTime.IsStrictlyPositive())
    {
        m_prohibitTimer.Start(m_prohibitTime);
    }
    return used;
}

void NrRlcStatus::Receive(const NrRlcSegment& segment)
{
    m_entity->ReceiveStatus(static_cast<const NrRlcStatusPdu&>(*segment.sdu));
}

void NrRlcStatus::Lose(const NrRlcSegment& segment, PacketReason reason)
{
    // The transmitting side asks again when its poll is not answered.
    (void)segment;
    (void)reason;
}

void NrRlcStatus::Reestablish(bool forward)
{
    (void)forward;
    m_triggered = false;
    m_head = nullptr;
    m_prohibitTimer.Stop();
}

uint64_t NrRlcStatus::GetDemandBytes() const
{
    if (!IsDue())
    {
        return 0;
    }
    constexpr uint32_t LARGEST = 9000; // TS 38.323 clause 4.3.1: the largest PDCP SDU
    const uint32_t size = m_entity->MakeStatus(LARGEST)->size;
    return size + GetMacHeader(size);
}

NrSduPtr NrRlcStatus::GetHead() const
{
    return IsDue() ? m_head : nullptr;
}

} // namespace ns3
