// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_PACKET_SCHEDULER_H
#define NR_PACKET_SCHEDULER_H

#include "nr-scheduler.h"

namespace ns3
{

/**
 * Serves packets of all UEs in the order of a key, the highest first, until the PRBs are used up.
 *
 * A UE's packets leave in the order of its queue, so a UE competes with its next packets, of which
 * it may put several together. What lies behind the packets that were described, and PRBs that are
 * left over, go by proportional fair.
 */
class NrPacketScheduler : public NrScheduler
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    void Share(std::span<const NrCandidate> candidates,
               uint32_t prbs,
               std::vector<uint32_t>& shares) override;

    bool WantsQueue() const override;

  protected:
    /// What a UE competes with.
    struct Offer
    {
        double key{0.0};        //!< the highest is served
        double secondKey{0.0};  //!< decides between equal ones
        std::size_t packets{1}; //!< how many packets are served together
    };

    /**
     * \param candidate a UE
     * \param from its first packet that was not served yet; there is at least one
     * \return its offer
     */
    virtual Offer GetOffer(const NrCandidate& candidate, std::size_t from) const = 0;

  private:
    /// A UE while PRBs are given.
    struct Standing
    {
        std::size_t candidate; //!< index
        std::size_t from;      //!< its first packet that was not served yet
        double bytes;          //!< served so far
        Offer offer;           //!< what it competes with
    };

    /**
     * \param a a UE
     * \param b another
     * \return whether b is served before a
     */
    static bool Before(const Standing& a, const Standing& b);

    std::vector<Standing> m_heap;     //!< kept to spare an allocation a slot
    std::vector<std::size_t> m_order; //!< the same
};

} // namespace ns3

#endif // NR_PACKET_SCHEDULER_H
