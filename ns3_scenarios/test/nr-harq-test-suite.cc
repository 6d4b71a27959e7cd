// SPDX-License-Identifier: GPL-2.0-only
#include "nr-buffer-status.h"
#include "nr-harq-combining.h"
#include "nr-test-bench.h"
#include "nr-uplink-power.h"

#include "ns3/boolean.h"
#include "ns3/config.h"
#include "ns3/double.h"
#include "ns3/simulator.h"
#include "ns3/test.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
#include <map>

using namespace ns3;

namespace
{

/// Closed forms of soft combining.
class NrCombiningTestCase : public TestCase
{
  public:
    NrCombiningTestCase()
        : TestCase("Chase combining and incremental redundancy against closed forms")
    {
    }

  private:
    void DoRun() override
    {
        auto chase = CreateObject<NrHarqCombining>();
        chase->SetAttribute("IncrementalRedundancy", BooleanValue(false));
        auto incremental = CreateObject<NrHarqCombining>();
        const std::vector<float> sinr{3.0F, 1.0F, 7.0F, 1.0F};
        const auto first = [&sinr](std::size_t count) {
            return std::span<const float>(sinr).first(count);
        };
        const auto check = [this](const NrCombined& got, double sinr, double rate, double energy) {
            NS_TEST_EXPECT_MSG_EQ_TOL(got.sinr, sinr, 1e-3 * sinr, "SINR");
            NS_TEST_EXPECT_MSG_EQ_TOL(got.codeRate, rate, 1e-3 * rate, "code rate");
            NS_TEST_EXPECT_MSG_EQ_TOL(got.energy, energy, 1e-6, "energy");
        };
        check(chase->Combine(first(4), 0.5, 1), 12.0, 0.5, 12.0);
        NS_TEST_EXPECT_MSG_EQ(uint32_t(chase->GetRedundancyVersion(3)), 0, "the same bits");
        NS_TEST_EXPECT_MSG_EQ(uint32_t(incremental->GetRedundancyVersion(2)), 2, "0, 2");
        NS_TEST_EXPECT_MSG_EQ(uint32_t(incremental->GetRedundancyVersion(4)), 1, "0, 2, 3, 1");
        NS_TEST_EXPECT_MSG_EQ(uint32_t(incremental->GetRedundancyVersion(5)), 0, "again");
        check(incremental->Combine(first(1), 0.9, 1), 3.0, 0.9, 3.0);
        // Rate 5/6 with base graph 1: a transmission is 0.4 of the buffer. Version 0 holds 0 to
        // 0.4, version 2 0.5 to 0.9: no overlap, twice the bits, rate 5/12; the mean of log2(4) and
        // log2(2) is 1.5, g = 2^1.5 - 1 = 1.8284.
        check(incremental->Combine(first(2), 5.0 / 6.0, 1), 1.8284, 5.0 / 12.0, 4.0);
        // Version 3 begins at 56/66 = 0.8485 and ends, round the circle, at 0.2485. It shares
        // 0.2485 with version 0 and 0.9 - 0.8485 = 0.0515 with version 2; 0.1 is new, so that 0.9
        // of the buffer was sent: rate 1/3 / 0.9. 0.2485 log2(1 + 3 + 7) + 0.1515 log2(4) +
        // 0.0515 log2(1 + 1 + 7) + 0.3485 log2(2) + 0.1 log2(8) = 0.8597 + 0.3030 + 0.1633 +
        // 0.3485 + 0.3 = 1.9745; / 0.9 = 2.1939: 3.5754.
        check(incremental->Combine(first(3), 5.0 / 6.0, 1), 3.5754, 1.0 / 2.7, 11.0);
        // Rate 1/3 fills the buffer of base graph 1: nothing is ever new.
        check(incremental->Combine(first(4), 1.0 / 3.0, 1), 12.0, 1.0 / 3.0, 12.0);
        for (const double rate : {0.2, 0.35, 0.5, 0.7, 0.92})
        {
            for (const uint32_t graph : {1, 2})
            {
                for (std::size_t count = 1; count <= 4; ++count)
                {
                    // log is concave: spreading energy over new bits is never worse than piling it
                    // up, and never better than bits that are all new.
                    double product = 1.0;
                    for (const float one : first(count))
                    {
                        product *= 1.0 + one;
                    }
                    const NrCombined all = incremental->Combine(first(count), rate, graph);
                    const double sum = all.energy;
                    // The same information in the bits of one transmission.
                    const double got = std::pow(1.0 + all.sinr, rate / all.codeRate) - 1.0;
                    NS_TEST_EXPECT_MSG_EQ((got >= sum * (1 - 1e-6)), true, "at least chase");
                    NS_TEST_EXPECT_MSG_EQ(
                        (got <= (product - 1.0) * (1 + 1e-6)), true, "at most all new");
                }
            }
        }
    }
};

/// What a lower code rate is worth, by the table's own MCS of the modulation.
class NrCombinedSinrTestCase : public TestCase
{
  public:
    NrCombinedSinrTestCase()
        : TestCase("Several transmissions as one: thresholds of the table")
    {
    }

