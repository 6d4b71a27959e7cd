// SPDX-License-Identifier: GPL-2.0-only
#include "nr-direct-cost.h"
#include "nr-test-bench.h"

#include "ns3/simulator.h"
#include "ns3/test.h"
#include "ns3/uinteger.h"

using namespace ns3;
using Delivery = NrDelivery;
using cosim::sim::PacketEvent;
using cosim::sim::PacketReason;

namespace
{

constexpr uint16_t PORT = 5001;   //!< of flow 1
constexpr uint32_t APP_HEAD = 16; //!< header bytes of its payloads

/// One UE whose downlink has flow 1, delivered directly.
class DirectFlow
{
  public:
    DirectFlow(Delivery delivery, const NrTestBench::BlerFunction& bler, double snrDb = 40.0)
        : bench({.snrDb = {snrDb}, .bler = bler})
    {
        bench.ran->SetAttribute("HeaderBackoff", UintegerValue(6));
        NrFlowConfig config;
        config.flow = 1;
        config.filter = {NrPacketFilter::Kind::TO, PORT};
        config.delivery = delivery;
        bench.ran->AddFlow(config);
    }

    /// \return packets of the flow with an event
    std::size_t Count(PacketEvent event) const
    {
        return static_cast<std::size_t>(
            std::count_if(bench.sink->packets.begin(), bench.sink->packets.end(), [event](auto& p) {
                return p.flow == 1 && p.event == static_cast<uint32_t>(event);
            }));
    }

    NrTestBench bench; //!< the cell
};

double Never(uint32_t, double)
{
    return 0.0;
}

} // namespace

/**
 * Headers at 0.5 bit an element: a byte takes 16 elements, ten bytes and a CRC of two 192. Contents
 * at 4 bits an element: a byte takes two elements; as symbols, half of one, whatever the rates.
 */
class DirectCostTestCase : public TestCase
{
  public:
    DirectCostTestCase()
        : TestCase("What headers and contents cost")
    {
    }

  private:
    void DoRun() override
    {
        const NrDirectCost bits(Delivery::BITS, 0.5, 4.0);
        const NrDirectCost symbols(Delivery::SYMBOLS, 0.5, 4.0);
        NS_TEST_EXPECT_MSG_EQ(bits.GetHeaderElements(10), 192, "header");
        NS_TEST_EXPECT_MSG_EQ_TOL(bits.GetElements(10, 100), 160.0 + 200.0, 1e-9, "bits");
        NS_TEST_EXPECT_MSG_EQ_TOL(symbols.GetElements(10, 100), 160.0 + 50.0, 1e-9, "symbols");
        NS_TEST_EXPECT_MSG_EQ(bits.GetContentBytes(101.0), 50, "bits that fit");
        NS_TEST_EXPECT_MSG_EQ(symbols.GetContentBytes(101.0), 202, "values that fit");
        NS_TEST_EXPECT_MSG_EQ_TOL(bits.GetRoom(1000), 1000.0 - 32.0 - 1.0, 1e-9, "less its CRC");
    }
};

/**
 * A payload of 100 bytes, 16 of them header, at 40 dB without errors: MCS 28 for contents, and 22,
 * six below, for headers. These are 2 bytes of MAC subheader (an RLC PDU below 256 bytes), 1 of RLC
 * for a whole packet, 2 of PDCP with a 12-bit number, 28 of IP and UDP, 16 of the payload: 49. With
 * a CRC of 2 they take ceil(51 x 8 / 3.9023) = 105 elements at 666/1024 x 6 bits (TS 38.214 table
 * 5.1.3.1-1). Contents are the other 84 bytes, the last of the packet.
 */
class DirectBlockTestCase : public TestCase
{
  public:
    DirectBlockTestCase()
        : TestCase("What lies where in a block")
    {
    }

