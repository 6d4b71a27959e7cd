// SPDX-License-Identifier: GPL-2.0-only
#include "nr-mcs-table.h"
#include "nr-test-bench.h"

#include "ns3/config.h"
#include "ns3/simulator.h"
#include "ns3/test.h"
#include "ns3/uinteger.h"

#include <cmath>

using namespace ns3;

namespace
{

/// \return information bits a symbol of MCS table 1
double Efficiency(uint32_t mcs)
{
    const auto& table = NrMcsTable::Get(1);
    return table.GetModulationOrder(static_cast<uint8_t>(mcs)) *
           table.GetCodeRate(static_cast<uint8_t>(mcs));
}

/**
 * With r equal layers every layer has the SINR of one less 10 log10 r, and thresholds are a dB
 * apart, MCS 0 at -6 dB. So the rank is that of the greatest r x efficiency(floor(SNR - 10 log10 r
 * + 6)), and where a rank misses MCS 0 it is out.
 */
class NrRankTestCase : public TestCase
{
  public:
    NrRankTestCase()
        : TestCase("Layers: the rank of the most bits")
    {
    }

  private:
    void DoRun() override
    {
        for (const double snrDb : {-5.5, 0.5, 5.5, 12.5, 22.5})
        {
            for (const bool uplink : {false, true})
            {
                uint32_t rank = 1;
                uint32_t mcs = 0;
                double most = 0.0;
                for (uint32_t r = 1; r <= (uplink ? 2 : 4); ++r)
                {
                    const double layerDb = snrDb - 10.0 * std::log10(r);
                    const int highest = std::min(static_cast<int>(std::floor(layerDb + 6.0)), 28);
                    if (highest >= 0 && r * Efficiency(highest) > most)
                    {
                        most = r * Efficiency(highest);
                        rank = r;
                        mcs = static_cast<uint32_t>(highest);
                    }
                }
                // A bench resets all defaults at its end.
                Config::SetDefault("ns3::NrRan::MaxLayers", UintegerValue(4));
                Config::SetDefault("ns3::NrRan::MaxUlLayers", UintegerValue(2));
                NrTestBench bench({.snrDb = {snrDb}, .bler = NrTestBench::Step, .layers = 4});
                bench.Saturate(0, 1000, uplink);
                bench.Run(0.05);
                const auto& last = bench.sink->slots.back();
                NS_TEST_EXPECT_MSG_EQ(uint32_t(last.layers), rank, snrDb << " dB");
                NS_TEST_EXPECT_MSG_EQ(uint32_t(last.mcs), mcs, snrDb << " dB");
                NS_TEST_EXPECT_MSG_EQ(last.ack, 1, "decoded");
                NS_TEST_EXPECT_MSG_EQ_TOL(
                    last.sinr_eff_db, snrDb - 10.0 * std::log10(rank), 1e-3, "SINR of a layer");
                NS_TEST_EXPECT_MSG_EQ(last.tbs_bits,
                                      bench.carrier->GetTransportBlockBits(
                                          NrTestBench::PRBS, 13, rank, static_cast<uint8_t>(mcs)),
                                      "bits of all layers");
            }
        }
    }
};

/// A flat channel that falls by some dB at a time.
class FallingChannel : public NrChannelSource
{
  public:
    void Advance(Time now) override
    {
        const double gain = now < MilliSeconds(100) ? m_before : m_after;
        m_gains.assign(NrTestBench::PRBS, static_cast<float>(gain));
    }

    std::span<const float> GetGains(uint32_t, uint32_t, uint32_t) const override
    {
        return m_gains;
    }

    uint32_t GetLayers() const override
    {
        return 1;
    }

    double m_before{0.0};       //!< gain until 100 ms
    double m_after{0.0};        //!< gain from then on
    std::vector<float> m_gains; //!< now
};

/**
 * The channel falls from 22.5 dB to 12.5 dB in slot 100. Reports are measured in slots 0, P, 2 P,
 * ... and used D slots later: blocks keep the old MCS, and are lost, until slot P ceil(100 / P) +
 * D.
 */
class NrAgeTestCase : public TestCase
{
  public:
    NrAgeTestCase()
        : TestCase("Reports are used when they are old")
    {
    }

