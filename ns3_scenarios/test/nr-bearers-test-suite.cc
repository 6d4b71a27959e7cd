// SPDX-License-Identifier: GPL-2.0-only
#include "nr-test-bench.h"

#include "ns3/ipv4-header.h"
#include "ns3/simulator.h"
#include "ns3/test.h"
#include "ns3/udp-header.h"

#include <map>

using namespace ns3;

namespace
{

constexpr uint16_t PORT = 5000; //!< of flow 0; the others follow

/// One UE whose uplink has flow 1, and flow 2 with a worse priority level.
class TwoBearers
{
  public:
    /**
     * \param prioritised bytes a second of flow 2
     * \param acknowledged RLC mode of both
     */
    TwoBearers(double prioritised, bool acknowledged)
        : bench({.snrDb = {40.0}})
    {
        for (const uint32_t flow : {1, 2})
        {
            NrFlowConfig config;
            config.flow = flow;
            config.uplink = true;
            config.filter = {NrPacketFilter::Kind::TO, static_cast<uint16_t>(PORT + flow)};
            config.priority = flow == 1 ? 90 : 127;
            config.prioritisedRate = flow == 2 ? prioritised : 0.0;
            config.acknowledged = acknowledged;
            bench.ran->AddFlow(config);
        }
    }

    /// Sends an IP packet of a size at a time.
    void SendAt(Time at, uint16_t flow, uint32_t bytes)
    {
        Simulator::Schedule(at, [this, flow, bytes] {
            UdpHeader udp;
            udp.SetDestinationPort(PORT + flow);
            Ipv4Header ip;
            ip.SetProtocol(17);
            auto packet = Create<Packet>(bytes - udp.GetSerializedSize() - ip.GetSerializedSize());
            packet->AddHeader(udp);
            ip.SetPayloadSize(static_cast<uint16_t>(packet->GetSize()));
            packet->AddHeader(ip);
            bench.ran->Enqueue(0, true, packet);
        });
    }

    /// \return when flow 2's packets first had this event, by packet
    std::map<uint64_t, double> When(cosim::sim::PacketEvent event) const
    {
        std::map<uint64_t, double> times;
        for (const auto& packet : bench.sink->packets)
        {
            if (packet.flow == 2 && packet.event == static_cast<uint32_t>(event))
            {
                times.emplace(packet.packet_id, packet.t_s);
            }
        }
        return times;
    }

    NrTestBench bench; //!< the cell
};

} // namespace

/**
 * A load of one 1000-byte packet a slot, which is half of what a slot carries, and behind it a
 * packet of 100 bytes every 0.1 s.
 *
 * Priority alone: at slot n the gNB grants what was left behind the block of slot n - 1, L(n - 1),
 * rounded up to whole PRBs. Since then a packet of a = 1000 bytes has come, so L(n) = L(n - 1) + a
 * - g(n) with g(n) >= L(n - 1): never more than a and, as grants are a on average, hardly ever less
 * than a - p, with the p = 93 bytes that a PRB carries with MCS 28. What is granted goes to the
 * load, which comes first, and L holds what stands behind it. So between a - p and a bytes stand:
 * the oldest of them moves on when a ninth packet of 100 bytes has come, at the earliest, and a
 * tenth at the latest. With one every 0.1 s each waits 0.7 s at least and 1 s at most (Little's
 * law: L over 1000 bytes a second), until the load ends.
 *
 * With 8000 bytes a second and a bucket of 0.1 s there are 800 bytes to its credit: each leaves
 * with the block of the next slot, half a slot later, although the load comes first.
 */
class NrStandingQueueTestCase : public TestCase
{
  public:
    explicit NrStandingQueueTestCase(bool acknowledged)
        : TestCase(std::string("What waits behind a load, ") + (acknowledged ? "AM" : "UM")),
          m_acknowledged(acknowledged)
    {
    }

  private:
    /// \return seconds in the queue of packets that come every 0.1 s from 0.3 s on
    std::vector<double> Waits(double prioritised) const
    {
        TwoBearers two(prioritised, m_acknowledged);
        for (int slot = 0; slot < 1500; ++slot)
        {
            two.SendAt(MicroSeconds(1000 * slot + 500), 1, 1000);
        }
        for (int i = 3; i < 15; ++i)
        {
            two.SendAt(MicroSeconds(100000 * i + 500), 2, 100);
        }
        two.bench.Run(2.0);
        const auto left = two.When(cosim::sim::PacketEvent::DEQUEUE);
        std::vector<double> waits;
        for (const auto& [id, t] : two.When(cosim::sim::PacketEvent::ENQUEUE))
        {
            waits.push_back(left.contains(id) ? left.at(id) - t : -1.0);
        }
        return waits;
    }

    void DoRun() override
    {
        const auto strict = Waits(0.0);
        const auto assured = Waits(8000.0);
        NS_TEST_ASSERT_MSG_EQ(strict.size(), 12, "all came");
        for (std::size_t i = 0; i < 4; ++i)
        {
            // They come by 0.6 s, and the load ends at 1.5 s.
            NS_TEST_EXPECT_MSG_GT(strict[i], 0.7, "stands behind the load, packet " << i);
            NS_TEST_EXPECT_MSG_LT(strict[i], 1.0, "not for ever, packet " << i);
        }
        NS_TEST_EXPECT_MSG_GT(strict.back(), 0.098, "until the load has ended");
        for (const double wait : assured)
        {
            NS_TEST_EXPECT_MSG_EQ_TOL(wait, 0.5e-3, 1e-9, "the next slot");
        }
    }

    bool m_acknowledged; //!< RLC mode
};

/**
 * Both bearers are always full: the one behind gets its rate and no more. Bj pays for MAC SDUs, so
 * in a second 8000 bytes of packets with their headers of PDCP and RLC leave, and at most one
 * packet and a slot's share more or less; the start-up of 10 ms earns 80 bytes before the first
 * block.
 */
class NrPrioritisedRateTestCase : public TestCase
{
  public:
    NrPrioritisedRateTestCase()
        : TestCase("A prioritised rate is what a flow gets behind a full one")
    {
    }

  private:
    void DoRun() override
    {
        for (const double rate : {0.0, 8000.0, 32000.0})
        {
            TwoBearers two(rate, false);
            for (int slot = 0; slot < 1000; ++slot)
            {
                for (int i = 0; i < 3; ++i)
                {
                    two.SendAt(MicroSeconds(1000 * slot + 500), 1, 1000); // 3000 of 2200
                }
                two.SendAt(MicroSeconds(1000 * slot + 500), 2, 100);
            }
            two.bench.Run(1.0);
            // 100 bytes, 2 of PDCP's header and 1 of RLC's, if it is not cut.
            const auto count = two.When(cosim::sim::PacketEvent::DEQUEUE).size();
            NS_TEST_EXPECT_MSG_EQ_TOL(
                103.0 * static_cast<double>(count), rate, 0.02 * rate + 1.0, "rate " << rate);
        }
    }
};

/**
 * The suite of bearers.
 */
class NrBearersTestSuite : public TestSuite
{
  public:
    NrBearersTestSuite()
        : TestSuite("nr-bearers", Type::UNIT)
    {
        AddTestCase(new NrStandingQueueTestCase(false), Duration::QUICK);
        AddTestCase(new NrStandingQueueTestCase(true), Duration::QUICK);
        AddTestCase(new NrPrioritisedRateTestCase(), Duration::QUICK);
    }
};

static NrBearersTestSuite g_nrBearersTestSuite;
