// SPDX-License-Identifier: GPL-2.0-only
#include "nr-link-adaptation.h"
#include "nr-pf-scheduler.h"
#include "nr-rr-scheduler.h"

#include "ns3/double.h"
#include "ns3/test.h"

#include <cmath>
#include <random>
#include <vector>

using namespace ns3;

namespace
{

constexpr uint32_t PRBS = 51;
constexpr double AVERAGE_SLOTS = 100.0;

/// What a number of slots gave to each UE.
struct Outcome
{
    std::vector<double> prbs;  //!< PRBs of each UE
    std::vector<double> bytes; //!< bytes of each UE
};

/// Lets full-buffer UEs with constant channels share many slots.
Outcome ShareSlots(Ptr<NrScheduler> scheduler, const std::vector<double>& bytesPerPrb, int slots)
{
    const std::size_t ues = bytesPerPrb.size();
    Outcome outcome{std::vector<double>(ues), std::vector<double>(ues)};
    std::vector<double> average(ues);
    for (int slot = 0; slot < slots; ++slot)
    {
        std::vector<NrCandidate> candidates(ues);
        for (std::size_t i = 0; i < ues; ++i)
        {
            candidates[i].ue = static_cast<uint32_t>(i);
            candidates[i].bytesPerPrb = bytesPerPrb[i];
            candidates[i].demandBytes = 1'000'000;
            candidates[i].maxPrbs = PRBS;
            candidates[i].averageRate = average[i];
        }
        std::vector<uint32_t> shares(ues);
        scheduler->Share(candidates, PRBS, shares);
        for (std::size_t i = 0; i < ues; ++i)
        {
            const double served = shares[i] * bytesPerPrb[i];
            outcome.prbs[i] += shares[i];
            outcome.bytes[i] += served;
            average[i] += (served - average[i]) / AVERAGE_SLOTS;
        }
    }
    return outcome;
}

} // namespace

/**
 * Round robin gives every UE the same PRBs, whatever its channel.
 */
class NrRrSharesTestCase : public TestCase
{
  public:
    NrRrSharesTestCase()
        : TestCase("Round robin: equal PRBs")
    {
    }

  private:
    void DoRun() override
    {
        // 51 PRBs among 4 UEs: 12 or 13 each; over 4000 slots the odd ones go round, 51 * 1000.
        const auto outcome = ShareSlots(CreateObject<NrRrScheduler>(), {10, 20, 40, 80}, 4000);
        for (const double prbs : outcome.prbs)
        {
            NS_TEST_EXPECT_MSG_EQ_TOL(prbs, 51000.0, 51.0, "within a slot's PRBs");
        }
    }
};

/**
 * Proportional fair: with constant channels every UE gets the same time, so the same PRBs, and
 * rates in proportion to the channels (the stationary point of max r / T at which r_i / T_i is the
 * same for all i: T_i = a_i r_i, so all a_i are equal).
 */
class NrPfSharesTestCase : public TestCase
{
  public:
    NrPfSharesTestCase()
        : TestCase("Proportional fair: equal time")
    {
    }

  private:
    void DoRun() override
    {
        constexpr int SLOTS = 9000;
        const auto equal = ShareSlots(CreateObject<NrPfScheduler>(), {30, 30, 30}, SLOTS);
        const auto unequal = ShareSlots(CreateObject<NrPfScheduler>(), {10, 20, 80}, SLOTS);
        const double third = PRBS * SLOTS / 3.0;
        for (std::size_t i = 0; i < 3; ++i)
        {
            NS_TEST_EXPECT_MSG_EQ_TOL(equal.prbs[i], third, 0.05 * third, "equal channels");
            NS_TEST_EXPECT_MSG_EQ_TOL(unequal.prbs[i], third, 0.05 * third, "unequal channels");
        }
        NS_TEST_EXPECT_MSG_EQ_TOL(unequal.bytes[2] / unequal.bytes[0], 8.0, 0.4, "rate ratio");
    }
};

