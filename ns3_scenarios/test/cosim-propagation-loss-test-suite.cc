// SPDX-License-Identifier: GPL-2.0-only
#include "cosim-channel-links.h"
#include "cosim-propagation-loss-model.h"
#include "cosim-spectrum-propagation-loss-model.h"

#include "ns3/constant-position-mobility-model.h"
#include "ns3/double.h"
#include "ns3/node.h"
#include "ns3/pointer.h"
#include "ns3/simulator.h"
#include "ns3/spectrum-signal-parameters.h"
#include "ns3/test.h"

#include <cmath>
#include <stdexcept>
#include <string>

using namespace ns3;

namespace
{

constexpr double CARRIER_HZ = 2e9;
constexpr double PRB_HZ = 180e3;

/// Two cells, two UEs, four PRBs: (1, 2, 3, 4) x 1e-10 x (1 + 10 cell + 100 ue), doubled from 1 s
/// on; a thousandth of that as interferer.
class SlopedSource : public NrChannelSource
{
  public:
    void Advance(Time now) override
    {
        const double scale = now < Seconds(1) ? 1e-10 : 2e-10;
        for (uint32_t cell = 0; cell < 2; ++cell)
        {
            for (uint32_t ue = 0; ue < 2; ++ue)
            {
                for (uint32_t prb = 0; prb < 4; ++prb)
                {
                    const double gain = scale * (prb + 1) * (1.0 + 10.0 * cell + 100.0 * ue);
                    m_gains[cell][ue][prb] = static_cast<float>(gain);
                    m_interference[cell][ue][prb] = static_cast<float>(1e-3 * gain);
                }
            }
        }
    }

    std::span<const float> GetGains(uint32_t cell, uint32_t ue, uint32_t) const override
    {
        return m_gains[cell][ue];
    }

    std::span<const float> GetInterference(uint32_t cell, uint32_t ue) const override
    {
        return m_interference[cell][ue];
    }

    uint32_t GetLayers() const override
    {
        return 1;
    }

  private:
    float m_gains[2][2][4]{};        //!< [cell][ue][prb]
    float m_interference[2][2][4]{}; //!< [cell][ue][prb]
};

/// Two cells, two UEs and a stranger, which know each other from a SlopedSource.
class Bench
{
  public:
    Bench()
    {
        links->SetSource(CreateObject<SlopedSource>(), 2, 2);
        for (auto& node : nodes)
        {
            node = CreateObject<Node>();
            node->AggregateObject(CreateObject<ConstantPositionMobilityModel>());
        }
        links->AddCell(nodes[0], 0);
        links->AddCell(nodes[1], 1);
        links->AddUe(nodes[2], 0);
        links->AddUe(nodes[3], 1);
        spectrum->SetAttribute("Links", PointerValue(links));
        spectrum->SetAttribute("CarrierFrequency", DoubleValue(CARRIER_HZ));
        spectrum->SetAttribute("PrbBandwidth", DoubleValue(PRB_HZ));
        plain->SetAttribute("Links", PointerValue(links));
    }

    ~Bench()
    {
        Simulator::Destroy();
    }

    Ptr<MobilityModel> At(std::size_t node) const
    {
        return nodes[node]->GetObject<MobilityModel>();
    }

    /// \return gains in units of 1e-10 of bands that follow each other
    std::vector<double> Gains(double lowestHz,
                              double widthHz,
                              std::size_t count,
                              std::size_t from = 0,
                              std::size_t to = 2,
                              double density = 1e-9) const
    {
        Bands bands;
        for (std::size_t i = 0; i < count; ++i)
        {
            const double low = lowestHz + static_cast<double>(i) * widthHz;
            bands.push_back({low, low + widthHz / 2, low + widthHz});
        }
        auto params = Create<SpectrumSignalParameters>();
        params->psd = Create<SpectrumValue>(Create<SpectrumModel>(bands));
        *params->psd = density;
        const auto psd = spectrum->CalcRxPowerSpectralDensity(params, At(from), At(to));
        std::vector<double> gains;
        for (auto value = psd->ConstValuesBegin(); value != psd->ConstValuesEnd(); ++value)
        {
            gains.push_back(density > 0 ? *value / density * 1e10 : *value);
        }
        return gains;
    }