  private:
    void DoRun() override
    {
        auto carrier = CreateObject<NrCarrier>();
        carrier->SetAttribute("McsTable", UintegerValue(1));
        carrier->Initialize();
        // Half of the blocks are lost at as many decibels as the MCS has for an index.
        auto phy = NrTestBench::MakePhy(carrier, [](uint32_t mcs, double snrDb) {
            return std::min(1.0, 0.5 * std::pow(10.0, -0.1 * (snrDb - mcs)));
        });
        const auto gainDb = [&phy](double codeRate) {
            return 10.0 * std::log10(phy->GetCombinedSinr(27, {1.0, codeRate, 0.1}));
        };
        // 64QAM: MCS 20 has 567/1024, MCS 21 616/1024, and MCS 17, the lowest, 438/1024.
        NS_TEST_EXPECT_MSG_EQ_TOL(gainDb(910.0 / 1024.0), 0.0, 1e-6, "its own rate");
        NS_TEST_EXPECT_MSG_EQ_TOL(gainDb(567.0 / 1024.0), 7.0, 0.01, "that of MCS 20");
        NS_TEST_EXPECT_MSG_EQ_TOL(gainDb(591.5 / 1024.0), 6.5, 0.01, "halfway to MCS 21");
        // Half of the lowest: 17 dB + 10 log10((2^1.2832 - 1) / (2^2.5664 - 1)) = 11.642 dB.
        NS_TEST_EXPECT_MSG_EQ_TOL(gainDb(219.0 / 1024.0), 15.358, 0.01, "by capacity");
        const NrCombined strong{1.0, 0.85, 5.0};
        NS_TEST_EXPECT_MSG_EQ_TOL(
            phy->GetCombinedSinr(27, strong), 5.0, 1e-6, "not less than the same bits");
    }
};

/**
 * A block that was lost is lost again more often than others would be. At 0 dB one transmission is
 * lost at 0.8, two (3 dB, chase combining at the lowest MCS) at 0.4, three (4.8 dB) never: of those
 * lost once 0.4 / 0.8 = 0.5 are lost again, 0.4 with a draw each.
 */
class NrHarqMemoryTestCase : public TestCase
{
  public:
    NrHarqMemoryTestCase()
        : TestCase("One draw for all transmissions of a block")
    {
    }

  private:
    void DoRun() override
    {
        for (const bool memory : {true, false})
        {
            Config::SetDefault("ns3::NrRan::HarqMemory", BooleanValue(memory));
            NrTestBench bench(
                {.snrDb = {0.0},
                 .bler = [](uint32_t,
                            double snrDb) { return snrDb < 2.0 ? 0.8 : (snrDb < 4.0 ? 0.4 : 0.0); },
                 .blerTarget = 0.5});
            bench.Saturate(0);
            bench.Run(10.0);
            std::map<uint32_t, double> blocks;
            std::map<uint32_t, double> lost;
            for (const auto& slot : bench.sink->slots)
            {
                NS_TEST_ASSERT_MSG_EQ(uint32_t(slot.mcs), 0, "the lowest");
                ++blocks[slot.redundancy_version];
                lost[slot.redundancy_version] += slot.ack ? 0.0 : 1.0;
            }
            // Some 4500 first and 3600 second transmissions: standard deviations 0.006 and 0.008.
            NS_TEST_EXPECT_MSG_EQ((blocks[2] > 3000), true, "second transmissions");
            NS_TEST_EXPECT_MSG_EQ_TOL(lost[0] / blocks[0], 0.8, 0.025, "first ones");
            const double again = memory ? 0.5 : 0.4;
            NS_TEST_EXPECT_MSG_EQ_TOL(lost[2] / blocks[2], again, 0.035, "second ones");
            NS_TEST_EXPECT_MSG_EQ(lost[3], 0.0, "third ones");
        }
        Config::Reset();
    }
};

/**
 * On the air: MCS 28 (rate 0.93) needs 22 dB in the step model. At 19.5 dB (a ratio of 89.1), where
 * the lowest choice is forced by a report that is 10 dB too good, one transmission never does and
 * two chase-combined ones, 22.5 dB, always do.
 */
class NrCombiningOnAirTestCase : public TestCase
{
  public:
    NrCombiningOnAirTestCase()
        : TestCase("Soft combining decides on the air")
    {
    }