  private:
    void DoRun() override
    {
        DirectFlow flow(Delivery::BITS, Never);
        flow.bench.SendTagged(MilliSeconds(20), 0, 100, PORT, 0.0, APP_HEAD);
        flow.bench.Run(0.1);
        const auto& sink = *flow.bench.sink;
        NS_TEST_ASSERT_MSG_EQ(sink.direct.size(), 1, "one block");
        const auto& block = sink.direct.front();
        NS_TEST_EXPECT_MSG_EQ(+block.mcs, 28, "MCS of contents");
        NS_TEST_EXPECT_MSG_EQ(block.header_mcs, 22, "MCS of headers");
        NS_TEST_EXPECT_MSG_EQ(block.header_elements, 105, "elements of headers");
        NS_TEST_ASSERT_MSG_EQ(sink.pieces.size(), 1, "one piece");
        NS_TEST_EXPECT_MSG_EQ(sink.pieces.front().bytes, 84, "contents");
        NS_TEST_EXPECT_MSG_EQ(sink.pieces.front().offset, 84, "at the end of the packet");
        NS_TEST_EXPECT_MSG_EQ(sink.pieces.front().at, 0, "first in the block");
        // All elements after the headers are for contents: floor(elements x 948/1024 x 6 / 8).
        const uint32_t left = block.elements * block.prb_count - 105;
        const auto room = static_cast<uint32_t>(left * (948.0 / 1024.0 * 6.0) / 8.0);
        NS_TEST_EXPECT_MSG_EQ(block.content_bytes, room, "room for contents");
        NS_TEST_EXPECT_MSG_EQ(flow.Count(PacketEvent::DELIVER), 1, "delivered");
        // Bytes: the block is 49 of headers and its room, of which 84 are used.
        const auto down = std::find_if(
            sink.counters.begin(), sink.counters.end(), [](auto& c) { return c.direction == 0; });
        NS_TEST_EXPECT_MSG_EQ(down->phy, 49 + room, "bytes of the block");
        NS_TEST_EXPECT_MSG_EQ(down->padding, room - 84, "padding");
        NS_TEST_EXPECT_MSG_EQ(down->sdu_sent, 128, "the IP packet");
    }
};

/**
 * A payload of 9000 bytes as symbols: 8984 values take 4492 elements, more than a slot has. Pieces
 * follow each other in the packet, and all but the last are whole symbols, two values each.
 */
class DirectPiecesTestCase : public TestCase
{
  public:
    DirectPiecesTestCase()
        : TestCase("A packet in pieces")
    {
    }

  private:
    void DoRun() override
    {
        DirectFlow flow(Delivery::SYMBOLS, Never);
        flow.bench.SendTagged(MilliSeconds(20), 0, 9000, PORT, 0.0, APP_HEAD);
        flow.bench.Run(0.1);
        const auto& pieces = flow.bench.sink->pieces;
        NS_TEST_ASSERT_MSG_EQ(pieces.size(), 2, "two blocks");
        NS_TEST_EXPECT_MSG_EQ(pieces[0].offset, 8984, "first piece");
        NS_TEST_EXPECT_MSG_EQ(pieces[0].bytes % 2, 0, "whole symbols");
        NS_TEST_EXPECT_MSG_EQ(pieces[1].offset, 8984 - pieces[0].bytes, "second piece");
        NS_TEST_EXPECT_MSG_EQ(pieces[0].bytes + pieces[1].bytes, 8984, "all of the contents");
        NS_TEST_EXPECT_MSG_EQ(flow.Count(PacketEvent::DELIVER), 1, "put together");
    }
};

/**
 * Where every block is lost, its headers are: ten packets of four transmissions, then given up.
 */
class DirectLossTestCase : public TestCase
{
  public:
    DirectLossTestCase()
        : TestCase("Lost headers")
    {
    }

  private:
    void DoRun() override
    {
        DirectFlow flow(Delivery::BITS, [](uint32_t, double) { return 1.0; });
        for (int i = 0; i < 10; ++i)
        {
            flow.bench.SendTagged(MilliSeconds(20 + 10 * i), 0, 100, PORT, 0.0, APP_HEAD);
        }
        flow.bench.Run(0.3);
        NS_TEST_EXPECT_MSG_EQ(flow.bench.sink->slots.size(), 40, "four transmissions each");
        NS_TEST_EXPECT_MSG_EQ(flow.bench.sink->direct.size(), 0, "nothing to look at");
        NS_TEST_EXPECT_MSG_EQ(flow.Count(PacketEvent::DROP), 10, "all are lost");
    }
};

/**
 * Headers need 22 dB and have 20: the first transmission is lost. The second has the same symbols,
 * and both together 23 dB. What the receiver has of the contents is twice 10^2, too.
 */
class DirectAgainTestCase : public TestCase
{
  public:
    DirectAgainTestCase()
        : TestCase("Sent again, added up")
    {
    }

