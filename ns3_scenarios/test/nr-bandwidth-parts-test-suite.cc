// SPDX-License-Identifier: GPL-2.0-only
#include "nr-channel-slice.h"
#include "nr-constant-channel-source.h"
#include "nr-packet-filter.h"
#include "nr-simulation.h"
#include "nr-test-bench.h"

#include "ns3/boolean.h"
#include "ns3/config.h"
#include "ns3/double.h"
#include "ns3/ipv4-header.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/test.h"
#include "ns3/udp-header.h"
#include "ns3/uinteger.h"

#include <cmath>
#include <map>
#include <set>

using namespace ns3;

namespace
{

/// A network with two FDD bandwidth parts: 50 PRBs of 180 kHz and 12 of 360 kHz.
class TwoParts
{
  public:
    static constexpr uint32_t PRBS[2] = {50, 12};
    static constexpr uint32_t NUMEROLOGY[2] = {0, 1};

    TwoParts(const std::string& text, Ptr<NrChannelSource> whole)
        : sink(Create<KeepingSink>())
    {
        RngSeedManager::SetSeed(1);
        RngSeedManager::SetRun(1);
        const auto setup = SimulationSetup::Parse("bandwidth_part 1 numerology=1 prbs=12\n" + text);
        std::vector<NrBandwidthPart> parts;
        uint32_t firstPrb = 0;
        for (const uint32_t part : {0, 1})
        {
            auto carrier = CreateObject<NrCarrier>();
            carrier->SetAttribute("Numerology", UintegerValue(NUMEROLOGY[part]));
            carrier->SetAttribute("Prbs", UintegerValue(PRBS[part]));
            carrier->SetAttribute("TddPattern", StringValue(""));
            carrier->Initialize();
            auto slice = CreateObject<NrChannelSlice>();
            slice->SetSource(whole, firstPrb, PRBS[part]);
            firstPrb += PRBS[part];
            parts.push_back({carrier, NrTestBench::MakePhy(carrier, NrTestBench::Step), slice});
        }
        simulation = std::make_unique<NrSimulation>(setup, parts, sink);
        simulation->Run();
    }

    ~TwoParts()
    {
        simulation.reset();
        Simulator::Destroy();
        Config::Reset();
    }

    Ptr<KeepingSink> sink;                    //!< records
    std::unique_ptr<NrSimulation> simulation; //!< the network
};

/// \return an IP packet with a port and a code point
Ptr<Packet> MakePacket(uint16_t from, uint16_t to, uint8_t dscp)
{
    auto packet = Create<Packet>(100);
    UdpHeader udp;
    udp.SetSourcePort(from);
    udp.SetDestinationPort(to);
    packet->AddHeader(udp);
    Ipv4Header ip;
    ip.SetProtocol(17);
    ip.SetTos(static_cast<uint8_t>(dscp << 2U | 1U)); // and a bit of ECN, which does not count
    ip.SetPayloadSize(static_cast<uint16_t>(packet->GetSize()));
    packet->AddHeader(ip);
    return packet;
}

} // namespace

/**
 * Fields of a packet that ns-3 wrote, and what matches them.
 */
class NrPacketFilterTestCase : public TestCase
{
  public:
    NrPacketFilterTestCase()
        : TestCase("Packet filters by port and DSCP")
    {
    }

  private:
    /// A mark goes before the port, whatever was served in between: bearers of one priority take
    /// turns, and filters do not.
    void Precedence()
    {
        NrTestBench bench({.snrDb = {20.0}});
        for (const uint32_t flow : {1, 2})
        {
            NrFlowConfig config;
            config.flow = flow;
            config.filter = flow == 1 ? NrPacketFilter{NrPacketFilter::Kind::TO, 5001}
                                      : NrPacketFilter{NrPacketFilter::Kind::DSCP, 46};
            bench.ran->AddFlow(config);
        }
        for (int i = 0; i < 10; ++i)
        {
            Simulator::Schedule(Seconds(0.01 * (i + 1)), [&bench] {
                bench.ran->Enqueue(0, false, MakePacket(7, 5001, 46));
            });
        }
        bench.Run(0.2);
        uint32_t marked = 0;
        for (const auto& packet : bench.sink->packets)
        {
            marked += packet.flow == 2 &&
                      packet.event == static_cast<uint32_t>(cosim::sim::PacketEvent::ENQUEUE);
        }
        NS_TEST_EXPECT_MSG_EQ(marked, 10, "all of them");
    }

