// SPDX-License-Identifier: GPL-2.0-only
#include "nr-pdcp.h"
#include "nr-rlc-am.h"
#include "nr-rlc-um.h"
#include "nr-test-bench.h"

#include "ns3/boolean.h"
#include "ns3/config.h"
#include "ns3/simulator.h"
#include "ns3/test.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <deque>

using namespace ns3;
using cosim::sim::PacketEvent;
using cosim::sim::PacketReason;

namespace
{

/// One entity, driven by hand: what it sends is a list of pieces that the test receives or loses.
class RlcBench
{
  public:
    explicit RlcBench(Ptr<NrRlc> rlc)
        : m_rlc(rlc)
    {
        rlc->SetCallback([this](const NrSduPtr& sdu, PacketEvent event) {
            if (event == PacketEvent::DELIVER)
            {
                delivered.push_back(sdu->id);
            }
            if (event == PacketEvent::DROP)
            {
                dropped.push_back(sdu);
            }
        });
    }

    ~RlcBench()
    {
        Simulator::Destroy();
    }

    /// Queues a packet of a number of PDCP PDU bytes.
    NrSduPtr Add(uint64_t id, uint32_t bytes, double importance = 0.0)
    {
        auto sdu = std::make_shared<NrSdu>();
        sdu->id = id;
        sdu->pdcpHeader = 2;
        sdu->bytes = bytes - 2;
        sdu->importance = importance;
        m_rlc->Enqueue(sdu);
        return sdu;
    }

    /// A transport block of a size.
    std::vector<NrRlcSegment> Block(uint32_t bytes)
    {
        std::vector<NrRlcSegment> segments;
        used = m_rlc->Fill(bytes, segments, NrRlc::ALL);
        return segments;
    }

    /// Receives all pieces of a block.
    static void Receive(const std::vector<NrRlcSegment>& block)
    {
        for (const auto& segment : block)
        {
            segment.entity->Receive(segment);
        }
    }

    /// Lets the receiver's status report through, if one is due. \return its bytes
    static uint32_t Report(Ptr<NrRlcAm> am)
    {
        std::vector<NrRlcSegment> segments;
        am->GetStatusEntity()->Fill(1000, segments, NrRlc::ALL);
        Receive(segments);
        return segments.empty() ? 0 : segments.front().rlcHeader;
    }

    std::vector<uint64_t> delivered; //!< ids in order
    std::vector<NrSduPtr> dropped;   //!< in order
    uint32_t used{0};                //!< bytes of the latest block

  private:
    Ptr<NrRlc> m_rlc; //!< the entity
};

/// An entity in acknowledged mode whose timers do not disturb.
Ptr<NrRlcAm> MakeAm(uint32_t snBits = 12)
{
    auto am = CreateObject<NrRlcAm>();
    am->SetAttribute("SnBits", UintegerValue(snBits));
    am->GetStatusEntity()->SetAttribute("StatusProhibit", TimeValue(Time(0)));
    return am;
}

} // namespace

/**
 * Header bytes of both modes, TS 38.322 clauses 6.2.2.3 to 6.2.2.5, with MAC subheaders of 2 bytes
 * below 256 and 3 from there on.
 */
class NrRlcHeaderTestCase : public TestCase
{
  public:
    NrRlcHeaderTestCase()
        : TestCase("Headers of whole packets, first and later segments, status reports")
    {
    }

