// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_VIDEO_SOURCE_H
#define NR_VIDEO_SOURCE_H

#include "nr-traffic-source.h"

namespace ns3
{

/**
 * Video streaming of NGMN's radio access performance evaluation methodology (2008): frames at a
 * fixed period, of a fixed number of packets; their sizes and the spaces between them are Pareto
 * distributed and cut off. With K the least and m the most, the mean is (a K - K^a m^(1-a)) / (a -
 * 1): 101.4 bytes and 5.94 ms.
 */
class NrVideoSource : public NrTrafficSource
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

  protected:
    void Begin() override;

  private:
    /// Begins a frame and plans the next.
    void Frame();

    /// Sends the next packet of a frame.
    void Next(uint64_t message, uint32_t left);

    Time m_period;         //!< of frames
    uint32_t m_packets{0}; //!< of a frame
    double m_shape{0.0};   //!< of both distributions
    uint32_t m_least{0};   //!< bytes of a packet
    uint32_t m_most{0};    //!< bytes of a packet
    Time m_leastSpace;     //!< between packets
    Time m_mostSpace;      //!< between packets
};

} // namespace ns3

#endif // NR_VIDEO_SOURCE_H