    void DoRun() override
    {
        const auto head = NrPacketHead::Read(*MakePacket(7, 5001, 46));
        NS_TEST_EXPECT_MSG_EQ(head.from, 7, "source port");
        NS_TEST_EXPECT_MSG_EQ(head.to, 5001, "destination port");
        NS_TEST_EXPECT_MSG_EQ(uint32_t{head.dscp}, 46, "code point, without ECN");
        const auto matches = [&head](NrPacketFilter::Kind kind, uint16_t value) {
            return NrPacketFilter{kind, value}.Matches(head);
        };
        NS_TEST_EXPECT_MSG_EQ(matches(NrPacketFilter::Kind::TO, 5001), true, "to the port");
        NS_TEST_EXPECT_MSG_EQ(matches(NrPacketFilter::Kind::TO, 7), false, "from the port");
        NS_TEST_EXPECT_MSG_EQ(matches(NrPacketFilter::Kind::FROM, 7), true, "from the port");
        NS_TEST_EXPECT_MSG_EQ(matches(NrPacketFilter::Kind::DSCP, 46), true, "code point");
        NS_TEST_EXPECT_MSG_EQ(matches(NrPacketFilter::Kind::DSCP, 0), false, "another one");
        NS_TEST_EXPECT_MSG_EQ(matches(NrPacketFilter::Kind::NONE, 0), false, "nothing");
        // Too short to be IP: no fields, and a filter for 0 must not take it for one.
        const auto none = NrPacketHead::Read(*Create<Packet>(12));
        NS_TEST_EXPECT_MSG_EQ(
            (NrPacketFilter{NrPacketFilter::Kind::DSCP, 0}.Matches(none)), false, "no IP");
        NS_TEST_EXPECT_MSG_EQ(
            (NrPacketFilter{NrPacketFilter::Kind::TO, 0}.Matches(none)), false, "no ports");

        // In a link: two bearers, by code point 46 and by port 5002.
        NrTestBench bench({.snrDb = {20.0}});
        for (const uint32_t flow : {1, 2})
        {
            NrFlowConfig config;
            config.flow = flow;
            config.filter = flow == 1 ? NrPacketFilter{NrPacketFilter::Kind::DSCP, 46}
                                      : NrPacketFilter{NrPacketFilter::Kind::TO, 5002};
            bench.ran->AddFlow(config);
        }
        Simulator::Schedule(Seconds(0.01), [&bench] {
            bench.ran->Enqueue(0, false, MakePacket(7, 9999, 46)); // any port
            bench.ran->Enqueue(0, false, MakePacket(7, 5002, 0));
            bench.ran->Enqueue(0, false, MakePacket(7, 9999, 10)); // nobody's: default bearer
        });
        bench.Run(0.1);
        std::vector<uint32_t> flows;
        for (const auto& packet : bench.sink->packets)
        {
            if (packet.event == static_cast<uint32_t>(cosim::sim::PacketEvent::ENQUEUE))
            {
                flows.push_back(packet.flow);
            }
        }
        NS_TEST_EXPECT_MSG_EQ((flows == std::vector<uint32_t>{1, 2, 0}), true, "whose they are");
        Precedence();
    }
};

/**
 * Half a dB over the threshold of MCS 10 the step model chooses MCS 10. A back-off of 3 sends what
 * is important with MCS 7, and the outer loop must not take its success for its own: 0.5 dB more
 * would need ten successes at a step of 0.5 dB and a target of 0.5, so without the rule it would
 * climb to MCS 11 after two of these blocks.
 */
class NrMcsBackoffTestCase : public TestCase
{
  public:
    NrMcsBackoffTestCase()
        : TestCase("MCS back-off for important packets")
    {
    }

  private:
    void DoRun() override
    {
        for (const double importance : {0.9, 0.4})
        {
            NrTestBench bench({.snrDb = {NrTestBench::Threshold(10) + 0.5},
                               .bler = NrTestBench::Step,
                               .blerTarget = 0.5,
                               .outerLoop = true});
            NrFlowConfig flow;
            flow.flow = 1;
            flow.filter = {NrPacketFilter::Kind::TO, 9};
            flow.importantFrom = 0.5;
            flow.mcsBackoff = 3;
            bench.ran->AddFlow(flow);
            const auto adaptation = bench.ran->GetLink(0, false)->GetLinkAdaptation();
            for (int i = 0; i < 10; ++i)
            {
                bench.SendTagged(Seconds(0.05 + 0.02 * i), 0, 60, 9, importance);
            }
            bench.Run(0.5);
            const bool important = importance >= flow.importantFrom;
            NS_TEST_ASSERT_MSG_GT(bench.sink->slots.size(), 9, "ten blocks at least");
            NS_TEST_EXPECT_MSG_EQ(uint32_t{bench.sink->slots.front().mcs},
                                  (important ? 7U : 10U),
                                  "importance " << importance);
            if (important)
            {
                NS_TEST_EXPECT_MSG_EQ(uint32_t{bench.sink->slots.back().mcs}, 7U, "the last one");
                NS_TEST_EXPECT_MSG_EQ(adaptation->GetOffsetDb(), 0.0, "the loop has learnt naught");
            }
        }
    }
};