  private:
    void DoRun() override
    {
        {
            auto um = CreateObject<NrRlcUm>();
            RlcBench bench(um);
            bench.Add(1, 100);
            // Room for 60: 2 + 2 of headers, 56 bytes; the other 44 cost 2 + 4.
            auto first = bench.Block(60);
            NS_TEST_EXPECT_MSG_EQ(first.front().rlcHeader, 2, "first segment");
            NS_TEST_EXPECT_MSG_EQ(first.front().bytes, 56, "first segment");
            auto second = bench.Block(1000);
            NS_TEST_EXPECT_MSG_EQ(bench.used, 2 + 4 + 44, "last segment");
            bench.Add(2, 300);
            auto whole = bench.Block(1000);
            NS_TEST_EXPECT_MSG_EQ(bench.used, 3 + 1 + 300, "whole packet");
        }
        for (const uint32_t bits : {12, 18})
        {
            const uint32_t header = bits == 12 ? 2 : 3;
            auto am = MakeAm(bits);
            RlcBench bench(am);
            bench.Add(1, 100);
            auto first = bench.Block(60);
            NS_TEST_EXPECT_MSG_EQ(first.front().rlcHeader, header, "first segment");
            NS_TEST_EXPECT_MSG_EQ(first.front().bytes, 60 - 2 - header, "first segment");
            NS_TEST_EXPECT_MSG_EQ(first.front().poll, false, "more to send: no poll");
            auto second = bench.Block(1000);
            NS_TEST_EXPECT_MSG_EQ(
                second.front().rlcHeader, header + 2, "later segment with offset");
            NS_TEST_EXPECT_MSG_EQ(second.front().poll, true, "nothing more to send: poll");
            RlcBench::Receive(first);
            RlcBench::Receive(second);
            NS_TEST_EXPECT_MSG_EQ(bench.delivered.size(), 1, "reassembled");
            NS_TEST_EXPECT_MSG_EQ(RlcBench::Report(am), 3, "acknowledgement alone");
            NS_TEST_EXPECT_MSG_EQ(am->GetDemandBytes(), 0, "nothing left");
        }
    }
};

/**
 * A packet of 1000 bytes goes out in one PDU and is lost; the next packet arrives. After
 * t-Reassembly (35 ms) the receiver reports number 0 missing as a whole: 3 + 2 bytes. It is cut
 * anew into blocks of 400: 400 - 3 - 2 = 395 bytes, then 400 - 3 - 4 = 393, then 1000 - 788 = 212
 * with 2 + 4 of headers. The second of these is lost: the report has one number with start and end
 * of what is missing, 3 + 2 + 4 bytes, and 393 bytes go out again.
 */
class NrRlcResegmentationTestCase : public TestCase
{
  public:
    NrRlcResegmentationTestCase()
        : TestCase("AM: lost packets are reported, cut anew and sent again")
    {
    }

  private:
    void DoRun() override
    {
        auto am = MakeAm();
        RlcBench bench(am);
        const auto sdu = bench.Add(1, 1000);
        const auto lost = bench.Block(1100);
        NS_TEST_EXPECT_MSG_EQ(lost.front().bytes, 1000, "whole");
        lost.front().entity->Lose(lost.front(), PacketReason::HARQ_EXHAUSTED);
        bench.Add(2, 50);
        RlcBench::Receive(bench.Block(1100));
        NS_TEST_EXPECT_MSG_EQ(bench.delivered.size(), 1, "out of order at RLC");
        NS_TEST_EXPECT_MSG_EQ(RlcBench::Report(am), 0, "not before t-Reassembly");
        uint32_t report = 0;
        std::vector<std::vector<NrRlcSegment>> blocks;
        Simulator::Schedule(MilliSeconds(36), [&] {
            report = RlcBench::Report(am);
            NS_TEST_EXPECT_MSG_EQ(am->GetQueuedBytes(), 1000, "to be sent again");
            for (int i = 0; i < 3; ++i)
            {
                blocks.push_back(bench.Block(400));
                NS_TEST_EXPECT_MSG_EQ(blocks.back().front().again,
                                      blocks.back().front().bytes,
                                      "counted as sent before");
            }
            RlcBench::Receive(blocks[0]);
            RlcBench::Receive(blocks[2]);
        });
        Simulator::Schedule(MilliSeconds(80), [&] {
            // t-Reassembly of the gap has expired by now, and t-PollRetransmit (45 ms) has not.
            NS_TEST_EXPECT_MSG_EQ(RlcBench::Report(am), 3 + 2 + 4, "start and end of the gap");
            auto again = bench.Block(400);
            NS_TEST_EXPECT_MSG_EQ(again.front().offset, 395, "where the gap begins");
            NS_TEST_EXPECT_MSG_EQ(again.front().bytes, 393, "as long as the gap");
            RlcBench::Receive(again);
            RlcBench::Report(am);
        });
        Simulator::Run();
        NS_TEST_EXPECT_MSG_EQ(report, 3 + 2, "a packet missing as a whole");
        NS_TEST_ASSERT_MSG_EQ(blocks.size(), 3, "three pieces");
        NS_TEST_EXPECT_MSG_EQ(blocks[0].front().bytes, 395, "first piece");
        NS_TEST_EXPECT_MSG_EQ(blocks[1].front().bytes, 393, "second piece");
        NS_TEST_EXPECT_MSG_EQ(blocks[2].front().bytes, 212, "third piece");
        NS_TEST_EXPECT_MSG_EQ(bench.delivered.size(), 2, "everything arrived");
        NS_TEST_EXPECT_MSG_EQ(sdu->sent, 1000, "no byte is new twice");
        NS_TEST_EXPECT_MSG_EQ(am->GetQueuedBytes(), 0, "nothing left");
    }
};

