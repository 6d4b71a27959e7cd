// SPDX-License-Identifier: GPL-2.0-only
#include "nr-carrier.h"
#include "nr-tbs.h"

#include "ns3/string.h"
#include "ns3/test.h"
#include "ns3/uinteger.h"

using namespace ns3;

namespace
{

/**
 * Transport block sizes, derived by hand with the steps of TS 38.214 clause 5.1.3.2. 13 symbols
 * with one DM-RS symbol leave 144 resource elements a PRB.
 */
class NrTbsTestCase : public TestCase
{
  public:
    NrTbsTestCase()
        : TestCase("Transport block sizes over PRBs, MCS and layers")
    {
    }

  private:
    void Check(uint32_t prbs, uint8_t order, double rate1024, uint32_t layers, uint32_t bits)
    {
        NS_TEST_EXPECT_MSG_EQ(
            NrTransportBlockSize(prbs, 13, 12, 0, layers, order, rate1024 / 1024.0),
            bits,
            "PRBs " << prbs << ", order " << uint32_t(order) << ", rate " << rate1024 << ", layers "
                    << layers);
    }

    void DoRun() override
    {
        // N_info = 144 x 2 x 120/1024 = 33.75; n = 3: 8 floor(33.75/8) = 32, in the table.
        Check(1, 2, 120, 1, 32);
        // 432 x 6 x 567/1024 = 1435.2; n = 10 - 6 = 4: 16 x 89 = 1424; 1416 < 1424, next is 1480.
        Check(3, 6, 567, 1, 1480);
        // 1440 x 4 x 616/1024 = 3465; n = 5: 32 x 108 = 3456; next is 3496.
        Check(10, 4, 616, 1, 3496);
        // 14400 x 2 x 120/1024 = 3375; n = 5: 32 x 105 = 3360; next is 3368.
        Check(100, 2, 120, 1, 3368);
        // 1728 x 4 x 658/1024 = 4441.5 > 3824; n = 12 - 5 = 7: 128 round(4417.5/128 = 34.5) = 128 x
        // 35 = 4480; one code block: 8 ceil(4504/8) - 24 = 4480.
        Check(12, 4, 658, 1, 4480);
        // 3600 x 4 x 2 x 340/1024 = 9562.5; n = 8: 256 round(37.26) = 9472; C = ceil(9496/8424) =
        // 2: 16 ceil(593.5) - 24 = 9480.
        Check(25, 4, 340, 2, 9480);
        // 39312 x 2 x 120/1024 = 9213.75; n = 8: 256 round(35.9) = 9216; rate below 1/4: C =
        // ceil(9240/3816) = 3: 24 ceil(385) - 24 = 9216.
        Check(273, 2, 120, 1, 9216);
        // 7344 x 6 x 948/1024 = 40793.6; n = 10: 1024 round(39.8) = 40960; C = ceil(40984/8424) =
        // 5: 40 ceil(1024.6) - 24 = 40976.
        Check(51, 6, 948, 1, 40976);
        // Four times that: 163174.5; n = 12: 4096 round(39.8) = 163840; C = ceil(163864/8424) =
        // 20: 160 ceil(1024.15) - 24 = 163976.
        Check(51, 6, 948, 4, 163976);
        // Table 2, MCS 27: 7344 x 8 x 948/1024 = 54391.5; n = 10: 1024 round(53.09) = 54272; C =
        // ceil(54296/8424) = 7: 56 ceil(969.57) - 24 = 54296.
        Check(51, 8, 948, 1, 54296);
        // 14 symbols without DM-RS are 168 elements, of which 156 count: 156 x 6 x 948/1024 =
        // 866.5; n = 3: 8 x 108 = 864; next is 888.
        NS_TEST_EXPECT_MSG_EQ(NrTransportBlockSize(1, 14, 0, 0, 1, 6, 948 / 1024.0), 888, "cap");
        NS_TEST_EXPECT_MSG_EQ(NrTransportBlockSize(1, 1, 12, 0, 1, 6, 0.9), 0, "no room");
    }
};

/// Code blocks of TS 38.212 clauses 5.2.2 and 6.2.2, by hand.
class NrSegmentationTestCase : public TestCase
{
  public:
    NrSegmentationTestCase()
        : TestCase("Base graph and code blocks")
    {
    }

