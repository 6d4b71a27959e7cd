// SPDX-License-Identifier: GPL-2.0-only
#include "nr-file-source.h"
#include "nr-token-source.h"
#include "nr-video-source.h"
#include "nr-xr-source.h"

#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/test.h"
#include "ns3/uinteger.h"

#include <cmath>
#include <map>

using namespace ns3;

namespace
{

/// A packet that a source sent.
struct Sent
{
    double t;          //!< seconds
    uint32_t bytes;    //!< payload
    uint64_t message;  //!< number
    double importance; //!< of the packet
};

/// What a source sends in a time.
std::vector<Sent> Collect(Ptr<NrTrafficSource> source, double seconds)
{
    RngSeedManager::SetSeed(1);
    RngSeedManager::SetRun(1);
    source->AssignStreams(7);
    std::vector<Sent> sent;
    source->Configure(
        3,
        [&sent](uint32_t bytes, uint64_t message, double importance, double, Time) {
            sent.push_back({Simulator::Now().GetSeconds(), bytes, message, importance});
        },
        Time(0),
        Seconds(seconds));
    Simulator::Run();
    Simulator::Destroy();
    return sent;
}

/// Bytes and time of each message.
std::vector<std::pair<double, double>> Messages(const std::vector<Sent>& sent)
{
    std::map<uint64_t, std::pair<double, double>> messages;
    for (const auto& packet : sent)
    {
        auto& message = messages.try_emplace(packet.message, packet.t, 0.0).first->second;
        message.second += packet.bytes;
    }
    std::vector<std::pair<double, double>> out;
    for (const auto& [number, message] : messages)
    {
        out.push_back(message);
    }
    return out;
}

} // namespace

/**
 * NGMN's files: a log-normal size with mu 14.45 and sigma .35 has the mean exp(14.45 + .35^2 / 2) =
 * 2.005 MB, hardly less when cut at 5 MB; reading times 180 s. Published tolerance: 10 %. 2000
 * files: standard errors of 0.4 MB... sigma of the size .36 x 2 MB / sqrt(2000) < 1 %, of the
 * exponential 1 / sqrt(2000) = 2.2 %.
 */
class NrFilesTestCase : public TestCase
{
  public:
    NrFilesTestCase()
        : TestCase("Files: NGMN's sizes and reading times, 3GPP's Poisson process")
    {
    }

  private:
    void DoRun() override
    {
        auto ngmn = CreateObject<NrFileSource>();
        ngmn->SetAttribute("Rate", DoubleValue(0.0));
        ngmn->SetAttribute("FileBytes", UintegerValue(0));
        ngmn->SetAttribute("PacketBytes", UintegerValue(65507));
        const auto files = Messages(Collect(ngmn, 180.0 * 2000));
        NS_TEST_ASSERT_MSG_GT(files.size(), 1800, "files");
        double bytes = 0.0;
        for (const auto& file : files)
        {
            bytes += file.second;
            NS_TEST_EXPECT_MSG_LT_OR_EQ(file.second, 5e6, "largest");
        }
        const double count = double(files.size());
        NS_TEST_EXPECT_MSG_EQ_TOL(bytes / count, 2e6, 0.1 * 2e6, "mean size");
        const double reading = (files.back().first - files.front().first) / (count - 1);
        NS_TEST_EXPECT_MSG_EQ_TOL(reading, 180.0, 0.1 * 180.0, "mean reading time");

        auto ftp = CreateObject<NrFileSource>();
        ftp->SetAttribute("Rate", DoubleValue(2.0));
        const auto poisson = Messages(Collect(ftp, 1000.0));
        // 2000 arrivals, standard deviation sqrt(2000) = 45; five of them.
        NS_TEST_EXPECT_MSG_EQ_TOL(double(poisson.size()), 2000.0, 225.0, "Poisson arrivals");
        NS_TEST_EXPECT_MSG_EQ(poisson.front().second, 500000, "size");
    }
};

/**
 * NGMN's video: 8 packets in 100 ms; sizes of 100 bytes and spaces of 6 ms on average, as published
 * and rounded; exactly (1.2 x 40 - 40^1.2 x 250^-.2) / .2 = 101.4 and likewise 5.94. 4000 packets:
 * the size's standard deviation of 71 gives a standard error of 1.1, the space's of 3.4 gives .06.
 */
class NrVideoTestCase : public TestCase
{
  public:
    NrVideoTestCase()
        : TestCase("NGMN video: packets, sizes, spaces")
    {
    }

  private:
    void DoRun() override
    {
        const auto sent = Collect(CreateObject<NrVideoSource>(), 50.0);
        double bytes = 0.0;
        double space = 0.0;
        uint32_t spaces = 0;
        std::map<uint64_t, double> last;
        for (const auto& packet : sent)
        {
            bytes += packet.bytes;
            if (last.contains(packet.message))
            {
                space += packet.t - last[packet.message];
                ++spaces;
            }
            last[packet.message] = packet.t;
        }
        NS_TEST_EXPECT_MSG_EQ_TOL(double(last.size()), 500.0, 1.0, "frames");
        NS_TEST_EXPECT_MSG_EQ_TOL(double(sent.size()), 4000.0, 8.0, "packets");
        NS_TEST_EXPECT_MSG_EQ_TOL(bytes / double(sent.size()), 101.4, 5 * 1.1, "mean size");
        NS_TEST_EXPECT_MSG_EQ_TOL(space / spaces, 0.00594, 5 * 0.00006, "mean space");
    }
};

