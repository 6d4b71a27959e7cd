// SPDX-License-Identifier: GPL-2.0-only
#include "nr-constant-channel-source.h"
#include "nr-event-a3.h"
#include "nr-interference.h"
#include "nr-rsrp-measurement.h"
#include "nr-simulation.h"
#include "nr-test-bench.h"

#include "ns3/boolean.h"
#include "ns3/config.h"
#include "ns3/double.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/test.h"
#include "ns3/uinteger.h"

#include <cmath>

using namespace ns3;

namespace
{

constexpr uint32_t PRBS = 25;
constexpr double FLOAT_ROUNDING = 1e-7; // gains are floats, with 6e-8 of relative rounding

/// A network with two cells on the 5 MHz FDD carrier of the bench.
class TwoCells
{
  public:
    explicit TwoCells(const std::string& flows, double seconds = 2.0)
        : sink(Create<KeepingSink>())
    {
        RngSeedManager::SetSeed(1);
        RngSeedManager::SetRun(1);
        auto carrier = CreateObject<NrCarrier>();
        carrier->SetAttribute("Numerology", UintegerValue(0));
        carrier->SetAttribute("Prbs", UintegerValue(PRBS));
        carrier->SetAttribute("TddPattern", StringValue(""));
        carrier->Initialize();
        auto phy = NrTestBench::MakePhy(carrier, [](uint32_t mcs, double snrDb) {
            return 1.0 / (1.0 + std::exp(2.0 * (snrDb - NrTestBench::Threshold(mcs))));
        });
        auto channel = Create<CrossingChannel>(PRBS, Seconds(seconds));
        const auto setup = SimulationSetup::Parse("duration_s " + std::to_string(seconds) +
                                                  "\ncell 0 0 0 10\ncell 1 400 0 10\n"
                                                  "ue 0 100 0 1.5 cell=0\n" +
                                                  flows);
        const NrBandwidthPart part{carrier, phy, channel};
        simulation = std::make_unique<NrSimulation>(setup, std::vector{part}, sink);
    }

    ~TwoCells()
    {
        simulation.reset();
        Simulator::Destroy();
        Config::Reset();
    }

    Ptr<KeepingSink> sink;                    //!< records
    std::unique_ptr<NrSimulation> simulation; //!< the network
};

} // namespace

/**
 * A UE 20 dB over the noise alone; a second cell at the same distance sends in all PRBs: SINR = 1 /
 * (1 + 1/100) = -0.043 dB. And with PRBs 0 to 9 in use only, exactly these are disturbed. The gnb's
 * power of a PRB is 1 mW and kTB of 180 kHz is the noise.
 */
class NrInterferenceTestCase : public TestCase
{
  public:
    NrInterferenceTestCase()
        : TestCase("Interference per PRB from what is sent; bounded sets and the rest as noise")
    {
    }