/**
 * The only packet is lost: no later one reveals it. t-PollRetransmit (45 ms) sends it again with a
 * poll. With maxRetxThreshold 3, the first retransmission sets RETX_COUNT to 0 and the next ones
 * raise it; at 3 the packet is given up: sent 1 + 3 times, and dropped at the fourth expiry, 4 x 45
 * ms after the beginning.
 */
class NrRlcPollTestCase : public TestCase
{
  public:
    NrRlcPollTestCase()
        : TestCase("AM: t-PollRetransmit and the limit of retransmissions")
    {
    }

  private:
    void DoRun() override
    {
        auto am = MakeAm();
        am->SetAttribute("MaxRetx", UintegerValue(3));
        RlcBench bench(am);
        bench.Add(1, 100);
        std::vector<double> sentMs;
        std::function<void()> slot = [&] {
            for (const auto& segment : bench.Block(110))
            {
                if (segment.sdu->id == 1)
                {
                    sentMs.push_back(Simulator::Now().GetSeconds() * 1e3);
                    segment.entity->Lose(segment, PacketReason::HARQ_EXHAUSTED);
                }
                else
                {
                    segment.entity->Receive(segment);
                }
            }
            if (Simulator::Now() < MilliSeconds(300))
            {
                Simulator::Schedule(MilliSeconds(1), slot);
            }
        };
        Simulator::ScheduleNow([&] { slot(); });
        // The second packet comes when the first was given up.
        Simulator::Schedule(MilliSeconds(250), [&] { bench.Add(2, 100); });
        Simulator::Run();
        NS_TEST_EXPECT_MSG_EQ(bench.dropped.size(), 1, "given up");
        NS_TEST_EXPECT_MSG_EQ(static_cast<int>(bench.dropped.front()->reason),
                              static_cast<int>(PacketReason::RLC_RETX),
                              "for the limit");
        NS_TEST_EXPECT_MSG_EQ(sentMs.size(), 1 + 3, "times sent");
        NS_TEST_EXPECT_MSG_EQ(bench.delivered.size(), 1, "the other packet arrived, once");
    }
};

/**
 * Two polls arrive at once and one report answers them; with t-StatusProhibit at 10 ms, a third
 * poll 1 ms later is answered after 10 ms.
 */
class NrRlcProhibitTestCase : public TestCase
{
  public:
    NrRlcProhibitTestCase()
        : TestCase("AM: t-StatusProhibit")
    {
    }

  private:
    void DoRun() override
    {
        auto am = MakeAm();
        am->GetStatusEntity()->SetAttribute("StatusProhibit", TimeValue(MilliSeconds(10)));
        RlcBench bench(am);
        std::vector<double> wokenMs;
        am->GetStatusEntity()->SetPendingCallback(
            [&] { wokenMs.push_back(Simulator::Now().GetSeconds() * 1e3); });
        bench.Add(1, 100);
        RlcBench::Receive(bench.Block(200));
        NS_TEST_EXPECT_MSG_EQ(am->GetStatusEntity()->GetDemandBytes(), 3 + 2, "due at once");
        NS_TEST_EXPECT_MSG_EQ(RlcBench::Report(am), 3, "sent at once");
        Simulator::Schedule(MilliSeconds(1), [&] {
            bench.Add(2, 100);
            RlcBench::Receive(bench.Block(200));
            NS_TEST_EXPECT_MSG_EQ(am->GetStatusEntity()->GetDemandBytes(), 0, "prohibited");
            NS_TEST_EXPECT_MSG_EQ(RlcBench::Report(am), 0, "prohibited");
        });
        Simulator::Schedule(MicroSeconds(10001), [&] {
            NS_TEST_EXPECT_MSG_EQ(RlcBench::Report(am), 3, "sent when the timer has expired");
        });
        Simulator::Run();
        NS_TEST_ASSERT_MSG_EQ(wokenMs.size(), 2, "asked for room twice");
        NS_TEST_EXPECT_MSG_EQ_TOL(wokenMs[1], 10.0, 1e-9, "at expiry");
    }
};