  private:
    void DoRun() override
    {
        for (const bool incremental : {false, true})
        {
            Config::SetDefault("ns3::NrHarqCombining::IncrementalRedundancy",
                               BooleanValue(incremental));
            // Blocks are lost below the threshold of MCS 28 whatever their MCS; the thresholds of
            // link adaptation, at a loss of 99 %, are -40 dB, so that it takes the highest.
            NrTestBench bench(
                {.snrDb = {19.5},
                 .bler = [](uint32_t,
                            double snr) { return snr < NrTestBench::Threshold(28) ? 0.99 : 0.0; },
                 .blerTarget = 0.995});
            bench.Saturate(0);
            bench.Run(1.0);
            std::map<uint32_t, uint32_t> blocks;
            std::map<uint32_t, uint32_t> decoded;
            for (const auto& slot : bench.sink->slots)
            {
                // The second version in the order tells a second transmission only with IR.
                const uint32_t key = slot.redundancy_version;
                ++blocks[key];
                decoded[key] += slot.ack;
            }
            if (incremental)
            {
                // A block has three code blocks, each decoded alone with 0.01: 1e-6 together.
                NS_TEST_EXPECT_MSG_EQ(decoded[0], 0, "alone");
                NS_TEST_EXPECT_MSG_EQ(decoded[2], blocks[2], "two together");
                NS_TEST_EXPECT_MSG_EQ(blocks[3], 0, "no third");
            }
            else
            {
                // First and second ones alternate, all version 0.
                NS_TEST_EXPECT_MSG_EQ_TOL(
                    double(decoded[0]) / blocks[0], 0.5, 0.03, "every second one");
            }
        }
        Config::Reset();
    }
};

/**
 * A flow's own number of transmissions, and fewer for packets that matter less. Every transmission
 * is lost here, so blocks are sent exactly as often as they may be.
 */
class NrImportanceHarqTestCase : public TestCase
{
  public:
    NrImportanceHarqTestCase()
        : TestCase("Transmissions by flow and importance")
    {
    }

  private:
    uint32_t Transmissions(double importance, uint32_t most, uint32_t less)
    {
        NrTestBench bench({.snrDb = {20.0}, .bler = [](uint32_t, double) { return 1.0; }});
        NrFlowConfig flow;
        flow.flow = 1;
        flow.filter = {NrPacketFilter::Kind::TO, 9};
        flow.maxHarqTx = most;
        flow.lessHarqTx = less;
        flow.importantFrom = 0.5;
        bench.ran->AddFlow(flow);
        bench.SendTagged(Seconds(0.05), 0, 60, 9, importance);
        bench.Run(0.5);
        return static_cast<uint32_t>(bench.sink->slots.size());
    }

    void DoRun() override
    {
        NS_TEST_EXPECT_MSG_EQ(Transmissions(0.9, 0, 0), 4, "the network's");
        NS_TEST_EXPECT_MSG_EQ(Transmissions(0.9, 6, 0), 6, "the flow's");
        NS_TEST_EXPECT_MSG_EQ(Transmissions(0.9, 6, 1), 6, "important");
        NS_TEST_EXPECT_MSG_EQ(Transmissions(0.4, 6, 1), 1, "less important");
        NS_TEST_EXPECT_MSG_EQ(Transmissions(0.5, 2, 1), 2, "just important");
    }
};

/// When the gNB knows what.
class NrBufferStatusTestCase : public TestCase
{
  public:
    NrBufferStatusTestCase()
        : TestCase("Scheduling requests and buffer status reports")
    {
    }

