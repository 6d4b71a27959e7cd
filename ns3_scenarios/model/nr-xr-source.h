// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_XR_SOURCE_H
#define NR_XR_SOURCE_H

#include "nr-traffic-source.h"

namespace ns3
{

/**
 * Frames of extended reality (TR 38.838 clause 5.1): at a period with jitter, of a size that is
 * normal around its mean, both cut off. A frame is a PDU set.
 *
 * With a group of pictures of K frames, the first of each is an I frame and on average IntraRatio
 * times as large as the others: a M K / (K - 1 + a) and M K / (K - 1 + a) with M the mean over all.
 * I frames have importance 1, all others 0.5.
 */
class NrXrSource : public NrTrafficSource
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

  protected:
    void Begin() override;

  private:
    /// Plans the next frame.
    void Plan();

    double m_rateBps{0.0};   //!< on average
    double m_frameRate{0.0}; //!< a second
    double m_deviation{0.0}; //!< of sizes, as a share of the mean
    double m_least{0.0};     //!< size, as a share of the mean
    double m_most{0.0};      //!< size, as a share of the mean
    Time m_jitter;           //!< standard deviation
    Time m_jitterMost;       //!< at most, either way
    uint32_t m_group{0};     //!< frames of a group, 0 for no I frames
    double m_ratio{1.0};     //!< I frames to others
    uint64_t m_frame{0};     //!< number of the next frame
    Time m_phase;            //!< of frame 0, without jitter
};

} // namespace ns3

#endif // NR_XR_SOURCE_H