/**
 * With 12-bit numbers, 2^11 = 2048 packets may be unacknowledged; the last of them has a poll. One
 * acknowledgement opens the window again. A report on 1999 missing packets between received ones
 * counts ranges: 255 packets in a range take 2 + 1 bytes, and 1999 = 7 x 255 + 214 make 8 ranges.
 */
class NrRlcWindowTestCase : public TestCase
{
  public:
    NrRlcWindowTestCase()
        : TestCase("AM: the window stalls and opens; ranges in reports")
    {
    }

  private:
    void DoRun() override
    {
        auto am = MakeAm();
        am->SetAttribute("PollPdu", UintegerValue(0));
        am->SetAttribute("PollByte", UintegerValue(0));
        RlcBench bench(am);
        for (uint64_t id = 0; id < 3000; ++id)
        {
            bench.Add(id, 20);
        }
        auto block = bench.Block(1'000'000);
        NS_TEST_ASSERT_MSG_EQ(block.size(), 2048, "the window");
        NS_TEST_EXPECT_MSG_EQ(block.back().poll, true, "stalled: poll");
        NS_TEST_EXPECT_MSG_EQ(block[2046].poll, false, "no other poll");
        NS_TEST_EXPECT_MSG_EQ(am->GetDemandBytes(), 0, "no room is asked for");
        // 48 packets arrive, 1999 are lost, the last one arrives.
        for (std::size_t i = 0; i < 48; ++i)
        {
            am->Receive(block[i]);
        }
        am->Receive(block[2047]);
        uint32_t report = 0;
        Simulator::Schedule(MilliSeconds(36), [&] { report = RlcBench::Report(am); });
        Simulator::Schedule(MilliSeconds(37), [&] {
            NS_TEST_EXPECT_MSG_EQ(am->GetQueuedBytes(), 1999 * 20 + 952 * 20, "again and new");
            RlcBench::Receive(bench.Block(1'000'000));
            // 48 were acknowledged: as many new ones go out with the 1999.
            NS_TEST_EXPECT_MSG_EQ(bench.delivered.size(), 2048 + 48, "delivered");
            am->Flush();
        });
        Simulator::Run();
        NS_TEST_EXPECT_MSG_EQ(report, 3 + 8 * (2 + 1), "ranges");
    }
};

/**
 * PDCP: packets 0 to 4 are sent, 1 comes last but in time; then 6 comes without 5 and is delivered
 * when t-Reordering (100 ms) has expired; 5 comes later still and is dropped.
 */
class NrPdcpTestCase : public TestCase
{
  public:
    NrPdcpTestCase()
        : TestCase("PDCP: order, t-Reordering, late packets, header bytes")
    {
    }

  private:
    void DoRun() override
    {
        auto pdcp = CreateObject<NrPdcp>();
        pdcp->SetAttribute("InOrder", BooleanValue(true));
        std::vector<uint64_t> delivered;
        std::vector<uint64_t> dropped;
        double lateMs = 0.0;
        pdcp->SetCallback([&](const NrSduPtr& sdu, PacketEvent event) {
            if (event == PacketEvent::DELIVER)
            {
                delivered.push_back(sdu->count);
                lateMs = Simulator::Now().GetSeconds() * 1e3;
            }
            if (event == PacketEvent::DROP)
            {
                NS_TEST_EXPECT_MSG_EQ(static_cast<int>(sdu->reason),
                                      static_cast<int>(PacketReason::REORDERING),
                                      "why");
                dropped.push_back(sdu->count);
            }
        });
        std::vector<NrSduPtr> sdus;
        for (int i = 0; i < 7; ++i)
        {
            sdus.push_back(std::make_shared<NrSdu>());
            pdcp->Prepare(*sdus.back());
            pdcp->OnRlc(sdus.back(), PacketEvent::DEQUEUE);
        }
        NS_TEST_EXPECT_MSG_EQ(sdus.front()->pdcpHeader, 2, "12-bit number");
        for (const int i : {0, 2, 3, 1, 4, 6})
        {
            pdcp->OnRlc(sdus[i], PacketEvent::DELIVER);
        }
        const std::vector<uint64_t> inTime{0, 1, 2, 3, 4};
        NS_TEST_EXPECT_MSG_EQ((delivered == inTime), true, "in order");
        Simulator::Schedule(MilliSeconds(150), [&] { pdcp->OnRlc(sdus[5], PacketEvent::DELIVER); });
        Simulator::Run();
        const std::vector<uint64_t> all{0, 1, 2, 3, 4, 6};
        NS_TEST_EXPECT_MSG_EQ((delivered == all), true, "after the timer");
        NS_TEST_EXPECT_MSG_EQ_TOL(lateMs, 100.0, 1e-9, "when the timer expired");
        NS_TEST_EXPECT_MSG_EQ(dropped.size(), 1, "too late");
        pdcp->SetAttribute("SnBits", UintegerValue(18));
        NrSdu sdu;
        pdcp->Prepare(sdu);
        NS_TEST_EXPECT_MSG_EQ(sdu.pdcpHeader, 3, "18-bit number");
        Simulator::Destroy();
    }
};