  private:
    void DoRun() override
    {
        DirectFlow flow(Delivery::SYMBOLS, [](uint32_t, double db) { return db < 22.0; }, 20.0);
        flow.bench.SendTagged(MilliSeconds(20), 0, 100, PORT, 0.0, APP_HEAD);
        flow.bench.Run(0.1);
        const auto& sink = *flow.bench.sink;
        NS_TEST_EXPECT_MSG_EQ(sink.slots.size(), 2, "two transmissions");
        NS_TEST_EXPECT_MSG_EQ(+sink.slots[1].redundancy_version, 0, "of the same symbols");
        NS_TEST_EXPECT_MSG_EQ(sink.direct.size(), 1, "received once");
        if (sink.direct.empty())
        {
            return;
        }
        NS_TEST_EXPECT_MSG_EQ(sink.directSinr.size(), sink.direct[0].prb_count, "one layer");
        NS_TEST_EXPECT_MSG_EQ_TOL(sink.directSinr[0], 2e2, 2e2 * 1e-4, "twice 20 dB");
        NS_TEST_EXPECT_MSG_EQ(flow.Count(PacketEvent::DELIVER), 1, "delivered");
    }
};

/**
 * A packet of another flow, which is checked, waits beside one of bits: they never share a block,
 * so that two slots are used where one would do, and the headers of the second cost what they cost
 * anywhere.
 */
class DirectApartTestCase : public TestCase
{
  public:
    DirectApartTestCase()
        : TestCase("Bits and packets have blocks of their own")
    {
    }

  private:
    void DoRun() override
    {
        DirectFlow flow(Delivery::BITS, Never);
        flow.bench.SendTagged(MilliSeconds(20), 0, 100, PORT, 0.0, APP_HEAD);
        flow.bench.SendTagged(MilliSeconds(20), 0, 100, PORT + 1, 0.0, APP_HEAD);
        flow.bench.Run(0.1);
        NS_TEST_EXPECT_MSG_EQ(flow.bench.sink->slots.size(), 2, "two blocks");
        NS_TEST_EXPECT_MSG_EQ(flow.bench.sink->direct.size(), 1, "one of them of bits");
        NS_TEST_EXPECT_MSG_EQ(flow.bench.GetReceived(0), 2 * 128, "both come");
    }
};

/**
 * Headers of 4000 bytes: more than a slot holds at any MCS that headers get, which is 22 at most:
 * 25 PRBs x 156 elements x 3.9023 / 8 = 1902 bytes. Their packet waits, the other flow's does not.
 */
class DirectHeldTestCase : public TestCase
{
  public:
    DirectHeldTestCase()
        : TestCase("Headers that no block can hold let others pass")
    {
    }

  private:
    void DoRun() override
    {
        DirectFlow flow(Delivery::SYMBOLS, Never);
        flow.bench.SendTagged(MilliSeconds(20), 0, 5000, PORT, 0.0, 4000);
        flow.bench.SendTagged(MilliSeconds(20), 0, 100, PORT + 1, 0.0, APP_HEAD);
        flow.bench.Run(0.1);
        NS_TEST_EXPECT_MSG_EQ(flow.bench.sink->slots.size(), 1, "one block");
        NS_TEST_EXPECT_MSG_EQ(flow.bench.sink->direct.size(), 0, "of packets");
        NS_TEST_EXPECT_MSG_EQ(flow.bench.GetReceived(0), 128, "the other flow's comes");
    }
};

/**
 * Bits and symbols through the cell.
 */
class NrDirectTestSuite : public TestSuite
{
  public:
    NrDirectTestSuite()
        : TestSuite("nr-direct", Type::UNIT)
    {
        AddTestCase(new DirectCostTestCase, TestCase::Duration::QUICK);
        AddTestCase(new DirectBlockTestCase, TestCase::Duration::QUICK);
        AddTestCase(new DirectPiecesTestCase, TestCase::Duration::QUICK);
        AddTestCase(new DirectLossTestCase, TestCase::Duration::QUICK);
        AddTestCase(new DirectAgainTestCase, TestCase::Duration::QUICK);
        AddTestCase(new DirectApartTestCase, TestCase::Duration::QUICK);
        AddTestCase(new DirectHeldTestCase, TestCase::Duration::QUICK);
    }
};

static NrDirectTestSuite g_nrDirectTestSuite; //!< registers the suite
