// SPDX-License-Identifier: GPL-2.0-only
#include "cosim-propagation-loss-model.h"

#include "ns3/pointer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(CosimPropagationLossModel);

TypeId CosimPropagationLossModel::GetTypeId()
{
    static TypeId tid = TypeId("ns3::CosimPropagationLossModel")
                            .SetParent<PropagationLossModel>()
                            .SetGroupName("Cosim")
                            .AddConstructor<CosimPropagationLossModel>()
                            .AddAttribute("Links",
                                          "Which nodes are which cells and UEs of the channel",
                                          PointerValue(),
                                          MakePointerAccessor(&CosimPropagationLossModel::m_links),
                                          MakePointerChecker<CosimChannelLinks>());
    return tid;
}

void CosimPropagationLossModel::DoDispose()
{
    m_links = nullptr;
    PropagationLossModel::DoDispose();
}

double CosimPropagationLossModel::DoCalcRxPower(double txPowerDbm,
                                                Ptr<MobilityModel> a,
                                                Ptr<MobilityModel> b) const
{
    if (!m_links)
    {
        throw std::runtime_error("ns3::CosimPropagationLossModel: the attribute Links is not set");
    }
    const auto gains = m_links->FindGains(a, b);
    const double gain = gains ? std::accumulate(gains->begin(), gains->end(), 0.0) /
                                    static_cast<double>(gains->size())
                              : m_links->GetFallbackGain(a, b);
    // A link without any gain is -300 dB, below all noise: infinities end in NaN elsewhere.
    constexpr double LEAST = 1e-30;
    return txPowerDbm + 10.0 * std::log10(std::max(gain, LEAST));
}

int64_t CosimPropagationLossModel::DoAssignStreams(int64_t stream)
{
    (void)stream;
    return 0;
}

} // namespace ns3
