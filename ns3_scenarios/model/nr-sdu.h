// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_SDU_H
#define NR_SDU_H

#include "cosim/sim/records.hpp"

#include "ns3/nstime.h"
#include "ns3/packet.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace ns3
{

class NrRlc;

/**
 * An IP packet on its way over the air, with everything that is counted of it.
 *
 * Transmitter and receiver share the object: the simulation sees both ends, the protocol does not
 * use that knowledge (a transmitter in unacknowledged mode goes on sending the rest of a packet of
 * which a part is lost).
 */
struct NrSdu
{
    Ptr<Packet> packet;           //!< the IP packet
    uint64_t id{0};               //!< packet number in the run
    uint64_t messageId{0};        //!< semantic message or PDU set, 0 for none
    double importance{0.0};       //!< PDU-set importance
    double share{0.0};            //!< share of the message's units in it, 0 unknown
    uint32_t packetNumber{0};     //!< of the packet in its message
    uint32_t protectedBytes{0};   //!< of the PDCP PDU, at its beginning: headers (direct delivery)
    Time deadline{Time::Max()};   //!< useless afterwards
    Time discardAt{Time::Max()};  //!< expiry of PDCP's discard timer
    uint64_t count{0};            //!< PDCP COUNT, given when its first byte is sent
    uint32_t flow{0};             //!< flow number
    uint32_t bytes{0};            //!< IP bytes
    uint32_t pdcpHeader{0};       //!< bytes that PDCP puts in front
    Time enqueued;                //!< entry into the RLC queue
    uint32_t sent{0};             //!< bytes (PDCP PDU) that were in a transport block once
    uint32_t received{0};         //!< bytes (PDCP PDU) received (unacknowledged mode)
    uint32_t segmentsUnderWay{0}; //!< in transport blocks whose fate is open
    uint32_t airBytes{0};         //!< MAC, RLC and PDCP bytes spent, retransmissions too
    double airElements{0.0};      //!< resource elements spent, see PacketRecord
    uint32_t highest{0};          //!< end of the received pieces (unacknowledged mode)
    Time gapSince{Time::Max()};   //!< start of t-Reassembly
    bool started{false};          //!< a byte of it was sent
    bool lost{false};             //!< a part of it is lost for good
    bool closed{false};           //!< RLC is done with it: delivered upwards, or reported lost
    cosim::sim::PacketReason reason{cosim::sim::PacketReason::NONE}; //!< why it was lost

    /**
     * \return bytes of the PDCP PDU: header and IP packet
     */
    uint32_t Size() const
    {
        return bytes + pdcpHeader;
    }

    /**
     * \param offset first byte of a piece
     * \param count its bytes
     * \return of these, the protected ones
     */
    uint32_t GetProtected(uint32_t offset, uint32_t count) const
    {
        return offset < protectedBytes ? std::min(count, protectedBytes - offset) : 0;
    }
};

/// Shared between the queue, transport blocks and the receiver.
using NrSduPtr = std::shared_ptr<NrSdu>;

/// A piece of an SDU in a transport block, with the header bytes that it costs there.
struct NrRlcSegment
{
    NrSduPtr sdu;           //!< what it is a piece of
    uint32_t offset{0};     //!< first byte in the PDCP PDU
    uint32_t bytes{0};      //!< bytes of the PDCP PDU
    uint32_t rlcHeader{0};  //!< RLC header bytes, or those of a whole control PDU
    uint32_t macHeader{0};  //!< MAC subheader bytes
    NrRlc* entity{nullptr}; //!< who filled it in; lives as long as the link
    uint32_t again{0};      //!< of its bytes, those that RLC had sent before
    bool poll{false};       //!< asks for a status report (acknowledged mode)
    uint64_t sn{0};         //!< RLC sequence number, not wrapped (acknowledged mode)
    double elements{0.0};   //!< resource elements that it takes (direct delivery)
};

} // namespace ns3

#endif // NR_SDU_H
