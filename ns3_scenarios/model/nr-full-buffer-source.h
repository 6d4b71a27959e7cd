// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_FULL_BUFFER_SOURCE_H
#define NR_FULL_BUFFER_SOURCE_H

#include "nr-traffic-source.h"

#include <deque>
#include <utility>

namespace ns3
{

/**
 * A queue that is never empty: every Period, as much is sent as is missing to Backlog bytes at the
 * radio, less what is still on its way there.
 */
class NrFullBufferSource : public NrTrafficSource
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

  protected:
    void Begin() override;

  private:
    /// Fills up and comes back.
    void Fill();

    uint32_t m_target{0};                         //!< bytes at the radio
    Time m_period;                                //!< between looks
    std::deque<std::pair<Time, uint64_t>> m_sent; //!< on their way: when, bytes
    uint64_t m_underWay{0};                       //!< bytes of these
};

} // namespace ns3

#endif // NR_FULL_BUFFER_SOURCE_H
