// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_RSRP_MEASUREMENT_H
#define NR_RSRP_MEASUREMENT_H

#include "ns3/nstime.h"
#include "ns3/object.h"

#include <cstdint>
#include <vector>

namespace ns3
{

/**
 * A UE's measurements of the reference signal power of all cells, with the layer-3 filter of TS
 * 38.331 clause 5.5.3.2: F = (1 - a) F + a M in dB, a = 1/2^(k/4).
 *
 * The standard's coefficient is meant for a measurement every 200 ms and is adapted to other
 * periods so that the filter's response in time stays the same: after n = 200 ms / period
 * measurements the same share of the past is left, so (1 - a') = (1 - a)^(1/n).
 */
class NrRsrpMeasurement : public Object
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param period between measurements
     */
    void SetPeriod(Time period);

    /**
     * \param rsrpDbm power of a resource element of each cell, in dBm
     */
    void Measure(const std::vector<double>& rsrpDbm);

    /**
     * \return filtered, in dBm, by cell; empty before the first measurement
     */
    const std::vector<double>& Get() const;

  private:
    uint32_t m_coefficient{0};      //!< k
    double m_share{1.0};            //!< a of the period in use
    std::vector<double> m_filtered; //!< dBm
};

} // namespace ns3

#endif // NR_RSRP_MEASUREMENT_H