  private:
    void DoRun() override
    {
        NrBufferStatus::Config config;
        config.requestPeriodSlots = 5;
        config.grantDelaySlots = 4;
        config.firstGrantBytes = 100;
        config.reportDelaySlots = 2;
        // Occasions in slots 3, 8, 13, ...: data in slot 4 is requested in 8 and granted from 12.
        NrBufferStatus status(config, 3);
        status.NoteData(4);
        NS_TEST_EXPECT_MSG_EQ(status.GetKnownBytes(11, 1000), 0, "not yet");
        NS_TEST_EXPECT_MSG_EQ(status.GetKnownBytes(12, 1000), 100, "the first grant");
        // Its block holds 120 and says that 880 are left; it is decoded in 13 and counts from 15.
        const auto first = status.Sent(120, 880);
        NS_TEST_EXPECT_MSG_EQ(status.GetKnownBytes(12, 880), 0, "granted");
        status.Decoded(13, first);
        NS_TEST_EXPECT_MSG_EQ(status.GetKnownBytes(14, 880), 0, "report on its way");
        NS_TEST_EXPECT_MSG_EQ(status.GetKnownBytes(15, 880), 880, "report used");
        // Two blocks; the report of the first comes after the second was sent.
        const auto second = status.Sent(400, 480);
        const auto third = status.Sent(400, 80);
        status.Decoded(16, second);
        NS_TEST_EXPECT_MSG_EQ(status.GetKnownBytes(18, 80), 80, "480 less the 400 since");
        status.Decoded(17, third);
        NS_TEST_EXPECT_MSG_EQ(status.GetKnownBytes(19, 80), 80, "80");
        // The last block is lost with what came behind it: the UE asks again, in 23, for 27.
        status.Sent(80, 0);
        status.NoteData(20);
        NS_TEST_EXPECT_MSG_EQ(status.GetKnownBytes(22, 50), 0, "waits for the report");
        status.Lost(22, 50);
        NS_TEST_EXPECT_MSG_EQ(status.GetKnownBytes(26, 50), 0, "requested");
        NS_TEST_EXPECT_MSG_EQ(status.GetKnownBytes(27, 50), 50, "granted, no more than there is");
    }
};

/// Delay of an uplink packet, slot by slot, and what a configured grant saves.
class NrUplinkDelayTestCase : public TestCase
{
  public:
    NrUplinkDelayTestCase()
        : TestCase("Uplink delay with requests and with configured grants")
    {
    }

  private:
    double DelayMs(uint32_t configuredPeriod)
    {
        Config::SetDefault("ns3::NrRan::ConfiguredGrantPeriod", UintegerValue(configuredPeriod));
        NrTestBench bench({.snrDb = {22.5}, .bler = NrTestBench::Step});
        Config::Reset();
        // A third of a slot after the slot of 50 ms.
        bench.SendAt(Seconds(0.0503333), 0, 40, true);
        bench.Run(0.2);
        double delay = -1.0;
        for (const auto& packet : bench.sink->packets)
        {
            if (packet.event == static_cast<uint32_t>(cosim::sim::PacketEvent::DELIVER))
            {
                delay = 1e3 * (packet.t_s - 0.0503333);
            }
        }
        return delay;
    }

    void DoRun() override
    {
        // The packet comes when slot 51 is next: requested there, granted 8 later, in slot 59,
        // delivered at its end: 60 - 50.333 ms.
        NS_TEST_EXPECT_MSG_EQ_TOL(DelayMs(0), 9.6667, 1e-3, "requested");
        // A grant in every slot: sent in 51, delivered at 52.
        NS_TEST_EXPECT_MSG_EQ_TOL(DelayMs(1), 1.6667, 1e-3, "configured, every slot");
        // UE 0's slots are 0, 10, ..., 60: delivered at 61.
        NS_TEST_EXPECT_MSG_EQ_TOL(DelayMs(20), 9.6667, 1e-3, "a request is faster");
    }
};

/// Power control, by hand.
class NrUplinkPowerTestCase : public TestCase
{
  public:
    NrUplinkPowerTestCase()
        : TestCase("Fractional power control")
    {
    }

  private:
    void DoRun() override
    {
        // -80 dBm + 0.8 x 100 dB = 0 dBm a PRB = 1 mW; 23 dBm = 199.5 mW reach 199.5 PRBs.
        const NrUplinkPower power(-80.0, 0.8, 23.0);
        NS_TEST_EXPECT_MSG_EQ_TOL(power.GetTarget(1e-10), 1e-3, 1e-9, "target");
        NS_TEST_EXPECT_MSG_EQ_TOL(power.GetReach(1e-10), 199.5, 0.1, "reach");
        NS_TEST_EXPECT_MSG_EQ_TOL(power.GetPower(1e-10, 50), 1e-3, 1e-9, "within reach");
        NS_TEST_EXPECT_MSG_EQ_TOL(power.GetPower(1e-10, 399), 0.5e-3, 1e-6, "beyond");
        // 130 dB: 24 dBm are aimed at, more than there is.
        NS_TEST_EXPECT_MSG_EQ_TOL(power.GetTarget(1e-13), 0.1995, 1e-4, "all there is");
    }
};

/// The suite.
class NrHarqTestSuite : public TestSuite
{
  public:
    NrHarqTestSuite()
        : TestSuite("nr-harq", Type::UNIT)
    {
        AddTestCase(new NrCombiningTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrCombinedSinrTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrHarqMemoryTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrCombiningOnAirTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrImportanceHarqTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrBufferStatusTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrUplinkDelayTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrUplinkPowerTestCase, TestCase::Duration::QUICK);
    }
};

NrHarqTestSuite g_nrHarqTestSuite; //!< registers itself

} // namespace
