// SPDX-License-Identifier: GPL-2.0-only
#include "nr-mcs-table.h"
#include "nr-tbs.h"
#include "nr-tdd-pattern.h"

#include "ns3/test.h"

#include <stdexcept>

using namespace ns3;

/**
 * Transport block size of TS 38.214 clause 5.1.3.2 against values worked out by hand.
 *
 * All but one use 12 symbols and 12 resource elements of DM-RS, so 12 * 12 - 12 = 132 elements a
 * PRB. N is N_info, N' its quantised value.
 */
class NrTbsTestCase : public TestCase
{
  public:
    NrTbsTestCase()
        : TestCase("TBS of TS 38.214 clause 5.1.3.2")
    {
    }

  private:
    /// \return the TBS of an MCS with 12 symbols and 12 elements of DM-RS
    static uint32_t Tbs(uint32_t table, uint8_t mcs, uint32_t prbs, uint32_t layers)
    {
        const auto& rows = NrMcsTable::Get(table);
        return NrTransportBlockSize(
            prbs, 12, 12, 0, layers, rows.GetModulationOrder(mcs), rows.GetCodeRate(mcs));
    }

    void DoRun() override
    {
        // N = 132 * 2 * 120/1024 = 30.94; n = 3; N' = max(24, 8 * floor(3.87)) = 24.
        NS_TEST_EXPECT_MSG_EQ(Tbs(1, 0, 1, 1), 24, "one PRB, lowest MCS");
        // N = 132 * 6 * 948/1024 = 733.22; n = max(3, 9 - 6) = 3; N' = 8 * 91 = 728; the table's
        // next size is 736.
        NS_TEST_EXPECT_MSG_EQ(Tbs(1, 28, 1, 1), 736, "one PRB, highest MCS");
        // N = 6732 * 2 * 120/1024 = 1577.81; n = 10 - 6 = 4; N' = 16 * 98 = 1568; next is 1608.
        NS_TEST_EXPECT_MSG_EQ(Tbs(1, 0, 51, 1), 1608, "51 PRBs, lowest MCS");
        // N = 6732 * 4 * 340/1024 = 8940.94; n = 13 - 5 = 8; N' = 256 * round(8916.94 / 256) =
        // 256 * 35 = 8960 > 8424; C = ceil(8984 / 8424) = 2; 16 * ceil(8984 / 16) - 24 = 8968.
        NS_TEST_EXPECT_MSG_EQ(Tbs(1, 10, 51, 1), 8968, "51 PRBs, two code blocks");
        // N = 36036 * 2 * 193/1024 = 13583.88; n = 13 - 5 = 8; N' = 256 * round(52.97) = 13568;
        // the rate is 0.19 <= 1/4, so C = ceil(13592 / 3816) = 4; 32 * ceil(13592 / 32) - 24.
        NS_TEST_EXPECT_MSG_EQ(Tbs(1, 2, 273, 1), 13576, "273 PRBs, low rate");
        // N = 36036 * 4 * 8 * 948/1024 = 1067566.5; n = 20 - 5 = 15; N' = 32768 * round(32.58) =
        // 1081344; C = ceil(1081368 / 8424) = 129; 1032 * ceil(1081368 / 1032) - 24.
        NS_TEST_EXPECT_MSG_EQ(Tbs(2, 27, 273, 4), 1081512, "273 PRBs, four layers, 256QAM");
        // 14 * 12 = 168 elements are capped at 156: N = 156 * 2 * 679/1024 = 206.88; n = 3;
        // N' = 8 * 25 = 200; next is 208. Without the cap N would be 222.8 and the size 224.
        NS_TEST_EXPECT_MSG_EQ(
            NrTransportBlockSize(1, 14, 0, 0, 1, 2, 679.0 / 1024), 208, "156 elements at most");
        // 12 elements in all, and DM-RS takes them.
        NS_TEST_EXPECT_MSG_EQ(NrTransportBlockSize(10, 1, 12, 0, 1, 2, 0.5), 0, "no room for data");
    }
};

