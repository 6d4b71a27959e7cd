// SPDX-License-Identifier: GPL-2.0-only
#include "nr-test-bench.h"

#include "ns3/boolean.h"
#include "ns3/config.h"
#include "ns3/simulator.h"
#include "ns3/test.h"

#include <cmath>
#include <map>

using namespace ns3;

namespace
{

/// Bytes a slot that one UE alone can have on the bench at an MCS.
double SlotBytes(const NrTestBench& bench, uint8_t mcs)
{
    return bench.carrier->GetTransportBlockBits(NrTestBench::PRBS, 13, 1, mcs) / 8.0;
}

/**
 * Round robin gives equal PRBs whatever the channels, so that the UEs' slots' sizes are as their
 * MCS's; a single UE has all of them.
 */
class NrRoundRobinTestCase : public TestCase
{
  public:
    NrRoundRobinTestCase()
        : TestCase("Round robin: equal PRBs; alone, a whole transport block a slot")
    {
    }

  private:
    void DoRun() override
    {
        // Thresholds are a dB apart and MCS 0 has -6 dB: 22.5 dB gives MCS 28, 10.5 dB MCS 16.
        {
            NrTestBench bench({.snrDb = {22.5, 10.5, 22.5}, .bler = NrTestBench::Step});
            for (uint32_t ue = 0; ue < 3; ++ue)
            {
                bench.Saturate(ue);
            }
            bench.Run(0.5);
            std::map<uint32_t, uint64_t> prbs;
            for (const auto& slot : bench.sink->slots)
            {
                prbs[slot.ue] += slot.prb_count;
            }
            // 25 PRBs among 3 leave one over a slot, which goes round: equal to within one.
            for (uint32_t ue = 0; ue < 3; ++ue)
            {
                NS_TEST_EXPECT_MSG_EQ_TOL(
                    double(prbs[ue]), 500 * 25 / 3.0, 2.0, "PRBs of UE " << ue);
            }
        }
        for (const uint8_t mcs : {28, 22, 20})
        {
            NrTestBench bench({.snrDb = {mcs - 5.5}, .bler = NrTestBench::Step});
            bench.Saturate(0);
            bench.Run(0.5);
            // Until the first report comes (CQI delay of 4 slots) the lowest MCS is used. Headers:
            // 6 bytes a packet of 1000 (MAC 3, RLC 1, PDCP 2), 5 more where a block cuts it, which
            // a block does once.
            const double slots = 495.0;
            const double bytes = SlotBytes(bench, mcs);
            const double expected = slots * bytes / (1.0 + (6.0 + 5.0 * 1000.0 / bytes) / 1000.0);
            NS_TEST_EXPECT_MSG_EQ_TOL(double(bench.GetReceived(0)) / expected,
                                      1.0,
                                      0.01,
                                      "goodput at MCS " << uint32_t(mcs));
        }
    }
};

/**
 * With equal channels everyone's share is within 5 % of the mean (an invariant of ns-3's own
 * tests). With unequal constant ones the metric r/T is equal for all in the long run, so that
 * throughputs are as the rates r: everyone has the same time.
 */
class NrProportionalFairTestCase : public TestCase
{
  public:
    NrProportionalFairTestCase()
        : TestCase("Proportional fair: equal shares, and shares as the rates")
    {
    }

  private:
    void DoRun() override
    {
        for (const uint32_t count : {1, 3, 6, 12})
        {
            NrTestBench bench({.scheduler = "ns3::NrPfScheduler",
                               .snrDb = std::vector<double>(count, 22.5),
                               .bler = NrTestBench::Step});
            for (uint32_t ue = 0; ue < count; ++ue)
            {
                bench.Saturate(ue);
            }
            bench.Run(2.0);
            double mean = 0.0;
            for (uint32_t ue = 0; ue < count; ++ue)
            {
                mean += double(bench.GetReceived(ue)) / count;
            }
            for (uint32_t ue = 0; ue < count; ++ue)
            {
                NS_TEST_EXPECT_MSG_EQ_TOL(double(bench.GetReceived(ue)),
                                          mean,
                                          0.05 * mean,
                                          "UE " << ue << " of " << count);
            }
        }
        NrTestBench bench(
            {.scheduler = "ns3::NrPfScheduler", .snrDb = {22.5, 10.5}, .bler = NrTestBench::Step});
        bench.Saturate(0);
        bench.Saturate(1);
        bench.Run(4.0);
        const double expected = SlotBytes(bench, 28) / SlotBytes(bench, 16);
        NS_TEST_EXPECT_MSG_EQ_TOL(double(bench.GetReceived(0)) / double(bench.GetReceived(1)),
                                  expected,
                                  0.05 * expected,
                                  "shares as the rates");
    }
};

/**
 * With a draw of its own and an error rate p for every transmission and N transmissions at most, a
 * block takes (1 - p^N) / (1 - p) transmissions on average and is lost for good with p^N.
 */
class NrHarqTestCase : public TestCase
{
  public:
    NrHarqTestCase()
        : TestCase("HARQ: goodput, residual loss and byte counters against the closed form")
    {
    }