    Ptr<CosimChannelLinks> links{CreateObject<CosimChannelLinks>()}; //!< of the nodes
    Ptr<CosimPropagationLossModel> plain{CreateObject<CosimPropagationLossModel>()};
    Ptr<CosimSpectrumPropagationLossModel> spectrum{
        CreateObject<CosimSpectrumPropagationLossModel>()};
    std::array<Ptr<Node>, 5> nodes; //!< cell 0, cell 1, UE 0, UE 1, a stranger
};

/// \return the words of the error that an action ends with; empty if it does not
template <typename Action> std::string ErrorOf(Action action)
{
    try
    {
        action();
    }
    catch (const std::exception& error)
    {
        return error.what();
    }
    return "";
}

/// Gains of bands, by hand: PRB i has the gain i + 1 at 2 GHz + (i - 1.5) x 180 kHz.
class BandsTestCase : public TestCase
{
  public:
    BandsTestCase()
        : TestCase("Gains of PRBs on the bands of other spectrum models")
    {
    }

  private:
    void Check(const std::vector<double>& gains,
               const std::vector<double>& expected,
               const char* of)
    {
        NS_TEST_ASSERT_MSG_EQ(gains.size(), expected.size(), of);
        for (std::size_t i = 0; i < expected.size(); ++i)
        {
            // Gains are single precision.
            NS_TEST_EXPECT_MSG_EQ_TOL(
                gains[i], expected[i], 1e-6 * (1 + expected[i]), of << ", band " << i);
        }
    }

    void DoRun() override
    {
        Bench bench;
        const double low = CARRIER_HZ - 2 * PRB_HZ;
        Check(bench.Gains(low, PRB_HZ, 4), {1, 2, 3, 4}, "the channel's own PRBs");
        Check(bench.Gains(low, 2 * PRB_HZ, 2), {1.5, 3.5}, "twice as wide");
        Check(bench.Gains(low, 4 * PRB_HZ, 1), {2.5}, "the whole carrier");
        // A band of 1.5 PRBs: PRB 0 and half of PRB 1, then half of PRB 1 and PRB 2.
        Check(bench.Gains(low, 1.5 * PRB_HZ, 2), {2.0 / 1.5, 4.0 / 1.5}, "one and a half PRBs");
        // Centres at -1/4, 1/4, 3/4, ... of the way from centre to centre; the ends are held.
        Check(bench.Gains(low, PRB_HZ / 2, 8),
              {1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4},
              "half as wide");
        Check(bench.Gains(low + PRB_HZ / 2, PRB_HZ, 4), {1.5, 2.5, 3.5, 4}, "half a PRB off");
        // Three PRBs below and one inside: (3 x 1 + 1) / 4; then 2, 3, 4 and one above: 13 / 4.
        Check(bench.Gains(low - 3 * PRB_HZ, 4 * PRB_HZ, 2), {1, 3.25}, "over both ends");
        Check(bench.Gains(low - 8 * PRB_HZ, PRB_HZ / 4, 2), {1, 1}, "guard bands below");
        Check(bench.Gains(low + 11 * PRB_HZ, PRB_HZ / 4, 2), {4, 4}, "guard bands above");
        const auto error = ErrorOf([&] { bench.Gains(CARRIER_HZ + 11 * PRB_HZ, PRB_HZ, 1); });
        NS_TEST_EXPECT_MSG_NE(error.find("CarrierFrequency"), std::string::npos, error);
        Check(bench.Gains(CARRIER_HZ + 1e6 * PRB_HZ, PRB_HZ, 1, 0, 2, 0.0), {0}, "no power there");
    }
};

/// Which link a pair is, and what becomes of pairs that are none.
class PairsTestCase : public TestCase
{
  public:
    PairsTestCase()
        : TestCase("Links of pairs of nodes")
    {
    }

