// SPDX-License-Identifier: GPL-2.0-only
#include "nr-carrier.h"

#include "nr-mcs-table.h"
#include "nr-tbs.h"

#include "ns3/string.h"
#include "ns3/uinteger.h"

#include <algorithm>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrCarrier);

TypeId NrCarrier::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrCarrier")
            .SetParent<Object>()
            .SetGroupName("Cosim")
            .AddConstructor<NrCarrier>()
            .AddAttribute("Numerology",
                          "Subcarrier spacing is 15 kHz x 2^Numerology (TS 38.211 table 4.2-1)",
                          UintegerValue(1),
                          MakeUintegerAccessor(&NrCarrier::m_numerology),
                          MakeUintegerChecker<uint32_t>(0, 6))
            .AddAttribute("Prbs",
                          "Number of PRBs (TS 38.101-1/-2 table 5.3.2-1)",
                          UintegerValue(51),
                          MakeUintegerAccessor(&NrCarrier::m_prbs),
                          MakeUintegerChecker<uint32_t>(1, 275))
            .AddAttribute("TddPattern",
                          "One letter a slot, D, S or U, repeated; empty for FDD",
                          StringValue("DDDSU"),
                          MakeStringAccessor(&NrCarrier::m_tddPattern),
                          MakeStringChecker())
            .AddAttribute("PdcchSymbols",
                          "Symbols for the control channel at the head of a downlink slot",
                          UintegerValue(1),
                          MakeUintegerAccessor(&NrCarrier::m_pdcchSymbols),
                          MakeUintegerChecker<uint32_t>(0, 3))
            .AddAttribute("PucchSymbols",
                          "Symbols for the control channel at the end of an uplink slot",
                          UintegerValue(1),
                          MakeUintegerAccessor(&NrCarrier::m_pucchSymbols),
                          MakeUintegerChecker<uint32_t>(0, 4))
            .AddAttribute("DmrsPerPrb",
                          "Resource elements of a PRB and slot for DM-RS: 12 is one symbol with no "
                          "data between (TS 38.214 clause 5.1.3.2)",
                          UintegerValue(12),
                          MakeUintegerAccessor(&NrCarrier::m_dmrsPerPrb),
                          MakeUintegerChecker<uint32_t>(0, 48))
            .AddAttribute("OverheadPerPrb",
                          "xOverhead, resource elements of a PRB and slot (TS 38.214 5.1.3.2)",
                          UintegerValue(0),
                          MakeUintegerAccessor(&NrCarrier::m_overheadPerPrb),
                          MakeUintegerChecker<uint32_t>(0, 18))
            .AddAttribute("McsTable",
                          "MCS table: 1 is 64QAM, 2 256QAM, 3 low spectral efficiency "
                          "(TS 38.214 tables 5.1.3.1-1 to -3)",
                          UintegerValue(1),
                          MakeUintegerAccessor(&NrCarrier::m_mcsTable),
                          MakeUintegerChecker<uint32_t>(1, 3));
    return tid;
}

void NrCarrier::DoInitialize()
{
    m_pattern = NrTddPattern(m_tddPattern);
    Object::DoInitialize();
}

Time NrCarrier::GetSlotDuration() const
{
    return NanoSeconds(1000000 >> m_numerology);
}

uint32_t NrCarrier::GetPrbs() const
{
    return m_prbs;
}

double NrCarrier::GetPrbBandwidth() const
{
    return 12.0 * 15e3 * (1U << m_numerology);
}

uint32_t NrCarrier::GetDlDataSymbols(uint64_t slot) const
{
    const uint32_t symbols = m_pattern.GetDlSymbols(slot);
    return symbols > m_pdcchSymbols ? symbols - m_pdcchSymbols : 0;
}

uint32_t NrCarrier::GetUlDataSymbols(uint64_t slot) const
{
    // The uplink symbols of a special slot carry control only.
    const uint32_t symbols = m_pattern.GetUlSymbols(slot);
    return symbols == 14 ? symbols - m_pucchSymbols : 0;
}

uint64_t NrCarrier::GetFeedbackSlot(uint64_t slot) const
{
    return m_pattern.NextUlSlot(slot);
}

uint32_t NrCarrier::GetTransportBlockBits(uint32_t prbs,
                                          uint32_t symbols,
                                          uint32_t layers,
                                          uint8_t mcs) const
{
    if (prbs == 0 || symbols == 0)
    {
        return 0;
    }
    const auto& table = NrMcsTable::Get(m_mcsTable);
    return NrTransportBlockSize(prbs,
                                symbols,
                                m_dmrsPerPrb,
                                m_overheadPerPrb,
                                layers,
                                table.GetModulationOrder(mcs),
                                table.GetCodeRate(mcs));
}

uint32_t NrCarrier::GetDataElements(uint32_t symbols) const
{
    const uint32_t taken = m_dmrsPerPrb + m_overheadPerPrb;
    return 12 * symbols > taken ? 12 * symbols - taken : 0;
}

uint32_t NrCarrier::GetMcsCount() const
{
    return NrMcsTable::Get(m_mcsTable).GetSize();
}

double NrCarrier::GetCodeRate(uint8_t mcs) const
{
    return NrMcsTable::Get(m_mcsTable).GetCodeRate(mcs);
}

uint8_t NrCarrier::GetModulationOrder(uint8_t mcs) const
{
    return NrMcsTable::Get(m_mcsTable).GetModulationOrder(mcs);
}

} // namespace ns3
