// SPDX-License-Identifier: GPL-2.0-only
#include "cosim-spectrum-propagation-loss-model.h"

#include "ns3/double.h"
#include "ns3/pointer.h"
#include "ns3/spectrum-signal-parameters.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(CosimSpectrumPropagationLossModel);

namespace
{

/// Carrier widths on each side for which the outer PRBs stand; the masks of Wi-Fi reach one and a
/// half from the centre, and its PRBs need not fill its channel.
constexpr double BESIDE = 2.0;

} // namespace

TypeId CosimSpectrumPropagationLossModel::GetTypeId()
{
    // A changed carrier does not reach grids that are there: set it before the first signal.
    static TypeId tid =
        TypeId("ns3::CosimSpectrumPropagationLossModel")
            .SetParent<SpectrumPropagationLossModel>()
            .SetGroupName("Cosim")
            .AddConstructor<CosimSpectrumPropagationLossModel>()
            .AddAttribute("Links",
                          "Which nodes are which cells and UEs of the channel",
                          PointerValue(),
                          MakePointerAccessor(&CosimSpectrumPropagationLossModel::m_links),
                          MakePointerChecker<CosimChannelLinks>())
            .AddAttribute("CarrierFrequency",
                          "Where the centre of the channel's PRBs lies, in Hz; to be set before "
                          "the first signal",
                          DoubleValue(0.0),
                          MakeDoubleAccessor(&CosimSpectrumPropagationLossModel::m_carrierHz),
                          MakeDoubleChecker<double>(0.0))
            .AddAttribute("PrbBandwidth",
                          "Width of a PRB of the channel, in Hz; to be set before the first signal",
                          DoubleValue(180e3),
                          MakeDoubleAccessor(&CosimSpectrumPropagationLossModel::m_prbHz),
                          MakeDoubleChecker<double>(1.0));
    return tid;
}

void CosimSpectrumPropagationLossModel::DoDispose()
{
    m_links = nullptr;
    SpectrumPropagationLossModel::DoDispose();
}

CosimSpectrumPropagationLossModel::Band CosimSpectrumPropagationLossModel::MakeBand(
    double low, double high, std::size_t prbs)
{
    Band band;
    const auto count = static_cast<double>(prbs);
    if (high < -BESIDE * count || low > (1.0 + BESIDE) * count)
    {
        return band;
    }
    const double width = high - low;
    if (width < 1.0)
    {
        // A PRB's gain is that of its centre, half a PRB above its lower end.
        const double place = std::clamp((low + high) / 2.0 - 0.5, 0.0, count - 1.0);
        band.prb = static_cast<std::size_t>(place);
        const double rest = place - static_cast<double>(band.prb);
        band.weights.push_back(1.0 - rest);
        if (rest > 0.0)
        {
            band.weights.push_back(rest);
        }
        return band;
    }
    const auto within = [&](double place) {
        return static_cast<std::size_t>(std::clamp(std::floor(place), 0.0, count - 1.0));
    };
    band.prb = within(low);
    const std::size_t last = within(high);
    for (std::size_t prb = band.prb; prb <= last; ++prb)
    {
        // What lies below the first PRB of the carrier counts to it, and above the last as well.
        const double from = prb == 0 ? low : std::max(low, static_cast<double>(prb));
        const double to = prb + 1 == prbs ? high : std::min(high, static_cast<double>(prb + 1));
        band.weights.push_back(std::max(to - from, 0.0) / width);
    }
    return band;
}

const CosimSpectrumPropagationLossModel::Grid& CosimSpectrumPropagationLossModel::GetGrid(
    Ptr<const SpectrumModel> model, std::size_t prbs) const
{
    Grid& grid = m_grids[model->GetUid()];
    if (grid.prbs != prbs)
    {
        grid.prbs = prbs;
        grid.bands.clear();
        const double lowest = m_carrierHz - m_prbHz * static_cast<double>(prbs) / 2.0;
        for (auto info = model->Begin(); info != model->End(); ++info)
        {
            grid.bands.push_back(
                MakeBand((info->fl - lowest) / m_prbHz, (info->fh - lowest) / m_prbHz, prbs));
        }
    }
    return grid;
}

Ptr<SpectrumValue> CosimSpectrumPropagationLossModel::DoCalcRxPowerSpectralDensity(
    Ptr<const SpectrumSignalParameters> params,
    Ptr<const MobilityModel> a,
    Ptr<const MobilityModel> b) const
{
    if (!m_links)
    {
        throw std::runtime_error(
            "ns3::CosimSpectrumPropagationLossModel: the attribute Links is not set");
    }
    auto psd = params->psd->Copy();
    const auto gains = m_links->FindGains(a, b);
    if (!gains)
    {
        *psd *= m_links->GetFallbackGain(a, b);
        return psd;
    }
    const Grid& grid = GetGrid(psd->GetSpectrumModel(), gains->size());
    for (std::size_t i = 0; i < grid.bands.size(); ++i)
    {
        double& density = (*psd)[i];
        if (density == 0.0)
        {
            continue;
        }
        const Band& band = grid.bands[i];
        if (band.weights.empty())
        {
            const double centre = (psd->ConstBandsBegin() + static_cast<std::ptrdiff_t>(i))->fc;
            throw std::runtime_error("ns3::CosimSpectrumPropagationLossModel: a signal at " +
                                     std::to_string(centre / 1e6) +
                                     " MHz lies farther from the channel's " +
                                     std::to_string(gains->size()) + " PRBs around " +
                                     std::to_string(m_carrierHz / 1e6) +
                                     " MHz than twice their width: set the attributes "
                                     "CarrierFrequency and PrbBandwidth");
        }
        double gain = 0.0;
        for (std::size_t k = 0; k < band.weights.size(); ++k)
        {
            gain += band.weights[k] * (*gains)[band.prb + k];
        }
        density *= gain;
    }
    return psd;
}

int64_t CosimSpectrumPropagationLossModel::DoAssignStreams(int64_t stream)
{
    (void)stream;
    return 0;
}

} // namespace ns3