/**
 * Numerologies multiplexed in frequency: throughput is proportional to bandwidth, 50 x 180 kHz
 * against 12 x 360 kHz, 9 : 4.32. Both have the same MCS 28 and 14 symbols a slot; block sizes are
 * quantised to within 1/32 of themselves (TS 38.214 clause 5.1.3.2: steps of 2^(floor(log2 N) - 5)
 * ), and shorter slots have a MAC subheader more often: within 5 %. And a part's slots last 1 and
 * 0.5 ms, its cell has a number of its own, and its bytes add up.
 */
class NrTwoPartsTestCase : public TestCase
{
  public:
    NrTwoPartsTestCase()
        : TestCase("Bandwidth parts: rate, slots, numbers, bytes")
    {
    }

  private:
    void DoRun() override
    {
        auto channel = CreateObject<NrConstantChannelSource>();
        channel->SetGains(TwoParts::PRBS[0] + TwoParts::PRBS[1], {{1e-7}});
        TwoParts bench("duration_s 1\ncell 0 0 0 10\nue 0 100 0 1.5 cell=0\n"
                       "flow 1 ue=0 direction=dl port=5001 kind=source start_s=0 part=0 "
                       "source=ns3::NrFullBufferSource[PacketBytes=1200]\n"
                       "flow 2 ue=0 direction=dl port=5002 kind=source start_s=0 part=1 "
                       "source=ns3::NrFullBufferSource[PacketBytes=1200]\n",
                       channel);
        double bytes[2] = {0.0, 0.0};
        for (const auto& packet : bench.sink->packets)
        {
            if (packet.event == static_cast<uint32_t>(cosim::sim::PacketEvent::DELIVER))
            {
                bytes[packet.flow - 1] += packet.bytes;
                NS_TEST_EXPECT_MSG_EQ(packet.cell, packet.flow - 1, "part p of cell 0 is cell p");
            }
        }
        NS_TEST_EXPECT_MSG_EQ_TOL(
            bytes[0] / bytes[1], 9.0 / 4.32, 0.05 * 9.0 / 4.32, "in proportion to bandwidth");
        std::vector<double> last(2, -1.0);
        for (const auto& slot : bench.sink->slots)
        {
            NS_TEST_EXPECT_MSG_LT(
                slot.prb_first + slot.prb_count, TwoParts::PRBS[slot.cell] + 1, "within its part");
            if (last[slot.cell] >= 0.0 && slot.t_s > 0.1)
            {
                NS_TEST_EXPECT_MSG_EQ_TOL(slot.t_s - last[slot.cell],
                                          (slot.cell == 0 ? 1e-3 : 0.5e-3),
                                          1e-9,
                                          "a slot later, the queue is always full");
            }
            last[slot.cell] = slot.t_s;
        }
        NS_TEST_ASSERT_MSG_EQ(bench.sink->counters.size(), 4, "two parts, two directions");
        for (const auto& c : bench.sink->counters)
        {
            NS_TEST_EXPECT_MSG_EQ(c.phy,
                                  c.retransmitted + c.padding + c.mac_header + c.rlc_header +
                                      c.pdcp_header + c.sdu_sent,
                                  "cell " << c.cell << ", direction " << c.direction);
            NS_TEST_EXPECT_MSG_EQ(c.sdu_delivered, c.app_delivered + c.ip_udp_header, "to the top");
        }
    }
};

/**
 * The first part decides on a handover and the second follows: afterwards both serve from cell 1
 * (numbers 1 and 3), no packet is lost in acknowledged mode on either, and bytes add up although
 * the second part's slots are not those of the first.
 */
class NrPartsHandoverTestCase : public TestCase
{
  public:
    NrPartsHandoverTestCase()
        : TestCase("Bandwidth parts change cells together")
    {
    }

