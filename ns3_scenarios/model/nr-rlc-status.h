// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_RLC_STATUS_H
#define NR_RLC_STATUS_H

#include "nr-rlc.h"
#include "nr-timer.h"

namespace ns3
{

class NrRlcAm;

/// A status report (TS 38.322 clause 6.2.2.5). As an SDU it has no bytes: it is all header.
struct NrRlcStatusPdu : NrSdu
{
    /// What is missing: packets as a whole, or bytes of one.
    struct Nack
    {
        uint64_t sn;    //!< number of the first packet
        uint32_t count; //!< packets, all of them missing as a whole if more than 1
        uint32_t first; //!< first byte missing
        uint32_t last;  //!< behind the last byte missing, UINT32_MAX for the end of the packet
    };

    uint64_t ackSn{0};       //!< everything before it and not in nacks was received
    std::vector<Nack> nacks; //!< what is missing
    uint32_t size{0};        //!< bytes
};

/**
 * The status reports of an entity in acknowledged mode, as a bearer of the other direction: when
 * one is due, it asks for room like data does.
 */
class NrRlcStatus : public NrRlc
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    NrRlcStatus();

    /**
     * \param entity whose reports these are
     */
    void SetEntity(NrRlcAm* entity);

    /// A report is due: now, or when t-StatusProhibit has expired.
    void Trigger();

    uint32_t Fill(uint32_t bytes, std::vector<NrRlcSegment>& segments, uint32_t enough) override;
    void Receive(const NrRlcSegment& segment) override;
    void Lose(const NrRlcSegment& segment, cosim::sim::PacketReason reason) override;
    void Reestablish(bool forward) override;
    uint64_t GetDemandBytes() const override;
    NrSduPtr GetHead() const override;

  private:
    /// \return whether a report may be sent now
    bool IsDue() const;

    Time m_prohibitTime;        //!< t-StatusProhibit
    NrTimer m_prohibitTimer;    //!< t-StatusProhibit
    NrRlcAm* m_entity{nullptr}; //!< whose reports these are
    bool m_triggered{false};    //!< a report is due
    NrSduPtr m_head;            //!< stands for the report in the queue
};

} // namespace ns3

#endif // NR_RLC_STATUS_H