  private:
    void DoRun() override
    {
        auto channel = CreateObject<NrConstantChannelSource>();
        // Four cells at UE 0: 1, .1, .01, .001; UE 1 is served by cell 1.
        channel->SetGains(PRBS, {{1.0, .5}, {.1, 1.0}, {.01, .05}, {.001, .005}});
        auto all = CreateObject<NrInterference>();
        all->Configure(channel, 4, PRBS);
        all->BeginSlot(true, true);
        all->NoteDownlink(1, 0, 10, 2.0);
        all->NoteDownlink(2, 5, 10, 2.0);
        all->NoteUplink(1, 1, 3, 2, 4.0);
        std::vector<double> power(20, 0.0);
        all->AddDownlink(0, 0, 2, power); // PRBs 2 to 21
        for (uint32_t i = 0; i < power.size(); ++i)
        {
            const uint32_t prb = i + 2;
            const double expected =
                (prb < 10 ? 2.0 * .1 : 0.0) + (prb >= 5 && prb < 15 ? 2.0 * .01 : 0.0);
            NS_TEST_EXPECT_MSG_EQ_TOL(power[i], expected, FLOAT_ROUNDING, "downlink, PRB " << prb);
        }
        power.assign(PRBS, 0.0);
        all->AddUplink(0, 0, power);
        for (uint32_t prb = 0; prb < PRBS; ++prb)
        {
            const double expected = prb == 3 || prb == 4 ? 4.0 * .5 : 0.0;
            NS_TEST_EXPECT_MSG_EQ_TOL(power[prb], expected, FLOAT_ROUNDING, "uplink, PRB " << prb);
        }
        all->BeginSlot(true, true);
        power.assign(PRBS, 0.0);
        all->AddDownlink(0, 0, 0, power);
        NS_TEST_EXPECT_MSG_EQ(power[0], 0.0, "a new slot is empty");

        // One exact interferer: the strongest; the others' load (all 25 PRBs with 2 W, always) is
        // noise: 2 x (.01 + .001).
        auto bounded = CreateObject<NrInterference>();
        bounded->SetAttribute("MaxInterferers", UintegerValue(1));
        bounded->SetAttribute("AverageSlots", DoubleValue(1.0));
        bounded->Configure(channel, 4, PRBS);
        NS_TEST_EXPECT_MSG_EQ(bounded->IsBounded(), true, "four cells, one interferer");
        for (int slot = 0; slot < 3; ++slot)
        {
            bounded->BeginSlot(true, false);
            for (const uint32_t cell : {1, 2, 3})
            {
                bounded->NoteDownlink(cell, 0, PRBS, 2.0);
            }
        }
        bounded->Update(0, 0, {1.0, .1, .01, .001});
        NS_TEST_ASSERT_MSG_EQ(bounded->GetInterferers(0).size(), 1, "one");
        NS_TEST_EXPECT_MSG_EQ(bounded->GetInterferers(0)[0], 1, "the strongest");
        power.assign(PRBS, 0.0);
        bounded->AddDownlink(0, 0, 0, power);
        NS_TEST_EXPECT_MSG_EQ_TOL(
            power[7], 2.0 * .1 + 2.0 * (.01 + .001), FLOAT_ROUNDING, "with noise");
    }
};

/**
 * The filter: with k = 4, a = 1/2 for a measurement every 200 ms; after a step of 10 dB, 200 ms
 * later half of it is left, whatever the period. The event: Off 3, Hys 1, TTT 160 ms.
 */
class NrMeasurementTestCase : public TestCase
{
  public:
    NrMeasurementTestCase()
        : TestCase("Layer-3 filter and event A3")
    {
    }

  private:
    void DoRun() override
    {
        for (const int periodMs : {200, 40, 10})
        {
            auto measurement = CreateObject<NrRsrpMeasurement>();
            measurement->SetPeriod(MilliSeconds(periodMs));
            measurement->Measure({-100.0});
            for (int t = periodMs; t <= 200; t += periodMs)
            {
                measurement->Measure({-90.0});
            }
            NS_TEST_EXPECT_MSG_EQ_TOL(measurement->Get()[0], -95.0, 1e-9, "period " << periodMs);
        }
        auto event = CreateObject<NrEventA3>();
        const auto at = [&event](int ms, double neighbour) {
            return event->Evaluate(MilliSeconds(ms), 0, {-100.0, neighbour}).has_value();
        };
        NS_TEST_EXPECT_MSG_EQ(at(0, -96.5), false, "better by 3.5 dB: not in (3 + 1)");
        NS_TEST_EXPECT_MSG_EQ(at(40, -95.9), false, "in, since now");
        NS_TEST_EXPECT_MSG_EQ(at(120, -97.5), false, "still in: above 3 - 1");
        NS_TEST_EXPECT_MSG_EQ(at(199, -97.5), false, "159 ms");
        NS_TEST_EXPECT_MSG_EQ(at(200, -97.5), true, "160 ms");
        NS_TEST_EXPECT_MSG_EQ(at(240, -98.1), false, "left");
        NS_TEST_EXPECT_MSG_EQ(at(280, -95.9), false, "in again, from the beginning");
        NS_TEST_EXPECT_MSG_EQ(at(440, -95.9), true, "160 ms later");
    }
};