/**
 * Over the air with one HARQ transmission and 30 % of blocks lost: unacknowledged mode loses
 * packets, acknowledged mode delivers all that had time to arrive, in order if asked for, and in
 * both every byte is accounted for.
 */
class NrRlcAirTestCase : public TestCase
{
  public:
    NrRlcAirTestCase()
        : TestCase("UM and AM over a lossy link: losses and bytes")
    {
    }

  private:
    void DoRun() override
    {
        for (const bool acknowledged : {false, true})
        {
            for (const uint8_t bits : {12, 18})
            {
                NrTestBench bench({.snrDb = {20.0},
                                   .bler = [](uint32_t, double) { return 0.3; },
                                   .maxHarqTx = 1,
                                   .blerTarget = 0.5});
                // Up to three code blocks a transport block, 1 - .7^3 = .66 of them lost: with 32
                // retransmissions, 400 x .66^33 < .001 packets are given up.
                Config::SetDefault("ns3::NrRlcAm::MaxRetx", UintegerValue(32));
                NrFlowConfig flow;
                flow.flow = 1;
                flow.filter = {NrPacketFilter::Kind::TO, 7};
                flow.acknowledged = acknowledged;
                flow.snBits = bits;
                flow.inOrder = true;
                bench.ran->AddFlow(flow);
                // An IPv4 header of 20 bytes with protocol UDP, then the ports.
                uint8_t data[700] = {0x45};
                data[9] = 17;
                data[23] = 7;
                constexpr uint64_t PACKETS = 400;
                for (uint64_t i = 0; i < PACKETS; ++i)
                {
                    Simulator::Schedule(MilliSeconds(i), [&bench, data, i] {
                        bench.ran->Enqueue(0, false, Create<Packet>(data, 100 + i));
                    });
                }
                bench.Run(2.0);
                std::vector<uint64_t> delivered;
                for (const auto& packet : bench.sink->packets)
                {
                    if (packet.event == static_cast<uint32_t>(PacketEvent::DELIVER))
                    {
                        delivered.push_back(packet.packet_id);
                    }
                }
                NS_TEST_EXPECT_MSG_EQ(
                    std::is_sorted(delivered.begin(), delivered.end()), true, "in order");
                if (acknowledged)
                {
                    NS_TEST_EXPECT_MSG_EQ(delivered.size(), PACKETS, "nothing is lost");
                }
                else
                {
                    // Each packet's block is decoded with .7 (three blocks of code or fewer raise
                    // the loss, segments too): certainly not all, and certainly some.
                    NS_TEST_EXPECT_MSG_LT(delivered.size(), PACKETS * 8 / 10, "losses");
                    NS_TEST_EXPECT_MSG_GT(delivered.size(), PACKETS / 4, "arrivals");
                }
                for (const auto& c : bench.sink->counters)
                {
                    NS_TEST_EXPECT_MSG_EQ(c.phy,
                                          c.retransmitted + c.padding + c.mac_header +
                                              c.rlc_header + c.pdcp_header + c.sdu_sent,
                                          "bytes on the air");
                    NS_TEST_EXPECT_MSG_EQ(c.sdu_sent,
                                          c.sdu_delivered + c.sdu_lost + c.sdu_in_flight,
                                          "packets' bytes");
                    if (c.direction == 1)
                    {
                        NS_TEST_EXPECT_MSG_EQ((c.rlc_status > 0), acknowledged, "reports");
                        NS_TEST_EXPECT_MSG_EQ(c.rlc_status, c.rlc_header, "reports only");
                    }
                    else
                    {
                        NS_TEST_EXPECT_MSG_EQ((c.rlc_retransmitted > 0), acknowledged, "again");
                    }
                }
            }
        }
    }
};

