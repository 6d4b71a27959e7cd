// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_UPLINK_POWER_H
#define NR_UPLINK_POWER_H

#include <cstdint>

namespace ns3
{

/**
 * Open-loop power control of the PUSCH (TS 38.213 clause 7.1.1): a PRB is sent with the power that
 * makes up for a share of the path loss, as far as the UE's power goes.
 */
class NrUplinkPower
{
  public:
    NrUplinkPower() = default;

    /**
     * \param p0Dbm power of a PRB at the gNB that is aimed at, in dBm
     * \param alpha share of the path loss that is compensated
     * \param maxDbm power of the UE over all PRBs, in dBm
     */
    NrUplinkPower(double p0Dbm, double alpha, double maxDbm);

    /**
     * \param gain mean gain of the link, linear
     * \return power of a PRB in W that is aimed at
     */
    double GetTarget(double gain) const;

    /**
     * \param gain mean gain of the link, linear
     * \param prbs PRBs in use
     * \return power of each in W
     */
    double GetPower(double gain, uint32_t prbs) const;

    /**
     * \param gain mean gain of the link, linear
     * \return PRBs that can have the target power, maybe less than one
     */
    double GetReach(double gain) const;

  private:
    double m_p0Dbm{0.0}; //!< dBm a PRB
    double m_alpha{0.0}; //!< share of the path loss
    double m_max{0.0};   //!< W
};

} // namespace ns3

#endif // NR_UPLINK_POWER_H