/**
 * Base graph and code blocks of TS 38.212 clauses 6.2.2 and 5.2.2.
 */
class NrSegmentationTestCase : public TestCase
{
  public:
    NrSegmentationTestCase()
        : TestCase("Segmentation of TS 38.212")
    {
    }

  private:
    /// Compares a segmentation.
    void Expect(uint32_t tbsBits, double rate, int graph, uint32_t blocks, uint32_t bits)
    {
        const auto s = NrSegment(tbsBits, rate);
        NS_TEST_EXPECT_MSG_EQ(int{s.baseGraph}, graph, "base graph of " << tbsBits);
        NS_TEST_EXPECT_MSG_EQ(s.codeBlocks, blocks, "code blocks of " << tbsBits);
        NS_TEST_EXPECT_MSG_EQ(s.codeBlockBits, bits, "bits of a code block of " << tbsBits);
    }

    void DoRun() override
    {
        // At most 292 bits: graph 2 at any rate; 16 bits of CRC.
        Expect(288, 0.9, 2, 1, 304);
        // At most 3824 bits at a rate of at most 0.67: graph 2.
        Expect(1608, 120.0 / 1024, 2, 1, 1624);
        // The same range at a higher rate: graph 1.
        Expect(736, 948.0 / 1024, 1, 1, 752);
        // 8968 + 24 = 8992 > 8448: ceil(8992 / 8424) = 2 blocks of (8992 + 2 * 24) / 2 = 4520.
        Expect(8968, 340.0 / 1024, 1, 2, 4520);
        // Rate 0.19: graph 2; 13600 > 3840: ceil(13600 / 3816) = 4; (13600 + 96) / 4 = 3424.
        Expect(13576, 193.0 / 1024, 2, 4, 3424);
    }
};

/**
 * Symbols of slots under TDD patterns.
 */
class NrTddPatternTestCase : public TestCase
{
  public:
    NrTddPatternTestCase()
        : TestCase("TDD pattern")
    {
    }

  private:
    void DoRun() override
    {
        const NrTddPattern pattern("DDDSU");
        const uint32_t dl[] = {14, 14, 14, 10, 0};
        const uint32_t ul[] = {0, 0, 0, 2, 14};
        for (uint64_t slot = 0; slot < 10; ++slot)
        {
            NS_TEST_EXPECT_MSG_EQ(pattern.GetDlSymbols(slot), dl[slot % 5], "slot " << slot);
            NS_TEST_EXPECT_MSG_EQ(pattern.GetUlSymbols(slot), ul[slot % 5], "slot " << slot);
        }
        NS_TEST_EXPECT_MSG_EQ(pattern.NextUlSlot(0), 3, "the special slot has uplink symbols");
        NS_TEST_EXPECT_MSG_EQ(pattern.NextUlSlot(4), 4, "an uplink slot is its own next");
        NS_TEST_EXPECT_MSG_EQ(pattern.NextUlSlot(5), 8, "in the next period");
        const NrTddPattern fdd;
        NS_TEST_EXPECT_MSG_EQ(fdd.GetDlSymbols(7), 14, "FDD");
        NS_TEST_EXPECT_MSG_EQ(fdd.GetUlSymbols(7), 14, "FDD");
        bool refused = false;
        try
        {
            NrTddPattern("DDX");
        }
        catch (const std::invalid_argument&)
        {
            refused = true;
        }
        NS_TEST_EXPECT_MSG_EQ(refused, true, "a letter that is none of D, S and U");
    }
};

/**
 * The suite.
 */
class NrTbsTestSuite : public TestSuite
{
  public:
    NrTbsTestSuite()
        : TestSuite("nr-tbs", Type::UNIT)
    {
        AddTestCase(new NrTbsTestCase);
        AddTestCase(new NrSegmentationTestCase);
        AddTestCase(new NrTddPatternTestCase);
    }
};

static NrTbsTestSuite g_nrTbsTestSuite; //!< registers itself