  private:
    void Check(uint32_t tbs, double rate, uint32_t graph, uint32_t blocks, uint32_t bits)
    {
        const auto s = NrSegment(tbs, rate);
        NS_TEST_EXPECT_MSG_EQ(uint32_t(s.baseGraph), graph, "base graph of " << tbs);
        NS_TEST_EXPECT_MSG_EQ(s.codeBlocks, blocks, "code blocks of " << tbs);
        NS_TEST_EXPECT_MSG_EQ(s.codeBlockBits, bits, "bits of a code block of " << tbs);
    }

    void DoRun() override
    {
        // (41000 with its CRC of 24) / 8424 -> 5 blocks of (41000 + 5 x 24) / 5.
        Check(40976, 948 / 1024.0, 1, 5, 8224);
        // Rate below 1/4: base graph 2, blocks of 3840: 9240 / 3816 -> 3 of (9240 + 72) / 3.
        Check(9216, 120 / 1024.0, 2, 3, 3104);
        // Up to 3824 bits the CRC has 16.
        Check(3368, 120 / 1024.0, 2, 1, 3384);
        Check(292, 0.9, 2, 1, 308);
        Check(320, 0.67, 2, 1, 336);
        Check(320, 0.7, 1, 1, 336);
        // 8424 + 24 = 8448 just fits into one block of base graph 1.
        Check(8424, 0.9, 1, 1, 8448);
    }
};

/// Symbols of TDD patterns and when feedback can be sent.
class NrTddTestCase : public TestCase
{
  public:
    NrTddTestCase()
        : TestCase("TDD patterns")
    {
    }

  private:
    void DoRun() override
    {
        auto carrier = CreateObject<NrCarrier>();
        carrier->SetAttribute("TddPattern", StringValue("DDDSU"));
        carrier->Initialize();
        // One control symbol at the head of a downlink slot, one at the end of an uplink slot.
        const uint32_t dl[] = {13, 13, 13, 9, 0};
        const uint32_t ul[] = {0, 0, 0, 0, 13};
        for (uint64_t slot = 0; slot < 15; ++slot)
        {
            NS_TEST_EXPECT_MSG_EQ(carrier->GetDlDataSymbols(slot), dl[slot % 5], "slot " << slot);
            NS_TEST_EXPECT_MSG_EQ(carrier->GetUlDataSymbols(slot), ul[slot % 5], "slot " << slot);
        }
        NS_TEST_EXPECT_MSG_EQ(carrier->GetFeedbackSlot(4), 4, "U itself");
        NS_TEST_EXPECT_MSG_EQ(carrier->GetFeedbackSlot(5), 8, "the uplink symbols of S");
        bool refused = false;
        try
        {
            NrTddPattern("DDX");
        }
        catch (const std::invalid_argument&)
        {
            refused = true;
        }
        NS_TEST_EXPECT_MSG_EQ(refused, true, "an unknown letter is refused");
        for (uint32_t mu = 0; mu <= 4; ++mu)
        {
            auto other = CreateObject<NrCarrier>();
            other->SetAttribute("Numerology", UintegerValue(mu));
            other->Initialize();
            NS_TEST_EXPECT_MSG_EQ(
                other->GetSlotDuration(), NanoSeconds(1000000 >> mu), "numerology " << mu);
            NS_TEST_EXPECT_MSG_EQ(other->GetPrbBandwidth(), 180e3 * (1 << mu), "numerology " << mu);
        }
    }
};

/// The suite.
class NrTbsTestSuite : public TestSuite
{
  public:
    NrTbsTestSuite()
        : TestSuite("nr-tbs", Type::UNIT)
    {
        AddTestCase(new NrTbsTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrSegmentationTestCase, TestCase::Duration::QUICK);
        AddTestCase(new NrTddTestCase, TestCase::Duration::QUICK);
    }
};

NrTbsTestSuite g_nrTbsTestSuite; //!< registers itself

} // namespace
