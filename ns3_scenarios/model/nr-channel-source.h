// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_CHANNEL_SOURCE_H
#define NR_CHANNEL_SOURCE_H

#include "ns3/nstime.h"
#include "ns3/object.h"

#include <cstdint>
#include <span>

namespace ns3
{

/**
 * Where the radio channel comes from: power gains per PRB of all links at once.
 *
 * Gains are linear, with antennas and beamforming included, the same for downlink and uplink
 * (reciprocity).
 */
class NrChannelSource : public Object
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * Moves on to the sample that holds at a time. Times never go back.
     *
     * \param now the simulated time
     */
    virtual void Advance(Time now) = 0;

    /**
     * \param cell the cell
     * \param ue the UE
     * \param layer the spatial layer
     * \return the gains of the current sample, one a PRB; valid until the next Advance
     */
    virtual std::span<const float> GetGains(uint32_t cell, uint32_t ue, uint32_t layer) const = 0;

    /**
     * The gain of a link as an interferer's: between one antenna port and the other side, when
     * antennas are not directed at it. Reference signals are measured with it too.
     *
     * \param cell the cell
     * \param ue the UE
     * \return the gains of the current sample, one a PRB; valid until the next Advance
     */
    virtual std::span<const float> GetInterference(uint32_t cell, uint32_t ue) const
    {
        return GetGains(cell, ue, 0);
    }

    /**
     * \param cell the cell
     * \param ue the UE
     * \return the mean of GetInterference over the carrier
     */
    double GetMeanInterference(uint32_t cell, uint32_t ue) const;

    /**
     * \return the number of layers that a link may have
     */
    virtual uint32_t GetLayers() const = 0;
};

} // namespace ns3

#endif // NR_CHANNEL_SOURCE_H