/**
 * A UE walks from cell 0 to cell 1 in 2 s, gains going from -90 to -120 dB and back. At time t the
 * neighbour is better by 30 t - 30 dB; unfiltered (k = 0) it enters at 30 t > 34, t = 1.134, found
 * at the measurement at 1.16 s; 160 ms later it is reported, 1.32 s; prepared for 20 ms and out of
 * reach for 30 ms: the first block in cell 1 at 1.37 s. In between nothing is sent.
 *
 * In acknowledged mode no packet is lost and, with order asked for, none is out of order; bytes
 * still add up.
 */
class NrHandoverTestCase : public TestCase
{
  public:
    NrHandoverTestCase()
        : TestCase("Handover: times, lossless forwarding in AM, path switch, bytes")
    {
    }

  private:
    void DoRun() override
    {
        for (const std::string mode : {"am", "um"})
        {
            Config::SetDefault("ns3::NrHandoverController::Enabled", BooleanValue(true));
            Config::SetDefault("ns3::NrRsrpMeasurement::FilterCoefficient", UintegerValue(0));
            std::string flows;
            for (const std::string way : {"dl", "ul"})
            {
                const std::string number = way == "dl" ? "1" : "2";
                flows +=
                    "flow " + number + " ue=0 direction=" + way + " port=500" + number +
                    " kind=cbr rate_bps=1e6 packet_bytes=500 start_s=0 stop_s=1.7 rlc=" + mode +
                    " in_order=1\n";
            }
            TwoCells bench(flows);
            bench.simulation->Run();
            NS_TEST_EXPECT_MSG_EQ(
                bench.simulation->GetParts()[0]->GetHandoverController()->GetHandovers(),
                1,
                "one handover");
            NS_TEST_EXPECT_MSG_GT(bench.simulation->GetForwardedPackets(), 0, "forwarded");
            double last = 0.0;
            double first = 0.0;
            for (const auto& slot : bench.sink->slots)
            {
                last = slot.cell == 0 ? slot.t_s : last;
                first = slot.cell == 1 && first == 0.0 ? slot.t_s : first;
            }
            NS_TEST_EXPECT_MSG_LT(last, 1.340 + 1e-9, "leaves");
            NS_TEST_EXPECT_MSG_GT(last, 1.330, "not earlier");
            NS_TEST_EXPECT_MSG_EQ_TOL(first, 1.370, 1e-9, "arrives");
            uint64_t latest[2] = {0, 0};
            for (const auto& packet : bench.sink->packets)
            {
                const auto event = static_cast<cosim::sim::PacketEvent>(packet.event);
                if (event == cosim::sim::PacketEvent::DELIVER)
                {
                    NS_TEST_EXPECT_MSG_GT(packet.packet_id, latest[packet.direction], "in order");
                    latest[packet.direction] = packet.packet_id;
                }
                if (event == cosim::sim::PacketEvent::DROP && mode == "am")
                {
                    NS_TEST_EXPECT_MSG_EQ(packet.reason, 0, "a packet was lost");
                }
            }
            for (const auto& c : bench.sink->counters)
            {
                NS_TEST_EXPECT_MSG_EQ(c.phy,
                                      c.retransmitted + c.padding + c.mac_header + c.rlc_header +
                                          c.pdcp_header + c.sdu_sent,
                                      "bytes on the air");
                NS_TEST_EXPECT_MSG_EQ(
                    c.sdu_sent, c.sdu_delivered + c.sdu_lost + c.sdu_in_flight, "packets' bytes");
                NS_TEST_EXPECT_MSG_EQ(
                    c.sdu_delivered, c.app_delivered + c.ip_udp_header, "at the application");
                // 1 Mbit/s of 500 bytes for 1.7 s: a packet every 4 ms from 0 on, 425 in all.
                if (mode == "am")
                {
                    NS_TEST_EXPECT_MSG_EQ(c.app_delivered, 425 * 500, "everything arrived");
                }
            }
        }
    }
};

/// The suite.
class NrCellsTestSuite : public TestSuite
{
  public:
    NrCellsTestSuite()
        : TestSuite("nr-cells", Type::SYSTEM)
    {
        AddTestCase(new NrInterferenceTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrMeasurementTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrHandoverTestCase, TestCase::Duration::QUICK);
    }
};

static NrCellsTestSuite g_nrCellsTestSuite; //!< registers itself