/**
 * t-Reassembly of unacknowledged mode (35 ms; TS 38.322 clause 5.2.2.2.3) runs only while something
 * is missing before what was received: a packet of 300 bytes that comes in pieces of one in 20 ms
 * takes 100 ms and more and is delivered. With its second piece outstanding it runs from the third
 * piece on: the missing one is in time after 30 ms, and too late after 40.
 */
class NrRlcReassemblyTestCase : public TestCase
{
  public:
    NrRlcReassemblyTestCase()
        : TestCase("UM: t-Reassembly runs while there is a gap")
    {
    }

  private:
    void DoRun() override
    {
        RlcBench slow(CreateObject<NrRlcUm>());
        slow.Add(1, 300);
        for (int i = 0; i < 10; ++i)
        {
            Simulator::Schedule(MilliSeconds(20 * i), [&slow] {
                const auto block = slow.Block(60);
                RlcBench::Receive(block);
            });
        }
        Simulator::Run();
        NS_TEST_EXPECT_MSG_EQ(slow.delivered.size(), 1, "piece by piece");
        NS_TEST_EXPECT_MSG_EQ(slow.dropped.size(), 0, "nothing lost");
        for (const int wait : {30, 40})
        {
            Gap(wait);
            Later(wait, false);
            Later(wait, true);
        }
    }

    /// The first packet's end is outstanding when another one comes, whole or in pieces.
    void Later(int waitMs, bool whole)
    {
        RlcBench bench(CreateObject<NrRlcUm>());
        bench.Add(1, 110)->count = 1;
        bench.Add(2, whole ? 40 : 150)->count = 2;
        std::vector<NrRlcSegment> missing;
        Simulator::Schedule(MilliSeconds(0), [&] {
            RlcBench::Receive(bench.Block(60));
            missing = bench.Block(60);
        });
        Simulator::Schedule(MilliSeconds(50), [&] {
            for (int i = 0; i < 3; ++i)
            {
                RlcBench::Receive(bench.Block(60));
            }
        });
        Simulator::Schedule(MilliSeconds(50 + waitMs), [&] { RlcBench::Receive(missing); });
        Simulator::Run();
        // Without a sequence number a whole packet does not tell of a gap: no timer, no loss.
        const bool kept = whole || waitMs < 35;
        NS_TEST_EXPECT_MSG_EQ(bench.delivered.size(), (kept ? 2U : 1U), waitMs << " ms " << whole);
        NS_TEST_EXPECT_MSG_EQ(bench.dropped.size(), (kept ? 0U : 1U), waitMs << " ms " << whole);
    }

    void Gap(int waitMs)
    {
        RlcBench bench(CreateObject<NrRlcUm>());
        bench.Add(1, 150);
        std::vector<NrRlcSegment> missing;
        Simulator::Schedule(MilliSeconds(0), [&] { RlcBench::Receive(bench.Block(60)); });
        Simulator::Schedule(MilliSeconds(50), [&] {
            missing = bench.Block(60);
            RlcBench::Receive(bench.Block(200)); // the rest: the gap begins
        });
        Simulator::Schedule(MilliSeconds(50 + waitMs), [&] { RlcBench::Receive(missing); });
        Simulator::Run();
        NS_TEST_EXPECT_MSG_EQ(bench.delivered.size(), (waitMs < 35 ? 1U : 0U), waitMs << " ms");
        NS_TEST_EXPECT_MSG_EQ(bench.dropped.size(), (waitMs < 35 ? 0U : 1U), waitMs << " ms");
    }
};

/**
 * Two bearers of one priority with full queues share blocks equally (TS 38.321 clause 5.4.3.1.3);
 * one with a better priority comes first always.
 */
class NrBearerTurnsTestCase : public TestCase
{
  public:
    NrBearerTurnsTestCase()
        : TestCase("Bearers of equal priority take turns")
    {
    }

