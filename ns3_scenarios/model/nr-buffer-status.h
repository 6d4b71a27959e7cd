// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_BUFFER_STATUS_H
#define NR_BUFFER_STATUS_H

#include "nr-buffer-report.h"

#include <cstdint>
#include <deque>

namespace ns3
{

/**
 * What the gNB knows of a UE's uplink buffer: scheduling requests and buffer status reports (TS
 * 38.321 clauses 5.4.4 and 5.4.5).
 *
 * A UE whose buffer was empty sends a scheduling request at its next occasion. A while later the
 * gNB can grant: a first grant of given size, or what the buffer holds, if the size is 0. Every
 * block carries a report of what is left behind it, which counts some slots after the block was
 * decoded. If a block is lost for good with its report, and nothing else tells the gNB of the data,
 * the UE requests again (retxBSR-Timer).
 */
class NrBufferStatus
{
  public:
    /// Delays of a carrier.
    struct Config
    {
        uint32_t requestPeriodSlots{1}; //!< between occasions for a scheduling request
        uint32_t grantDelaySlots{8};    //!< from the request to the first grant
        uint32_t firstGrantBytes{0};    //!< of the first grant, 0 for the whole buffer
        uint32_t reportDelaySlots{0};   //!< from a decoded block to the use of its report
    };

    NrBufferStatus() = default;

    /**
     * \param config delays
     * \param offset of the request occasions in slots
     */
    NrBufferStatus(const Config& config, uint32_t offset);

    /**
     * There is data in the UE's buffer that was put there or left there without the gNB's
     * knowledge.
     *
     * \param slot the current slot
     */
    void NoteData(uint64_t slot);

    /**
     * \param slot the current slot
     * \param bytes in the UE's buffer
     * \return bytes for which the gNB would grant
     */
    uint64_t GetKnownBytes(uint64_t slot, uint64_t bytes);

    /**
     * A block was sent: the gNB takes what it carries off what it knows.
     *
     * \param bytes of the block
     * \param left in the UE's buffer behind it
     * \return the report that is in the block
     */
    NrBufferReport Sent(uint64_t bytes, uint64_t left);

    /**
     * A block was decoded.
     *
     * \param slot the current slot
     * \param report that is in it
     */
    void Decoded(uint64_t slot, const NrBufferReport& report);

    /**
     * A block was lost for good.
     *
     * \param slot the current slot
     * \param bytes in the UE's buffer
     */
    void Lost(uint64_t slot, uint64_t bytes);

    /**
     * Forgets everything, for a UE that has changed its cell.
     */
    void Reset();

  private:
    /// A report that the gNB has not used yet.
    struct Entry
    {
        uint64_t usableFrom;   //!< slot
        NrBufferReport report; //!< its contents
    };

    Config m_config;             //!< delays
    uint32_t m_offset{0};        //!< of the request occasions
    uint64_t m_known{0};         //!< bytes
    uint32_t m_blocks{0};        //!< blocks whose report is under way
    bool m_requested{false};     //!< a request is under way
    uint64_t m_grantFrom{0};     //!< slot from which it is granted
    uint64_t m_sent{0};          //!< bytes of all blocks so far
    uint64_t m_latest{0};        //!< m_sent at the newest report that was used
    std::deque<Entry> m_reports; //!< the oldest first
};

} // namespace ns3

#endif // NR_BUFFER_STATUS_H