  private:
    void DoRun() override
    {
        Config::SetDefault("ns3::NrHandoverController::Enabled", BooleanValue(true));
        Config::SetDefault("ns3::NrRsrpMeasurement::FilterCoefficient", UintegerValue(0));
        std::string text = "duration_s 2\ncell 0 0 0 10\ncell 1 400 0 10\nue 0 100 0 1.5 cell=0\n";
        for (const uint32_t flow : {1, 2, 3, 4})
        {
            const std::string number = std::to_string(flow);
            text += "flow " + number + " ue=0 direction=" + (flow % 2 == 1 ? "dl" : "ul") +
                    " port=500" + number + " part=" + (flow <= 2 ? "0" : "1") +
                    " kind=cbr rate_bps=1e6 packet_bytes=500 start_s=0 stop_s=1.8 rlc=am\n";
        }
        TwoParts bench(text,
                       Create<CrossingChannel>(TwoParts::PRBS[0] + TwoParts::PRBS[1], Seconds(2)));
        std::set<uint32_t> before;
        std::set<uint32_t> after;
        for (const auto& slot : bench.sink->slots)
        {
            (slot.t_s < 1.0 ? before : after).insert(slot.cell);
        }
        NS_TEST_EXPECT_MSG_EQ((before == std::set<uint32_t>{0, 2}), true, "cell 0, both parts");
        NS_TEST_EXPECT_MSG_EQ(after.contains(1) && after.contains(3), true, "cell 1, both parts");
        std::map<uint32_t, uint32_t> sent;
        std::map<uint32_t, uint32_t> came;
        for (const auto& packet : bench.sink->packets)
        {
            const auto event = static_cast<cosim::sim::PacketEvent>(packet.event);
            sent[packet.flow] += event == cosim::sim::PacketEvent::ENQUEUE;
            came[packet.flow] += event == cosim::sim::PacketEvent::DELIVER;
        }
        for (const uint32_t flow : {1, 2, 3, 4})
        {
            // 1e6 x 1.8 / 8 / 500 packets; the forwarded ones enter a queue twice in the trace.
            NS_TEST_EXPECT_MSG_EQ(came[flow], 450, "flow " << flow << ", nothing lost");
            NS_TEST_EXPECT_MSG_GT(sent[flow], 449, "flow " << flow);
        }
        for (const auto& c : bench.sink->counters)
        {
            NS_TEST_EXPECT_MSG_EQ(c.phy,
                                  c.retransmitted + c.padding + c.mac_header + c.rlc_header +
                                      c.pdcp_header + c.sdu_sent,
                                  "cell " << c.cell << ", direction " << c.direction);
            NS_TEST_EXPECT_MSG_EQ(
                c.sdu_sent, c.sdu_delivered + c.sdu_lost + c.sdu_in_flight, "packets");
        }
    }
};

/// What a setup says of bandwidth parts that it does not have.
class NrPartsSetupTestCase : public TestCase
{
  public:
    NrPartsSetupTestCase()
        : TestCase("Bandwidth parts and filters that cannot be")
    {
    }

  private:
    void DoRun() override
    {
        const std::string head = "duration_s 1\ncell 0 0 0 10\nue 0 1 0 1.5 cell=0\n";
        const std::string flow = "flow 1 ue=0 direction=dl port=5001 kind=semantic ";
        for (const auto& [text, part] : std::vector<std::pair<std::string, std::string>>{
                 {head + flow + "part=1\n", "no such bandwidth part"},
                 {"bandwidth_part 2 numerology=1 prbs=24\n" + head, "1 is next"},
                 {head + flow + "filter=tos\n", "port or dscp"},
                 {head + flow + "dscp=64\n", "0 to 63"}})
        {
            std::string message;
            try
            {
                SimulationSetup::Parse(text);
            }
            catch (const SetupError& error)
            {
                message = error.what();
            }
            NS_TEST_EXPECT_MSG_NE(message.find(part), std::string::npos, message);
        }
    }
};

/// The suite.
class NrBandwidthPartsTestSuite : public TestSuite
{
  public:
    NrBandwidthPartsTestSuite()
        : TestSuite("nr-bandwidth-parts", Type::UNIT)
    {
        AddTestCase(new NrPacketFilterTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrMcsBackoffTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrTwoPartsTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrPartsHandoverTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrPartsSetupTestCase, TestCase::Duration::QUICK);
    }
};

static NrBandwidthPartsTestSuite g_nrBandwidthPartsTestSuite; //!< registers itself