  private:
    void DoRun() override
    {
        // 25 PRBs at MCS 28 make 3 code blocks (TBS 19968 and 24 of CRC, over 8424), all of which
        // must be decoded: P = 1 - (1 - p)^3.
        constexpr double P = 0.3;
        const double p = 1.0 - std::cbrt(1.0 - P);
        for (const uint32_t most : {1, 2, 4})
        {
            Config::SetDefault("ns3::NrRan::HarqMemory", BooleanValue(false));
            NrTestBench bench({.snrDb = {20.0},
                               .bler = [p](uint32_t, double) { return p; },
                               .maxHarqTx = most,
                               .blerTarget = 0.5});
            bench.Saturate(0, 40);
            bench.Run(10.0);
            uint64_t blocks = 0;
            uint64_t decoded = 0;
            for (const auto& slot : bench.sink->slots)
            {
                blocks += slot.redundancy_version == 0;
                decoded += slot.ack;
            }
            const double sent = double(bench.sink->slots.size());
            NS_TEST_EXPECT_MSG_EQ(sent, 10000, "a block in every slot");
            // Standard deviations: of a share s out of n trials, sqrt(s (1 - s) / n); four of them.
            NS_TEST_EXPECT_MSG_EQ_TOL(
                decoded / sent, 1.0 - P, 4.0 * std::sqrt(P * (1.0 - P) / sent), "decoded");
            const double loss = std::pow(P, most);
            NS_TEST_EXPECT_MSG_EQ_TOL(1.0 - double(decoded) / double(blocks),
                                      loss,
                                      4.0 * std::sqrt(loss * (1.0 - loss) / double(blocks)) + 1e-3,
                                      "lost for good with " << most << " transmissions");
            const double mean = (1.0 - loss) / (1.0 - P);
            NS_TEST_EXPECT_MSG_EQ_TOL(
                sent / double(blocks), mean, 0.03 * mean, "transmissions of a block");
            const auto& c = bench.sink->counters.front();
            NS_TEST_EXPECT_MSG_EQ(c.phy,
                                  c.retransmitted + c.padding + c.mac_header + c.rlc_header +
                                      c.pdcp_header + c.sdu_sent,
                                  "bytes on the air");
            NS_TEST_EXPECT_MSG_EQ(
                c.sdu_sent, c.sdu_delivered + c.sdu_lost + c.sdu_in_flight, "packets' bytes");
            Config::Reset();
        }
    }
};

/**
 * The outer loop moves down by d at a loss and up by d b/(1 - b) otherwise. After n first
 * transmissions, f of them lost, its offset is d [ (n - f) b/(1 - b) - f ], exactly; so f/n = b -
 * offset (1 - b) / (d n): as long as the offset stays within its limits, the rate goes to b.
 */
class NrOllaTestCase : public TestCase
{
  public:
    NrOllaTestCase()
        : TestCase("OLLA rests at the BLER target")
    {
    }

  private:
    void DoRun() override
    {
        for (const double target : {0.05, 0.1, 0.3})
        {
            // The thresholds are those of one code block, while the blocks here have up to three:
            // the loop has to make up for that.
            NrTestBench bench({.snrDb = {9.3},
                               .bler =
                                   [](uint32_t mcs, double snr) {
                                       const double over = snr - NrTestBench::Threshold(mcs);
                                       return 1.0 / (1.0 + std::exp(2.0 * over));
                                   },
                               .blerTarget = target,
                               .outerLoop = true});
            bench.Saturate(0);
            bench.Run(10.0);
            double first = 0;
            double lost = 0;
            for (const auto& slot : bench.sink->slots)
            {
                if (slot.redundancy_version == 0 && slot.t_s > 1.0)
                {
                    ++first;
                    lost += slot.ack == 0;
                }
            }
            // |change of the offset| < 20 dB by its limits, and in rest below 2 dB: 2 x 0.95 / (0.5
            // x 5000) < 0.001; and the loss of the last blocks without feedback adds 4 / 5000.
            NS_TEST_EXPECT_MSG_GT(first, 5000.0, "enough blocks");
            NS_TEST_EXPECT_MSG_EQ_TOL(lost / first, target, 0.005, "first transmissions lost");
        }
    }
};

/// The suite.
class NrRanTestSuite : public TestSuite
{
  public:
    NrRanTestSuite()
        : TestSuite("nr-ran", Type::SYSTEM)
    {
        AddTestCase(new NrRoundRobinTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrProportionalFairTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrHarqTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrOllaTestCase, TestCase::Duration::QUICK);
    }
};

NrRanTestSuite g_nrRanTestSuite; //!< registers itself

} // namespace
