// SPDX-License-Identifier: GPL-2.0-only
#include "nr-token-source.h"

#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/uinteger.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrTokenSource);

TypeId NrTokenSource::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrTokenSource")
                            .SetParent<NrTrafficSource>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrTokenSource>()
                            .AddAttribute("Sessions",
                                          "Option 1b instead of 1a",
                                          BooleanValue(false),
                                          MakeBooleanAccessor(&NrTokenSource::m_sessions),
                                          MakeBooleanChecker())
                            .AddAttribute("TokenBytes",
                                          "Bytes of a token",
                                          UintegerValue(16),
                                          MakeUintegerAccessor(&NrTokenSource::m_tokenBytes),
                                          MakeUintegerChecker<uint32_t>(1))
                            .AddAttribute("Tokens",
                                          "Tokens of a packet",
                                          UintegerValue(4),
                                          MakeUintegerAccessor(&NrTokenSource::m_tokens),
                                          MakeUintegerChecker<uint32_t>(1))
                            .AddAttribute("Packets",
                                          "Packets of a burst, or of an answer on average",
                                          UintegerValue(8),
                                          MakeUintegerAccessor(&NrTokenSource::m_packets),
                                          MakeUintegerChecker<uint32_t>(1))
                            .AddAttribute("ImportantPackets",
                                          "Packets of a burst with importance 1",
                                          UintegerValue(2),
                                          MakeUintegerAccessor(&NrTokenSource::m_important),
                                          MakeUintegerChecker<uint32_t>())
                            .AddAttribute("BurstRate",
                                          "Bursts a second (1a)",
                                          DoubleValue(10.0),
                                          MakeDoubleAccessor(&NrTokenSource::m_burstRate),
                                          MakeDoubleChecker<double>(1e-6))
                            .AddAttribute("ThinkingTime",
                                          "Mean time before a question (1b)",
                                          TimeValue(Seconds(5)),
                                          MakeTimeAccessor(&NrTokenSource::m_thinking),
                                          MakeTimeChecker(Time(0)))
                            .AddAttribute("FirstToken",
                                          "Time from the question to the first token (1b)",
                                          TimeValue(MilliSeconds(300)),
                                          MakeTimeAccessor(&NrTokenSource::m_first),
                                          MakeTimeChecker(Time(0)))
                            .AddAttribute("StreamRate",
                                          "Packets a second of an answer (1b)",
                                          DoubleValue(20.0),
                                          MakeDoubleAccessor(&NrTokenSource::m_streamRate),
                                          MakeDoubleChecker<double>(1e-3));
    return tid;
}

void NrTokenSource::Begin()
{
    if (m_sessions)
    {
        Think();
    }
    else
    {
        After(Seconds(DrawExponential(1.0 / m_burstRate)), [this] { Burst(); });
    }
}

void NrTokenSource::Burst()
{
    const uint64_t message = NextMessage();
    for (uint32_t packet = 0; packet < m_packets; ++packet)
    {
        const double importance = packet < m_important ? 1.0 : 0.5;
        SendPacket(m_tokens * m_tokenBytes, message, importance, 1.0 / m_packets);
    }
    After(Seconds(DrawExponential(1.0 / m_burstRate)), [this] { Burst(); });
}

void NrTokenSource::Think()
{
    const Time wait = Seconds(DrawExponential(m_thinking.GetSeconds())) + m_first;
    After(wait, [this] { Stream(NextMessage()); });
}

void NrTokenSource::Stream(uint64_t message)
{
    SendPacket(m_tokens * m_tokenBytes, message, 0.5, 0.0);
    if (Draw() * m_packets < 1.0)
    {
        Think();
        return;
    }
    After(Seconds(1.0 / m_streamRate), [this, message] { Stream(message); });
}

} // namespace ns3