/**
 * No scheduler gives more than a UE asks for, than its power allows or than there is.
 */
class NrShareLimitsTestCase : public TestCase
{
  public:
    NrShareLimitsTestCase()
        : TestCase("Demand, power and carrier limit a share")
    {
    }

  private:
    void DoRun() override
    {
        for (const Ptr<NrScheduler>& scheduler : std::vector<Ptr<NrScheduler>>{
                 CreateObject<NrRrScheduler>(), CreateObject<NrPfScheduler>()})
        {
            std::vector<NrCandidate> candidates(3);
            for (uint32_t i = 0; i < 3; ++i)
            {
                candidates[i].ue = i;
                candidates[i].bytesPerPrb = 20.0;
                candidates[i].demandBytes = 100'000;
                candidates[i].maxPrbs = PRBS;
            }
            candidates[0].demandBytes = 50; // ceil(50 / 20) = 3 PRBs
            candidates[1].maxPrbs = 5;
            std::vector<uint32_t> shares(3);
            scheduler->Share(candidates, PRBS, shares);
            NS_TEST_EXPECT_MSG_EQ(shares[0], 3, "what the queue needs");
            NS_TEST_EXPECT_MSG_EQ(shares[1], 5, "what the power reaches");
            NS_TEST_EXPECT_MSG_EQ(shares[2], PRBS - 8, "the rest");
        }
    }
};

/**
 * The outer loop rests where the share of lost first transmissions is its target.
 */
class NrOuterLoopTestCase : public TestCase
{
  public:
    NrOuterLoopTestCase()
        : TestCase("Outer loop: converges to its target")
    {
    }

  private:
    void DoRun() override
    {
        // A step of 0.1 dB down at a loss, 0.1 * 0.1 / 0.9 up otherwise: one loss and nine
        // successes cancel.
        auto balanced = CreateObject<NrLinkAdaptation>();
        balanced->SetAttribute("StepDb", DoubleValue(0.1));
        balanced->Feedback(false);
        NS_TEST_EXPECT_MSG_EQ_TOL(balanced->GetOffsetDb(), -0.1, 1e-12, "a loss");
        for (int i = 0; i < 9; ++i)
        {
            balanced->Feedback(true);
        }
        NS_TEST_EXPECT_MSG_EQ_TOL(balanced->GetOffsetDb(), 0.0, 1e-12, "nine successes");

        // A link whose blocks are lost with p(offset) = 1 / (1 + exp(-(2 + offset))): it starts at
        // 0.88 and must come to 0.1, at ln(1/9) - 2 = -4.2 dB. Over 20000 blocks the share's
        // standard deviation is below sqrt(0.09 / 20000) = 0.0021, less as the loop anticorrelates.
        auto loop = CreateObject<NrLinkAdaptation>();
        loop->SetAttribute("StepDb", DoubleValue(0.1));
        std::mt19937 random(1);
        std::uniform_real_distribution<double> uniform;
        int lost = 0;
        constexpr int WARM_UP = 2000;
        constexpr int BLOCKS = 20000;
        for (int i = 0; i < WARM_UP + BLOCKS; ++i)
        {
            const bool fails = uniform(random) < 1.0 / (1.0 + std::exp(-2.0 - loop->GetOffsetDb()));
            lost += i >= WARM_UP && fails;
            loop->Feedback(!fails);
        }
        NS_TEST_EXPECT_MSG_EQ_TOL(double(lost) / BLOCKS, 0.1, 3 * 0.0021, "share of lost blocks");
    }
};

/**
 * The suite.
 */
class NrSharesTestSuite : public TestSuite
{
  public:
    NrSharesTestSuite()
        : TestSuite("nr-shares", Type::UNIT)
    {
        AddTestCase(new NrRrSharesTestCase);
        AddTestCase(new NrPfSharesTestCase);
        AddTestCase(new NrShareLimitsTestCase);
        AddTestCase(new NrOuterLoopTestCase);
    }
};

static NrSharesTestSuite g_nrSharesTestSuite; //!< registers itself