/**
 * XR: 30 Mbit/s at 60 Hz are frames of 62500 bytes, with a standard deviation of 10.5 % (cut at 50
 * and 150 %, far outside) and a jitter of 2 ms (cut at 4 ms: 1.76 ms are left of it). 3000 frames:
 * standard error of the mean .2 %, of a standard deviation 1.3 %.
 *
 * Groups of 8 with ratio 2: I frames of 2 x 62500 x 8 / 9 = 111111 bytes, others of half.
 */
class NrXrTestCase : public TestCase
{
  public:
    NrXrTestCase()
        : TestCase("XR: sizes, jitter, groups of pictures with importance")
    {
    }

  private:
    void DoRun() override
    {
        const auto frames = Messages(Collect(CreateObject<NrXrSource>(), 50.0));
        const double count = double(frames.size());
        NS_TEST_EXPECT_MSG_EQ_TOL(count, 3000.0, 2.0, "frames");
        double sum = 0.0;
        double squares = 0.0;
        double late = 0.0;
        double lateSquares = 0.0;
        for (std::size_t i = 0; i < frames.size(); ++i)
        {
            sum += frames[i].second;
            squares += frames[i].second * frames[i].second;
            const double offset = frames[i].first - double(i) / 60.0;
            late += offset;
            lateSquares += offset * offset;
        }
        const double mean = sum / count;
        const double deviation = std::sqrt(squares / count - mean * mean);
        const double jitter = std::sqrt(lateSquares / count - late * late / count / count);
        NS_TEST_EXPECT_MSG_EQ_TOL(mean, 62500.0, 5 * 0.002 * 62500.0, "mean size");
        NS_TEST_EXPECT_MSG_EQ_TOL(deviation, 6562.5, 5 * 0.013 * 6562.5, "deviation of sizes");
        // A normal cut at two standard deviations keeps sqrt(1 - 2 x 2 phi(2) / (2 Phi(2) - 1)) =
        // .880 of its own.
        NS_TEST_EXPECT_MSG_EQ_TOL(jitter, 0.00176, 5 * 0.013 * 0.00176, "jitter");

        auto groups = CreateObject<NrXrSource>();
        groups->SetAttribute("Group", UintegerValue(8));
        std::map<double, std::pair<double, std::map<uint64_t, int>>> kinds;
        for (const auto& packet : Collect(groups, 50.0))
        {
            kinds[packet.importance].first += packet.bytes;
            ++kinds[packet.importance].second[packet.message];
        }
        const double intra = kinds[1.0].first / double(kinds[1.0].second.size());
        const double other = kinds[0.5].first / double(kinds[0.5].second.size());
        // 375 I frames: standard error 10.5 % / sqrt(375) = .54 %.
        NS_TEST_EXPECT_MSG_EQ_TOL(intra, 111111.0, 5 * 0.0054 * 111111.0, "I frames");
        NS_TEST_EXPECT_MSG_EQ_TOL(other, 55556.0, 5 * 0.002 * 55556.0, "others");
        NS_TEST_EXPECT_MSG_EQ_TOL(
            double(kinds[0.5].second.size()) / double(kinds[1.0].second.size()), 7.0, 0.1, "group");
    }
};

/**
 * Tokens, 1a: 10 bursts a second of 8 packets of 4 tokens of 16 bytes; two of each are important.
 * 1b: answers of 8 packets on average, geometric, 50 ms apart.
 */
class NrTokenTestCase : public TestCase
{
  public:
    NrTokenTestCase()
        : TestCase("3GPP tokens: options 1a and 1b")
    {
    }

  private:
    void DoRun() override
    {
        const auto sent = Collect(CreateObject<NrTokenSource>(), 200.0);
        std::map<double, uint32_t> byImportance;
        for (const auto& packet : sent)
        {
            NS_TEST_EXPECT_MSG_EQ(packet.bytes, 64, "four tokens");
            ++byImportance[packet.importance];
        }
        // 2000 bursts, standard deviation sqrt(2000) = 45.
        NS_TEST_EXPECT_MSG_EQ_TOL(double(sent.size()) / 8.0, 2000.0, 225.0, "bursts");
        NS_TEST_EXPECT_MSG_EQ(byImportance[0.5], 3 * byImportance[1.0], "two of eight");

        auto sessions = CreateObject<NrTokenSource>();
        sessions->SetAttribute("Sessions", BooleanValue(true));
        const auto answers = Messages(Collect(sessions, 20000.0));
        double packets = 0.0;
        for (const auto& answer : answers)
        {
            packets += answer.second / 64.0;
        }
        // A geometric number of mean 8 has a standard deviation of sqrt(56) = 7.5; some 3500
        // answers: standard error .13. A session lasts 5 + .3 + 7 x .05 = 5.65 s on average.
        NS_TEST_EXPECT_MSG_EQ_TOL(packets / double(answers.size()), 8.0, 5 * 0.13, "packets");
        NS_TEST_EXPECT_MSG_EQ_TOL(
            double(answers.size()), 20000.0 / 5.65, 5 * 20000.0 / 5.65 * 0.016, "answers");
    }
};

/// The suite.
class NrTrafficTestSuite : public TestSuite
{
  public:
    NrTrafficTestSuite()
        : TestSuite("nr-traffic", Type::UNIT)
    {
        AddTestCase(new NrFilesTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrVideoTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrXrTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrTokenTestCase, TestCase::Duration::QUICK);
    }
};

static NrTrafficTestSuite g_nrTrafficTestSuite; //!< registers itself
