// SPDX-License-Identifier: GPL-2.0-only
#ifndef COSIM_PROPAGATION_LOSS_MODEL_H
#define COSIM_PROPAGATION_LOSS_MODEL_H

#include "cosim-channel-links.h"

#include "ns3/propagation-loss-model.h"

namespace ns3
{

/**
 * The channel of a channel source (Sionna) for stock devices that know no frequencies, such as
 * those on a YansWifiChannel: a link's gain is the mean over its PRBs.
 *
 * Gains have antennas and beamforming in them: leave the devices' own antenna gains at 0 dB.
 */
class CosimPropagationLossModel : public PropagationLossModel
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

  private:
    double DoCalcRxPower(double txPowerDbm,
                         Ptr<MobilityModel> a,
                         Ptr<MobilityModel> b) const override;
    int64_t DoAssignStreams(int64_t stream) override;
    void DoDispose() override;

    Ptr<CosimChannelLinks> m_links; //!< of nodes
};

} // namespace ns3

#endif // COSIM_PROPAGATION_LOSS_MODEL_H
