// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_RLC_UM_H
#define NR_RLC_UM_H

#include "nr-rlc.h"

#include <vector>

namespace ns3
{

/**
 * One bearer's RLC entity in unacknowledged mode (TS 38.322), both ends of it.
 *
 * The transmitter fills transport blocks with whole packets and segments; the receiver reassembles
 * and gives up after its timer. Headers, in bytes, with a 12-bit sequence number (TS 38.322 clause
 * 6.2.2.3): 1 for a whole packet, 2 for a first segment, 4 for the others; in front of each RLC PDU
 * a MAC subheader (TS 38.321 clause 6.1.2) of 2, or 3 from 256 bytes on.
 */
class NrRlcUm : public NrRlc
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    uint32_t Fill(uint32_t bytes, std::vector<NrRlcSegment>& segments, uint32_t enough) override;
    double FillDirect(double elements,
                      const NrDirectCost& cost,
                      std::vector<NrRlcSegment>& segments) override;
    void Receive(const NrRlcSegment& segment) override;
    void Lose(const NrRlcSegment& segment, cosim::sim::PacketReason reason) override;
    void Reestablish(bool forward) override;

  private:
    /// Takes a piece out of the queue's first packet into a block.
    void Take(NrRlcSegment segment, std::vector<NrRlcSegment>& segments);

    /**
     * Reports a packet's fate once, when nothing of it is under way any more.
     *
     * \param sdu the packet
     */
    void CloseIfLost(const NrSduPtr& sdu);

    /// Starts or stops t-Reassembly of a packet by whether something before what came is missing.
    void UpdateTimer(NrSdu& sdu) const;

    Time m_reassemblyTime;            //!< t-Reassembly
    std::vector<NrSduPtr> m_received; //!< received in part
    uint64_t m_highest{0};            //!< COUNT of the latest packet of which a piece was received
};

} // namespace ns3

#endif // NR_RLC_UM_H