  private:
    void DoRun() override
    {
        Bench bench;
        const double low = CARRIER_HZ - 2 * PRB_HZ;
        const auto first = [&](std::size_t from, std::size_t to) {
            return bench.Gains(low, PRB_HZ, 4, from, to)[0];
        };
        // 1 + 10 cell + 100 UE
        NS_TEST_EXPECT_MSG_EQ_TOL(first(0, 2), 1, 1e-5, "cell 0, UE 0");
        NS_TEST_EXPECT_MSG_EQ_TOL(first(1, 2), 11, 1e-5, "cell 1, UE 0");
        NS_TEST_EXPECT_MSG_EQ_TOL(first(0, 3), 101, 1e-4, "cell 0, UE 1");
        NS_TEST_EXPECT_MSG_EQ_TOL(first(1, 3), 111, 1e-4, "cell 1, UE 1");
        NS_TEST_EXPECT_MSG_EQ(first(3, 1), first(1, 3), "uplink and downlink are alike");
        bench.links->SetServingCell(0, 0);
        NS_TEST_EXPECT_MSG_EQ_TOL(first(0, 2), 1, 1e-5, "the serving cell");
        NS_TEST_EXPECT_MSG_EQ_TOL(first(1, 2), 0.011, 1e-8, "another cell, as interferer");
        // The mean of 1, 2, 3, 4 is 2.5: 20 dBm - 100 dB + 3.979 dB.
        NS_TEST_EXPECT_MSG_EQ_TOL(bench.plain->CalcRxPower(20, bench.At(0), bench.At(2)),
                                  -80.0 + 10 * std::log10(2.5),
                                  1e-5,
                                  "mean over PRBs");
        // Twice the gain from 1 s on: 3.01 dB more.
        double later = 0;
        Simulator::Schedule(
            Seconds(1), [&] { later = bench.plain->CalcRxPower(20, bench.At(2), bench.At(0)); });
        Simulator::Run();
        NS_TEST_EXPECT_MSG_EQ_TOL(later, -80.0 + 10 * std::log10(5.0), 1e-5, "a later sample");
        Strangers(bench);
    }

    void Strangers(Bench& bench)
    {
        const auto pair = [&](std::size_t from, std::size_t to) {
            return ErrorOf([&] { bench.plain->CalcRxPower(0, bench.At(from), bench.At(to)); });
        };
        for (const auto& error : {pair(2, 3), pair(0, 1), pair(4, 0)})
        {
            NS_TEST_EXPECT_MSG_NE(error.find("no link between node"), std::string::npos, error);
            NS_TEST_EXPECT_MSG_NE(error.find("Fallback"), std::string::npos, error);
        }
        auto loss = CreateObject<FixedRssLossModel>();
        loss->SetRss(-30);
        bench.links->SetAttribute("Fallback", PointerValue(loss));
        NS_TEST_EXPECT_MSG_EQ_TOL(bench.plain->CalcRxPower(0, bench.At(2), bench.At(3)),
                                  -30.0,
                                  1e-9,
                                  "the fallback's loss");
        const double flat = bench.Gains(CARRIER_HZ, PRB_HZ, 2, 4, 2)[1];
        NS_TEST_EXPECT_MSG_EQ_TOL(flat * 1e-10, 1e-3, 1e-9, "on all bands");
        for (const auto& error : {ErrorOf([&] { bench.links->AddCell(bench.nodes[4], 2); }),
                                  ErrorOf([&] { bench.links->AddUe(bench.nodes[4], 2); }),
                                  ErrorOf([&] { bench.links->AddUe(bench.nodes[0], 1); }),
                                  ErrorOf([&] { bench.links->SetServingCell(0, 2); }),
                                  ErrorOf([&] {
                                      CreateObject<CosimPropagationLossModel>()->CalcRxPower(
                                          0, bench.At(0), bench.At(2));
                                  })})
        {
            NS_TEST_EXPECT_MSG_EQ(error.empty(), false, "what does not fit is refused");
        }
    }
};

/// The suite.
class CosimPropagationLossTestSuite : public TestSuite
{
  public:
    CosimPropagationLossTestSuite()
        : TestSuite("cosim-propagation-loss", Type::UNIT)
    {
        AddTestCase(new BandsTestCase, TestCase::Duration::QUICK);
        AddTestCase(new PairsTestCase, TestCase::Duration::QUICK);
    }
};

CosimPropagationLossTestSuite g_cosimPropagationLossTestSuite; //!< registers itself

} // namespace