  private:
    void DoRun() override
    {
        for (const auto& [period, delay] :
             {std::pair{10, 4}, std::pair{16, 4}, std::pair{1, 0}, std::pair{40, 9}})
        {
            Config::SetDefault("ns3::NrRan::CqiPeriod", UintegerValue(period));
            Config::SetDefault("ns3::NrLinkAdaptation::DelaySlots", UintegerValue(delay));
            auto channel = CreateObject<FallingChannel>();
            channel->m_before = NrTestBench::Gain(22.5);
            channel->m_after = NrTestBench::Gain(12.5);
            NrTestBench bench(
                {.snrDb = {22.5}, .bler = NrTestBench::Step, .maxHarqTx = 1, .channel = channel});
            bench.Saturate(0);
            bench.Run(0.2);
            const int first = period * ((100 + period - 1) / period) + delay;
            for (const auto& block : bench.sink->slots)
            {
                const auto slot = static_cast<int>(std::lround(block.t_s * 1e3));
                if (slot >= delay)
                {
                    NS_TEST_EXPECT_MSG_EQ(uint32_t(block.mcs),
                                          (slot < first ? 28U : 18U),
                                          "slot " << slot << ", period " << period);
                    NS_TEST_EXPECT_MSG_EQ(
                        block.ack, (slot < 100 || slot >= first), "slot " << slot);
                }
            }
        }
    }
};

/// The first and last rows, and lengths, of TS 38.214 tables 5.1.3.1-1 to -3.
class NrMcsTablesTestCase : public TestCase
{
  public:
    NrMcsTablesTestCase()
        : TestCase("MCS tables")
    {
    }

  private:
    void DoRun() override
    {
        struct Expected
        {
            uint32_t size;  //!< indices
            uint32_t order; //!< bits a symbol of the last
            double first;   //!< code rate x 1024 of the first
            double last;    //!< code rate x 1024 of the last
        };

        const Expected tables[] = {{29, 6, 120, 948}, {28, 8, 120, 948}, {29, 6, 30, 772}};
        for (uint32_t number = 1; number <= 3; ++number)
        {
            const auto& table = NrMcsTable::Get(number);
            const auto& expected = tables[number - 1];
            const auto last = static_cast<uint8_t>(expected.size - 1);
            NS_TEST_EXPECT_MSG_EQ(table.GetSize(), expected.size, "table " << number);
            NS_TEST_EXPECT_MSG_EQ(uint32_t(table.GetModulationOrder(last)), expected.order, number);
            NS_TEST_EXPECT_MSG_EQ_TOL(table.GetCodeRate(0) * 1024, expected.first, 1e-9, number);
            NS_TEST_EXPECT_MSG_EQ_TOL(table.GetCodeRate(last) * 1024, expected.last, 1e-9, number);
            for (uint8_t mcs = 1; mcs <= last; ++mcs)
            {
                // The standard's own exceptions: table 1 has the same efficiency at 16 and 17.
                const double now = table.GetModulationOrder(mcs) * table.GetCodeRate(mcs);
                const uint8_t below = mcs - 1;
                const double before = table.GetModulationOrder(below) * table.GetCodeRate(below);
                NS_TEST_EXPECT_MSG_EQ((now > before - 0.01), true, "efficiency rises");
            }
        }
    }
};

/// The suite.
class NrLinkAdaptationTestSuite : public TestSuite
{
  public:
    NrLinkAdaptationTestSuite()
        : TestSuite("nr-link-adaptation", Type::UNIT)
    {
        AddTestCase(new NrRankTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrAgeTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrMcsTablesTestCase, TestCase::Duration::QUICK);
    }
};

NrLinkAdaptationTestSuite g_nrLinkAdaptationTestSuite; //!< registers itself

} // namespace
