// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_CARRIER_H
#define NR_CARRIER_H

#include "nr-tdd-pattern.h"

#include "ns3/nstime.h"
#include "ns3/object.h"

#include <string>

namespace ns3
{

/**
 * A carrier: its frame structure and what of a slot is left for data.
 */
class NrCarrier : public Object
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \return the duration of a slot (TS 38.211 clause 4.3.2)
     */
    Time GetSlotDuration() const;

    /**
     * \return the number of PRBs
     */
    uint32_t GetPrbs() const;

    /**
     * \return the bandwidth of a PRB, 12 subcarriers, in Hz
     */
    double GetPrbBandwidth() const;

    /**
     * \param slot slot number
     * \return symbols of that slot for downlink data: without those of the control channel
     */
    uint32_t GetDlDataSymbols(uint64_t slot) const;

    /**
     * \param slot slot number
     * \return symbols of that slot for uplink data; a special slot has none
     */
    uint32_t GetUlDataSymbols(uint64_t slot) const;

    /**
     * \param slot slot number
     * \return the first slot from this one on in which a UE can send an acknowledgement
     */
    uint64_t GetFeedbackSlot(uint64_t slot) const;

    /**
     * \param prbs number of PRBs
     * \param symbols data symbols
     * \param layers spatial layers
     * \param mcs MCS index
     * \return the transport block size in bits (TS 38.214 clause 5.1.3.2)
     */
    uint32_t GetTransportBlockBits(uint32_t prbs,
                                   uint32_t symbols,
                                   uint32_t layers,
                                   uint8_t mcs) const;

    /**
     * \param symbols data symbols of a slot
     * \return the resource elements of a PRB that carry data in them
     */
    uint32_t GetDataElements(uint32_t symbols) const;

    /**
     * \return the number of MCS indices in the carrier's table
     */
    uint32_t GetMcsCount() const;

    /**
     * \param mcs MCS index
     * \return the code rate, 0 to 1
     */
    double GetCodeRate(uint8_t mcs) const;

    /**
     * \param mcs MCS index
     * \return bits a symbol
     */
    uint8_t GetModulationOrder(uint8_t mcs) const;

  protected:
    void DoInitialize() override;

  private:
    uint32_t m_numerology{0};     //!< subcarrier spacing is 15 kHz x 2^numerology
    uint32_t m_prbs{0};           //!< PRBs
    std::string m_tddPattern;     //!< a letter a slot, empty for FDD
    uint32_t m_pdcchSymbols{0};   //!< control symbols at the head of a downlink slot
    uint32_t m_pucchSymbols{0};   //!< control symbols at the end of an uplink slot
    uint32_t m_dmrsPerPrb{0};     //!< resource elements of a PRB for reference symbols
    uint32_t m_overheadPerPrb{0}; //!< xOverhead
    uint32_t m_mcsTable{0};       //!< TS 38.214 table 5.1.3.1-m_mcsTable
    NrTddPattern m_pattern;       //!< parsed pattern
};

} // namespace ns3

#endif // NR_CARRIER_H
