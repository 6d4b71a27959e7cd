// SPDX-License-Identifier: GPL-2.0-only
#ifndef COSIM_SPECTRUM_PROPAGATION_LOSS_MODEL_H
#define COSIM_SPECTRUM_PROPAGATION_LOSS_MODEL_H

#include "cosim-channel-links.h"

#include "ns3/spectrum-propagation-loss-model.h"

#include <map>
#include <span>
#include <vector>

namespace ns3
{

/**
 * The channel of a channel source (Sionna) for stock devices on a SpectrumChannel: LTE, Wi-Fi with
 * SpectrumWifiPhy, and others.
 *
 * The source has a gain for each PRB. A band of the devices' spectrum model that is as wide as a
 * PRB or wider gets the mean over the PRBs that it covers, each with its share; a narrower one gets
 * the line between the centres of its two PRBs. Both are the same for a band as wide as a PRB. The
 * first and the last PRB stand for bands beside the carrier, up to twice its width away (guard
 * bands); power farther away is an error, as it was not meant for this channel.
 *
 * Gains have antennas and beamforming in them: leave the devices' own antenna gains at 0 dB.
 */
class CosimSpectrumPropagationLossModel : public SpectrumPropagationLossModel
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

  private:
    /// The PRBs that a band's gain is made of.
    struct Band
    {
        std::size_t prb{0};          //!< the first one
        std::vector<double> weights; //!< of it and those behind it; empty: too far away
    };

    /// What was found for a spectrum model.
    struct Grid
    {
        std::size_t prbs{0};     //!< for which it was found
        std::vector<Band> bands; //!< of the spectrum model
    };

    Ptr<SpectrumValue> DoCalcRxPowerSpectralDensity(Ptr<const SpectrumSignalParameters> params,
                                                    Ptr<const MobilityModel> a,
                                                    Ptr<const MobilityModel> b) const override;
    int64_t DoAssignStreams(int64_t stream) override;
    void DoDispose() override;

    /// \return the grid of a spectrum model, from store or made
    const Grid& GetGrid(Ptr<const SpectrumModel> model, std::size_t prbs) const;

    /// \return the PRBs of a band whose limits are counted in PRBs from the carrier's lower end
    static Band MakeBand(double low, double high, std::size_t prbs);

    Ptr<CosimChannelLinks> m_links;                     //!< of nodes
    double m_carrierHz{0.0};                            //!< centre of the channel's PRBs
    double m_prbHz{180e3};                              //!< width of a PRB
    mutable std::map<SpectrumModelUid_t, Grid> m_grids; //!< by spectrum model
};

} // namespace ns3

#endif // COSIM_SPECTRUM_PROPAGATION_LOSS_MODEL_H