  private:
    void DoRun() override
    {
        NrTestBench bench({.snrDb = {20.0}});
        for (const uint32_t flow : {1, 2, 3})
        {
            NrFlowConfig config;
            config.flow = flow;
            config.filter = {NrPacketFilter::Kind::TO, static_cast<uint16_t>(flow)};
            config.priority = flow == 3 ? 10 : 50;
            bench.ran->AddFlow(config);
        }
        for (uint16_t port : {1, 2})
        {
            for (int i = 0; i < 800; ++i)
            {
                bench.SendTagged(Seconds(0.01), 0, 1000, port, 0.0);
            }
        }
        bench.SendTagged(Seconds(0.1), 0, 1000, 3, 0.0);
        bench.Run(0.3);
        std::map<uint32_t, double> bytes;
        double first = 0.0;
        for (const auto& packet : bench.sink->packets)
        {
            if (packet.event == static_cast<uint32_t>(cosim::sim::PacketEvent::DELIVER))
            {
                bytes[packet.flow] += packet.bytes;
                first = packet.flow == 3 ? packet.t_s : first;
            }
        }
        NS_TEST_EXPECT_MSG_GT(bytes[1], 100000, "a queue that stays full");
        NS_TEST_EXPECT_MSG_EQ_TOL(bytes[1] / bytes[2], 1.0, 0.02, "equal shares");
        NS_TEST_EXPECT_MSG_LT(first, 0.1 + 3 * 1e-3, "in the next block, and decoded");
    }
};

/// The suite.
/**
 * A queue of 400 bytes holds packets of 100 with importance 0.5, 0.2, 0.2 and 0.4; of the first a
 * segment has been sent: 2 + 2 bytes of headers and 46 of it, so 354 bytes wait. A packet of 200
 * and importance 0.3 fits when 154 bytes are gone: the two of 0.2, the later first (3, then 2). 354
 * bytes wait again. One of 100 and 0.4 finds one of 0.3 to displace. One of 400 and 1 would need
 * all: the first is on its way, so it is dropped itself and nothing else is.
 */
class NrRlcQueueDropTestCase : public TestCase
{
  public:
    NrRlcQueueDropTestCase()
        : TestCase("A full queue drops the least important packets")
    {
    }

  private:
    void DoRun() override
    {
        auto um = CreateObject<NrRlcUm>();
        um->SetAttribute("QueueLimit", UintegerValue(400));
        um->SetAttribute("DropByImportance", BooleanValue(true));
        RlcBench bench(um);
        bench.Add(1, 100, 0.5);
        bench.Add(2, 100, 0.2);
        bench.Add(3, 100, 0.2);
        bench.Add(4, 100, 0.4);
        auto first = bench.Block(50);
        NS_TEST_ASSERT_MSG_EQ(um->GetQueuedBytes(), 354, "one is on its way");
        bench.Add(5, 200, 0.3);
        bench.Add(6, 100, 0.4);
        bench.Add(7, 400, 1.0);
        std::vector<uint64_t> dropped;
        for (const auto& sdu : bench.dropped)
        {
            dropped.push_back(sdu->id);
            NS_TEST_EXPECT_MSG_EQ((sdu->reason == PacketReason::QUEUE_FULL), true, "reason");
        }
        NS_TEST_EXPECT_MSG_EQ((dropped == std::vector<uint64_t>{3, 2, 5, 7}), true, "victims");
        NS_TEST_EXPECT_MSG_EQ(um->GetQueuedBytes(), 54 + 100 + 100, "what is left");
        RlcBench::Receive(first);
        RlcBench::Receive(bench.Block(1000));
        NS_TEST_EXPECT_MSG_EQ((bench.delivered == std::vector<uint64_t>{1, 4, 6}), true, "rest");
    }
};

class NrRlcTestSuite : public TestSuite
{
  public:
    NrRlcTestSuite()
        : TestSuite("nr-rlc", Type::UNIT)
    {
        AddTestCase(new NrRlcHeaderTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrRlcResegmentationTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrRlcPollTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrRlcProhibitTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrRlcWindowTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrPdcpTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrRlcQueueDropTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrRlcReassemblyTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrBearerTurnsTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrRlcAirTestCase, TestCase::Duration::QUICK);
    }
};

static NrRlcTestSuite g_nrRlcTestSuite; //!< registers itself
